"""Options that commands share, and what they make of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

if TYPE_CHECKING:  # loaded with the command that needs them, not with --help
    from magiqa.scorer import Scorer
    from magiqa.settings import Settings

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH",
        help="Pictures, folders, globs, manifests, tar and zip archives, URLs, - for a list.",
    ),
]
Backbone = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A released CLIP backbone, or nano.  [default: RN50]"),
]
Weights = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A CLIP checkpoint: .safetensors or .pt.")
]
Prompts = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help="A preset, or 'GOOD / BAD' once for each own pair.  [default: ensemble]",
    ),
]
Tokenizer = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="CLIP's, for own pairs.  [default: from the hub]"),
]
Protocol = Annotated[
    Literal["photo", "paper"],
    typer.Option(help="photo: upright, sRGB, large ones scaled down. paper: as its code."),
]
Native = Annotated[
    bool, typer.Option("--native", metavar="", help="Do not scale large pictures down.")
]
Resize = Annotated[
    str | None, typer.Option(help="Bring every picture to this size.", metavar="WxH")
]
Coverage = Annotated[
    Literal["paper", "full"],
    typer.Option(help="full: windows up to the right and bottom edges too."),
]
Threads = Annotated[
    int | None, typer.Option(metavar="N", help="Of the encoder.  [default: all cores]", min=1)
]
Provider = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="ONNX Runtime's execution provider.  [default: CPUExecutionProvider]",
    ),
]
Engine = Annotated[
    Literal["onnx", "torch"], typer.Option(help="torch, an extra, is for GPUs (--device).")
]
Device = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of torch: cuda, cuda:1, mps.  [default: cpu]")
]
Dtype = Annotated[
    Literal["float32", "float16", "bfloat16"] | None,
    typer.Option(help="Of torch; the equations stay exact.  [default: float32]"),
]
Jobs = Annotated[
    int, typer.Option(metavar="N", min=0, help="Guarded decode processes; 0: decode in place.")
]
Column = Annotated[
    str | None, typer.Option(metavar="NAME", help="A manifest's column of pictures.")
]
Shard = Annotated[
    str | None,
    typer.Option(metavar="I/N", help="Every N-th 256 pictures, or archive, from the I-th on."),
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", metavar="", help="Try an output's failures again.")
]
Restart = Annotated[bool, typer.Option("--restart", metavar="", help="Begin an output anew.")]


class Machine(NamedTuple):
    """What encodes, as the options say."""

    threads: int | None = None
    provider: str | None = None
    engine: Literal["onnx", "torch"] = "onnx"
    device: str | None = None
    dtype: Literal["float32", "float16", "bfloat16"] | None = None


def scorer_of(
    settings: Settings,
    backbone: str | None,
    weights: Path | None,
    tokenizer: Path | None,
    machine: Machine,
) -> Scorer:
    """The scorer of the options; a download of its weights is shown."""
    from magiqa.scorer import Scorer

    pull(backbone, weights)
    return Scorer(
        backbone,
        weights=weights,
        settings=settings,
        tokenizer=tokenizer,
        **machine._asdict(),
    )


def pull(backbone: str | None, weights: Path | None) -> None:
    """Fetch the backbone's weights, unless they are the user's own; a download is shown."""
    from magiqa.cli.weights import downloading
    from magiqa.clip import weights as released

    if weights is None:
        with downloading(backbone or "RN50") as bar:
            released.pull(backbone or "RN50", bar)


def settings_of(
    prompts: list[str] | None,
    protocol: Literal["photo", "paper"],
    native: bool,
    resize: str | None,
    coverage: Literal["paper", "full"],
) -> Settings:
    """Settings of the options; typer's error for what no setting can be made of."""
    from magiqa.settings import Settings

    if native and resize:
        raise typer.BadParameter("contradicts --resize - give one of them", param_hint="--native")
    defaults = Settings()
    return Settings(
        prompts=prompts_of(prompts) if prompts else defaults.prompts,
        protocol=protocol,
        max_pixels=None if native else defaults.max_pixels,
        resize=_size(resize) if resize else None,
        coverage=coverage,
    )


def prompts_of(values: list[str]) -> str | tuple[tuple[str, str], ...]:
    """Settings.prompts of --prompts; typer's error for what is neither preset nor pair."""
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
