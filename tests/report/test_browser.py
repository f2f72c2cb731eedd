"""The page in a real browser: what it shows, what it does, and what it must not do."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from magiqa import Scorer, Settings
from magiqa.pictures import views
from magiqa.pictures.quality_map import ramp, span, window_map
from magiqa.report.page import shown, write_report
from magiqa.runs.outputs import Output
from magiqa.runs.sinks import Row
from report.conftest import HOSTILE, score
from report.test_gather import written

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def report(output: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = tmp_path_factory.mktemp("page") / "r.html"
    write_report(output, page)
    return page


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """What opens a page; at the end nothing may have gone wrong in any of them."""
    told: list[str] = []
    contexts = []

    def open_page(path: Path, width: int = 1280, height: int = 4000, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: told.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: told.append(f"error: {error}"))
        page.on("dialog", lambda dialog: told.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: told.append(f"request: {request.url[:99]}"))
        page.goto(path.as_uri())
        assert told.pop(0) == f"request: {path.as_uri()}"[:108]
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [each for each in told if not each.startswith("request: data:")] == []


@pytest.fixture
def page(opened: Open, report: Path) -> Page:
    return opened(report)


@pytest.fixture(scope="module")
def rows(output: Path) -> list[Row]:
    return list(Output(output).rows())


def card(page: Page, name: str) -> Locator:
    return page.locator("#gallery button").filter(has=page.get_by_text(name, exact=True))


def names(page: Page) -> list[str]:
    """Of the cards, in the order of reading."""
    return page.locator("#gallery .name").all_text_contents()


def sorted_names(rows: list[Row], key: Callable[[Row], float], descending: bool) -> list[str]:
    scored = [row for row in rows if row["score"] is not None]
    failed = [row for row in rows if row["score"] is None]
    ordered = sorted(scored, key=key, reverse=descending) + failed
    return [shown(Path(row["source"]).name) for row in ordered]


def test_the_best_come_first_and_the_summary_is_there(page: Page, rows: list[Row]) -> None:
    assert names(page) == sorted_names(rows, lambda row: row["score"], descending=True)
    assert "backbone resnet-1-1-1-1x8" in page.locator(".lead").inner_text()
    assert page.locator("#count").inner_text() == "13 of 13 pictures"
    assert page.locator("#best .name").first.inner_text() == names(page)[0]
    assert page.locator("#worst .name").first.inner_text() == names(page)[9]
    assert page.locator(".charts svg").count() == 3


@pytest.mark.parametrize("key", ["similarity", "magnitude", "Sharp image / blurry image", "size"])
def test_sorting(page: Page, rows: list[Row], key: str) -> None:
    def value(row: Row) -> float:
        return float(row["width"] * row["height"] if key == "size" else round(row[key], 5))

    page.locator("[name=sort]").select_option(key)
    assert names(page) == sorted_names(rows, value, descending=True)
    page.locator("[name=direction]").select_option("ascending")
    assert names(page) == sorted_names(rows, value, descending=False)


def test_sorting_by_name_and_by_the_run(page: Page, rows: list[Row]) -> None:
    page.locator("[name=direction]").select_option("ascending")
    page.locator("[name=sort]").select_option("order")
    assert names(page) == [shown(Path(row["source"]).name) for row in rows]
    page.locator("[name=sort]").select_option("name")
    assert [name for name in names(page) if len(name) == 5] == [
        "a.png",
        "b.png",
        "c.png",
        "d.jpg",
        "e.png",
    ]


def test_filters(page: Page, rows: list[Row]) -> None:
    search, kind, low = (page.locator(f"[name={name}]") for name in ("search", "kind", "low"))
    search.fill("DEEP")
    assert names(page) == ["d.jpg"]
    assert page.locator("#count").inner_text() == "1 of 13 pictures"
    search.fill("nothing like it")
    assert names(page) == []
    assert page.locator("#nothing").is_visible()
    page.locator("#all").click()
    assert len(names(page)) == 13
    kind.select_option("failed")
    assert sorted(names(page)) == ["cut.png", "empty.png", "text.png"]
    kind.select_option("warned")
    assert sorted(names(page)) == ["flat.png", "noise.png", "small.png"]
    kind.select_option("scored")
    assert len(names(page)) == 10
    page.locator("#all").click()
    scores = sorted(row["score"] for row in rows if row["score"] is not None)
    low.fill(f"{(scores[4] + scores[5]) / 2:.6f}")
    assert len(names(page)) == 5
    page.locator("[name=high]").fill(f"{(scores[6] + scores[7]) / 2:.6f}")
    assert len(names(page)) == 2


def test_groups_and_bars_lead_to_their_pictures(page: Page) -> None:
    page.locator("[data-kind='warning flat']").click()
    assert names(page) == ["flat.png"]
    page.locator("[data-kind=failed]").click()
    assert len(names(page)) == 3
    bar = page.locator("rect[data-low]").last
    count = re.search(r": (\d+)$", bar.locator("title").text_content() or "")
    bar.click()
    assert count
    assert len(names(page)) == int(count[1])


def picture(page: Page, name: str, mode: str, cue: str) -> Any:
    """The pixels of an opened picture's canvas, (H, W, 3)."""
    card(page, name).click()
    page.locator(f"input[value={mode}]").check()
    page.locator(f"input[value={cue}]").check()
    page.wait_for_function("dialog.image !== null && dialog.image.complete")
    _, _, encoded = page.locator("canvas").evaluate("canvas => canvas.toDataURL()").partition(",")
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as drawn:
        return np.asarray(drawn.convert("RGB"), np.int64)


@pytest.mark.parametrize("name", ["a.png", "b.png"])
@pytest.mark.parametrize("cue", ["score", "similarity", "magnitude"])
def test_a_map_has_the_colours_that_python_gives_it(
    page: Page, output: Path, covered: Scorer, name: str, cue: str
) -> None:
    drawn = picture(page, name, "map", cue)
    height, width = drawn.shape[:2]
    result = covered(output.parent / "pictures" / name)
    *windows, whole = result.views
    across, down = width / whole.box[2], height / whole.box[3]
    # boxes in the canvas's pixels, which are the picture's own for a.png
    boxes: Any = [
        (left * across, top * down, right * across, bottom * down)
        for left, top, right, bottom in (view.box for view in windows)
    ]
    values = [getattr(view, cue) for view in windows]
    field = window_map(boxes, values, width, height)
    low, high = span(values)
    expected = ramp()[np.round(255 * (field - low) / (high - low)).astype(int)].astype(np.int64)
    assert (width, height) == ((300, 260) if name == "a.png" else (320, 229))
    assert np.abs(drawn - expected).max() <= 3  # the journal's numbers have four decimals
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 10
    marks = page.locator(".marks span").all_text_contents()
    assert [float(mark) for mark in marks] == pytest.approx([low, (low + high) / 2, high], abs=6e-4)
    assert (
        f"of the picture as a whole: {getattr(whole, cue):.3f}"
        in page.locator(".legend").inner_text()
    )


def test_the_picture_itself_and_both(page: Page) -> None:
    plain = picture(page, "a.png", "picture", "score")
    source = card(page, "a.png").locator("img")
    assert source.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [300, 260]
    page.keyboard.press("Escape")
    drawn = picture(page, "a.png", "both", "score")
    assert np.abs(drawn - plain).mean() > 5
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 256  # more than the colours alone


def test_what_lies_in_no_window_is_grey(
    opened: Open, output: Path, tiny: Scorer, tmp_path: Path
) -> None:
    assert tiny.settings == Settings()
    rows = score(tiny, tmp_path / "out.csv", output.parent / "pictures" / "a.png")
    write_report(rows, tmp_path / "r.html")
    drawn = picture(opened(tmp_path / "r.html"), "a.png", "map", "score")
    assert views.boxes(300, 260)[:-1] == [(0, 0, 224, 224)]
    grey = (drawn[..., 0] == drawn[..., 1]) & (drawn[..., 1] == drawn[..., 2])
    assert grey[224:].all()
    assert grey[:, 224:].all()
    assert not grey[:224, :224].any()


def test_a_picture_tells_all_that_is_known(page: Page, rows: list[Row]) -> None:
    row = next(row for row in rows if row["source"].endswith("small.png"))
    card(page, "small.png").click()
    text = page.locator("#picture").inner_text()
    assert row["source"] in text
    assert "No map: there is one view, the whole picture." in text
    assert re.search("120 . 90 pixels, 1 view", text)
    assert "a side under 224 pixels" in text
    numbers = [f"{row[name]:.4f}" for name in ("score", "similarity", "magnitude", "weight")]
    numbers += [f"{row['Noise-free image / noisy image']:.4f}"]
    for number in numbers:
        assert number in text
    scores = sorted(row["score"] for row in rows if row["score"] is not None)
    place = scores.index(row["score"])
    words = {0: "the lowest score", 9: "the highest score"}
    assert words.get(place, f"higher than {100 * place // 9} % of the others") in text
    assert page.locator("fieldset").first.is_hidden()
    page.keyboard.press("Escape")
    card(page, "empty.png").click()
    assert "the file is empty (0 bytes) - fetch it again" in page.locator("#picture").inner_text()


def test_the_keyboard_alone_will_do(page: Page) -> None:
    def focused() -> str:
        return str(page.evaluate("document.activeElement.querySelector('.name')?.textContent"))

    ordered = names(page)
    columns = page.evaluate("gallery.columns")
    page.locator("#gallery button").first.focus()
    for key, place in (
        ("ArrowRight", 1),
        ("ArrowDown", 1 + columns),
        ("ArrowLeft", columns),
        ("ArrowUp", 0),
        ("ArrowUp", 0),
        ("End", 12),
        ("Home", 0),
        ("ArrowRight", 1),
    ):
        page.keyboard.press(key)
        assert focused() == ordered[place], key
    page.keyboard.press("Enter")
    title = page.locator("#picture-title")
    assert title.inner_text() == ordered[1]
    page.keyboard.press("ArrowRight")
    assert title.inner_text() == ordered[2]
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert title.inner_text() == ordered[0]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    assert page.locator("#picture").is_hidden()
    assert focused() == ordered[1]
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    assert page.locator("#gallery button[tabindex='0']").count() == 1


def test_hostile_names_do_nothing_but_show(page: Page) -> None:
    assert {HOSTILE, "photo\\u202egnp.exe.png", "e.png"} <= set(names(page))
    for name in (HOSTILE, "e.png"):
        card(page, name).click()
        assert page.locator("#picture-title").inner_text() == name
        page.keyboard.press("Escape")
    assert page.evaluate("shown('a\\udcffb\\ud83d\\ude00')") == "a\\udcffb\U0001f600"
    page.locator("details").first.click()
    assert page.locator("img:not([src^='data:image/jpeg;base64,'])").count() == 0
    assert page.locator("body script").count() == 3


def test_the_policy_holds_back_what_would_get_in(browser: Browser, report: Path) -> None:
    told: list[str] = []
    page = browser.new_page()
    page.on("console", lambda message: told.append(message.text))
    page.on("dialog", lambda dialog: told.append(f"dialog: {dialog.message}"))
    page.goto(report.as_uri())
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(1)>')")
    page.wait_for_timeout(200)
    page.close()
    assert len(told) == 2  # the picture, the handler
    assert all("Content Security Policy" in text for text in told)


def test_what_a_screen_reader_is_told(page: Page) -> None:
    unnamed = page.evaluate(
        """[...document.querySelectorAll('button, input, select')].filter(node =>
        !(node.getAttribute('aria-label') || node.labels?.[0]?.textContent.trim() ||
          node.textContent.trim())).map(node => node.outerHTML)"""
    )
    assert unnamed == []
    label = page.locator("#gallery button").first.get_attribute("aria-label") or ""
    assert re.fullmatch(r".+, score 0\.\d{3}, the highest score of this run.*", label)
    item = page.locator("#gallery li").first
    assert item.get_attribute("aria-posinset") == "1"
    assert item.get_attribute("aria-setsize") == "13"
    first = page.locator(".charts svg").first.get_attribute("aria-label") or ""
    assert re.fullmatch(r"Histogram of the score: 0\.\d+ to 0\.\d+, median 0\.\d{3}", first)
    card(page, "a.png").click()
    told = page.locator("canvas").get_attribute("aria-label") or ""
    assert re.match(r"Quality map of a\.png: score of 4 windows: 0\.\d{3} to 0\.\d{3}", told)


def contrast(page: Page, selector: str) -> float:
    """The least contrast of a text with what lies behind it, as WCAG defines it."""
    return float(
        page.evaluate(
            """selector => Math.min(...[...document.querySelectorAll(selector)].map(node => {
        const canvas = document.createElement("canvas");
        const paint = canvas.getContext("2d", { willReadFrequently: true });
        const light = colour => {
          paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1);
          return luminance([...paint.getImageData(0, 0, 1, 1).data].slice(0, 3));
        };
        let behind = node;
        while (/rgba\\(0, 0, 0, 0\\)/.test(getComputedStyle(behind).backgroundColor))
          behind = behind.parentElement ?? document.documentElement;
        const a = light(getComputedStyle(node).color);
        const b = light(getComputedStyle(behind).backgroundColor);
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      }))""",
            selector,
        )
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_are_readable_and_can_be_switched(
    opened: Open, report: Path, scheme: str
) -> None:
    page = opened(report, color_scheme=scheme)

    def lightness() -> float:
        return float(
            page.evaluate(
                "luminance(getComputedStyle(document.documentElement)"
                ".backgroundColor.match(/\\d+/g).map(Number))"
            )
        )

    for expected in (scheme, "dark" if scheme == "light" else "light", scheme):
        assert (lightness() > 0.5) == (expected == "light")
        for selector in (".lead", ".quiet", ".badge", ".chip", ".name", ".empty", "a", "#count"):
            assert contrast(page, selector) >= 4.5, selector
        page.locator("#theme").click()


def test_a_phone_needs_no_scrolling_sideways(opened: Open, report: Path) -> None:
    page = opened(report, width=390, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("gallery.columns") == 2
    card(page, "a.png").click()
    box = page.locator("#picture").bounding_box()
    assert box
    assert box["width"] == 390
    assert page.locator("#picture").evaluate("node => node.scrollWidth <= node.clientWidth")


def test_paper_gets_cards_of_the_gallery_and_no_toolbar(page: Page) -> None:
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("#toolbar").is_hidden()
    assert page.locator("#printed").inner_text() == "The first 13 of 13, by score."
    assert len(names(page)) == 13
    tops = page.locator("#gallery li").evaluate_all("all => all.map(each => each.offsetTop)")
    assert len(set(tops)) == 3  # six in a row
    assert page.pdf()[:4] == b"%PDF"
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("#toolbar").is_visible()
    assert len(names(page)) == 13


@pytest.mark.parametrize("failed", [0, 2])
def test_a_run_without_scores_has_a_page(opened: Open, tmp_path: Path, failed: int) -> None:
    rows = [{"source": f"{n}", "error_kind": "E", "error": f"{n} - bad"} for n in range(failed)]
    written(tmp_path / "out.jsonl", rows)
    write_report(tmp_path / "out.jsonl", tmp_path / "r.html")
    page = opened(tmp_path / "r.html")
    assert names(page) == ["0", "1"][:failed]
    assert page.locator("#count").inner_text() == f"{failed} of {failed} pictures"


def test_thousands_are_in_the_document_only_where_they_are_seen(
    opened: Open, tmp_path: Path
) -> None:
    rows = [
        {"source": f"{n:04}.jpg", "score": n / 5000, "weight": 0.5, "width": 300}
        for n in range(5000)
    ]
    rows = [row | {"height": 200, "a / b": 0.5} for row in rows]
    page = tmp_path / "r.html"
    assert written(tmp_path / "out.jsonl", rows).pairs == ["a / b"]
    write_report(tmp_path / "out.jsonl", page)
    shown_page = opened(page, height=900)
    shown_page.evaluate("document.querySelector('#pictures').scrollIntoView()")
    assert shown_page.locator("#count").inner_text() == "5,000 of 5,000 pictures"
    assert 10 < len(names(shown_page)) < 100
    assert names(shown_page)[0] == "4999.jpg"
    assert (
        shown_page.locator("#gallery .empty").first.inner_text()
        == "there is no such file or folder"
    )
    shown_page.locator("#gallery button").first.focus()
    shown_page.keyboard.press("End")
    assert shown_page.evaluate("document.activeElement.title") == "0000.jpg"
    assert len(names(shown_page)) < 100
    shown_page.locator("[name=search]").fill("2500")
    assert names(shown_page) == ["2500.jpg"]
    left_out = shown_page.locator("#gallery .empty").first.inner_text()
    assert left_out in ("not among the 4,000 that are shown", "there is no such file or folder")
