"""The metric, with torchmetrics itself."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import recipe
from magiqa import PictureError
from magiqa.torch import MagnitudeAwareCLIP
from magiqa.torchmetrics import MeanMagnitudeAwareCLIP

PICTURES = [torch.from_numpy(recipe.picture(230, 300, seed)).permute(2, 0, 1) for seed in range(3)]


@pytest.fixture(scope="module")
def quality(checkpoint: Path) -> MagnitudeAwareCLIP:
    return MagnitudeAwareCLIP(weights=checkpoint)


def test_the_mean_of_all_pictures_seen(quality: MagnitudeAwareCLIP) -> None:
    metric = MeanMagnitudeAwareCLIP(quality)
    first = metric(PICTURES[:2])  # of this step alone
    assert first == pytest.approx(quality(PICTURES[:2]).mean().item(), abs=1e-6)
    metric.update(torch.stack(PICTURES[2:]))
    assert metric.compute().item() == pytest.approx(quality(PICTURES).mean().item(), abs=1e-6)
    metric.reset()
    metric.update(PICTURES[1:2])
    assert metric.compute().item() == pytest.approx(quality(PICTURES[1:2]).item(), abs=1e-6)


def test_it_is_differentiable(quality: MagnitudeAwareCLIP) -> None:
    metric = MeanMagnitudeAwareCLIP(quality)
    picture = (PICTURES[0] / 255).requires_grad_()
    metric([picture]).backward()
    assert picture.grad is not None
    assert picture.grad.any()


def test_processes_add_up(quality: MagnitudeAwareCLIP) -> None:
    metrics = [MeanMagnitudeAwareCLIP(quality) for _ in range(2)]
    metrics[0].update(PICTURES[:1])
    metrics[1].update(PICTURES[1:])

    def gather(state: torch.Tensor, group: object) -> list[torch.Tensor]:  # noqa: ARG001
        return [getattr(each, name) for each in metrics for name in names if state is mine[name]]

    names = ("total", "count")
    mine = {name: getattr(metrics[0], name) for name in names}
    metrics[0].sync(dist_sync_fn=gather, distributed_available=lambda: True)
    assert metrics[0].count == 3
    assert metrics[0].total / 3 == pytest.approx(quality(PICTURES).mean().item(), abs=1e-6)


def test_weights_stay_out_of_its_state_and_copies_count_alone(quality: MagnitudeAwareCLIP) -> None:
    metric = MeanMagnitudeAwareCLIP(quality)
    assert metric.state_dict() == {}
    metric.update(PICTURES)
    other = copy.deepcopy(metric)
    other.update(PICTURES)
    assert [int(each.count) for each in (metric, other)] == [3, 6]


def test_what_is_no_picture_is_told(quality: MagnitudeAwareCLIP) -> None:
    with pytest.raises(PictureError, match=r"picture 0 - got shape \(4, 8, 8\)"):
        MeanMagnitudeAwareCLIP(quality).update(torch.rand(1, 4, 8, 8))


def test_without_torchmetrics_it_says_what_to_install() -> None:
    probe = (
        "import sys; sys.modules['torchmetrics'] = None\n"
        "import magiqa\n"
        "try: import magiqa.torchmetrics\n"
        "except magiqa.MissingExtra as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "metric - torchmetrics is not there - pip install torchmetrics\n"
