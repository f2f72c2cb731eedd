"""`magiqa map`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from magiqa.cli import options


def map_(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="The file of a picture.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The map: .png, .jpg, .webp...")
    ],
    cue: Annotated[
        Literal["score", "similarity", "magnitude"], typer.Option(help="What is mapped.")
    ] = "score",
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
) -> None:
    """Draw where a picture looks good, window by window.

    Yellow is better, blue is worse; the legend says how far apart they are.
    Grey at the right and bottom is in no window (see --coverage).

    A large picture is mapped as it is scored: scaled down (see --native).
    """
    settings = options.settings_of(prompts, protocol, native, resize, coverage)
    from magiqa.pictures import decode, quality_map
    from magiqa.records import Item, Score

    quality_map.check(output, picture)
    decoded = decode.read(Item(str(picture), picture), settings)
    machine = options.Machine(threads, provider, engine, device, dtype)
    scorer = options.scorer_of(settings, backbone, weights, tokenizer, machine)
    [score] = scorer.stream([decoded], "raise")
    assert isinstance(score, Score)  # a decoded picture does not fail
    quality_map.save(quality_map.draw(score, decoded.pixels, cue), output)
    windows = sorted(score.views[:-1], key=lambda view: getattr(view, cue))
    places = [f"{getattr(view, cue):.4f} at {view.box}" for view in (windows[0], windows[-1])]
    line = f"{cue} {getattr(score, cue):.4f}, lowest window {places[0]}, highest {places[1]}"
    typer.echo(", ".join([line, *score.warnings]))
