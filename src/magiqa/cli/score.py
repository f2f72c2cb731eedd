"""`magiqa score`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from magiqa.cli import options, show
from magiqa.cli.interrupts import Interrupts

if TYPE_CHECKING:  # loaded with the scorer, not with --help
    from magiqa.records import Failure, Score


def score(
    paths: options.Paths,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write every row: .csv, .jsonl or .parquet."
        ),
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
) -> None:
    """Score pictures: the higher, the better they look.

    Prints a table on a terminal and plain lines in a pipe.
    A picture that cannot be read is a row that says why, not the end.

    With -o a run may end at any moment: the same command goes on with it.

    Exit code: 0 all scored, 1 some failed, 2 wrong usage, 3 nothing could start.
    """
    if output is None and (retry_failed or restart):
        raise typer.BadParameter("goes with -o", param_hint="--retry-failed, --restart")
    settings = options.settings_of(prompts, protocol, native, resize, coverage)
    from magiqa.records import Failure
    from magiqa.runs import pipeline, sinks

    def wanted(result: Score | Failure) -> bool:
        if isinstance(result, Failure):
            return above is None and below is None
        return (above is None or result.score > above) and (below is None or result.score < below)

    part = pipeline.parse_shard(shard) if shard else (0, 1)
    terminal = sys.stdout.isatty()
    at_once = sort is None and top is None and not terminal
    limit = top or (show.TABLE_ROWS if terminal else None)
    kept: list[Score | Failure] = []

    def shown() -> list[Score | Failure]:
        results = show.ordered(kept, worst_first=sort == "worst") if sort or top else kept
        return results[:limit]

    with ExitStack() as stack:
        if output:
            sinks.check(output)
        scorer = options.scorer_of(settings, backbone, weights, tokenizer, threads, provider)
        run = pipeline.Run(
            paths,
            scorer,
            output,
            column=column,
            shard=part,
            jobs=jobs,
            restart=restart,
            retry_failed=retry_failed,
        )
        stack.enter_context(run)
        interrupts = stack.enter_context(Interrupts(run.stop))
        tally = show.Tally(run)
        progress = stack.enter_context(show.progress(tally))
        for result in run:
            tally.count(result)
            progress()
            if at_once and wanted(result):
                typer.echo(show.line(result))
            elif wanted(result):
                kept.append(show.brief(result))
            if limit and len(kept) > 2 * limit:  # memory is bounded whatever the number of pictures
                kept = shown()
        run.finish()
    if terminal:
        show.print_table(shown())
    else:
        for result in shown():
            typer.echo(show.line(result))
    typer.echo(tally.summary(output, interrupts.received is not None), err=True)
    raise typer.Exit(interrupts.exit_code or tally.exit_code)
