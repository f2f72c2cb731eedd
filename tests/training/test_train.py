from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import export
import heldout
import recipe
import train
from batches import Batches
from medley import Medley

PICTURES = tuple(recipe.picture(120, 150, seed) for seed in range(2))


def started(out: Path) -> train.Run:
    return train.Run(out, torch.device("cpu"), 1e-3, half=False)


@pytest.fixture
def data(tmp_path: Path) -> Batches:
    file = tmp_path / "pixels.npy"
    np.save(file, recipe.picture(288, 384, 3)[None])
    return Batches(PICTURES, Medley(file, np.zeros(1, bool), np.ones(1, np.float32)), 1, 1, (64,))


def test_a_resumed_run_is_the_run(tmp_path: Path, data: Batches) -> None:
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    torch.manual_seed(0)
    whole = started(tmp_path / "whole")
    torch.manual_seed(0)
    cut = started(tmp_path / "cut")
    for number in range(4):
        whole.learn(data[number], 1e-3)
        if number < 2:
            cut.learn(data[number], 1e-3)
    cut.save()

    resumed = started(tmp_path / "cut")
    assert resumed.step == 2
    for number in range(2, 4):
        resumed.learn(data[number], 1e-3)

    for mine, other in ((resumed.nano, whole.nano), (resumed.average, whole.average)):
        for name, values in other.state_dict().items():
            assert torch.equal(mine.state_dict()[name], values), name


def test_from_a_folder_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, side in (("kodak", 450), ("more", 140)):
        (tmp_path / folder).mkdir()
        Image.fromarray(recipe.picture(side, side, 1)).save(tmp_path / folder / "a.png")
    monkeypatch.setattr(heldout, "KINDS", ("blur.gaussian",))
    monkeypatch.setattr(train, "JUDGED", 3)
    command = f"train {tmp_path} --out {tmp_path / 'run'} --steps 4 --ladders 1 --sides 64"
    command += " --medley 5"
    monkeypatch.setattr(sys, "argv", [*command.split(), "--every", "2", "--workers", "0"])
    train.main()

    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4]
    assert lines[0]["kept"]
    assert len(np.load(tmp_path / "run/medley/pixels.npy")) == 5
    assert export.load(tmp_path / "run/nano.safetensors").logit_scale > 0
    log = tmp_path / "run/log.jsonl"
    train.main()  # nothing is left to do
    assert len(log.read_text().splitlines()) == 2
    (tmp_path / "run/run.pt").unlink()
    train.main()  # cut off before it was saved: with its medley drawn, the same run again
    again = [json.loads(line) for line in log.read_text().splitlines()][2:]
    for part in ("total", "choice"):
        assert [line[part] for line in again] == [line[part] for line in lines]


def test_the_rate_rises_stays_and_fades() -> None:
    steps = (0, 74, 150, 1600, 2800, 3999)
    shares = [train.schedule(step, step / 4000) for step in steps]
    assert shares == pytest.approx([1 / 150, 0.5, 1, 1, 0.5, 1 / 2400])
