from __future__ import annotations

import errno
import json
import os
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from magiqa import OutputError, SettingsError
from magiqa.runs.journal import Journal

HEADER: dict[str, Any] = {
    "input": {"sources": ["a"], "column": None, "shard": [0, 1]},
    "provenance": {"settings": {"alpha": 1.0}, "backbone": "b", "weights_hash": "w"},
}


def line(source: str, occurrence: int = 1, stamp: str = "s", error: str | None = None) -> Any:
    row = {"source": source, "error": error}
    return {"source": source, "occurrence": occurrence, "stamp": stamp, "row": row, "carried": {}}


def written(output: Path, *lines: Any) -> Path:
    with Journal(output, HEADER) as journal:
        for each in lines:
            journal.append(each)
        return journal.path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.csv"


def test_a_line_is_found_by_source_occurrence_and_stamp(output: Path) -> None:
    odd = "bad\udcff\n.jpg"
    written(output, line("a"), line("a", 2, error="e"), line(odd))
    with Journal(output, HEADER) as journal:
        first, second, third = journal.places()
        assert journal.find("a", 1, "s") == (first, True)
        assert journal.find("a", 2, "s") == (second, False)
        assert journal.find(odd, 1, "s") == (third, True)
        assert journal.read(third)["source"] == odd
        assert journal.find("a", 1, "another") is None
        assert journal.find("a", 3, "s") is None


def test_the_last_line_of_a_key_counts(output: Path) -> None:
    written(output, line("a", error="e"), line("b"), line("a"))
    with Journal(output, HEADER) as journal:
        assert [journal.read(place)["source"] for place in journal.places()] == ["a", "b"]
        assert journal.find("a", 1, "s") == (max(journal.places()), True)


def test_lines_are_read_while_others_are_appended(output: Path) -> None:
    names = [f"{number:04} {'x' * number}" for number in range(400)]  # many of the reader's buffers
    written(output, *map(line, names))
    with Journal(output, HEADER) as journal:
        for name in names:
            found = journal.find(name, 1, "s")
            assert found is not None
            journal.append(line(f"new {name}"))
            assert journal.read(found[0])["source"] == name
    with Journal(output, HEADER) as journal:
        assert len(list(journal.places())) == 800


def test_a_journal_cut_anywhere_goes_on(output: Path) -> None:
    path = written(output, line("ä"), line("b"))
    whole = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with Journal(output, HEADER) as journal:
            assert len(list(journal.places())) == max(0, sum(end <= cut for end in ends) - 1)
            journal.append(line("c"))
        assert all(json.loads(each) for each in path.read_text().splitlines())
    path.write_bytes(whole[: ends[1]] + bytes(40) + b"\n" + whole[ends[1] :])  # in its middle
    with Journal(output, HEADER) as journal:
        place = journal.append(line("d" * 99))
        assert journal.read(place)["source"] == "d" * 99  # not what was there before
    path.write_bytes(whole + bytes(100))  # what some file systems leave after a power cut
    with Journal(output, HEADER) as journal:
        assert len(list(journal.places())) == 2


def test_what_changed_is_said(output: Path) -> None:
    written(output, line("a"))
    provenance = HEADER["provenance"] | {"settings": {"alpha": 2.0}, "weights_hash": "v"}
    text = (
        r"out\.csv\.journal\.jsonl - begun otherwise: alpha was 1\.0, is 2\.0; weights_hash was "
        r"'w', is 'v' - give the same command, --restart to score everything anew, or another"
    )
    with pytest.raises(SettingsError, match=text):
        Journal(output, HEADER | {"provenance": provenance})
    inputs = HEADER["input"] | {"sources": ["b" * 1000]}
    with pytest.raises(SettingsError, match=r"sources was \['a'\], is \['b{78}\.\.\. - give"):
        Journal(output, HEADER | {"input": inputs})
    with Journal(output, HEADER | {"input": inputs}, restart=True) as journal:
        assert not list(journal.places())


@pytest.mark.parametrize("content", ['{"id": 1}\n', "one\ntwo\n", '{"magiqa_journal": 99}\n'])
def test_another_file_is_left_alone(output: Path, content: str) -> None:
    path = output.with_name("out.csv.journal.jsonl")
    path.write_text(content)
    with pytest.raises(OutputError, match=r"is not this version's journal - move it away"):
        Journal(output, HEADER)
    assert path.read_text() == content


def test_a_second_run_is_refused(output: Path) -> None:
    with (
        Journal(output, HEADER),
        pytest.raises(OutputError, match=r"another run is writing it - wait for its end, or name"),
    ):
        Journal(output, HEADER)
    Journal(output, HEADER).close()


def test_a_refusal_lets_go_of_the_output(output: Path) -> None:
    written(output)
    with pytest.raises(SettingsError) as refusal:
        Journal(output, HEADER | {"input": {"sources": []}})
    Journal(output, HEADER).close()
    assert refusal


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for output in (tmp_path / "file" / "out.csv", Path("/proc/out.csv")):
        with pytest.raises(
            OutputError, match=r"cannot be written \(.+\) - name a file in a folder"
        ):
            Journal(output, HEADER)


def test_a_full_disk_leaves_no_half_line(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, room = os.write, [300]

    def full(handle: int, content: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = write(handle, content[: room[0]])
        room[0] -= done
        return done

    with Journal(output, HEADER) as journal:
        monkeypatch.setattr(os, "write", full)
        text = r"cannot be written \(No space left on device\) - free some space and give the same"
        with pytest.raises(OutputError, match=text):
            _ = [journal.append(line(f"{number}")) for number in range(10)]
        kept = len(list(journal.places()))
        assert 0 < kept < 10
        assert len(journal.path.read_text().splitlines()) == 1 + kept
        assert journal.path.read_text().endswith("\n")


def test_an_error_that_shows_late_is_told(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with Journal(output, HEADER) as journal:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match=r"cannot be written \(Disk quota exceeded\)"):
            journal.sync()


def test_lines_reach_the_disk_within_a_second(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, synced = [0.0], []
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(now[0]))
    with Journal(output, HEADER) as journal:
        for number in range(40):
            now[0] = number / 10
            journal.append(line(f"{number}"))
    assert [round(time, 1) for time in synced] == [1.1, 2.2, 3.3]


def test_a_journal_that_goes_away_is_written_again(tmp_path: Path) -> None:
    output = tmp_path / "out" / "out.csv"
    with Journal(output, HEADER) as journal:
        journal.append(line("a"))
        shutil.rmtree(output.parent)
        with pytest.raises(
            OutputError,
            match=r"was moved or deleted during the run - it was written again: give the same",
        ):
            journal.sync()
    with Journal(output, HEADER) as journal:
        assert journal.find("a", 1, "s")
        journal.path.unlink()
        journal.path.write_text("another run's")
        with pytest.raises(OutputError, match=r"cannot be written again \(File exists\)"):
            journal.sync()
        assert journal.path.read_text() == "another run's"


def test_a_manifests_own_kinds_of_values_are_kept_as_text(output: Path) -> None:

    written(output, line("a") | {"carried": {"day": date(2024, 2, 29)}})
    with Journal(output, HEADER) as journal:
        [place] = journal.places()
        assert journal.read(place)["carried"] == {"day": "2024-02-29"}


def test_half_precision_is_not_mixed_with_whole(output: Path) -> None:
    def header(engine: str) -> dict[str, Any]:
        return HEADER | {"provenance": HEADER["provenance"] | {"engine": engine}}

    Journal(output, header("onnxruntime 1.32.0 CPUExecutionProvider")).close()
    Journal(output, header("torch 2.13.0 cuda:0 float32")).close()  # the same to 1e-5
    with pytest.raises(SettingsError, match="dtype was 'float32', is 'bfloat16'"):
        Journal(output, header("torch 2.13.0 cuda:0 bfloat16"))
