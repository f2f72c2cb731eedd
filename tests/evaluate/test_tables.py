from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from magiqa.evaluate.datasets import find_dataset
from magiqa.evaluate.evaluation import results
from magiqa.evaluate.layouts import Rated
from magiqa.evaluate.paper import tables
from magiqa.evaluate.reproduction import Measured, Reproduction
from magiqa.evaluate.tables import HEADER, NOT_SETTLED, groups, markdown, short, to_csv

NAMES = ("ma-clip", "similarity", "magnitude", "l1", "l2")
LABELS = np.arange(40.0)


@pytest.fixture(scope="module")
def made() -> Reproduction:
    """CSIQ by RN50, whose scores fall with its labels, as they should."""
    csiq = find_dataset("csiq")
    rated = [Rated(str(each), Path(str(each)), each / 40) for each in LABELS]
    noise = np.random.default_rng(0).normal(size=40)
    scores = {name: noise * place - LABELS for place, name in enumerate(NAMES)}
    found = {each.method: each for each in results(csiq, rated, scores)}
    names = {entry.dataset for table in tables() for entry in table.entries} - {"csiq"}
    absent = {name: f"no folder {name}" for name in names}
    return Reproduction(
        "RN50", absent, measured={("csiq", "RN50"): Measured(csiq, rated, scores, found)}
    )


def test_a_row_holds_papers_and_ours_and_their_difference(made: Reproduction) -> None:
    [csiq] = [group for group in groups(tables()[2], made) if group.title == "CSIQ"]
    row = csiq.rows[-1]
    assert row.system == "fusion"
    own = made.measured["csiq", "RN50"].results["ma-clip"].correlation
    assert own
    assert own.srcc == pytest.approx(1)
    numbers = row.numbers()
    assert numbers["paper_srcc"] == 0.737
    assert numbers["srcc_difference"] == own.srcc_fitted - 0.737
    assert numbers["plcc_difference"] == own.plcc_fitted - 0.783
    cells = dict(zip(HEADER[:7], row.cells(), strict=False))
    assert cells["paper SRCC"] == ".7370"
    assert cells["SRCC raw"] == "1.0000"
    assert cells["95 %"] == "1.0000 .. 1.0000"
    assert len(row.cells()) == len(HEADER)


def test_nothing_is_left_out_and_what_was_not_run_says_why(made: Reproduction) -> None:
    for table in tables():
        rows = [row for group in groups(table, made) for row in group.rows]
        assert len(rows) == len(table.entries)
        for row in rows:
            assert (row.result is None) == row.note.startswith(("not run: ", "published; "))
            assert (row.entry.method is None) == row.note.startswith("published; ")
    [clive] = [group for group in groups(tables()[0], made) if group.title == "CLIVE"]
    assert clive.why == "no folder clive"
    assert clive.home.startswith("https://")
    notes = {row.system: row.note for row in clive.rows}
    assert notes["NIQE"].startswith("not run: ")
    assert notes["QAC"].startswith("published; ")
    [csiq] = [group for group in groups(tables()[5], made) if group.title == "CSIQ"]
    notes = {row.system: row.note for row in csiq.rows}
    assert notes["MA-CLIP, RN50"] == ""
    assert notes["MA-CLIP, RN101"] == "not run: add --backbone RN101"


def test_the_norms_are_marked_as_not_specified(made: Reproduction) -> None:
    [csiq] = [group for group in groups(tables()[3], made) if group.title == "CSIQ"]
    # whether the logistic settles on a random network's scores is the processor's to say
    notes = {row.system: row.note for row in csiq.rows}
    assert (notes.pop("L1"), notes.pop("L2")) == ("not specified", "not specified")
    assert set(notes) == {"Box-Cox"}
    assert notes["Box-Cox"] in ("", NOT_SETTLED)


def test_csv_has_a_row_for_every_entry_and_the_warning_where_numbers_are(
    made: Reproduction,
) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(tables(), made, ["beware, all"]))))
    assert len(rows) == sum(len(table.entries) for table in tables())
    for row in rows:
        assert bool(row["srcc"]) == row["note"].endswith("beware, all")
        assert bool(row["srcc"]) != row["note"].startswith(("not run", "published"))
    [fusion] = [row for row in rows if (row["table"], row["set"]) == ("3", "csiq")][2:]
    assert (fusion["backbone"], fusion["method"], fusion["n"]) == ("RN50", "ma-clip", "40")
    assert float(fusion["srcc"]) == pytest.approx(1)


def test_markdown_rows_have_as_many_cells_as_the_header(made: Reproduction) -> None:
    lines = list(markdown(tables(), made))
    rows = [line for line in lines if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {len(HEADER) + 2}
    assert len(rows) == 6 * 2 + sum(len(table.entries) for table in tables())
    assert sum(line.startswith("- ") for line in lines) == sum(
        len(table.footnotes) for table in tables()
    )


@pytest.mark.parametrize(
    ("value", "sign", "text"),
    [
        (0.5, "", ".5000"),
        (-0.12346, "", "-.1235"),
        (1.0, "", "1.0000"),
        (10.25, "", "10.2500"),
        (0.0, "+", "+.0000"),
        (None, "+", ""),
    ],
)
def test_short(value: float | None, sign: str, text: str) -> None:
    assert short(value, sign) == text
