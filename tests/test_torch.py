"""`MagnitudeAwareCLIP`: the scorer's numbers, with gradients."""

from __future__ import annotations

import copy
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pytest
import torch
from conftest import CHECKPOINTS
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import Tensor

import recipe
from magiqa import PictureError, Score, Scorer, Settings, SettingsError
from magiqa.clip.torch_engine import ImageTower
from magiqa.torch import Details, MagnitudeAwareCLIP

SIZES = [(224, 224), (260, 300), (480, 225), (100, 640), (1, 1), (384, 512)]
PICTURES = [recipe.picture(*size, seed=seed) for seed, size in enumerate(SIZES)]
TENSORS = [torch.from_numpy(picture).permute(2, 0, 1) for picture in PICTURES]
MANY = [torch.from_numpy(recipe.picture(230, 360, seed)).permute(2, 0, 1) for seed in range(5)]
BATCH = torch.stack(MANY) / 255


@pytest.fixture(scope="module")
def quality(checkpoint: Path) -> MagnitudeAwareCLIP:
    return MagnitudeAwareCLIP(weights=checkpoint)


@pytest.fixture(scope="module")
def alone(tiny: Scorer) -> list[Score]:
    return [tiny(picture) for picture in PICTURES]


@given(
    order=st.lists(st.integers(0, len(SIZES) - 1), max_size=9),
    micro_batch=st.none() | st.integers(1, 30),
)
@hypothesis_settings(max_examples=12, deadline=None)
def test_n_in_n_out_any_sizes_any_order_the_scorers_numbers(
    checkpoint: Path, alone: list[Score], order: list[int], micro_batch: int | None
) -> None:
    quality = MagnitudeAwareCLIP(weights=checkpoint, micro_batch=micro_batch)
    scores = quality([TENSORS[index] for index in order])
    assert scores.shape == (len(order),)
    assert scores.dtype == torch.float32
    for score, index in zip(scores.tolist(), order, strict=True):
        assert score == pytest.approx(alone[index].score, abs=1e-5)


@given(order=st.permutations(range(len(MANY))), count=st.integers(0, len(MANY)))
@hypothesis_settings(max_examples=10, deadline=None)
def test_a_batch_equals_one_by_one(
    quality: MagnitudeAwareCLIP, order: list[int], count: int
) -> None:
    scores = quality(BATCH[order[:count]])
    assert scores.shape == (count,)
    for score, index in zip(scores, order[:count], strict=True):
        assert abs(score - quality(BATCH[index : index + 1])[0]) <= 1e-5


@pytest.mark.parametrize("architecture", ["tiny-resnet", "tiny-vit"])
def test_no_gradient_reaches_another_picture(architecture: str) -> None:
    weights = recipe.checkpoint_file(architecture, CHECKPOINTS)
    quality = MagnitudeAwareCLIP(weights=weights, micro_batch=4)  # of views of several pictures
    pictures = BATCH.clone().requires_grad_()
    [gradient] = torch.autograd.grad(quality(pictures)[2], pictures)
    reached = gradient.abs().amax(dim=(1, 2, 3))
    assert reached[2] > 0
    assert (reached[[0, 1, 3, 4]] == 0).all()
    several = [(each / 255).requires_grad_() for each in TENSORS[:3]]
    gradients = torch.autograd.grad(quality(several)[1], several, allow_unused=True)
    assert [each is not None and bool((each != 0).any()) for each in gradients] == [0, 1, 0]


def test_the_documented_conversions(quality: MagnitudeAwareCLIP) -> None:
    wanted = quality(BATCH)
    assert torch.equal(quality((BATCH * 255).round().to(torch.uint8)), quality(torch.stack(MANY)))
    torch.testing.assert_close(quality(torch.stack(MANY)), wanted, rtol=0, atol=1e-6)
    torch.testing.assert_close(quality(BATCH.double()), wanted, rtol=0, atol=1e-6)
    torch.testing.assert_close(quality(BATCH.half()), wanted, rtol=0, atol=5e-3)
    grey = BATCH[:, :1]
    assert torch.equal(quality(grey), quality(grey.expand(-1, 3, -1, -1)))
    mixed = [MANY[0], BATCH[1], grey[2]]
    assert quality(mixed).shape == (3,)


@pytest.mark.parametrize(
    ("pictures", "told"),
    [
        (
            torch.rand(3, 8, 8),
            r"pictures - got a tensor of shape \(3, 8, 8\) - give \(N, 3, H, W\)",
        ),
        ([torch.rand(1, 3, 8, 8)], r"picture 0 - got shape \(1, 3, 8, 8\) - give \(3, H, W\)"),
        (torch.rand(1, 4, 8, 8), r"picture 0 - got shape \(4, 8, 8\) - .* blend transparency"),
        (torch.rand(1, 2, 8, 8), r"picture 0 - got shape \(2, 8, 8\) - give \(3, H, W\), or grey"),
        ([torch.rand(3, 8, 8), torch.rand(3, 0, 8)], r"picture 1 - got shape \(3, 0, 8\)"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.int64), r"got torch.int64 - give floats in 0..1, or"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.bool), r"picture 0 - got torch.bool - give floats"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.complex64), r"got torch.complex64 - give floats"),
        ([np.zeros((3, 8, 8), np.float32)], r"picture 0 - got ndarray - give a tensor"),
        (torch.full((1, 3, 8, 8), torch.nan), r"picture 0 - holds NaN or infinite pixels - mend"),
        (torch.full((1, 3, 8, 8), torch.inf), r"picture 0 - holds NaN or infinite pixels - mend"),
        (
            [torch.zeros(3, 8, 8, dtype=torch.uint8), torch.full((3, 8, 8), 255.0)],
            r"picture 1 - got floats in 255..255 - give floats in 0..1, or uint8",
        ),
        (torch.full((1, 3, 8, 8), -0.1), r"picture 0 - got floats in -0.1..-0.1 - give floats"),
        (torch.empty(1, 3, 8, 8, device="meta"), r"picture 0 - is on meta, the module on cpu"),
    ],
)
def test_what_is_no_picture_is_told(quality: MagnitudeAwareCLIP, pictures: Any, told: str) -> None:
    with pytest.raises(PictureError, match=told):
        quality(pictures)


def test_nothing_in_nothing_out(quality: MagnitudeAwareCLIP) -> None:
    assert quality([]).shape == quality(torch.rand(0, 3, 8, 8)).shape == (0,)
    details = quality([], details=True)
    assert (details.pairs.shape, details.boxes, details.views) == ((0, 5), (), ())


def test_details_are_the_scores_parts(quality: MagnitudeAwareCLIP, alone: list[Score]) -> None:
    details = quality(TENSORS, details=True)
    assert isinstance(details, Details)
    assert torch.equal(details.score, quality(TENSORS))
    for index, score in enumerate(alone):
        for name in ("score", "similarity", "magnitude", "weight"):
            assert getattr(details, name)[index].item() == pytest.approx(
                getattr(score, name), abs=1e-5
            )
            of_views = getattr(details.views[index], name)
            wanted = [getattr(view, name) for view in score.views]
            assert of_views.tolist() == pytest.approx(wanted, abs=1e-5)
        assert details.pairs[index].tolist() == pytest.approx(list(score.pairs.values()), abs=1e-5)
        assert details.boxes[index] == tuple(view.box for view in score.views)


def test_whole_pictures(checkpoint: Path, alone: list[Score]) -> None:
    whole = Settings(coverage="whole")
    quality = MagnitudeAwareCLIP(weights=checkpoint, settings=whole)
    wanted = Scorer(weights=checkpoint, settings=whole)(PICTURES[1]).score
    assert wanted != pytest.approx(alone[1].score, abs=1e-3)
    scores = quality([TENSORS[5], TENSORS[1]])
    assert scores[1].item() == pytest.approx(wanted, abs=1e-5)
    with pytest.raises(PictureError, match=r"picture 0 - got shape \(3, 31, 40\), a side under 32"):
        quality(torch.rand(1, 3, 31, 40))


def test_settings_that_are_not_for_tensors_are_refused(checkpoint: Path) -> None:
    with pytest.raises(SettingsError, match=r"resize - got \(8, 8\) - tensors are not resized"):
        MagnitudeAwareCLIP(weights=checkpoint, settings=Settings(resize=(8, 8)))
    with pytest.raises(SettingsError, match=r"micro_batch - got 0 - give at least 1"):
        MagnitudeAwareCLIP(weights=checkpoint, micro_batch=0)
    vit = recipe.checkpoint_file("tiny-vit", CHECKPOINTS)
    with pytest.raises(SettingsError, match=r"takes 224x224 alone - use a residual"):
        MagnitudeAwareCLIP(weights=vit, settings=Settings(coverage="whole"))


def test_weights_are_frozen_and_kept_out_of_the_state(
    quality: MagnitudeAwareCLIP, checkpoint: Path
) -> None:
    assert not list(quality.parameters())
    assert not any(buffer.requires_grad for buffer in quality.buffers())
    assert quality.state_dict() == {}
    holder = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), quality)
    assert sorted(holder.state_dict()) == ["0.bias", "0.weight"]
    kept = MagnitudeAwareCLIP(weights=checkpoint, keep_weights=True)
    state = kept.state_dict()
    assert len(state) == len(list(quality.buffers()))
    for values in state.values():
        values.zero_()
    assert kept(TENSORS[:1]) != quality(TENSORS[:1])
    kept.load_state_dict(dict(zip(state, quality.buffers(), strict=True)))
    assert torch.equal(kept(TENSORS[:1]), quality(TENSORS[:1]))


def test_training_mode_changes_nothing(quality: MagnitudeAwareCLIP) -> None:
    assert torch.equal(copy.deepcopy(quality).train()(BATCH), quality(BATCH))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_for_the_network_alone(
    quality: MagnitudeAwareCLIP, dtype: torch.dtype
) -> None:
    half = copy.deepcopy(quality).to(dtype)
    assert half.anchors.texts.dtype == torch.float32
    assert torch.equal(*(each.anchors.get_buffer("texts") for each in (half, quality)))
    assert half.tower.layer1_0_conv1_weight.dtype == dtype
    wanted = quality(BATCH)
    scores = half(BATCH)
    assert scores.dtype == torch.float32
    assert not torch.equal(scores, wanted)
    torch.testing.assert_close(scores, wanted, rtol=0, atol=0.01)
    with torch.autocast("cpu", dtype):
        cast = quality(BATCH)
    assert torch.equal(cast, scores)  # autocast narrows the same
    assert torch.equal(quality(BATCH), wanted)


def test_a_vision_transformer_under_autocast() -> None:
    quality = MagnitudeAwareCLIP(weights=recipe.checkpoint_file("tiny-vit", CHECKPOINTS))
    with torch.autocast("cpu", torch.bfloat16):
        cast = quality(BATCH)
    assert not torch.equal(cast, quality(BATCH))
    torch.testing.assert_close(cast, quality(BATCH), rtol=0, atol=0.01)


def test_in_float64_it_is_float64(quality: MagnitudeAwareCLIP) -> None:
    exact = copy.deepcopy(quality).double()
    scores = exact(BATCH.double())
    assert scores.dtype == torch.float64
    torch.testing.assert_close(scores, quality(BATCH).double(), rtol=0, atol=1e-6)


def test_without_gradients(quality: MagnitudeAwareCLIP) -> None:
    with torch.inference_mode():
        scores = quality(BATCH)
    assert scores.is_inference()
    with torch.no_grad():
        assert not quality(BATCH.clone().requires_grad_()).requires_grad
    assert torch.equal(scores, quality(BATCH))


LIBRARIES_OWN = [  # what torch.compile says of array-api-compat's caches, and of torch itself
    pytest.mark.filterwarnings(r"ignore:\s*Dynamo detected a call to a `functools.lru_cache`"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script_method. is deprecated"),
]


class TestCompiled:
    pytestmark = LIBRARIES_OWN

    def test_one_graph_the_same_scores_and_gradients(self, quality: MagnitudeAwareCLIP) -> None:
        torch.compiler.reset()
        compiled = torch.compile(quality, fullgraph=True, backend="aot_eager")
        pictures = BATCH[:2, :, :, :300].clone().requires_grad_()
        scores = compiled(pictures)
        wanted = quality(pictures)
        torch.testing.assert_close(scores, wanted, rtol=0, atol=1e-6)
        [gradient] = torch.autograd.grad(scores.sum(), pictures)
        [expected] = torch.autograd.grad(wanted.sum(), pictures)
        torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-6)
        assert compiled(torch.full_like(pictures, torch.nan)).isnan().all()  # as documented

    @pytest.mark.slow
    @pytest.mark.skipif(not which("g++"), reason="torch's compiler needs one of C++")
    def test_by_torchs_own_compiler(self, quality: MagnitudeAwareCLIP) -> None:
        torch.compiler.reset()
        pictures = BATCH[:2, :, :200, :300]
        with torch.inference_mode():
            scores = torch.compile(quality)(pictures)
            torch.testing.assert_close(scores, quality(pictures), rtol=0, atol=1e-5)


def test_gradients_are_those_of_the_function(quality: MagnitudeAwareCLIP) -> None:
    exact = copy.deepcopy(quality).double()
    generator = torch.Generator().manual_seed(3)
    picture = BATCH[:1, :, :40, :50].double() * 0.8 + 0.1
    direction = torch.randn(picture.shape, generator=generator, dtype=torch.float64)
    step = 1e-7  # so small that no rectifier changes its mind
    higher, lower = exact(picture + step * direction), exact(picture - step * direction)
    picture.requires_grad_()
    [gradient] = torch.autograd.grad(exact(picture)[0], picture)
    slope = (gradient * direction).sum().item()
    assert slope == pytest.approx((higher - lower).item() / (2 * step), rel=1e-5)


def test_ten_steps_uphill_raise_a_noisy_pictures_score(quality: MagnitudeAwareCLIP) -> None:
    clean = torch.from_numpy(recipe.picture(230, 300, seed=1)).permute(2, 0, 1)[None] / 255
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    picture = (clean + 0.1 * noise).clamp(0, 1)
    before = quality(picture).item()
    for _ in range(10):
        picture.requires_grad_()
        [gradient] = torch.autograd.grad(quality(picture)[0], picture)
        picture = (picture.detach() + 1 / 255 * gradient.sign()).clamp(0, 1)
    assert quality(picture).item() > before + 0.01


def test_where_memory_is_short_micro_batches_are_halved(
    checkpoint: Path, quality: MagnitudeAwareCLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = quality(TENSORS)
    sizes: list[int] = []
    forward = ImageTower.forward

    def limited(self: ImageTower, views: Tensor, whole: bool = False) -> Tensor:
        sizes.append(len(views))
        if len(views) > 3:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return forward(self, views, whole)

    monkeypatch.setattr(ImageTower, "forward", limited)
    short = MagnitudeAwareCLIP(weights=checkpoint)
    torch.testing.assert_close(short(TENSORS), wanted, rtol=0, atol=1e-5)
    assert sizes[:3] == [8, 4, 2]
    assert max(sizes[2:]) == 2

    def full(*_: object, **__: object) -> Tensor:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(ImageTower, "forward", full)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        short(TENSORS)


def test_a_copy_scores_the_same(quality: MagnitudeAwareCLIP, tmp_path: Path) -> None:
    torch.save(quality, tmp_path / "quality.pt")
    loaded = torch.load(tmp_path / "quality.pt", weights_only=False)
    assert torch.equal(loaded(BATCH), quality(BATCH))
