"""`magiqa cluster`."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from magiqa.cli import options, show
from magiqa.cli.interrupts import Interrupts


def cluster(
    paths: options.Paths,
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FOLDER", help="Where parts go: a folder or URL."),
    ],
    address: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Of a Ray cluster.  [default: this machine]"),
    ] = None,
    workers: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="MIN MAX", help="At a time.  [default: 1 to as many as fit]"),
    ] = None,
    cpus_per_worker: Annotated[
        int, typer.Option(metavar="N", min=1, help="Threads of a worker's encoder.")
    ] = 1,
    gpus_per_worker: Annotated[
        float, typer.Option(metavar="X", min=0, help="Fractions share a GPU.")
    ] = 0,
    chunk: Annotated[
        int, typer.Option(metavar="N", min=1, help="Pictures of a part; more for fast GPUs.")
    ] = 256,
    backbone: options.Backbone = None,
    weights: options.Weights = None,
    prompts: options.Prompts = None,
    tokenizer: options.Tokenizer = None,
    protocol: options.Protocol = "photo",
    native: options.Native = False,
    resize: options.Resize = None,
    coverage: options.Coverage = "paper",
    provider: options.Provider = None,
    engine: options.Engine = "onnx",
    device: options.Device = None,
    dtype: options.Dtype = None,
    jobs: options.Jobs = 1,
    column: options.Column = None,
    retry_failed: options.RetryFailed = False,
    restart: options.Restart = False,
) -> None:
    """Score pictures on many machines, with Ray.

    Rows are those of `magiqa score`, in Parquet files of some hundred pictures.
    Pictures, output and --weights FILE lie where all machines find them.

    A run may end at any moment: the same command goes on with it.
    """
    settings = options.settings_of(prompts, protocol, native, resize, coverage)
    if gpus_per_worker and (provider if engine == "onnx" else device) is None:
        raise typer.BadParameter(
            "the encoder runs on CPUs - add --engine torch --device cuda, or --provider",
            param_hint="--gpus-per-worker",
        )
    from magiqa.cluster import ClusterRun

    options.pull(backbone, weights)
    run = ClusterRun(
        paths,
        output,
        {
            "backbone": backbone,
            "weights": weights,
            "settings": settings,
            "tokenizer": tokenizer,
            "provider": provider,
            "engine": engine,
            "device": device,
            "dtype": dtype,
        },
        column=column,
        address=address,
        workers=workers,
        cpus_per_worker=cpus_per_worker,
        gpus_per_worker=gpus_per_worker,
        jobs=jobs,
        pictures_a_chunk=chunk,
        restart=restart,
        retry_failed=retry_failed,
    )
    tally = show.Tally(run)
    with run, Interrupts(_interrupt) as interrupts:  # Ray takes the signals when it connects
        with suppress(KeyboardInterrupt), show.progress(tally) as tell:
            for done in run:
                tally.add(done.scored, done.failed, done.not_found)
                tell()
        if not interrupts.received:
            run.finish()
    typer.echo(tally.summary(output, interrupts.received is not None), err=True)
    raise typer.Exit(interrupts.exit_code or tally.exit_code)


def _interrupt() -> None:
    raise KeyboardInterrupt  # chunks that are under way are given up: they take minutes
