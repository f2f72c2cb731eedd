from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from kept import anchors_of, keep, pictures, small
from magiqa import OutputError, Scorer
from magiqa.evaluate import figures, page
from magiqa.evaluate.datasets import DATASETS
from magiqa.evaluate.evaluation import NOT_RELEASED
from magiqa.evaluate.methods import PAPER
from magiqa.evaluate.paper import FIGURE_3
from magiqa.evaluate.reproduction import Measured, Reproduction
from magiqa.settings import Coverage

NAMES = [f"I{content:02}_{level:02}.png" for content in (1, 2, 3) for level in range(1, 5)]
TINY = "resnet-1-1-1-1x8"


@pytest.fixture(scope="module")
def made(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Reproduction:
    """KADID-10k alone, of twelve pictures with three contents."""
    folder = tmp_path_factory.mktemp("kadid-10k")
    rated = pictures(folder / "images", NAMES)
    folders: dict[Coverage, Path] = {
        "paper": keep(rated, Scorer(weights=checkpoint, settings=PAPER), folder / "kept")
    }
    absent = {each.name: f"no folder {each.name}" for each in DATASETS if each.name != "kadid-10k"}
    made = Reproduction(TINY, absent)
    made.measure(small("kadid-10k", rated), rated, TINY, folders, anchors_of(checkpoint))
    return made


@pytest.fixture(scope="module")
def written(made: Reproduction, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    page.write(folder, made, [{"backbone": TINY, "released": False}])
    return folder


class Page(HTMLParser):
    """What a browser would make of the page: tags that close, what is fetched, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img", "source"):
            self.open.append(tag)
        self.addresses += [str(value) for name, value in attrs if name in ("src", "srcset")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_one_page_holds_everything_and_fetches_nothing(written: Path) -> None:
    text = (written / "paper.html").read_text()
    shown = Page(text)
    assert shown.open == []
    # Figures 1, 3, 5 and 6 of the one set, light and dark
    assert len(shown.addresses) == 2 * 4
    assert all(each.startswith("data:image/svg+xml;base64,") for each in shown.addresses)
    assert not re.search(r"<(script|link|iframe)|@import|url\(", text)
    for number in (1, 2, 3, 4, 5, 6):
        assert f"Table {number}. " in shown.text
    for number in (1, 3, 5, 6):
        assert f"Figure {number}" in shown.text
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_every_set_that_was_not_run_says_so(written: Path) -> None:
    shown = re.sub(r"\s+", " ", Page((written / "paper.html").read_text()).text)
    assert "not run: add --whole" in shown
    for dataset in DATASETS:
        if dataset.name != "kadid-10k":
            assert f"{dataset.title} - not run: no folder {dataset.name} - its page" in shown


@pytest.mark.parametrize("name", ["paper.html", "paper.md", "paper.csv", "sweep.csv", "paper.json"])
def test_numbers_of_random_weights_are_called_that_everywhere(written: Path, name: str) -> None:
    assert NOT_RELEASED.replace(",", "") in (written / name).read_text().replace(",", "")


def test_drawings_carry_the_warning_and_are_whole(written: Path) -> None:
    drawings = sorted((written / "figures").iterdir())
    assert [each.name for each in drawings] == [
        "figure-1-kadid-10k-not-in-the-paper-s-figure.svg",
        "figure-3-kadid-10k.svg",
        "figure-5-kadid-10k.svg",
        "figure-6-kadid-10k.svg",
    ]
    markdown = (written / "paper.md").read_text()
    for each in drawings:
        ElementTree.parse(each)
        assert NOT_RELEASED in each.read_text()
        assert f"](figures/{each.name})" in markdown


def test_released_weights_whole_sets_and_rn50_need_no_warning(made: Reproduction) -> None:
    of_the_paper = Reproduction("RN50", {})
    assert page.warnings(of_the_paper, [{"released": True}]) == []
    a_rivals = {"set": "csiq", "engine": "piqe"}
    assert page.warnings(of_the_paper, [{"released": True}, a_rivals]) == []
    assert page.warnings(made, [{"released": True}]) == [
        f"Tables 1-5 and the figures are by {TINY}, the paper's by RN50"
    ]
    first = Reproduction("RN50", {}, limit=7)
    [limited] = page.warnings(first, [{"released": True}])
    assert limited.startswith("only the first 7 pictures of each set")
    assert page.warnings(of_the_paper, [{"released": True}, {"released": False}]) == [NOT_RELEASED]


def test_the_sweep_is_written_point_by_point(written: Path, made: Reproduction) -> None:
    rows = list(csv.DictReader(io.StringIO((written / "sweep.csv").read_text())))
    assert len(rows) == 48
    for row in rows:
        point = float(row["lambda"]), float(row["alpha"])
        assert float(row["srcc"]) == pytest.approx(
            made.measured["kadid-10k", TINY].sweep[point], abs=1e-6
        )


def test_provenance_goes_with_it(written: Path) -> None:
    about = json.loads((written / "paper.json").read_text())
    assert about["provenance"] == [{"backbone": TINY, "released": False}]


def test_the_same_numbers_make_the_same_bytes(
    written: Path, made: Reproduction, tmp_path: Path
) -> None:
    page.write(tmp_path, made, [{"backbone": TINY, "released": False}])
    assert (tmp_path / "paper.html").read_bytes() == (written / "paper.html").read_bytes()


def test_a_folder_that_cannot_be_written_is_told(
    made: Reproduction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "figures", lambda *_: [])
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(OutputError, match=r"out - cannot be written \(File exists"):
        page.write(tmp_path / "out", made, [])


def test_figure_3_tells_distances_in_units_of_the_spread() -> None:
    # two groups, one step apart: distance 1; all values 0, 1, 1, 2: spread sqrt(1/2)
    assert figures._distance({"a": [0.0, 1.0], "b": [1.0, 2.0]}) == pytest.approx(2**0.5)


@pytest.mark.parametrize(
    ("dataset", "name", "content"),
    [
        ("csiq", "1600.AWGN.1.png", "1600"),
        ("tid2013", "I07_12_3.bmp", "i07"),
        ("kadid-10k", "I81_25_05.png", "i81"),
        ("agiqa-3k", "sd1.5_lowstep_003.jpg", "sd1.5"),
    ],
)
def test_the_content_of_a_picture_is_in_its_name(dataset: str, name: str, content: str) -> None:
    assert figures._content(dataset, name) == content


def test_one_content_has_no_distance(made: Reproduction) -> None:
    found = made.measured["kadid-10k", TINY]
    alone = [replace(each, name=f"I01_{each.name}") for each in found.rated]
    measured = Measured(
        found.dataset, alone, found.scores, found.results, found.sweep, found.folder
    )
    one = Reproduction(TINY, made.absent, measured={("kadid-10k", TINY): measured})
    kadid, _ = figures._panels(one, FIGURE_3, figures._draw_contents, others=False, warning="")
    assert kadid.why == "not run: pictures of one content alone"
