from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from magiqa import Failure, Item, OutputError, SettingsError
from magiqa.runs import parts, sinks
from magiqa.runs.parts import RECORD, Parts, part_name

from .servers import s3_server


def header(**changed: Any) -> dict[str, Any]:
    listed = {"sources": ["a"], "entries": 3, "digest": "d"} | changed
    about = {"settings": {"prompts": "ensemble"}, "backbone": "RN50", "weights_hash": "w"}
    return {"input": listed, "provenance": about}


def rows(count: int) -> bytes:
    """A part of so many failures."""
    failures = [sinks.row(Item(f"{at}", None), Failure("", "K", "t"), ()) for at in range(count)]
    content = io.BytesIO()
    sinks.write_parquet(content, failures, sinks.kinds(failures, ()), {"magiqa": "0"})
    return content.getvalue()


def test_an_output_is_begun_and_gone_on_with(tmp_path: Path) -> None:
    output = Parts(tmp_path / "out")
    assert output.begin(header()) == set()
    output.put(part_name(1), b"rows")
    output.put(part_name(123456), b"rows")
    assert Parts(tmp_path / "out").begin(header()) == {"part-00001.parquet", "part-123456.parquet"}
    assert json.loads((tmp_path / "out" / RECORD).read_text()) == {"magiqa_parts": 1, **header()}
    assert parts.record(tmp_path / "out")["input"] == header()["input"]
    names = [path.name for path in parts.files(tmp_path / "out")]
    assert names == ["part-00001.parquet", "part-123456.parquet"]


def test_another_input_is_refused_or_begun_anew(tmp_path: Path) -> None:
    output = Parts(tmp_path)
    output.begin(header())
    output.put(part_name(0), b"rows")
    (tmp_path / "part-of-the-users.parquet").touch()
    text = r"begun otherwise: entries was 3, is 4; digest was 'd', is 'e' - give the same command"
    with pytest.raises(SettingsError, match=text):
        output.begin(header(entries=4, digest="e"))
    assert output.begin(header(entries=4), restart=True) == set()
    assert sorted(os.listdir(tmp_path)) == [RECORD, "part-of-the-users.parquet"]
    assert output.begin(header(entries=4)) == set()


def test_folders_of_others_are_refused(tmp_path: Path) -> None:
    (tmp_path / part_name(0)).touch()
    with pytest.raises(OutputError, match=f"holds parts without {RECORD} - name another folder"):
        Parts(tmp_path).begin(header())
    for content in ("{", "[]", '{"magiqa_parts": 2}', '{"magiqa_parts": 1}'):
        (tmp_path / RECORD).write_text(content)
        with pytest.raises(OutputError, match=r"is not this version's - name another folder"):
            Parts(tmp_path).begin(header())


def test_the_end_wants_every_part_and_leaves_no_torn_one(tmp_path: Path) -> None:
    output = Parts(tmp_path)
    output.begin(header())
    torn = [f".{part_name(1)}.x1y2.part", f".{RECORD}.x1y2.part"]
    for name in (*torn, ".keep.part", "notes.txt", part_name(0)):
        (tmp_path / name).touch()
    with pytest.raises(OutputError, match=r"1 of 2 parts are not there, such as part-00001.parq"):
        output.finish(2)
    output.put(part_name(1), b"rows")
    output.finish(2)
    assert sorted(os.listdir(tmp_path)) == (
        [".keep.part", RECORD, "notes.txt", part_name(0), part_name(1)]
    )


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot be listed|cannot be written"):
        Parts(tmp_path / "file").begin(header())
    with pytest.raises(OutputError, match=r"/proc/.* - cannot be written .* name a folder you may"):
        Parts("/proc/magiqa").begin(header())
    with pytest.raises(OutputError, match=r"nosuch://b/out - .* - use s3://"):
        Parts("nosuch://b/out").begin(header())


def test_how_a_part_went_is_read_from_it(tmp_path: Path) -> None:
    output = Parts(tmp_path)
    output.put(part_name(0), rows(3))
    output.put(part_name(1), rows(1))
    assert output.outcomes([part_name(1), part_name(0)]) == {
        part_name(0): (0, 3),
        part_name(1): (0, 1),
    }


def test_a_part_that_was_cut_is_to_be_made_again(tmp_path: Path) -> None:
    output = Parts(tmp_path)
    output.put(part_name(0), rows(3))
    output.put(part_name(1), rows(1))
    whole = (tmp_path / part_name(1)).read_bytes()
    for length in (0, 7, len(whole) - 1):
        (tmp_path / part_name(1)).write_bytes(whole[:length])
        assert output.outcomes([part_name(0), part_name(1)]) == {part_name(0): (0, 3)}


def test_a_store_is_as_good_as_a_folder() -> None:
    import s3fs

    with s3_server():
        s3fs.S3FileSystem().mkdir("parts")
        output = Parts("s3://parts/deep/out/")
        assert output.begin(header()) == set()
        output.put(part_name(0), rows(2))
        assert Parts("s3://parts/deep/out").begin(header()) == {part_name(0)}
        assert output.outcomes([part_name(0)]) == {part_name(0): (0, 2)}
        with pytest.raises(SettingsError, match=r"s3://parts/deep/out - begun otherwise: entries"):
            output.begin(header(entries=9))
        with pytest.raises(OutputError, match=r"2 of 3 parts are not there"):
            output.finish(3)
        assert output.begin(header(entries=9), restart=True) == set()
        with pytest.raises(OutputError, match=r"s3://nowhere/out/_magiqa.json - cannot be written"):
            Parts("s3://nowhere/out").begin(header())
