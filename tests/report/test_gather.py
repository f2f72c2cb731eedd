from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from magiqa.report import gather as gathering
from magiqa.report.gather import gather, spread
from magiqa.runs.outputs import Output
from report.conftest import SIZES


def written(path: Path, rows: list[dict[str, Any]]) -> Output:
    """An output of rows that have what is not told here."""
    columns = ("source", "key", "score", "similarity", "magnitude", "weight", "a / b", "width")
    names = (*columns, "height", "views", "backbone", "warnings", "error_kind", "error")
    with path.open("w") as file:
        for row in rows:
            empty = dict.fromkeys(names) | {"warnings": []}
            cues = {"similarity": 0.25, "magnitude": 0.5, "views": 1, "backbone": "RN50"}
            file.write(json.dumps(empty | ({} if "error" in row else cues) | row) + "\n")
    return Output(path)


def test_what_a_run_gave_is_all_there(output: Path) -> None:
    content = gather(Output(output))
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    scored = [row for row in rows if row["error"] is None]
    assert content.cues["score"].tolist() == [row["score"] for row in scored]
    assert content.failed == 3
    assert [entry.row["source"] for entry in content.listed] == [row["source"] for row in rows]
    assert content.warnings == {"flat": 1, "noise-like": 1, "thumbnail-only": 1}
    assert content.backbones == ["resnet-1-1-1-1x8"]
    assert len(content.errors) == 3
    for entry in content.listed:
        assert entry.pictured == (entry.row["error"] is None) == (entry.views is not None)


def test_a_percentile_is_the_share_of_the_others_that_score_lower(tmp_path: Path) -> None:
    rows = [{"source": f"{score}", "score": score / 10} for score in (3, 1, 2, 2, 9)]
    content = gather(written(tmp_path / "out.jsonl", rows))
    assert [entry.percentile for entry in content.listed] == [75, 0, 25, 25, 100]


def test_failures_are_grouped_by_reason_whatever_numbers_are_in_it(tmp_path: Path) -> None:
    reasons = ["cut after 5 bytes - fetch it", "cut after 77 bytes - fetch it", "not a picture"]
    rows = [
        {"source": f"{reason}.png", "error_kind": "PictureError", "error": f"{reason}.png - {why}"}
        for reason, why in enumerate(reasons)
    ]
    first, second = gather(written(tmp_path / "out.jsonl", rows)).errors
    assert (first.kind, first.text) == ("PictureError", "cut after 5 bytes - fetch it")
    assert (first.count, first.sources) == (2, ["0.png", "1.png"])
    assert (second.text, second.count) == ("not a picture", 1)


def test_of_many_the_best_and_the_worst_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "LISTED", 20)
    monkeypatch.setattr(gathering, "PICTURED", 8)
    scores = np.random.default_rng(0).permutation(100)
    rows: list[dict[str, Any]] = [{"source": f"{each}", "score": each / 100} for each in scores]
    rows[50:50] = [{"source": f"bad {n}", "error_kind": "E", "error": "bad"} for n in range(30)]
    content = gather(written(tmp_path / "out.jsonl", rows))
    assert len(content.cues["score"]) == 100
    assert content.failed == content.errors[0].count == 30
    names = [entry.row["source"] for entry in content.listed]
    assert sum(name.startswith("bad") for name in names) == 2
    assert len(names) == 20
    assert {"0", "1", "2", "3", "96", "97", "98", "99"} <= set(names)
    pictured = {entry.row["source"] for entry in content.listed if entry.pictured}
    assert len(pictured) == 8
    assert {"0", "1", "98", "99"} <= pictured


def test_maps_of_the_best_and_the_worst_come_first_where_room_is_short(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "MAPPED", 3 * 12)
    content = gather(Output(output))
    scored = [entry for entry in content.listed if entry.pictured]
    with_map = [entry for entry in scored if entry.views]
    assert 0 < len(with_map) < len(scored) == len(SIZES) + 2
    assert sum(entry.row["views"] for entry in with_map) <= 12
    assert {entry.unmapped for entry in scored if not entry.views} == {gathering.NO_ROOM}
    best = max(scored, key=lambda entry: entry.row["score"])
    assert best.views or best.row["views"] > 12


def test_a_journal_of_another_run_is_not_believed(output: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    for row in rows:
        row["score"] = row["score"] and row["score"] + 1e-6
    (tmp_path / "out.jsonl").write_text("\n".join(map(json.dumps, rows)))
    journal = output.with_name(f"{output.name}.journal.jsonl")
    (tmp_path / "out.jsonl.journal.jsonl").write_bytes(journal.read_bytes())
    content = gather(Output(tmp_path / "out.jsonl"))
    assert all(entry.views is None and entry.stamp is None for entry in content.listed)
    assert {entry.unmapped for entry in content.listed if entry.pictured} == {gathering.NO_LINE}


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 8, 99, 100, 200])
def test_a_spread_holds_what_it_may_in_order_with_both_ends(limit: int) -> None:
    chosen = spread(range(100), limit)
    assert len(chosen) == min(limit, 100)
    assert chosen == sorted(set(chosen))
    if limit >= 4:
        assert (chosen[0], chosen[-1]) == (0, 99)
