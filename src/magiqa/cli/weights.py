"""`magiqa weights`: list, pull, verify."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magiqa.errors import WeightsError, nearest

if TYPE_CHECKING:  # loaded inside the commands, not with --help
    from magiqa.clip.download import Progress
    from magiqa.clip.sources import Source

app = typer.Typer(
    help="The weights of the backbones: list, pull, verify.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_ABOUT = """\
Sizes are of the hub's float32 files. When the hub does not answer, OpenAI's own
smaller file is taken, from openaipublic.azureedge.net.
Licence: MIT, that of OpenAI's CLIP repository; its model card calls any
deployed use, commercial or not, out of scope."""


@app.command("list")
def list_() -> None:
    """The backbones, and which of them are on this machine."""
    from magiqa.clip.releases import RELEASES
    from magiqa.clip.sources import NANO, on_this_machine, packaged

    typer.echo(f"{'backbone':<15} {'size':>7}  {'here':<6}  hub repository")
    for name, release in RELEASES.items():
        size, here = f"{release.megabytes} MB", "-"
        if found := on_this_machine(release):
            here = "OpenAI" if found[0].origin == release.openai_address else "hub"
        typer.echo(f"{name:<15} {size:>7}  {here:<6}  {release.hub_repository}")
    size = f"{packaged().path.stat().st_size / 1e6:.1f} MB"
    typer.echo(f"{NANO:<15} {size:>7}  {'magiqa':<6}  - in the package: learned, small, rough")
    typer.echo(f"\n{_ABOUT}")


@app.command()
def pull(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Backbones.  [default: RN50]")
    ] = None,
) -> None:
    """Fetch weights, so that scoring needs no network.

    They come from the Hugging Face hub, else from OpenAI, and are checked.
    """
    from magiqa.clip import weights
    from magiqa.clip.releases import release_of
    from magiqa.clip.sources import NANO

    backbones = names or ["RN50"]
    for name in backbones:
        if name != NANO:
            release_of(name)
    for name in backbones:
        with downloading(name) as progress:
            source = weights.pull(name, progress)
        typer.echo(f"{name}: {source.path}\n    from {source.origin}")


@app.command()
def verify(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME|FILE", help="Backbones or files.  [default: all on this machine]"
        ),
    ] = None,
) -> None:
    """Compare weights with what is known of them.

    Exit code: 0 all right, 1 some wrong, 3 not found.
    """
    from magiqa.clip import weights
    from magiqa.clip.releases import RELEASES
    from magiqa.clip.sources import on_this_machine, packaged

    if files:
        sources = [source for file in files for source in _named(file)]
    else:
        sources = [source for release in RELEASES.values() for source in on_this_machine(release)]
        sources.append(packaged())
    wrong = False
    for source in sources:
        try:
            typer.echo(f"right: {source.path}\n    {weights.verify(source)}")
        except WeightsError as error:
            typer.echo(f"wrong: {error}")
            wrong = True
    raise typer.Exit(1 if wrong else 0)


def _named(file: str) -> list[Source]:
    """What a name or a path stands for."""
    from magiqa.clip.releases import RELEASES
    from magiqa.clip.sources import NANO, Source, on_this_machine, packaged

    if file == NANO:
        return [packaged()]
    if file not in RELEASES:
        if not Path(file).is_file():
            known = [*RELEASES, NANO]
            raise WeightsError(f"{file} - neither a file nor a backbone - {nearest(file, known)}")
        return [Source(Path(file), "file")]
    found = on_this_machine(RELEASES[file])
    if not found:
        raise WeightsError(f"{file} - not on this machine - magiqa weights pull {file}")
    return found


@contextmanager
def downloading(name: str) -> Iterator[Progress | None]:
    """A bar on stderr that follows a download, when stderr is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn(name), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    bar = Progress(*columns, console=Console(stderr=True))

    def update(there: int, total: int | None) -> None:
        if not bar.task_ids:  # the hub's library draws its own
            bar.add_task(name)
            bar.start()
        bar.update(bar.task_ids[0], completed=there, total=total)

    try:
        yield update
    finally:
        bar.stop()
