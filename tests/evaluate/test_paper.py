from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from magiqa.evaluate.datasets import DATASETS, find_dataset
from magiqa.evaluate.methods import find_method
from magiqa.evaluate.paper import (
    BACKBONES,
    FIGURE_1,
    FIGURE_3,
    FIGURE_5,
    FIGURE_6,
    TABLE_6,
    VARIANTS,
    Entry,
    tables,
)
from magiqa.evaluate.rivals.metric import Metric
from magiqa.settings import Settings

TABLES = {table.number: table for table in tables()}


def printed(number: int) -> list[Entry]:
    return [entry for entry in TABLES[number].entries if entry.srcc is not None]


def cell(number: int, dataset: str, system: str, backbone: str = "RN50") -> tuple[object, object]:
    [found] = [
        entry
        for entry in printed(number)
        if (entry.dataset, entry.system, entry.backbone) == (dataset, system, backbone)
    ]
    return found.srcc, found.plcc


def test_every_cell_of_the_paper_is_there() -> None:
    assert {number: len(printed(number)) for number in TABLES} == {
        1: 6 * 10,
        2: 9 * 3,
        3: 4 * 3,
        4: 3 * 3,
        5: 6 * 2,
        6: 4 * 3 * 2,
    }


def test_cells_stand_where_the_paper_has_them() -> None:
    assert cell(1, "clive", "NIQE") == (0.4495, 0.4939)
    assert cell(1, "spaq", "MA-CLIP") == (0.7725, 0.7775)
    assert cell(2, "agiqa-1k", "IL-NIQE") == (0.645, 0.757)
    assert cell(3, "koniq-10k", "Q_mag") == (0.557, 0.616)
    assert cell(4, "clive", "L2") == (0.193, 0.304)
    assert cell(5, "kadid-10k", "0.2/0.8") == (0.445, 0.492)
    assert cell(6, "agiqa-3k", "CLIP-IQA", "ViT-L/14") == (0.699, 0.788)
    assert cell(6, "csiq", "MA-CLIP", "RN101") == (0.741, 0.764)


def test_the_papers_contradiction_is_kept_and_told() -> None:
    assert cell(4, "csiq", "L2") == (0.299, 0.386)
    assert cell(5, "csiq", "L2") == (0.280, 0.398)
    assert any(".280/.398 in Table 5" in note for note in TABLES[4].footnotes)
    assert any("caption in the paper says CLIVE" in note for note in TABLES[5].footnotes)


@pytest.mark.parametrize("number", TABLES)
def test_every_entry_has_a_set_and_a_method_that_exist(number: int) -> None:
    for entry in TABLES[number].entries:
        assert find_dataset(entry.dataset)
        if entry.method is not None:
            assert isinstance(find_method(entry.method), Settings | Metric)
        assert (entry.note == "not specified") == (entry.system in ("L1", "L2"))
        assert entry.backbone in BACKBONES.values()


def test_table_6_has_the_sets_that_other_backbones_are_run_on() -> None:
    assert {entry.dataset for entry in TABLES[6].entries} == set(TABLE_6)


def test_no_set_is_left_out() -> None:
    in_tables = {entry.dataset for table in TABLES.values() for entry in table.entries}
    assert in_tables == {dataset.name for dataset in DATASETS}
    for name in (*FIGURE_1, *FIGURE_3, *FIGURE_5, *FIGURE_6, *VARIANTS, *VARIANTS.values()):
        assert find_dataset(name)


@pytest.mark.data
def test_the_numbers_are_those_written_down_from_the_paper(shared: Path) -> None:
    text = (shared / "METHOD.md").read_text().partition("## The paper's numbers")[2]
    # a repeated number, as in "Table 4 (... .448/.461)", is written once a cell
    written = Counter(re.findall(r"(\.\d{3,4}/\.\d{3,4})", text))
    kept = Counter(
        f"{entry.srcc:.{digits}f}/{entry.plcc:.{digits}f}".replace("0.", ".")
        for table in TABLES.values()
        for entry in table.entries
        if entry.srcc is not None
        for digits in [4 if table.number == 1 else 3]
    )
    assert kept == written
