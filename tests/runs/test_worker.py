from __future__ import annotations

import functools
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import recipe
from magiqa import Scorer
from magiqa.pictures.pool import DecodePool
from magiqa.runs import chunks, parts, worker
from magiqa.runs.worker import Done, Work, Worker


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three small pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(3):
        Image.fromarray(recipe.picture(40, 50, seed)).save(folder / f"{seed}.png")
    return folder


@pytest.fixture
def work(tmp_path: Path, tiny: Scorer, checkpoint: Path) -> Work:
    output, scorer = str(tmp_path / "out"), {"weights": checkpoint, "threads": 1}
    kinds = chunks.table([], None, tiny.settings.pairs).kinds
    return Work(output, scorer, 1, tiny.provenance["weights_hash"], kinds, os.getcwd())


def worked(work: Work, table: chunks.Table) -> list[dict[str, Any]]:
    """What a worker tells of the chunks."""
    one = Worker(work)
    rows = [{"chunk": at, "packed": packed} for at, packed in enumerate(table.chunks)]
    done = list(map(one, rows))
    one.close()
    assert all(set(Done.__slots__) <= set(each) for each in done)
    return done


def listed(folder: Path, tiny: Scorer, pictures: int = 2) -> chunks.Table:
    return chunks.table([folder], None, tiny.settings.pairs, pictures)


def read(tmp_path: Path) -> list[dict[str, Any]]:
    from pyarrow import parquet

    tables = map(parquet.read_table, parts.files(tmp_path / "out"))
    return [row for table in tables for row in table.to_pylist()]


def test_a_chunk_becomes_a_part(folder: Path, work: Work, tiny: Scorer, tmp_path: Path) -> None:
    first, second = worked(work, listed(folder, tiny))
    assert [(each["chunk"], each["scored"], each["failed"]) for each in (first, second)] == (
        [(0, 2, 0), (1, 1, 0)]
    )
    assert first["began"] <= first["ended"] <= second["began"] <= second["ended"]
    assert first["worker"].endswith(f" {os.getpid()}")
    rows = read(tmp_path)
    assert [row["source"] for row in rows] == [str(folder / f"{at}.png") for at in range(3)]
    scores = [pytest.approx(tiny(row["source"]).score, abs=1e-5) for row in rows]
    assert [row["score"] for row in rows] == scores
    assert worked(work, listed(folder, tiny))
    assert read(tmp_path) == rows


def test_relative_names_are_those_of_where_the_command_was_given(
    folder: Path, work: Work, tiny: Scorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    table = chunks.table(["1.png", "gone.png"], None, tiny.settings.pairs)
    monkeypatch.chdir(tmp_path)
    [done] = worked(
        Work(work.output, work.scorer, 1, work.weights_hash, work.kinds, str(folder)), table
    )
    assert (done["scored"], done["failed"], done["not_found"]) == (1, 1, 1)
    assert [row["source"] for row in read(tmp_path)] == ["1.png", "gone.png"]


def test_a_hostile_picture_costs_its_row_alone(
    folder: Path, work: Work, tiny: Scorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(np.zeros((9000, 9000), np.uint8)).save(folder / "0.png")
    tight = functools.partial(DecodePool, memory=32 << 20)
    monkeypatch.setattr(worker, "DecodePool", tight)
    [done] = worked(work, listed(folder, tiny, 9))
    assert (done["scored"], done["failed"], done["error"]) == (2, 1, "")
    first, *others = read(tmp_path)
    assert "takes more than 32 MiB to decode" in first["error"]
    assert all(row["score"] > 0 for row in others)


def test_a_machine_without_the_pictures_says_so(folder: Path, work: Work, tiny: Scorer) -> None:
    table = listed(folder, tiny, 9)
    shutil.rmtree(folder)
    [done] = worked(work, table)
    assert done["error_kind"] == "SourceError"
    assert "0.png - 3 files in a row are not there on " in done["error"]
    assert "put them on storage that all machines share" in done["error"]


def test_a_machine_without_the_archive_says_so(work: Work, tiny: Scorer, tmp_path: Path) -> None:
    shard = tmp_path / "shard.tar"
    shard.touch()
    table = listed(shard, tiny)
    shard.unlink()
    [done] = worked(work, table)
    assert "shard.tar - 1 files in a row are not there on " in done["error"]


def test_a_machine_with_other_weights_says_so(
    folder: Path, work: Work, tiny: Scorer, checkpoint: Path
) -> None:
    work.scorer["weights"] = recipe.checkpoint_file("tiny-vit", checkpoint.parent)
    for done in worked(work, listed(folder, tiny)):
        assert done["error_kind"] == "WeightsError"
        assert "is another checkpoint on " in done["error"]


def test_a_machine_that_cannot_write_says_so(
    folder: Path, work: Work, tiny: Scorer, tmp_path: Path
) -> None:
    (tmp_path / "out").touch()
    done, _ = worked(work, listed(folder, tiny))
    assert done["error_kind"] == "OutputError"
    assert "part-00000.parquet - cannot be written (" in done["error"]
