"""The paper's tables as printed (SRCC/PLCC), and which of our methods each system is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

PAPER_BACKBONE = "RN50"
BACKBONES = {"R50": "RN50", "R101": "RN101", "B/32": "ViT-B/32", "L/14": "ViT-L/14"}
"""Table 6's names."""
METHOD_OF = {
    "NIQE": "niqe",
    "PIQE": "piqe",
    "IL-NIQE": "ilniqe",
    "CLIP-IQA": "similarity",
    "MA-CLIP": "ma-clip",
    "Q_sim": "similarity",
    "Q_mag": "magnitude",
    "fusion": "ma-clip",
    "L1": "l1",
    "L2": "l2",
    "Box-Cox": "magnitude",
    "0.8/0.2": "fixed-0.8",
    "0.5/0.5": "fixed-0.5",
    "0.2/0.8": "fixed-0.2",
    "adaptive": "ma-clip",
}
"""The other systems are rivals that magiqa does not have (rivals/published.py)."""
OTHER_CLIP_IQA = {
    "CLIP-IQA, 1 pair": "clip-iqa",
    "CLIP-IQA, whole": "similarity-whole",
    "CLIP-IQA, 1 pair, whole": "clip-iqa-whole",
}
"""What the paper's CLIP-IQA may be too; magiqa measures them beside it."""
VARIANTS = {"clive-test": "clive", "pipal-train": "pipal"}
"""Sets that the paper does not name, and the set whose pictures they are some of."""
TABLE_6 = ("csiq", "koniq-10k", "agiqa-3k")
FIGURE_1 = ("spaq",)
FIGURE_3 = ("kadid-10k", "agiqa-3k")
FIGURE_5 = ("clive", "csiq", "tid2013", "kadid-10k", "koniq-10k", "spaq")
FIGURE_6 = ("clive", "tid2013", "koniq-10k", "kadid-10k")


@dataclass(frozen=True, slots=True)
class Entry:
    """One cell of a table: a system on a set."""

    dataset: str
    system: str
    """As the paper calls it."""
    method: str | None
    """Ours; None for a rival that is quoted."""
    backbone: str = PAPER_BACKBONE
    srcc: float | None = None
    """As printed; None where the paper has no such cell."""
    plcc: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the paper."""

    number: int
    caption: str
    entries: tuple[Entry, ...]
    footnotes: tuple[str, ...]


def tables() -> tuple[Table, ...]:
    """Tables 1-6, the paper's cells first, then what magiqa measures beside them."""
    return (
        Table(
            1,
            "Opinion-unaware methods on six sets",
            (*_rows_of_sets(_TABLE_1), *_others(FIGURE_5), *_variant("clive-test")),
            (
                _CLIP_IQA,
                "CLIVE: as the authors' list, with its seven training pictures (1,169); the usual "
                "set has 1,162.",
                "The paper's rivals are quoted from earlier tables; ContentSep's SRCC on KADID-10k "
                "equals that on CLIVE. LPSI is in its text, but in none of its tables.",
                _SHIPPED,
            ),
        ),
        Table(
            2,
            "Restored and generated pictures",
            (
                *_rows_of_systems(_TABLE_2),
                *_others(("pipal", "agiqa-1k", "agiqa-3k")),
                *_variant("pipal-train"),
            ),
            (
                _CLIP_IQA,
                "PIPAL: the paper does not say which part, and the authors' code refuses the set. "
                "Its validation part is scaled on its own, so the train part alone is given too.",
                "CL-MI is Table 1's ContentSep. Re-IQA, ARNIQA, CLIP-IQA+ and GRepQ are trained.",
                _SHIPPED,
            ),
        ),
        Table(
            3,
            "Either cue alone and the fusion",
            tuple(_rows_of_sets(_TABLE_3)),
            ("Q_mag on CSIQ is .448/.460 here and .448/.461 in Table 4 (Box-Cox).",),
        ),
        Table(
            4,
            "The magnitude: L1, L2, Box-Cox",
            tuple(_rows_of_sets(_TABLE_4)),
            (_NORMS, "L2 on CSIQ is .299/.386 here and .280/.398 in Table 5."),
        ),
        Table(
            5,
            "Norms, fixed weights and the adaptive weight",
            tuple(_rows_of_systems(_TABLE_5)),
            (
                _NORMS,
                "L2 on CSIQ is .280/.398 here and .299/.386 in Table 4.",
                "The caption in the paper says CLIVE, the columns CSIQ; the numbers are CSIQ's.",
            ),
        ),
        Table(6, "Four backbones", tuple(_backbones(_TABLE_6)), ()),
    )


_NORMS = (
    "L1 and L2 are not specified: the authors' code has neither. Here they are the mean of |F| and "
    "the norm of F, alone."
)
_CLIP_IQA = (
    "CLIP-IQA: the paper does not say which. Its numbers fit five prompt pairs, here on MA-CLIP's "
    "views. The rows without a number of the paper are its other readings: its own single pair "
    "(1 pair), the picture at its own size instead of views (whole)."
)
_SHIPPED = (
    "NIQE and IL-NIQE are by magiqa's own models, fitted on BSDS500, not by their authors': their "
    "scales differ."
)
_TABLE_1 = """
set       NIQE QAC PIQE dipIQ SNP-NIQE NPQI ContentSep MDFS CLIP-IQA MA-CLIP
clive     .4495/.4939 .2258/.2841 .2325/.3144 .2089/.3163 .4654/.5199 .4752/.4920 .5060/.5130
          .4821/.5364 .7019/.7217 .7428/.7680
csiq      .6191/.6901 .4804/.5934 .5120/.6279 .5191/.7009 .6090/.6962 .6341/.6479 .5871/.3632
          .7774/.7907 .6807/.7270 .7374/.7828
tid2013   .3106/.3789 .3719/.4190 .3636/.4615 .4377/.4746 .3329/.4055 .2804/.4000 .2530/.2203
          .5363/.6242 .5786/.6552 .5990/.6756
kadid-10k .3779/.3883 .2394/.3088 .2372/.2887 .2977/.3832 .3719/.4212 .3909/.3401 .5060/.3568
          .5983/.5939 .5009/.5204 .5251/.5489
koniq-10k .5300/.4835 .3397/.2906 .2452/.2061 .2375/.3773 .6284/.6222 .6132/.6139 .6401/.6274
          .7333/.7123 .6846/.7124 .7645/.8035
spaq      .3105/.2639 .4397/.4497 .2317/.2488 .2189/.2239 .5402/.5469 .5999/.6155 .7084/.6648
          .7408/.7177 .7144/.7179 .7725/.7775
"""
_TABLE_2 = """
system    pipal agiqa-1k agiqa-3k
NIQE      .167/.181 .623/.721 .510/.526
IL-NIQE   .231/.220 .645/.757 .528/.544
CL-MI     .281/.282 .474/.621 .591/.665
CLIP-IQA  .332/.339 .511/.644 .658/.716
MA-CLIP   .371/.393 .528/.668 .706/.764
Re-IQA    .568/.587 .783/.840 .811/.874
ARNIQA    .634/.666 .768/.849 .803/.881
CLIP-IQA+ .552/.558 .817/.855 .844/.894
GRepQ     .554/.568 .740/.797 .807/.858
"""
_TABLE_3 = """
set       Q_sim Q_mag fusion
clive     .702/.722 .418/.503 .743/.768
csiq      .681/.727 .448/.460 .737/.783
koniq-10k .685/.712 .557/.616 .765/.804
spaq      .714/.718 .578/.598 .773/.775
"""
_TABLE_4 = """
set       L1 L2 Box-Cox
csiq      .126/.152 .299/.386 .448/.461
clive     .345/.369 .193/.304 .418/.503
koniq-10k .495/.530 .350/.349 .557/.616
"""
_TABLE_5 = """
system    csiq kadid-10k
L1        .126/.152 .394/.397
L2        .280/.398 .338/.345
0.8/0.2   .736/.779 .523/.544
0.2/0.8   .700/.742 .445/.492
0.5/0.5   .734/.779 .520/.545
adaptive  .737/.783 .525/.549
"""
_TABLE_6 = """
backbone  csiq csiq koniq-10k koniq-10k agiqa-3k agiqa-3k
R50       .681/.727 .737/.783 .685/.712 .765/.804 .658/.716 .706/.764
R101      .715/.705 .741/.764 .710/.730 .727/.748 .643/.697 .667/.743
B/32      .763/.783 .783/.810 .715/.743 .760/.803 .663/.710 .694/.757
L/14      .622/.628 .666/.680 .682/.709 .717/.752 .699/.788 .717/.814
"""


def _cells(text: str) -> Iterator[tuple[str, str, float, float]]:
    """(row, column, SRCC, PLCC) of a table as written above."""
    (_, *columns), *lines = (line.split() for line in text.strip().splitlines())
    words = [word for line in lines for word in line]
    for at in range(0, len(words), len(columns) + 1):
        row, *cells = words[at : at + len(columns) + 1]
        for column, cell in zip(columns, cells, strict=True):
            srcc, _, plcc = cell.partition("/")
            yield row, column, float(srcc), float(plcc)


def _entry(dataset: str, system: str, srcc: float, plcc: float) -> Entry:
    note = "not specified" if system in ("L1", "L2") else ""
    return Entry(dataset, system, METHOD_OF.get(system), PAPER_BACKBONE, srcc, plcc, note)


def _rows_of_sets(text: str) -> Iterator[Entry]:
    for dataset, system, *numbers in _cells(text):
        yield _entry(dataset, system, *numbers)


def _rows_of_systems(text: str) -> Iterator[Entry]:
    found = [_entry(dataset, system, *numbers) for system, dataset, *numbers in _cells(text)]
    order = list(dict.fromkeys(each.dataset for each in found))
    yield from sorted(found, key=lambda each: order.index(each.dataset))


def _backbones(text: str) -> Iterator[Entry]:
    """Table 6: two columns a set, CLIP-IQA and MA-CLIP."""
    met: set[tuple[str, str]] = set()
    found = []
    for name, dataset, srcc, plcc in _cells(text):
        system = "MA-CLIP" if (name, dataset) in met else "CLIP-IQA"
        met.add((name, dataset))
        found.append(Entry(dataset, system, METHOD_OF[system], BACKBONES[name], srcc, plcc))
    order = list(dict.fromkeys(each.dataset for each in found))
    yield from sorted(found, key=lambda each: order.index(each.dataset))


def _others(datasets: tuple[str, ...]) -> Iterator[Entry]:
    for dataset in datasets:
        for system, method in OTHER_CLIP_IQA.items():
            yield Entry(dataset, system, method)


def _variant(dataset: str) -> Iterator[Entry]:
    for system in ("CLIP-IQA", "MA-CLIP"):
        yield Entry(dataset, system, METHOD_OF[system])
