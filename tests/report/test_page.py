from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from magiqa import MissingExtra, OutputError, Scorer, SourceError
from magiqa.report.data import script_json
from magiqa.report.page import check, shown, write_report
from magiqa.runs.outputs import Output
from report.conftest import HOSTILE, SIZES, score


class Parsed(HTMLParser):
    """A page's elements by their ids, its scripts, and every attribute."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.scripts: dict[str | None, str] = {}
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self._script: tuple[str | None] | None = None
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += attrs
        self._script = (dict(attrs).get("id"),) if tag in ("script", "style") else None
        if tag == "style":
            self._script = ("style",)

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._script = None

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts[self._script[0]] = data
        else:
            self.text += data


@pytest.fixture(scope="module")
def parsed(output: Path, tmp_path_factory: pytest.TempPathFactory) -> Parsed:
    page = tmp_path_factory.mktemp("page") / "r.html"
    written = write_report(output, page)
    assert (written.pictures, written.thumbnails) == (len(SIZES) + 5, len(SIZES) + 2)
    assert written.size == page.stat().st_size
    return Parsed(page)


def test_the_page_says_what_was_found(parsed: Parsed, output: Path) -> None:
    text = " ".join(parsed.text.split())
    assert "10 of 13 pictures scored with backbone resnet-1-1-1-1x8; 3 failed." in text
    assert "The median score is 0." in text
    assert "1 PictureError: the file is empty (0 bytes) - fetch it again" in text
    assert "1 nothing but noise: the score means little" in text
    about = Output(output)
    for told in (about.provenance["weights_hash"], about.provenance["fingerprint"], "full"):
        assert told in text
    assert str(output.parent / "pictures") in text


def test_the_data_are_those_of_the_rows(parsed: Parsed, output: Path) -> None:
    data = json.loads(parsed.scripts["data"])
    columns = data["columns"]
    rows = list(Output(output).rows())
    assert {len(values) for values in columns.values()} == {len(rows)}
    for at, row in enumerate(rows):
        for name in ("source", "warnings", "width", "height", "views", "error_kind"):
            assert columns[name][at] == row[name]
        for name in ("score", "similarity", "magnitude", "weight", *data["pairs"]):
            assert columns[name][at] == pytest.approx(row[name], abs=1e-5)
    small = [Path(source).name for source in columns["source"]].index("small.png")
    assert columns["unmapped"][small] == "No map: there is one view, the whole picture."
    line = next(line for line in Output(output).kept() if line["source"] == rows[0]["source"])
    drawn = columns["map"][0]
    assert drawn["size"] == list(SIZES[HOSTILE])  # the first by name
    for cue in data["cues"]:
        values = [number / data["steps"] for number in drawn[cue]]
        assert values == pytest.approx(line["views"][cue], abs=1e-6)
    thumbnails = json.loads(parsed.scripts["thumbnails"])
    assert base64.b64decode(thumbnails[0])[:3] == b"\xff\xd8\xff"
    assert [bool(each) for each in thumbnails] == [row["error"] is None for row in rows]


def test_nothing_in_a_name_becomes_markup(parsed: Parsed) -> None:
    assert "img" not in parsed.names
    assert not [name for name, _ in parsed.attributes if name.startswith("on")]
    assert not [name for name, _ in parsed.attributes if name == "style"]
    assert set(parsed.scripts) == {"style", "data", "thumbnails", None}
    columns = json.loads(parsed.scripts["data"])["columns"]
    assert {Path(source).name for source in columns["source"]} >= {HOSTILE, "e.png"}
    assert "<" not in parsed.scripts["data"] + parsed.scripts["thumbnails"]


def test_the_page_allows_its_own_style_and_script_alone(parsed: Parsed) -> None:
    policy = next(value for _, value in parsed.attributes if value and "default-src" in value)
    assert policy.startswith("default-src 'none'; img-src data:; ")
    for kind, text in (("style", parsed.scripts["style"]), ("script", parsed.scripts[None])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    for _, value in parsed.attributes:
        assert not re.match(r"(https?:)?//", value or "")


def test_an_output_without_journal_or_provenance_has_no_maps_and_says_why(
    output: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "out.jsonl"
    alone.write_bytes(output.read_bytes())
    write_report(alone, tmp_path / "r.html")
    parsed = Parsed(tmp_path / "r.html")
    columns = json.loads(parsed.scripts["data"])["columns"]
    assert columns["map"] == [None] * len(columns["map"])
    assert sum("journal, which is not beside" in (why or "") for why in columns["unmapped"]) == 9
    assert "Not known: neither the output nor a journal beside it says." in parsed.text
    assert "out.jsonl" in parsed.text


def test_pictures_that_are_gone_have_a_word(tiny: Scorer, output: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes((output.parent / "pictures" / name).read_bytes())
    rows = score(tiny, tmp_path / "out.csv", folder)
    (folder / "a.png").unlink()
    (folder / "b.png").write_bytes((output.parent / "pictures" / "c.png").read_bytes())
    write_report(rows, tmp_path / "r.html")
    columns = json.loads(Parsed(tmp_path / "r.html").scripts["data"])["columns"]
    assert columns["absent"] == ["there is no such file or folder", "changed since it was scored"]
    assert all(columns["map"])


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([], "There is nothing in this output."),
        (["text.png"], "None of 1 picture could be scored: why."),
        (["a.png"], "1 picture scored with backbone resnet-1-1-1-1x8. The score is 0."),
    ],
)
def test_runs_of_hardly_anything(output: Path, tmp_path: Path, rows: list[str], text: str) -> None:
    lines = [line for line in output.read_text().splitlines() if any(name in line for name in rows)]
    (tmp_path / "out.jsonl").write_text("\n".join(lines))
    write_report(tmp_path / "out.jsonl", tmp_path / "r.html")
    assert text in " ".join(Parsed(tmp_path / "r.html").text.split())


def test_rows_of_several_backbones_are_warned_of(output: Path, tmp_path: Path) -> None:
    lines = output.read_text().splitlines()
    lines += [line.replace("resnet-1-1-1-1x8", "ViT-B/32") for line in lines]
    (tmp_path / "out.jsonl").write_text("\n".join(lines))
    write_report(tmp_path / "out.jsonl", tmp_path / "r.html")
    text = Parsed(tmp_path / "r.html").text
    assert "ViT-B/32, resnet-1-1-1-1x8" in text
    assert "Scores of different backbones do not compare" in text


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("r.pdf", OutputError, "r.pdf - no report format '.pdf' - name it .html"),
        ("folder.html", OutputError, "this is a folder - name a file in it"),
        ("file/r.html", OutputError, r"cannot be written \((File exists|Not a directory)\)"),
    ],
)
def test_what_can_be_no_report_is_refused(
    tmp_path: Path, name: str, error: type[Exception], text: str
) -> None:
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(error, match=text):
        check(tmp_path / name)


def test_without_jinja2_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtra, match=r"needs jinja2 - pip install 'magiqa\[report\]'"):
        check(tmp_path / "r.html")


def test_a_failed_report_leaves_the_earlier_one(tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text("earlier")
    (tmp_path / "out.csv").write_text("path\na.png\n")
    with pytest.raises(SourceError, match="no output of magiqa"):
        write_report(tmp_path / "out.csv", tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text() == "earlier"


@pytest.mark.parametrize("value", ["</script>", "<!--<script>", "\u2028&amp;", "\udcff", {"<": 1}])
def test_json_in_a_script_is_the_same_value_without_markup(value: Any) -> None:
    text = script_json(value)
    assert json.loads(text) == value
    assert text.isascii()
    assert not set(text) & set("<>&")


def test_hidden_characters_are_shown() -> None:
    assert shown("a\u202eb\x00c\udcff\u00e9") == "a\\u202eb\\u0000c\\udcff\u00e9"


def test_a_page_of_an_interrupted_run_says_so(output: Path, tmp_path: Path) -> None:
    part = tmp_path / "part.jsonl"
    part.write_bytes(output.read_bytes())
    Path(f"{part}.meta.json").write_text('{"interrupted": true}')
    write_report(part, tmp_path / "r.html")
    assert "This run was interrupted" in (tmp_path / "r.html").read_text()
