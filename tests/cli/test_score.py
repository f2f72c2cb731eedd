"""The command in a process of its own, as a user runs it."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import recipe
from magiqa import Scorer

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures and a text that claims to be one."""
    for seed, name in enumerate(("c", "a", "b")):
        pixels = recipe.picture(240 + seed, 320, seed=seed)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    (tmp_path / "text.jpg").write_text("not a picture")
    return tmp_path


@pytest.fixture
def run(checkpoint: Path) -> Run:
    def run_score(*options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "magiqa", "score", "--weights", str(checkpoint)]
        return subprocess.run(
            [*command, *map(str, options)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"COLUMNS": "80"},
        )

    return run_score


def test_a_pipe_gets_a_line_a_picture_and_a_bad_file_is_one(
    run: Run, folder: Path, tiny: Scorer
) -> None:
    done = run(folder)
    *scored, failed = [line.split("\t") for line in done.stdout.splitlines()]
    assert [Path(source).name for _, source, _ in scored] == ["a.png", "b.png", "c.png"]
    for score, source, _ in scored:
        assert score == f"{tiny(source).score:.5f}"
    assert failed[0] == "failed"
    assert "not a picture in a format Pillow knows" in failed[2]
    assert re.search(r"3 scored, 1 failed, .* pictures/s\)", done.stderr)
    assert done.returncode == 1


def test_a_run_without_failures_exits_with_0(run: Run, folder: Path) -> None:
    assert run(folder / "a.png").returncode == 0


def test_an_output_gets_every_row_whatever_is_shown(run: Run, folder: Path, tiny: Scorer) -> None:
    out = folder / "out.jsonl"
    done = run(folder, "-o", out, "--top", 1)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [Path(row["source"]).name for row in rows] == ["a.png", "b.png", "c.png", "text.jpg"]
    best = max(rows[:3], key=lambda row: row["score"])
    [line] = done.stdout.splitlines()
    assert line.split("\t")[1] == best["source"]
    meta = json.loads((folder / "out.jsonl.meta.json").read_text())
    assert meta == tiny.provenance
    assert rows[0]["score"] == pytest.approx(tiny(rows[0]["source"]).score, abs=1e-5)


def test_sorting_and_filters(run: Run, folder: Path) -> None:
    def shown(*options: object) -> list[float]:
        lines = run(folder, *options).stdout.splitlines()
        return [float(line.split("\t")[0]) for line in lines if not line.startswith("failed")]

    everything = sorted(shown())
    assert shown("--sort", "worst") == everything
    assert shown("--sort", "best") == everything[::-1]
    assert shown("--sort", "worst", "--top", 2) == everything[:2]
    assert shown("--top", 2) == everything[::-1][:2]
    middle = everything[1]
    assert shown("--above", middle - 1e-4, "--sort", "worst") == everything[1:]
    assert sorted(shown("--below", middle - 1e-4)) == everything[:1]


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (["--scale", "2"], 2, r"No such option: --scale"),
        (["--prompts", "sharpnes"], 2, r"prompts - no preset 'sharpnes' - did you mean sharpness"),
        (["--prompts", "a / b / c"], 2, r"'a / b / c' is no pair - write 'GOOD / BAD'"),
        (["--prompts", "Sunny / Rainy"], 2, r"prompt 'Sunny' - not one of the presets'"),
        (["--resize", "512"], 2, r"'512' is no size - write WxH, as in 512x384"),
        (["--native", "--resize", "9x9"], 2, r"contradicts --resize - give one of them"),
        (["--protocol", "foto"], 2, r"'foto' is not one of 'photo', 'paper'"),
        (["--provider", "Coral"], 2, r"provider - Coral is not available here"),
        (["--backbone", "RN51"], 3, r"holds resnet-1-1-1-1x8, not RN51"),
        (["--weights", "gone"], 3, r"gone - there is no such weights file"),
        (["-o", "out.xls"], 3, r"out.xls - no output format '.xls' - choose from .csv"),
    ],
)
def test_wrong_use_is_told_with_an_exit_code(
    run: Run, folder: Path, options: list[str], code: int, text: str
) -> None:
    done = run(folder, *options)
    assert re.search(text, " ".join(re.sub(r"[│╭╮╰╯─]", " ", done.stderr).split()))
    assert done.returncode == code
    assert done.stdout == ""


@pytest.mark.parametrize("name", ["gone", "empty"])
def test_where_no_picture_is_nothing_starts(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    done = run(tmp_path / name)
    assert re.search(r"there is no such file or folder|no picture in it", done.stdout)
    assert done.returncode == 3


def test_prompts_and_picture_options_reach_the_settings(run: Run, folder: Path) -> None:
    out = folder / "out.csv"
    options = ["--prompts", "Sharp photo. / Blurry photo.", "--resize", "300x250"]
    run(folder / "a.png", "-o", out, *options, "--protocol", "paper", "--coverage", "full")
    settings = json.loads((folder / "out.csv.meta.json").read_text())["settings"]
    assert settings["prompts"] == [["Sharp photo.", "Blurry photo."]]
    assert settings["resize"] == [300, 250]
    assert (settings["protocol"], settings["coverage"]) == ("paper", "full")


def test_a_name_with_control_characters_does_no_harm(run: Run, folder: Path) -> None:
    (folder / "a.png").rename(folder / "x\ty\x1b[31m\n.png")
    done = run(folder / "x\ty\x1b[31m\n.png")
    assert done.stdout.split("\t")[1].endswith("x y [31m .png")


def test_a_terminal_gets_a_table(checkpoint: Path, folder: Path) -> None:
    # a pseudo-terminal for stdout alone
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "magiqa", "score", "--weights", str(checkpoint), "."]
    with subprocess.Popen(
        command,
        stdout=follower,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=os.environ | {"COLUMNS": "120", "TERM": "dumb"},
    ) as process:
        process.communicate()
    os.close(follower)
    shown = os.read(leader, 65536).decode().splitlines()
    os.close(leader)
    assert shown[0].split() == [
        "score",
        "similarity",
        "magnitude",
        "weight",
        "size",
        "picture",
        "warnings",
    ]
    assert re.match(r"0\.\d{4} +0\.\d{4} +0\.\d{4} +0\.\d{4} +320x241 +a\.png", shown[1])
    assert re.match(r"failed +text\.jpg +not a picture", shown[4])


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_the_rows_and_the_same_command_goes_on(
    checkpoint: Path, tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    for seed in range(60):
        Image.fromarray(recipe.picture(480, 640, seed)).save(tmp_path / f"{seed:02}.jpg")
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "magiqa", "score", str(tmp_path), "--weights", str(checkpoint)]
    with subprocess.Popen(
        [*command, "-o", str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the first row is through
        process.send_signal(sent)
        _, told = process.communicate(timeout=60)
    assert process.returncode == code
    assert "interrupted: give the same command to go on" in told
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert 0 < len(rows) < 60
    done = subprocess.run([*command, "-o", str(out)], capture_output=True, text=True, check=True)
    assert f"{60 - len(rows)} scored, {len(rows)} kept from before" in done.stderr
    whole = [json.loads(line) for line in out.read_text().splitlines()]
    assert whole[: len(rows)] == rows
    assert [Path(row["source"]).name for row in whole] == [f"{seed:02}.jpg" for seed in range(60)]


def test_embed_and_rescore_are_score(run: Run, folder: Path, checkpoint: Path) -> None:
    weights = ["--weights", str(checkpoint)]
    magiqa = [sys.executable, "-m", "magiqa"]
    kept, out = folder / "kept", folder / "rescored.csv"
    subprocess.run([*magiqa, "embed", folder / "a.png", "-o", kept, *weights], check=True)
    prompts = ["--prompts", "sharpness"]
    subprocess.run([*magiqa, "rescore", kept, "-o", out, *weights, *prompts], check=True)
    run(folder / "a.png", "-o", folder / "scored.csv", *prompts)
    rescored, scored = (
        list(csv.DictReader(path.read_text().splitlines())) for path in (out, folder / "scored.csv")
    )
    assert float(rescored[0]["score"]) == pytest.approx(float(scored[0]["score"]), abs=1e-5)
    assert list(rescored[0]) == list(scored[0])


def test_rescore_takes_the_backbone_that_was_embedded_with(folder: Path, checkpoint: Path) -> None:
    magiqa: list[str | Path] = [sys.executable, "-m", "magiqa"]
    rescore = [*magiqa, "rescore", folder / "kept", "-o", folder / "rescored.csv"]
    embed = [*magiqa, "embed", folder / "a.png", "-o", folder / "kept"]
    subprocess.run([*embed, "--backbone", "nano"], check=True)
    subprocess.run(rescore, check=True)
    [row] = csv.DictReader((folder / "rescored.csv").read_text().splitlines())
    assert row["backbone"] == "nano"
    subprocess.run([*embed, "--weights", checkpoint, "--restart"], check=True)
    done = subprocess.run(rescore, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    told = " ".join(done.stderr.split())
    assert "embedded with a checkpoint of one's own (resnet-1-1-1-1x8) - give it with" in told


def test_a_reader_that_goes_away_costs_no_output(folder: Path, checkpoint: Path) -> None:
    command = [sys.executable, "-m", "magiqa", "score", folder, "--weights", checkpoint]
    for options, code, whole in (["-o", folder / "out.csv"], 1, True), ([], 1, False):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [*map(str, command), *map(str, options)],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        os.close(writer)
        assert done.returncode == code  # one of the four is no picture
        assert ("3 scored, 1 failed" in done.stderr) is whole
    assert len((folder / "out.csv").read_text().splitlines()) == 5


def test_what_is_selected_is_selected_of_all_rows(run: Run, folder: Path) -> None:
    out = folder / "out.csv"
    first = run(folder, "-o", out, "--sort", "worst", "--top", 2)
    again = run(folder, "-o", out, "--sort", "worst", "--top", 2)
    assert "3 kept from before" in again.stderr
    assert len(first.stdout.splitlines()) == 2
    assert again.stdout == first.stdout
