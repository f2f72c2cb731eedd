from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from magiqa import Item, Settings, SettingsError
from magiqa.runs import chunks, places
from magiqa.runs.chunks import Table, numbered, parse_shard, shard_of, table, unpacked
from magiqa.runs.sources import Archive, list_items


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: ten files and an archive of them, called c."""
    monkeypatch.chdir(tmp_path)
    Path("pictures").mkdir()
    for number in range(10):
        Path(f"pictures/{number}.png").write_bytes(b"%d" % number)
    shutil.make_archive("c", "tar", root_dir="pictures")
    return tmp_path


def numbers(*paths: str, pictures: int) -> list[int]:
    return [number for number, _ in numbered(paths, pictures=pictures)]


def listed(*paths: str, column: str | None = None) -> Table:
    return table(paths, column, Settings().pairs, 4)


@pytest.mark.usefixtures("folder")
def test_a_chunk_is_so_many_neighbours_or_an_archive() -> None:
    assert numbers("pictures", pictures=4) == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert numbers("pictures", pictures=5) == [0] * 5 + [1] * 5
    assert numbers("c.tar", "pictures", "c.tar", "c.tar", "gone", pictures=8) == (
        [0, *[1] * 8, 2, 2, 3, 4, 5]
    )


@pytest.mark.usefixtures("folder")
def test_entries_come_before_the_last_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    item = places.item

    def noted(place: str) -> Any:
        opened.append(place)
        return item(place)

    monkeypatch.setattr(places, "item", noted)
    next(numbered(["pictures"]))
    assert opened == ["pictures/0.png"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("shards", [1, 2, 3, 7])
def test_shards_are_every_nth_chunk(monkeypatch: pytest.MonkeyPatch, shards: int) -> None:
    monkeypatch.setattr(chunks, "PICTURES", 4)
    paths = ["pictures", "c.tar", "pictures/3.png", "gone"]
    parts = [list(shard_of(paths, None, (mine, shards))) for mine in range(shards)]
    together = sorted(entry.source for part in parts for entry in part)
    assert together == sorted(entry.source for entry in list_items(paths))
    if shards == 2:
        names = [Path(entry.source).name for entry in parts[1]]
        assert names == [f"{number}.png" for number in (4, 5, 6, 7)] + [
            f"{number}.png" for number in range(10)
        ]


def test_archives_of_other_shards_are_not_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "c.tar").write_bytes(b"no archive")
    monkeypatch.setattr(chunks, "PICTURES", 10)
    assert len(list(shard_of(["pictures", "c.tar"], None, (0, 2)))) == 10
    [failure] = shard_of(["pictures", "c.tar"], None, (1, 2))
    assert "c.tar - damaged in the archive" in str(failure)


@pytest.mark.usefixtures("folder")
def test_a_table_holds_names_alone() -> None:
    made = listed("pictures", "c.tar", "gone")
    assert [len(unpacked(chunk)) for chunk in made.chunks] == [4, 4, 2, 1, 1]
    assert (made.entries, made.archives) == (12, 1)
    entries = [entry for chunk in made.chunks for entry in unpacked(chunk)]
    assert entries[10] == Archive("c.tar", places.file_stamp("c.tar"))
    assert entries[:10] == list(list_items(["pictures"]))
    remote = listed("https://h.example/a.png")
    [item] = unpacked(remote.chunks[0])
    assert isinstance(item, Item)
    assert dataclasses.replace(item, data=None) == Item("https://h.example/a.png", None)


def test_a_digest_changes_with_all_that_rows_hold(folder: Path) -> None:
    manifest = folder / "list.jsonl"
    manifest.write_text('{"path": "pictures/1.png", "n": 1}')
    seen = {listed("pictures").digest, listed("pictures/0.png").digest, listed("gone").digest}
    seen |= {listed("list.jsonl").digest, listed("c.tar").digest}
    assert listed("pictures").digest == listed("pictures").digest
    manifest.write_text('{"path": "pictures/1.png", "n": 2}')
    Path("pictures/7.png").write_bytes(b"longer")
    seen |= {listed("pictures").digest, listed("list.jsonl").digest}
    Path("pictures/77.png").touch()
    Path("c.tar").write_bytes(b"another archive")
    assert len(seen | {listed("pictures").digest, listed("c.tar").digest}) == 9


def test_columns_are_those_of_all_chunks(folder: Path) -> None:
    lines = [{"path": f"pictures/{number}.png", "n": number} for number in range(8)]
    lines[6] = {"path": "pictures/6.png", "n": 0.5, "score": "low"}
    (folder / "list.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = listed("list.jsonl").kinds
    assert (found["n"], found["input_score"], found["score"]) == ({int, float}, {str}, {float})


def test_a_shard_is_read_or_refused() -> None:
    assert parse_shard("2/3") == (2, 3)
    for text in ("3/3", "-1/3", "1", "1/", "a/b", "0/0"):
        with pytest.raises(SettingsError, match=r"give i/n with i from 0 to n - 1, as in 0/3"):
            parse_shard(text)
