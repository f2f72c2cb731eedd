"""`magiqa embed` and `magiqa rescore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from magiqa.cli import options, show


def embed(
    paths: options.Paths,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where they are kept.")
    ],
    backbone: options.Backbone = None,
    weights: options.Weights = None,
    protocol: options.Protocol = "photo",
    native: options.Native = False,
    resize: options.Resize = None,
    coverage: options.Coverage = "paper",
    threads: options.Threads = None,
    provider: options.Provider = None,
    engine: options.Engine = "onnx",
    device: options.Device = None,
    dtype: options.Dtype = None,
    jobs: options.Jobs = 1,
    column: options.Column = None,
    shard: options.Shard = None,
    retry_failed: options.RetryFailed = False,
    restart: options.Restart = False,
) -> None:
    """Keep pictures' embeddings, to be scored under any settings later (rescore).

    A run may end at any moment: the same command goes on with it.
    """
    settings = options.settings_of(None, protocol, native, resize, coverage)
    from magiqa.runs.chunks import parse_shard
    from magiqa.runs.embeddings import EmbedRun

    part = parse_shard(shard) if shard else (0, 1)
    machine = options.Machine(threads, provider, engine, device, dtype)
    scorer = options.scorer_of(settings, backbone, weights, None, machine)
    with EmbedRun(
        paths,
        scorer,
        output,
        column=column,
        shard=part,
        jobs=jobs,
        restart=restart,
        retry_failed=retry_failed,
    ) as run:
        tally, signalled = show.followed(run)
    typer.echo(tally.summary(output, signalled is not None), err=True)
    raise typer.Exit(signalled or tally.exit_code)


def rescore(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What `magiqa embed` wrote.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="Every row: .csv, .jsonl or .parquet."),
    ],
    backbone: Annotated[
        str | None, typer.Option(metavar="NAME", help="[default: what they were embedded with]")
    ] = None,
    weights: options.Weights = None,
    prompts: options.Prompts = None,
    tokenizer: options.Tokenizer = None,
) -> None:
    """Score kept embeddings under other prompts, without the pictures."""
    import dataclasses

    from magiqa.runs import embeddings, sinks

    sinks.check(output)
    settings = embeddings.settings_of(folder)
    if prompts:
        settings = dataclasses.replace(settings, prompts=options.prompts_of(prompts))
    if backbone is None and weights is None:
        backbone = embeddings.backbone_of(folder)
    scorer = options.scorer_of(settings, backbone, weights, tokenizer, options.Machine())
    failed = embeddings.rescore_to(output, folder, scorer)
    raise typer.Exit(1 if failed else 0)
