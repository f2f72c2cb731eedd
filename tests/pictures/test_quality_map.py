from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter

import magiqa
import recipe
from magiqa import PictureError, Score, Scorer, Settings, SettingsError
from magiqa.pictures import quality_map as maps
from magiqa.pictures import views
from magiqa.settings import Coverage

GOLDEN = Path(__file__).parents[1] / "golden" / "quality-map.png"

sides = st.integers(224, 700)
coverages: st.SearchStrategy[Coverage] = st.sampled_from(["paper", "full"])


@pytest.fixture(scope="module")
def full(checkpoint: Path) -> Scorer:
    return Scorer(weights=checkpoint, settings=Settings(coverage="full"))


# --- the array


def test_two_overlapping_windows_by_hand() -> None:
    # at the centres of columns 2 and 3 the tents of 4 wide windows are .75 and .25, .25 and .75
    field = maps.window_map([(0, 0, 4, 4), (2, 0, 6, 4)], [10, 20], width=7, height=5)
    assert field.shape == (5, 7)
    for row in field[:4]:
        np.testing.assert_allclose(row[:6], [10, 10, 12.5, 17.5, 20, 20], rtol=1e-6)
    assert np.isnan(field[4]).all()
    assert np.isnan(field[:, 6]).all()


def test_four_overlapping_windows_by_hand() -> None:
    boxes = [(0, 0, 4, 4), (2, 0, 6, 4), (0, 2, 4, 6), (2, 2, 6, 6)]
    field = maps.window_map(boxes, [0, 1, 2, 4], width=6, height=6)
    expected = 0.75 * 0.75 * 0 + 0.25 * 0.75 * 1 + 0.75 * 0.25 * 2 + 0.25 * 0.25 * 4
    assert field[2, 2] == pytest.approx(expected)


def by_loops(score: Score, cue: str, column: int, row: int) -> float:
    """The map's value at one pixel, straight from its definition."""
    total = weights = 0.0
    for view in score.views[:-1]:
        left, top, right, bottom = view.box
        if left <= column < right and top <= row < bottom:
            across = 1 - abs(column + 0.5 - (left + right) / 2) / ((right - left) / 2)
            down = 1 - abs(row + 0.5 - (top + bottom) / 2) / ((bottom - top) / 2)
            total += across * down * getattr(view, cue)
            weights += across * down
    return total / weights if weights else float("nan")


@pytest.mark.parametrize("cue", ["score", "similarity", "magnitude"])
@pytest.mark.parametrize("coverage", ["paper", "full"])
def test_a_map_is_the_arithmetic_of_its_windows(
    tiny: Scorer, full: Scorer, cue: Any, coverage: Coverage
) -> None:
    scorer = full if coverage == "full" else tiny
    score = scorer(recipe.picture(373, 491, seed=3))
    field = magiqa.quality_map(score, cue)
    assert field.shape == (373, 491)
    rows, columns = range(0, 373, 12), range(0, 491, 10)
    expected = [[by_loops(score, cue, column, row) for column in columns] for row in rows]
    np.testing.assert_allclose(field[::12, ::10], expected, rtol=1e-5)
    assert np.isnan(field).any() == (coverage == "paper")


@given(sides, sides, coverages, st.data())
def test_a_map_stays_within_its_windows_and_covers_what_they_cover(
    width: int, height: int, coverage: Coverage, data: st.DataObject
) -> None:
    boxes = views.boxes(width, height, coverage)[:-1]
    numbers = st.floats(0, 2, width=32)
    values = data.draw(st.lists(numbers, min_size=len(boxes), max_size=len(boxes)))
    field = maps.window_map(boxes, values, width, height)
    covered = np.zeros((height, width), bool)
    for left, top, right, bottom in boxes:
        covered[top:bottom, left:right] = True
    assert (np.isfinite(field) == covered).all()
    assert min(values) <= field[covered].min()
    assert field[covered].max() <= max(values)


@given(sides, sides, coverages, st.floats(0, 2, width=32))
def test_equal_windows_make_an_even_map(
    width: int, height: int, coverage: Coverage, value: float
) -> None:
    boxes = views.boxes(width, height, coverage)[:-1]
    field = maps.window_map(boxes, [value] * len(boxes), width, height)
    assert set(field[np.isfinite(field)]) == {value}


def test_a_map_has_no_steps() -> None:
    boxes = views.boxes(700, 500)[:-1]
    values = np.random.default_rng(0).random(len(boxes)).tolist()
    field = maps.window_map(boxes, values, 700, 500)
    for axis in (0, 1):  # windows overlap by 96 pixels, in which one gives way to the next
        steps = np.abs(np.diff(field, axis=axis))
        assert np.nanmax(steps) <= (max(values) - min(values)) / 96 + 1e-6


def test_maps_that_cannot_be(tiny: Scorer) -> None:
    small, one = tiny(recipe.picture(200, 500, 0)), tiny(recipe.picture(240, 340, 0))
    with pytest.raises(PictureError, match=r"picture 0 - nothing to map: 500x200 has a side under"):
        magiqa.quality_map(small)
    with pytest.raises(PictureError, match=r"nothing to map: 340x240 has one window - give a larg"):
        magiqa.quality_map(one)
    two = tiny(recipe.picture(224, 352, 0))
    with pytest.raises(PictureError, match=r"map: 352x224 was scored as a whole - cut windows"):
        magiqa.quality_map(dataclasses.replace(two, views=two.views[-1:]))
    with pytest.raises(SettingsError, match=r"cue - got 'scores' - did you mean score\?"):
        magiqa.quality_map(two, "scores")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["astronaut", "rocket"])
@pytest.mark.parametrize("blurred_half", ["left", "right"])
def test_a_half_that_is_blurred_is_lower(checkpoint: Path, name: str, blurred_half: str) -> None:
    """A random network cannot read prompts, but tells sharp from blurred when shown what they are.

    The texts' place is taken by the mean embeddings of other photographs, sharp and blurred.
    """
    scorer = Scorer(weights=checkpoint, settings=Settings(prompts="sharpness", weight=1))
    shown = [getattr(skimage.data, other)() for other in ("coffee", "chelsea")]
    good_bad = [mean_embedding(scorer, shown), mean_embedding(scorer, map(blurred, shown))]
    anchors = np.asarray([good_bad], np.float32)
    scorer.anchors = scorer.anchors._replace(embeddings=anchors)

    photograph = getattr(skimage.data, name)()[:, :512]
    halves = [photograph, photograph]
    halves[blurred_half == "right"] = blurred(photograph)
    field = magiqa.quality_map(scorer(np.hstack(halves)))
    # 512 is four strides: the same windows lie on both halves, but for those across the border
    left, right = field[:, 96:384], field[:, 608:896]
    worse, better = (left, right) if blurred_half == "left" else (right, left)
    covered = np.isfinite(left)
    assert covered.mean() > 0.8
    assert (worse < better)[covered].all()


def mean_embedding(scorer: Scorer, pictures: Any) -> Any:
    windows = np.concatenate([scorer.embed(picture)[:-1] for picture in pictures])
    mean = (windows / np.linalg.norm(windows, axis=1, keepdims=True)).mean(axis=0)
    return mean / np.linalg.norm(mean)


def blurred(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(4)))


# --- the colours

# linear sRGB to CIE XYZ, and to the cones of Vienot, Brettel and Mollon (1999) who give, for those
# who lack the red or the green ones, what the others make of it
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
CONES = np.array(
    [[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]]
)
SIGHT = {
    "all cones": np.eye(3),
    "no red ones": np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
    "no green ones": np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
}
# XYZ to OKLab, as its author gives it
OK_CONES = np.array(
    [
        [0.8189330101, 0.3618667424, -0.1288597137],
        [0.0329845436, 0.9293118715, 0.0361456387],
        [0.0482003018, 0.2643662691, 0.6338517070],
    ]
)
OK_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    share = colours / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize(("sight", "tolerance"), [*zip(SIGHT, (0.04, 0.25, 0.08), strict=True)])
def test_steps_look_equal_whatever_cones_one_has(sight: str, tolerance: float) -> None:
    seen = linear(maps.ramp()) @ (np.linalg.inv(CONES) @ SIGHT[sight] @ CONES).T
    assert seen.min() > 0  # a colour that can be shown
    assert seen.max() < 1
    lab = np.cbrt(seen @ (OK_CONES @ XYZ).T) @ OK_LAB.T
    steps = np.linalg.norm(np.diff(lab[::15], axis=0), axis=1)  # 17 colours: rounding is small
    assert np.abs(steps / steps.mean() - 1).max() < tolerance
    assert np.linalg.norm(lab[-1] - lab[0]) > 0.65  # dark to light alone would be 0.62


def test_lightness_rises_evenly_and_no_colour_is_clipped() -> None:
    colours = maps.ramp()
    assert colours.shape == (256, 3)
    assert colours.min() > 0
    assert colours.max() < 255
    luminance = linear(colours) @ XYZ[1]
    lightness = 116 * np.cbrt(luminance) - 16  # CIE L*, 0..100
    assert (np.diff(lightness[::3]) > 0).all()  # from colour to colour the rounding is too large
    assert np.abs(lightness - np.linspace(lightness[0], lightness[-1], 256)).max() < 2
    assert lightness[0] < 20
    assert lightness[-1] > 90


# --- the drawing


def test_colours_span_the_windows_and_never_a_tiny_spread() -> None:
    assert maps.span([0.7, 0.2, 0.5]) == (0.2, 0.7)
    assert maps.span([0.61, 0.63]) == pytest.approx((0.57, 0.67))
    assert maps.span([0.5, 0.5]) == pytest.approx((0.45, 0.55))


def test_a_drawn_map_is_the_golden_one() -> None:
    # made by this test: render(...).save(GOLDEN)
    boxes = [(x, y, x + 80, y + 80) for y in (0, 32) for x in (0, 50, 100)]
    field = maps.window_map(boxes, [0.2, 0.3, 0.7, 0.6, 0.5, 0.4], 200, 120)
    picture = recipe.picture(120, 200, seed=5)
    drawn = maps.render(picture, field, 0.2, 0.7, "score 0.4500\nwindows 0.2000 to 0.7000")
    with Image.open(GOLDEN) as golden:
        assert drawn.size == golden.size
        apart = np.abs(np.asarray(drawn).astype(int) - np.asarray(golden.convert("RGB")))
    assert apart[:120].max() <= 3  # Pillow's blur and convert may round elsewise
    assert apart[120:].mean() <= 4  # letters may be drawn a little differently


def test_colours_mean_the_same_in_dark_and_bright_places() -> None:
    field = np.full((128, 256), 0.5, np.float32)
    field[:, 250:] = np.nan
    for light in (0, 100, 255):
        picture = np.full((128, 256, 3), light, np.uint8)
        drawn = np.asarray(maps.render(picture, field, 0, 1, ""))
        assert (drawn[:128, :250] == maps.ramp()[128]).all()
        assert (drawn[:128, 250:] == light).all()  # in no window: the picture, grey


def test_floats_are_drawn_as_the_pixels_they_are() -> None:
    picture = recipe.picture(40, 60, seed=1)
    field = maps.window_map([(0, 0, 60, 40)], [0.5], 60, 40)
    drawn = [maps.render(pixels, field, 0, 1, "x") for pixels in (picture, picture.astype("f4"))]
    assert drawn[0] == drawn[1]


def test_the_legend_says_what_is_mapped(full: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = recipe.picture(300, 420, seed=1)
    score = full(picture)
    said = []

    def spy(pixels: Any, field: Any, low: float, high: float, caption: str) -> Any:
        said.append((low, high, caption))
        return render(pixels, field, low, high, caption)

    render = maps.render
    monkeypatch.setattr(maps, "render", spy)
    drawn = maps.draw(score, picture, "magnitude")
    values = [view.magnitude for view in score.views[:-1]]
    [(low, high, caption)] = said
    assert (low, high) == maps.span(values)
    assert caption == (
        f"magnitude {score.magnitude:.4f}\nwindows {min(values):.4f} to {max(values):.4f}"
    )
    assert drawn.width == 420
    assert drawn.height > 300
    assert maps.draw(full(picture[:, :250]), picture[:, :250]).width == 250
