"""`magiqa score`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from magiqa.cli import show

if TYPE_CHECKING:  # loaded with the scorer, not with --help
    from magiqa.records import Failure, Score
    from magiqa.settings import Settings


def score(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Pictures, and folders of pictures.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write every row: .csv or .jsonl."),
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(metavar="NAME", help="A released CLIP backbone.  [default: RN50]")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A CLIP checkpoint: .safetensors.")
    ] = None,
    prompts: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="A preset, or 'GOOD / BAD' once for each own pair.  [default: ensemble]",
        ),
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CLIP's vocabulary, for own pairs.")
    ] = None,
    protocol: Annotated[
        Literal["photo", "paper"],
        typer.Option(help="photo: upright, sRGB, large ones scaled down. paper: as its code."),
    ] = "photo",
    native: Annotated[
        bool, typer.Option("--native", metavar="", help="Do not scale large pictures down.")
    ] = False,
    resize: Annotated[
        str | None, typer.Option(help="Bring every picture to this size.", metavar="WxH")
    ] = None,
    coverage: Annotated[
        Literal["paper", "full"],
        typer.Option(help="full: windows up to the right and bottom edges too."),
    ] = "paper",
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="Of the encoder.  [default: all cores]", min=1)
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="ONNX Runtime's execution provider.  [default: CPUExecutionProvider]",
        ),
    ] = None,
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

    Exit code: 0 all scored, 1 some failed, 2 wrong usage, 3 nothing could start.
    """
    if native and resize:
        raise typer.BadParameter("contradicts --resize - give one of them", param_hint="--native")
    settings = _settings(prompts, protocol, native, resize, coverage)
    from magiqa.records import Failure
    from magiqa.runs.pipeline import score_paths
    from magiqa.runs.sinks import Sink
    from magiqa.scorer import Scorer

    def wanted(result: Score | Failure) -> bool:
        if isinstance(result, Failure):
            return above is None and below is None
        return (above is None or result.score > above) and (below is None or result.score < below)

    at_once = sort is None and top is None and not sys.stdout.isatty()
    kept: list[Score | Failure] = []
    with ExitStack() as stack:
        sink = stack.enter_context(Sink(output, settings.pairs)) if output else None
        scorer = Scorer(
            backbone,
            weights=weights,
            settings=settings,
            tokenizer=tokenizer,
            threads=threads,
            provider=provider,
        )
        if sink:
            sink.describe(scorer.provenance)
        progress = stack.enter_context(show.progress())
        tally = show.Tally()
        try:
            for result in score_paths(paths, scorer):
                tally.count(result)
                progress(tally)
                if sink:
                    sink.write(result)
                if at_once and wanted(result):
                    typer.echo(show.line(result))
                elif wanted(result):
                    kept.append(result)
        except KeyboardInterrupt:
            tally.interrupted = True
    if sort or top:
        kept = show.ordered(kept, worst_first=sort == "worst")[:top]
    if sys.stdout.isatty():
        show.print_table(kept)
    elif not at_once:
        for result in kept:
            typer.echo(show.line(result))
    typer.echo(tally.summary(output), err=True)
    raise typer.Exit(tally.exit_code)


def _settings(
    prompts: list[str] | None,
    protocol: Literal["photo", "paper"],
    native: bool,
    resize: str | None,
    coverage: Literal["paper", "full"],
) -> Settings:
    from magiqa.settings import Settings

    defaults = Settings()
    return Settings(
        prompts=_prompts(prompts) if prompts else defaults.prompts,
        protocol=protocol,
        max_pixels=None if native else defaults.max_pixels,
        resize=_size(resize) if resize else None,
        coverage=coverage,
    )


def _prompts(values: list[str]) -> str | tuple[tuple[str, str], ...]:
    if len(values) == 1 and "/" not in values[0]:
        return values[0]
    pairs = [tuple(text.strip() for text in value.split(" / ")) for value in values]
    for value, pair in zip(values, pairs, strict=True):
        if len(pair) != 2:
            raise typer.BadParameter(
                f"{value!r} is no pair - write 'GOOD / BAD'", param_hint="--prompts"
            )
    return tuple((pair[0], pair[1]) for pair in pairs)


def _size(text: str) -> tuple[int, int]:
    width, times, height = text.lower().partition("x")
    if not (times and width.isdecimal() and height.isdecimal()):
        raise typer.BadParameter(
            f"{text!r} is no size - write WxH, as in 512x384", param_hint="--resize"
        )
    return int(width), int(height)
