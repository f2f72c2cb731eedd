"""`magiqa score`."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from magiqa.cli import options, show
from magiqa.cli.interrupts import Interrupts
from magiqa.cli.report import write as write_page
from magiqa.cli.selection import Selection

if TYPE_CHECKING:  # loaded inside the command, not with --help
    from magiqa.evaluate.rivals.metric import Metric
    from magiqa.scorer import Scorer
    from magiqa.settings import Settings


def score(
    paths: options.Paths,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write every row: .csv, .jsonl or .parquet."
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A rival instead: piqe, niqe, ilniqe, pyiqa:NAME, ..."),
    ] = None,
    backbone: options.Backbone = None,
    weights: options.Weights = None,
    prompts: options.Prompts = None,
    tokenizer: options.Tokenizer = None,
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
    sort: Annotated[Literal["best", "worst"] | None, typer.Option(help="Show these first.")] = None,
    top: Annotated[
        int | None,
        typer.Option(metavar="N", help="Show only the first N, best first unless sorted.", min=1),
    ] = None,
    above: Annotated[
        float | None, typer.Option(metavar="X", help="Show only scores above X.")
    ] = None,
    below: Annotated[
        float | None, typer.Option(metavar="X", help="Show only scores below X.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Make a page to look at: .html.")
    ] = None,
    copy_to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Copy what --top, --above, --below select there."),
    ] = None,
) -> None:
    """Score pictures: the higher, the better they look.

    Prints a table on a terminal and plain lines in a pipe.
    A picture that cannot be read is a row that says why, not the end.

    With -o a run may end at any moment: the same command goes on with it.

    Exit code: 0 all scored, 1 some failed, 2 wrong usage, 3 nothing could start.
    """
    if output is None and (retry_failed or restart):
        raise typer.BadParameter("goes with -o", param_hint="--retry-failed, --restart")
    selection = Selection(sort, top, above, below)
    if copy_to and selection.is_all:
        raise typer.BadParameter(
            "copies what is selected - add --top, --above or --below", param_hint="--copy-to"
        )
    if method:
        _refuse_with_method(
            {
                "--backbone": backbone,
                "--weights": weights,
                "--prompts": prompts,
                "--tokenizer": tokenizer,
                "--coverage": coverage != "paper",
                "--threads": threads,
                "--provider": provider,
                "--engine": engine != "onnx",
                "--device": device,
                "--dtype": dtype,
                "--report": report,
            }
        )
    settings = options.settings_of(prompts, protocol, native, resize, coverage)
    from magiqa.runs import chunks, pipeline

    part = chunks.parse_shard(shard) if shard else (0, 1)
    with ExitStack() as stack:
        _check(paths, output, report, copy_to)
        rows = output
        if rows is None and (report or copy_to):  # they are made from rows that were written
            rows = Path(stack.enter_context(TemporaryDirectory(prefix="magiqa-")), "rows.jsonl")
        selection.goes_on = rows is not None
        scorer: Metric | Scorer
        if method:
            scorer = _metric(method, settings)
            selection.lower_is_better = scorer.lower_is_better
        else:
            machine = options.Machine(threads, provider, engine, device, dtype)
            scorer = options.scorer_of(settings, backbone, weights, tokenizer, machine)
        run = pipeline.Run(
            paths,
            scorer,
            rows,
            column=column,
            shard=part,
            jobs=jobs,
            restart=restart,
            retry_failed=retry_failed,
        )
        tally = show.Tally(run)
        whole = output is not None and selection.is_given  # what is selected of all of its rows
        with run, Interrupts(run.stop) as interrupts, show.progress(tally) as progress:
            for result in run:
                tally.count(result)
                progress()
                if not whole:
                    selection.take(result)
            run.finish()
        if output and whole:
            selection.take_output(output)
        selection.show()
        typer.echo(tally.summary(output, interrupts.received is not None), err=True)
        code = interrupts.exit_code or tally.exit_code
        if rows and report:
            write_page(rows, report, jobs)
        if rows and copy_to and not interrupts.received and not selection.copy(rows, copy_to):
            code = code or 1
    raise typer.Exit(code)


def _refuse_with_method(given: dict[str, object]) -> None:
    names = [name for name, value in given.items() if value]
    if names:
        raise typer.BadParameter(
            "belongs to magiqa's own method - leave it out with --method",
            param_hint=", ".join(names),
        )


def _metric(name: str, settings: Settings) -> Metric:
    from magiqa.evaluate.methods import find_metric

    return replace(find_metric(name), settings=settings)


def _check(
    paths: list[str], output: Path | None, report: Path | None, copy_to: Path | None
) -> None:
    """Refuse what cannot be written to, before any work is done."""
    from magiqa.runs import copies, sinks

    if output:
        sinks.check(output)
    if copy_to:
        copies.check(copy_to, paths)
    if report:
        from magiqa.report import page  # its libraries are an extra

        page.check(report)
