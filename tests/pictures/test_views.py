from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import recipe
from magiqa.pictures import views
from magiqa.settings import Coverage

SIDES = st.integers(1, 1500)


@pytest.mark.parametrize(
    ("width", "height", "windows"),
    [
        (224, 224, 1),
        (512, 384, 6),
        (500, 500, 9),
        (1024, 768, 35),
        (448, 448, 4),
        (223, 4000, 0),
        (1, 1, 0),
    ],
)
def test_number_of_windows(width: int, height: int, windows: int) -> None:
    found = views.boxes(width, height)
    assert len(found) == windows + 1
    assert found[-1] == (0, 0, width, height)


@given(SIDES, SIDES, st.sampled_from(["paper", "full"]))
def test_windows_lie_inside_in_rows_and_never_twice(
    width: int, height: int, coverage: Coverage
) -> None:
    *windows, _ = views.boxes(width, height, coverage)
    assert len(set(windows)) == len(windows)
    assert windows == sorted(windows, key=lambda box: (box[1], box[0]))
    for left, top, right, bottom in windows:
        assert (right - left, bottom - top) == (224, 224)
        assert left >= 0
        assert top >= 0
        assert right <= width
        assert bottom <= height


@given(st.integers(224, 1500), st.integers(224, 1500))
def test_full_coverage_reaches_every_pixel_and_keeps_the_papers_windows(
    width: int, height: int
) -> None:
    full = views.boxes(width, height, "full")
    assert set(views.boxes(width, height)) <= set(full)
    *windows, _ = full
    assert max(right for _, _, right, _ in windows) == width
    assert max(bottom for _, _, _, bottom in windows) == height


def test_window_is_the_pixels_in_the_box() -> None:
    picture = np.arange(3 * 300 * 400).reshape(3, 300, 400)
    cut = views.window(picture, (128, 64, 352, 288))
    np.testing.assert_array_equal(cut, picture[:, 64:288, 128:352])
    assert cut.base is not None  # a view, not a copy


def test_cut_takes_windows_and_the_thumbnail() -> None:
    picture = np.moveaxis(recipe.picture(300, 400, seed=0), -1, 0)
    out = np.empty((2, 3, 224, 224), np.float32)
    views.cut(out, picture, [(128, 64, 352, 288), None])
    np.testing.assert_array_equal(out[0], picture[:, 64:288, 128:352])
    np.testing.assert_array_equal(out[1], views.thumbnail(picture))


def test_thumbnail_by_hand() -> None:
    # 448 -> 224 with half-pixel centres: each sample is the mean of two neighbours
    row = np.arange(448, dtype=np.uint8) % 200
    picture = np.broadcast_to(row, (3, 448, 448))
    wanted = (row[0::2].astype(np.float32) + row[1::2]) / 2
    np.testing.assert_array_equal(views.thumbnail(picture)[1, 7], wanted)


@pytest.mark.parametrize(
    ("height", "width"), [(224, 224), (300, 500), (100, 640), (1, 1), (1, 5000), (223, 225)]
)
def test_thumbnail_is_torchs_bilinear(height: int, width: int) -> None:
    picture = np.moveaxis(recipe.picture(height, width, seed=3), -1, 0)
    wanted = torch.nn.functional.interpolate(
        torch.tensor(picture)[None].double(), size=(224, 224), mode="bilinear", antialias=False
    )[0].numpy()
    got = views.thumbnail(picture)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted, atol=0.02)
    np.testing.assert_allclose(views.thumbnail(torch.tensor(picture)).numpy(), got, atol=0.02)


def test_views_are_differentiable() -> None:
    picture = torch.rand(3, 300, 260, dtype=torch.float64, requires_grad=True)
    *windows, _ = views.boxes(260, 300, "full")
    total = sum(views.window(picture, box).sum() for box in windows)
    (total + views.thumbnail(picture).sum()).backward()
    assert picture.grad is not None
    assert (picture.grad > 0).all()


@pytest.mark.parametrize(("height", "width"), [(3, 5), (1, 1), (7, 226), (450, 2)])
def test_the_thumbnails_gradients_are_those_of_the_function(height: int, width: int) -> None:
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand((3, height, width), generator=generator, dtype=torch.float64) * 255
    assert torch.autograd.gradcheck(views.thumbnail, picture.requires_grad_(), fast_mode=True)


def test_the_windows_gradients_are_those_of_the_function() -> None:
    picture = torch.rand(3, 226, 353, dtype=torch.float64, requires_grad=True)

    def cut(pixels: torch.Tensor) -> torch.Tensor:
        return torch.stack(
            [views.window(pixels, box) for box in views.boxes(353, 226, "full")[:-1]]
        )

    assert torch.autograd.gradcheck(cut, picture, fast_mode=True)
