"""The data sets of the paper, as declared, and any list of pictures and labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from magiqa.errors import SettingsError, SourceError, nearest
from magiqa.evaluate import layouts
from magiqa.evaluate.layouts import Files, Rated
from magiqa.runs import manifests

__all__ = ["DATASETS", "DataSet", "Rated", "find_dataset", "from_csv"]

SHOWN = 3
"""Missing pictures that an error names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """What there is to know of a data set before its pictures are opened."""

    name: str
    """As on the command line: "agiqa-3k"."""
    title: str
    """As the paper writes it: "AGIQA-3k"."""
    folder: str
    """Its folder among those of other sets; the two variants of a set share one."""
    label: str
    """The column, or the file, that the label is from."""
    higher_is_better: bool = True
    """False where the label is a difference score: CSIQ."""
    low: float
    """Nominal range of the label."""
    high: float
    count: int
    """Rows of the whole set."""
    resize: tuple[int, int] | None = None
    """(width, height) the authors bring its pictures to (`Settings.resize`); None: as they are."""
    home: str
    """Where to get it."""
    licence: str
    """What is said of its terms, in a few words."""
    read: Callable[[Files], list[Rated]] = field(repr=False)
    """The reader of its official layout: files -> rows in the order of the set's own list."""
    listed_twice: frozenset[str] = frozenset()
    """Names that the set's own list holds twice; both rows are kept, with their labels."""

    def load(self, root: Path) -> list[Rated]:
        """Pictures and labels below `root`, the set's folder, in the order of the set's own list.

        The whole set or a SourceError: no label file; another number of rows than `count`; a name
        listed twice, but for `listed_twice`; a label outside of `low`..`high`; pictures that are
        not there, the first few and how many. Each says where to get the set.
        """
        if not root.is_dir():
            raise SourceError(f"{root} - no such folder - get {self.title} from {self.home}")
        rated = self.read(Files(root, self.home))
        published = "://" in self.home
        get = f"the set as published: {self.home}" if published else f"mend {self.home}"
        if len(rated) != self.count:
            raise SourceError(
                f"{root} - lists {len(rated)} pictures, {self.title} has {self.count} - {get}"
            )
        for name, times in Counter(each.name for each in rated).items():
            if times > 1 + (name in self.listed_twice):
                raise SourceError(f"{root} - {name} is listed {times} times - {get}")
        for each in rated:
            if not self.low <= each.mos <= self.high:
                raise SourceError(
                    f"{root} - the label of {each.name} is {each.mos:g}, those of {self.title} lie "
                    f"in {self.low:g}..{self.high:g} - {get}, {self.label}"
                )
        missing = [str(each.path) for each in rated if not each.path.is_file()]
        if missing:
            more = ", ..." if len(missing) > SHOWN else ""
            raise SourceError(
                f"{root} - {len(missing)} of {self.count} pictures of {self.title} are missing: "
                f"{', '.join(missing[:SHOWN])}{more} - {get}"
            )
        return rated


CLIVE = DataSet(
    name="clive",
    title="CLIVE",
    folder="clive",
    label="AllMOS_release",
    low=0,
    high=100,
    count=1169,
    home="https://live.ece.utexas.edu/research/ChallengeDB/index.html",
    licence="free to use with attribution, as its notice says",
    read=layouts.clive,
)
PIPAL = DataSet(
    name="pipal",
    title="PIPAL",
    folder="pipal",
    label="Train_Label",
    low=0,
    high=1,
    count=24200,
    home="https://github.com/HaomingCai/PIPAL-dataset",
    licence="none stated",
    read=layouts.pipal,
)
DATASETS = (
    DataSet(
        name="csiq",
        title="CSIQ",
        folder="csiq",
        label="dmos",
        higher_is_better=False,
        low=0,
        high=1,
        count=866,
        home="https://s2.smu.edu/~eclarson/csiq.html",
        licence="none stated",
        read=layouts.csiq,
    ),
    DataSet(
        name="tid2013",
        title="TID2013",
        folder="tid2013",
        label="mos_with_names.txt",
        low=0,
        high=9,
        count=3000,
        home="http://www.ponomarenko.info/tid2013.htm",
        licence="education and research, as TID2008's readme says",
        read=layouts.tid2013,
    ),
    DataSet(
        name="kadid-10k",
        title="KADID-10k",
        folder="kadid-10k",
        label="dmos",
        low=1,
        high=5,
        count=10125,
        home="https://database.mmsp-kn.de/kadid-10k-database.html",
        licence="see its page; made from pictures of Pixabay",
        read=layouts.kadid,
    ),
    CLIVE,
    replace(CLIVE, name="clive-test", title="CLIVE (test)", count=1162, read=layouts.clive_test),
    DataSet(
        name="koniq-10k",
        title="KonIQ-10k",
        folder="koniq-10k",
        label="MOS",
        low=1,
        high=5,
        count=10073,
        home="https://database.mmsp-kn.de/koniq-10k-database.html",
        licence="see its page; pictures of YFCC100M, each with its own",
        read=layouts.koniq,
    ),
    DataSet(
        name="spaq",
        title="SPAQ",
        folder="spaq",
        label="MOS",
        low=0,
        high=100,
        count=11125,
        resize=(448, 448),
        home="https://github.com/h4nwei/SPAQ",
        licence="none stated",
        read=layouts.spaq,
    ),
    PIPAL,
    replace(
        PIPAL, name="pipal-train", title="PIPAL (train)", count=23200, read=layouts.pipal_train
    ),
    DataSet(
        name="agiqa-1k",
        title="AGIQA-1k",
        folder="agiqa-1k",
        label="MOS",
        low=0,
        high=5,
        count=1080,
        resize=(224, 224),
        home="https://github.com/lcysyzxdxc/AGIQA-1k-Database",
        licence="MIT, as its readme says",
        read=layouts.agiqa_1k,
        listed_twice=frozenset({"dreamStudio_8_9_1_1.jpg"}),
    ),
    DataSet(
        name="agiqa-3k",
        title="AGIQA-3k",
        folder="agiqa-3k",
        label="mos_quality",
        low=0,
        high=5,
        count=2982,
        home="https://github.com/lcysyzxdxc/AGIQA-3k-Database",
        licence="MIT, as its readme says",
        read=layouts.agiqa_3k,
    ),
)
"""Those of the paper, and two variants: clive-test and pipal-train."""


def find_dataset(name: str) -> DataSet:
    """The data set of that name, upper or lower case. SettingsError names the nearest."""
    by_name = {each.name: each for each in DATASETS}
    if name.lower() not in by_name:
        raise SettingsError(f"data set - no {name!r} - {nearest(name, by_name)}")
    return by_name[name.lower()]


def from_csv(
    path: Path,
    *,
    picture: str = "path",
    mos: str = "mos",
    higher_is_better: bool = True,
    resize: tuple[int, int] | None = None,
) -> DataSet:
    """A data set from a list of pictures and labels: CSV, or another kind of manifest.

    `picture` and `mos` are the columns with the paths and with the labels. Name and title are the
    file's, the range is that of the labels. `load` takes paths as relative to its `root`: give it
    `path.parent` where they are relative to the list. SourceError: not readable, no such column, a
    row without a path, a label that is no number.
    """
    labels: list[tuple[str, float]] = []
    for row in manifests.records(str(path)):
        columns = row if isinstance(row, Mapping) else ()
        for column in (picture, mos):
            if column not in columns:
                raise SourceError(
                    f"{path} - no column {column} among {', '.join(columns) or 'none'} - call the "
                    f"columns of paths and of labels {picture} and {mos}"
                )
        if not row[picture]:
            raise SourceError(f"{path} - row {len(labels) + 1} names no picture - give a path")
        name = str(row[picture])
        labels.append((name, layouts.number(path, name, row[mos])))
    if not labels:
        raise SourceError(f"{path} - lists no picture - give a row for each")

    def read(files: Files) -> list[Rated]:
        return [Rated(name, files.root / name, label) for name, label in labels]

    return DataSet(
        name=path.stem,
        title=path.stem,
        folder=path.stem,
        label=mos,
        higher_is_better=higher_is_better,
        low=min(label for _, label in labels),
        high=max(label for _, label in labels),
        count=len(labels),
        resize=resize,
        home=str(path),
        licence="your own",
        read=read,
    )
