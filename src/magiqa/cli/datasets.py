"""`magiqa datasets`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:  # loaded inside the command, not with --help
    from magiqa.evaluate.datasets import DataSet


def datasets() -> None:
    """The paper's data sets: labels, sizes, where to get them.

    A table on a terminal. In a pipe a line for each set, tabs between: name,
    pictures, label, higher or lower (which is better), lowest and highest label,
    size the pictures are brought to or -, where to get it, terms.
    """
    from magiqa.evaluate.datasets import DATASETS

    for line in _table(DATASETS) if sys.stdout.isatty() else map(_line, DATASETS):
        typer.echo(line)


def _line(each: DataSet) -> str:
    cells = (each.name, str(each.count), each.label, _better(each), f"{each.low:g}")
    return "\t".join((*cells, f"{each.high:g}", _size(each), each.home, each.licence))


def _table(sets: tuple[DataSet, ...]) -> Iterator[str]:
    """Numbers first, then addresses, which need a line of their own."""
    form = "{:<12} {:>8}  {:<18}  {:<6}  {:<8} {}".format
    yield form("set", "pictures", "label", "better", "range", "brought to")
    for each in sets:
        numbers = f"{each.low:g}..{each.high:g}"
        yield form(each.name, each.count, each.label, _better(each), numbers, _size(each))
    yield f"\n{'set':<12} where to get it, and its terms"
    for each in sets:
        yield f"{each.name:<12} {each.home}\n{'':<12} {each.licence}"


def _better(each: DataSet) -> str:
    return "higher" if each.higher_is_better else "lower"


def _size(each: DataSet) -> str:
    return "{}x{}".format(*each.resize) if each.resize else "-"
