"""The page in a real browser."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from PIL import Image

import recipe
from magiqa import Scorer
from magiqa.serve import page as page_module
from serve.conftest import KEY, serving, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Open = Callable[..., "Page"]
ATTRIBUTES = ["brightness", "noisiness", "colorfulness", "sharpness", "contrast"]
DROP = """async (files) => {
  const moved = new DataTransfer();
  for (const [name, type, data] of files) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    moved.items.add(new File([bytes], name, { type }));
  }
  for (const kind of ["dragenter", "dragover", "drop"])
    document.getElementById("drop").dispatchEvent(
      new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: moved }));
}"""

SIZE = """async () => {
  const image = document.querySelector("#sides img");
  await image.decode();
  return [image.naturalWidth, image.naturalHeight];
}"""


@pytest.fixture
def told() -> list[str]:
    """What pages said to the console, and what they asked of other machines."""
    return []


@pytest.fixture
def opened(browser: Browser, told: list[str]) -> Iterator[Open]:
    """What opens a service's page."""
    contexts = []

    def open_page(client: httpx.Client, width: int = 1280, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: told.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: told.append(f"error: {error}"))
        page.on("request", lambda request: told.append(f"request: {request.url[:99]}"))
        page.goto(str(client.base_url))
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def page(opened: Open, client: httpx.Client, told: list[str]) -> Iterator[Page]:
    """The page; it may not have complained, nor asked anyone but its service."""
    yield opened(client)
    own = ("data:", "blob:", str(client.base_url))
    assert not [line for line in told if not line.removeprefix("request: ").startswith(own)]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    for name, height, width in (("first", 420, 560), ("second", 300, 420), ("small", 120, 90)):
        picture = recipe.picture(height, width, seed=len(name))
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    (tmp_path / "bad.png").write_text("a text")
    return [tmp_path / f"{name}.png" for name in ("first", "second", "small", "bad")]


def drop(page: Page, *paths: Path) -> None:
    moved = [
        (path.name, "image/png", base64.b64encode(path.read_bytes()).decode()) for path in paths
    ]
    page.evaluate(DROP, moved)
    until(page, "!told.textContent.includes('...')")


def allowed(told: list[str]) -> None:
    """The browser itself writes an answer of 422 to the console."""
    lines = [line for line in told if line.startswith("console")]
    assert len(lines) == 1
    assert "the server responded with a status of 422" in lines[0]
    told.remove(lines[0])


def until(page: Page, expression: str) -> None:
    """Wait for it; playwright's own waiting evaluates in the page, which the policy forbids."""
    wait_for(lambda: page.evaluate(expression), 10)


def numbers(page: Page, name: str) -> dict[str, str]:
    """The cues and attributes on a picture's card."""
    lines = card(page, name).locator(".cues > div").all_inner_texts()
    return dict(re.split(r"\s+", line.strip()) for line in lines)


def card(page: Page, name: str) -> Any:
    return page.locator(".card").filter(has=page.get_by_text(name, exact=True))


def test_a_dropped_picture_shows_its_score_cues_and_attributes(
    page: Page, files: list[Path], tiny: Scorer, client: httpx.Client
) -> None:
    drop(page, files[0])
    score = tiny(files[0])
    assert card(page, "first.png").locator(".badge").inner_text() == f"{score.score:.3f}"
    shown = numbers(page, "first.png")
    assert list(shown) == ["similarity", "magnitude", "weight", *ATTRIBUTES]
    for cue in ("similarity", "magnitude", "weight"):
        assert shown[cue] == f"{getattr(score, cue):.3f}"
    answer = client.post("/v1/score", files={"f": files[0].read_bytes()}).json()
    attributes = answer["pictures"][0]["attributes"]
    assert {name: shown[name] for name in ATTRIBUTES} == {
        name: f"{value:.3f}" for name, value in attributes.items()
    }
    assert page.locator("#told").inner_text() == "1 picture"


def test_chosen_files_warnings_and_failures(page: Page, files: list[Path], told: list[str]) -> None:
    page.locator("#files").set_input_files(files)
    until(page, "told.textContent === '4 pictures, 1 not scored'")
    allowed(told)
    assert card(page, "small.png").locator(".chip").inner_text() == "thumbnail-only"
    assert card(page, "bad.png").locator(".badge").inner_text() == "not scored"
    assert card(page, "bad.png").locator(".chips").inner_text().startswith("not a picture in a ")
    page.locator("#sort").select_option("worst")
    badges = page.locator(".badge").all_inner_texts()
    assert badges[:3] == sorted(badges[:3])
    assert badges[3] == "not scored"
    page.locator("#clear").click()
    assert page.locator(".card").count() == 0


def test_the_map_opens(page: Page, files: list[Path], client: httpx.Client) -> None:
    drop(page, files[0])
    card(page, "first.png").get_by_role("button", name="Look closer").click()
    for cue, label in (("score", "map of the score"), ("magnitude", "magnitude")):
        page.get_by_role("radio", name=label).check()
        until(page, f"document.querySelector('#sides img').alt.startsWith('Map of the {cue}')")
        expected = client.post(
            "/v1/map",
            params={"cue": cue},
            content=files[0].read_bytes(),
            headers={"Content-Type": "image/png"},
        )
        got = page.evaluate(SIZE)
        path = files[0].with_name("map.png")
        path.write_bytes(expected.content)
        with Image.open(path) as drawn:
            assert got == list(drawn.size)
    page.keyboard.press("Escape")
    assert not page.locator("#viewer").is_visible()


def test_what_has_no_map_says_why(page: Page, files: list[Path], told: list[str]) -> None:
    drop(page, files[2])
    card(page, "small.png").get_by_role("button", name="Look closer").click()
    page.get_by_role("radio", name="map of the score").check()
    until(page, "document.querySelector('#sides p').textContent.startsWith('nothing to map')")
    allowed(told)


def test_two_are_compared_side_by_side(page: Page, files: list[Path], tiny: Scorer) -> None:
    drop(page, *files[:2])
    for name in ("first.png", "second.png"):
        card(page, name).get_by_label("compare").check()
    page.get_by_role("button", name="Compare").click()
    left, right = (each.bounding_box() for each in page.locator(".side img").all())
    assert left
    assert right
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    page.get_by_role("radio", name="map of the score").check()
    until(page, "[...document.querySelectorAll('.side img')].every((i) => i.alt.startsWith('Map'))")
    first, second = tiny.score_many(files[:2])
    row = page.locator("#numbers tbody tr").first.inner_text().split("\t")
    by = second.score - first.score
    sign = "\N{MINUS SIGN}" if by < 0 else "+"
    assert row == ["score", f"{first.score:.3f}", f"{second.score:.3f}", f"{sign}{abs(by):.3f}"]


def test_a_third_takes_the_place_of_the_first(page: Page, files: list[Path]) -> None:
    drop(page, *files[:3])
    for name in ("first.png", "second.png", "small.png"):
        card(page, name).get_by_label("compare").check()
    assert not card(page, "first.png").get_by_label("compare").is_checked()
    assert page.locator("#picked").inner_text() == "second.png and small.png"


def test_all_of_it_with_the_keyboard(page: Page, files: list[Path]) -> None:
    with page.expect_file_chooser() as chooser:
        for _ in range(2):  # the theme, then the pictures
            page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "files"
        page.keyboard.press("Enter")
    chooser.value.set_files(files[:2])
    until(page, "told.textContent === '2 pictures'")

    def to(selector: str) -> None:
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate(f"document.activeElement.matches('{selector}')"):
                return
        raise AssertionError(selector)

    to(".pick")
    page.keyboard.press("Space")
    to(".pick")
    page.keyboard.press("Space")
    to("#compare")
    page.keyboard.press("Enter")
    assert page.locator("#viewer").is_visible()
    to("[name=shown]")
    page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('.side img').alt.startsWith('Map of the score')")
    page.keyboard.press("Escape")
    assert not page.locator("#viewer").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(opened: Open, client: httpx.Client, scheme: Any) -> None:
    page = opened(client, color_scheme=scheme)

    def lightness() -> float:
        colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        return float(np.mean([float(each) for each in re.findall(r"[\d.]+", colour)[:3]]))

    before = lightness()
    assert (before > 200) == (scheme == "light")
    page.locator("#theme").click()
    assert (lightness() > 200) != (scheme == "light")


def test_nothing_is_wider_than_a_phone(
    opened: Open, client: httpx.Client, files: list[Path]
) -> None:
    page = opened(client, width=390)
    drop(page, *files)
    for name in ("first.png", "second.png"):
        card(page, name).get_by_label("compare").check()
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 390
    page.get_by_role("button", name="Compare").click()
    assert page.evaluate("document.getElementById('viewer').scrollWidth") <= 390
    assert page.evaluate(width) <= 390


def test_the_lock_takes_a_key_and_keeps_it_in_memory(
    opened: Open, tiny: Scorer, files: list[Path]
) -> None:
    with serving(tiny, keys=(KEY,)) as client:
        page = opened(client)
        assert not page.locator("#open").is_visible()
        page.locator("#key").fill("wrong-key-of-many-letters")
        page.keyboard.press("Enter")
        until(page, 'refused.textContent === "That is none of this service\'s keys."')
        page.locator("#key").fill(KEY)
        page.keyboard.press("Enter")
        page.locator("#open").wait_for()
        drop(page, files[0])
        assert card(page, "first.png").locator(".badge").inner_text() != "not scored"
        kept = "[localStorage.length, sessionStorage.length, document.cookie]"
        assert page.evaluate(kept) == [0, 0, ""]
        assert KEY not in page.content()
        page.reload()
        assert page.locator("#lock").is_visible()


def test_a_name_of_a_stranger_is_only_text(page: Page, files: list[Path]) -> None:
    hostile = files[0].with_name("<img src=x onerror=alert(1)>.png")
    shutil.copy(files[0], hostile)
    drop(page, hostile)
    assert page.locator(".name").inner_text() == hostile.name


def test_the_policy_names_style_and_script_alone() -> None:
    answer = page_module.response(locked=False)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert policy.count("sha256-") == 2
    text = bytes(answer.body).decode()
    assert "http://" not in text
    assert "https://" not in text
    assert "style=" not in text
