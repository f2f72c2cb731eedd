"""The official layouts: the files of a set's folder -> its pictures and labels."""

from __future__ import annotations

import csv
import math
import os
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from magiqa.errors import MagiqaError, MissingExtra, SourceError
from magiqa.records import Failure
from magiqa.runs import folders


@dataclass(frozen=True, slots=True)
class Rated:
    """A picture and its label."""

    name: str
    """As the set's own list names it."""
    path: Path
    mos: float
    """The label, on the scale that the set declares."""


class Files:
    """What lies in a set's folder and below it, found by name, upper or lower case."""

    def __init__(self, root: Path, home: str) -> None:
        self.root = root
        self.home = home

    @cached_property
    def _by_name(self) -> Mapping[str, list[str]]:
        found = defaultdict(list)
        for each in folders.walk(str(self.root)):
            if isinstance(each, Failure):
                raise SourceError(each.text)
            for path in each.files:
                found[os.path.basename(path).lower()].append(path)
        return found

    def find(self, name: str, within: str = "") -> Path | None:
        """The file of that name below a folder whose name holds `within`; None: there is none.

        The name as it is written goes before one in another case. SourceError: there are two.
        """
        start = len(str(self.root))
        places = [
            path
            for path in self._by_name.get(name.lower(), ())
            if within in os.path.dirname(path[start:])
        ]
        places = [path for path in places if os.path.basename(path) == name] or places
        if len(places) > 1:
            raise SourceError(f"{name} - lies at {places[0]} and at {places[1]} - keep one of them")
        return Path(places[0]) if places else None

    def picture(self, name: str, within: str = "") -> Path:
        """Where a picture is, or, where it is not there, would be."""
        return self.find(name, within) or self.root / within / name

    def labels(self, *names: str) -> Path:
        """The first of these files that is there. SourceError names them."""
        for name in names:
            if found := self.find(name):
                return found
        raise SourceError(
            f"{self.root} - no {' or '.join(names)} in it - get the set from {self.home}"
        )

    @contextmanager
    def reading(self, path: Path) -> Iterator[None]:
        """What goes wrong inside is said of that file, as a SourceError."""
        try:
            yield
        except MagiqaError:
            raise
        except Exception as error:  # those of csv, openpyxl and scipy, and of the disk
            raise SourceError(
                f"{path} - not readable ({error}) - get it again from {self.home}"
            ) from error

    def texts(self, train: bool) -> list[Path]:
        """The text files in a folder Train_Label, or all others, in order."""
        every = [path for places in self._by_name.values() for path in map(Path, places)]
        texts = [path for path in every if path.suffix.lower() == ".txt"]
        return sorted(
            each for each in texts if (each.parent.name.lower() == "train_label") == train
        )


def csiq(files: Files) -> list[Rated]:
    """CSIQ: a workbook with several sheets; the header is not in the first row of this one."""
    path = files.labels("csiq.DMOS.xlsx")
    kinds = {"noise": "AWGN", "blur": "BLUR", "jpeg": "JPEG", "jpeg 2000": "jpeg2000"}
    columns = ("image", "dst_type", "dst_lev", "dmos")
    rows = _workbook(files, path, columns, sheet="all_by_image")
    named = (
        (f"{image}.{kinds.get(kind, kind)}.{level}.png", dmos) for image, kind, level, dmos in rows
    )
    return _rated(files, path, named)


def tid2013(files: Files) -> list[Rated]:
    """TID2013: lines "MOS NAME"; the case of the names is not that of the files."""
    path = files.labels("mos_with_names.txt")
    return _rated(files, path, (line.split()[::-1] for line in _lines(path) if line.strip()))


def kadid(files: Files) -> list[Rated]:
    """KADID-10k: the column is called dmos, but higher is better."""
    path = files.labels("dmos.csv")
    return _rated(files, path, _csv(files, path, ("dist_img", "dmos")))


def clive(files: Files) -> list[Rated]:
    """CLIVE: names and labels are two MATLAB files in the same order, training pictures first."""
    try:
        from scipy.io import loadmat
    except ImportError:
        raise MissingExtra("CLIVE - .mat needs scipy - pip install 'magiqa[evaluate]'") from None
    columns = []
    for key in ("AllImages_release", "AllMOS_release"):
        path = files.labels(f"{key}.mat")
        with files.reading(path):
            columns.append(loadmat(path, squeeze_me=True)[key].tolist())
    return _rated(files, path, zip(*columns, strict=True))


def clive_test(files: Files) -> list[Rated]:
    """CLIVE without t1.bmp to t7.bmp, on which its raters were trained."""
    return [rated for rated in clive(files) if not re.fullmatch(r"t[1-7]\.bmp", rated.name)]


def koniq(files: Files) -> list[Rated]:
    """KonIQ-10k: pictures of 1024x768, MOS of 1..5.

    The file beside its authors' code has a column of the same name on 0..100 that ranks a little
    differently; where there is only that one, the MOS is computed from its votes.
    """
    path = files.labels("koniq10k_scores_and_distributions.csv", "koniq10k_distributions_sets.csv")
    if path.name.endswith("_distributions.csv"):
        rows = _csv(files, path, ("image_name", "MOS"))
    else:
        votes = _csv(files, path, ("image_name", "c1", "c2", "c3", "c4", "c5"))
        rows = ((name, _mean_vote([number(path, name, c) for c in own])) for name, *own in votes)
    return _rated(files, path, rows, within="1024x768")


def spaq(files: Files) -> list[Rated]:
    """SPAQ."""
    path = files.labels("MOS and Image attribute scores.xlsx")
    return _rated(files, path, _workbook(files, path, ("Image name", "MOS")))


def pipal_train(files: Files) -> list[Rated]:
    """PIPAL's training part: lines "NAME,ELO", Elo ratings brought to 0..1."""
    return _elo(files, files.texts(train=True), r"\d\d", "Train_Label/*.txt")


def pipal(files: Files) -> list[Rated]:
    """PIPAL's training part and the validation part of NTIRE 2021, each brought to 0..1 by itself.

    The validation part is what other text files list of distortion type 10.
    """
    wanted = "text file outside of Train_Label"
    return pipal_train(files) + _elo(files, files.texts(train=False), "10", wanted)


def agiqa_1k(files: Files) -> list[Rated]:
    """AGIQA-1k."""
    path = files.labels("AIGC_MOS_Zscore.xlsx")
    return _rated(files, path, _workbook(files, path, ("Image", "MOS")))


def agiqa_3k(files: Files) -> list[Rated]:
    """AGIQA-3k: of its labels the one of quality."""
    path = files.labels("data.csv")
    return _rated(files, path, _csv(files, path, ("name", "mos_quality")))


def _rated(
    files: Files, path: Path, rows: Iterable[Sequence[Any]], within: str = ""
) -> list[Rated]:
    """Rows (name, label) of a list, with the places of the pictures."""
    with files.reading(path):
        return [
            Rated(name, files.picture(name, within), number(path, name, label))
            for name, label in rows
        ]


def number(path: Path, name: str, label: Any) -> float:
    """A label as a finite number. SourceError names the list and the picture."""
    try:
        value = float(label)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise SourceError(f"{path} - the label of {name} is {label!r} - give a number")
    return value


def _mean_vote(votes: list[float]) -> float:
    """Mean of the grades 1, 2, ... that were given so often."""
    return sum(grade * count for grade, count in enumerate(votes, start=1)) / sum(votes)


def _elo(files: Files, texts: list[Path], kind: str, wanted: str) -> list[Rated]:
    """Lines "NAME,ELO" of several files; Elo -> (Elo - lowest) / (highest - lowest)."""
    line = re.compile(rf"(A\d{{4}}_{kind}_\d\d\.bmp)[,\s]+(\S+)\s*")
    rated: list[Rated] = []
    for path in texts:
        matches = map(line.fullmatch, _lines(path))
        rated += _rated(files, path, (match.groups() for match in matches if match))
    elos = [each.mos for each in rated]
    if len(set(elos)) < 2:
        raise SourceError(
            f"{files.root} - no {wanted} with lines such as A0001_10_00.bmp,1520.06 - get the set "
            f"from {files.home}"
        )
    low, high = min(elos), max(elos)
    return [Rated(each.name, each.path, (each.mos - low) / (high - low)) for each in rated]


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        yield from file


def _csv(files: Files, path: Path, columns: Sequence[str]) -> Iterator[Sequence[Any]]:
    """These cells of each row."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from _cells(files, path, columns, csv.reader(file))


def _workbook(
    files: Files, path: Path, columns: Sequence[str], sheet: str | None = None
) -> Iterator[Sequence[Any]]:
    """These cells of each row, of one sheet or of the first."""
    try:
        import openpyxl
    except ImportError:
        raise MissingExtra(
            f"{path} - .xlsx needs openpyxl - pip install 'magiqa[evaluate]'"
        ) from None
    with files.reading(path), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="openpyxl")  # about styles it does not know
        book = openpyxl.load_workbook(path, data_only=True)
        page = book[sheet] if sheet else book.worksheets[0]
        rows = [[_text(cell) for cell in row] for row in page.iter_rows(values_only=True)]
    yield from _cells(files, path, columns, rows)


def _text(cell: object) -> str:
    """A cell as one reads it; names such as 1600 are numbers to a workbook."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell).strip()


def _cells(
    files: Files, path: Path, columns: Sequence[str], rows: Iterable[list[str]]
) -> Iterator[Sequence[Any]]:
    """Cells of the rows below the first one that names all columns; empty rows are left out."""
    places: list[int] = []
    seen: list[str] = []
    for row in rows:
        if places:
            if row and row[places[0]]:
                yield [row[place] for place in places]
        elif set(columns) <= set(row):
            places = [row.index(column) for column in columns]
        else:
            seen = seen or row
    if not places:
        raise SourceError(
            f"{path} - no columns {', '.join(columns)} among {', '.join(seen) or 'none'} - get it "
            f"again from {files.home}"
        )
