"""`magiqa evaluate` and `magiqa reproduce`, as a user runs them."""

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
from typer.testing import CliRunner, Result

from kept import pictures, small
from magiqa import Failure, Score, Scorer
from magiqa.cli import app, results, show
from magiqa.evaluate import datasets
from magiqa.evaluate.correlation import correlation
from magiqa.evaluate.evaluation import NOT_RELEASED
from magiqa.evaluate.evaluation import Result as Evaluated
from magiqa.evaluate.methods import settings_of

NAMES = [f"{number}.png" for number in range(9)]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a list of nine rated pictures."""
    write_list(tmp_path, NAMES)
    return tmp_path


def write_list(folder: Path, names: list[str]) -> None:
    rated = pictures(folder / "pictures", names)
    lines = [f"pictures/{each.name},{each.mos}" for each in rated]
    (folder / "list.csv").write_text("\n".join(["path,mos", *lines]))


@pytest.fixture
def run(checkpoint: Path, folder: Path) -> Run:
    def evaluate(*options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "magiqa", "evaluate", "--weights", str(checkpoint)]
        return subprocess.run(
            [*command, "--jobs", "0", *map(str, options)],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
        )

    return evaluate


def rows(text: str, delimiter: str = "\t") -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines(), delimiter=delimiter))


def test_a_list_of_pictures_and_labels_is_evaluated(
    run: Run, folder: Path, checkpoint: Path
) -> None:
    done = run("list.csv", "--method", "ma-clip", "--method", "fixed-0.2", "-o", "out.json")
    assert done.returncode == 0, done.stderr
    labels = [float(each["mos"]) for each in rows((folder / "list.csv").read_text(), ",")]
    paths = [folder / "pictures" / name for name in NAMES]
    for row in rows(done.stdout):
        scorer = Scorer(weights=checkpoint, settings=settings_of(row["method"]))
        scores = [each.score for each in scorer.score_many(paths)]
        wanted = correlation(scores, labels)
        assert row["n"] == "9"
        assert float(row["srcc"]) == pytest.approx(wanted.srcc, abs=1e-5)
        assert float(row["rmse"]) == pytest.approx(wanted.rmse, abs=1e-4)
        assert row["warning"] == NOT_RELEASED
    assert [row["method"] for row in rows(done.stdout)] == ["ma-clip", "fixed-0.2"]
    assert [bool(row["p_value"]) for row in rows(done.stdout)] == [False, True]
    assert NOT_RELEASED in done.stderr
    about = json.loads((folder / "out.json").read_text())
    assert about["warning"] == NOT_RELEASED
    assert about["set"] == "list"
    assert about["settings"]["fixed-0.2"]["weight"] == 0.2
    [provenance] = about["provenance"]
    assert provenance["released"] is False
    assert provenance["settings"]["protocol"] == "paper"
    assert [each["name"] for each in about["pictures"]] == [f"pictures/{name}" for name in NAMES]
    assert about["pictures"][3]["ma-clip"] == pytest.approx(
        Scorer(weights=checkpoint, settings=settings_of("ma-clip"))(paths[3]).score, abs=1e-5
    )


def test_pictures_are_encoded_once_whatever_is_asked_of_them(run: Run) -> None:
    first = run("list.csv", "--keep", "kept")
    assert re.search(r"list: 9 scored, .* rows in kept/list-", first.stderr)
    again = run("list.csv", "--keep", "kept", "--method", "l2", "--method", "clip-iqa")
    assert "list: 0 scored, 9 kept from before" in again.stderr
    assert "list: 4 scored" in run("list.csv", "--keep", "kept", "--limit", "4").stderr


def test_a_function_of_this_folder_is_a_method(run: Run, folder: Path) -> None:
    (folder / "mine.py").write_text(
        "def size(path):\n"
        "    if path.endswith('4.png'):\n"
        "        raise RuntimeError('no luck')\n"
        "    return len(open(path, 'rb').read())\n"
    )
    done = run("list.csv", "--method", "mine:size", "--method", "ma-clip")
    assert done.returncode == 1
    first, second = rows(done.stdout)
    assert (first["method"], first["n"], second["n"]) == ("mine:size", "8", "8")
    assert "failed: " in done.stderr
    assert "4.png - the method failed (RuntimeError('no luck'))" in done.stderr
    alone = run("list.csv", "--method", "mine:size", "--limit", "4")
    assert alone.returncode == 0
    assert "scored" not in alone.stderr
    assert rows(alone.stdout)[0]["warning"] == ""


def test_a_file_of_this_folder_stands_in_for_no_library(folder: Path) -> None:
    (folder / "scipy.py").write_text("raise RuntimeError('in place of a library')")
    command = [str(Path(sys.executable).with_name("magiqa")), "evaluate", "list.csv"]
    done = subprocess.run([*command, "--backbone", "nano"], check=False, cwd=folder)
    assert done.returncode == 0


def test_a_picture_that_cannot_be_read_is_left_out_and_told(run: Run, folder: Path) -> None:
    (folder / "pictures" / "5.png").write_text("no picture")
    done = run("list.csv", "-o", "out.json")
    assert done.returncode == 1
    assert rows(done.stdout)[0]["n"] == "8"
    assert "5.png - not a picture in a format Pillow knows" in done.stderr
    about = json.loads((folder / "out.json").read_text())
    assert about["pictures"][5]["ma-clip"] is None
    assert [Path(each["source"]).name for each in about["failures"]] == ["5.png"]


def test_a_terminal_gets_a_table_within_80_columns(folder: Path, checkpoint: Path) -> None:
    command = [sys.executable, "-m", "magiqa", "evaluate", "list.csv", "--jobs", "0"]
    command += ["--weights", str(checkpoint), "--method", "ma-clip", "--method", "magnitude"]
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=terminal,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"COLUMNS": "80", "TERM": "dumb"},
    )
    os.close(terminal)
    shown = b""
    try:
        while chunk := os.read(controller, 4096):
            shown += chunk
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(controller)
    assert process.wait() == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()
    assert max(map(len, lines)) <= 80
    assert re.match(r"method +n +SRCC +95 % +KRCC +PLCC +SRCC +PLCC +RMSE", lines[1])
    assert re.match(r"ma-clip +9 +-?\.\d{4} +-?\.\d{3} \.\. -?[.\d]{4,5} ", lines[2])
    told = [line for line in lines[4:] if not line.endswith("fitted numbers are of its start")]
    assert re.match(r"magnitude against ma-clip: SRCC [-+].* p = \d", told[0])


def test_what_a_backbone_cannot_be_asked_is_told_before_it_encodes(folder: Path) -> None:
    command = [sys.executable, "-m", "magiqa", "evaluate", "list.csv", "--backbone", "nano"]
    command += ["--method", "ma-clip", "--method", "clip-iqa"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 2
    assert "nano reads no texts" in done.stderr
    assert not (folder / "embeddings").exists()


def test_a_methods_name_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    results.show([Evaluated("niqe=[/old]/[v2].npz", error="no [/numbers]")], True, None)
    assert capsys.readouterr().out.count("niqe=[/old]/[v2].npz") == 2


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (["list.csv", "--method", "ma-clpi"], 2, "method - no 'ma-clpi' - did you mean ma-clip?"),
        (["no-set", "--root", "."], 2, "data set - no 'no-set'"),
        (["csiq"], 2, "say where the set is"),
        (["csiq", "--root", "nowhere"], 3, "nowhere - no such folder - get CSIQ from"),
        (["list.csv", "-o", "out.txt"], 3, "out.txt - no output format '.txt' - name a .json"),
        (["list.csv", "--limit", "2"], 2, "--limit"),
    ],
)
def test_what_cannot_start_says_why(run: Run, options: list[str], code: int, text: str) -> None:
    done = run(*options)
    assert done.returncode == code
    assert text in " ".join(done.stderr.split())


@pytest.fixture
def reproduce(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """The command on a folder with one set of nine pictures, and its variant."""
    clive = pictures(tmp_path / "data" / "CLIVE", NAMES)
    here = {"clive": small("clive", clive), "clive-test": small("clive-test", clive[2:])}
    every = tuple(here.get(each.name, each) for each in datasets.DATASETS)
    monkeypatch.setattr(datasets, "DATASETS", every)
    monkeypatch.chdir(tmp_path)

    def invoke(*options: object) -> Result:
        command = ["reproduce", "--data", "data", "-o", "out", "--jobs", "0"]
        command += ["--weights", str(checkpoint)]
        return CliRunner().invoke(app, [*command, *map(str, options)])

    return invoke


def test_tables_and_figures_are_drawn_up_from_the_sets_there_are(
    reproduce: Callable[..., Result], tmp_path: Path
) -> None:
    done = reproduce("--whole", "--limit", "7")
    assert done.exit_code == 0, done.output
    assert NOT_RELEASED in done.stderr
    assert "only the first 7 pictures of each set" in done.stderr
    assert "out/paper.html and " in done.stderr
    found = rows((tmp_path / "out" / "paper.csv").read_text(), ",")
    ran = {row["set"]: row["n"] for row in found if row["srcc"]}
    assert ran == {"clive": "7", "clive-test": "5"}
    whole = [row for row in found if row["method"].endswith("-whole") and row["set"] == "clive"]
    assert [bool(row["srcc"]) for row in whole] == [True, True]
    kept = sorted(path.name for path in (tmp_path / "out" / "embeddings").iterdir())
    assert [name.partition("-resnet")[0] for name in kept] == ["clive"] * 2  # views, whole


def test_a_signal_ends_a_run_well_and_the_same_command_goes_on(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_list(tmp_path, [f"{number}.png" for number in range(40)])
    monkeypatch.chdir(tmp_path)
    command = ["evaluate", "list.csv", "--weights", str(checkpoint), "--jobs", "0"]
    count = show.Tally.count

    def count_and_interrupt(tally: show.Tally, result: Score | Failure) -> None:
        count(tally, result)
        if tally.scored == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(show.Tally, "count", count_and_interrupt)
        done = CliRunner().invoke(app, command)
    assert done.exit_code == 143
    assert done.stdout == ""
    found = re.search(r"list: (\d+) scored, .* - interrupted: give the same command", done.stderr)
    assert found
    kept = int(found[1])
    assert 3 <= kept < 40
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0
    assert f"list: {40 - kept} scored, {kept} kept from before" in again.stderr
    assert rows(again.stdout)[0]["n"] == "40"


def test_without_any_set_there_is_nothing_to_draw(
    reproduce: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "data" / "CLIVE").rename(tmp_path / "data" / "other")
    done = reproduce()
    assert done.exit_code == 3
    assert "koniq-10k: no folder koniq-10k" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_backbone_has_one_place_in_the_tables(
    reproduce: Callable[..., Result], checkpoint: Path
) -> None:
    done = reproduce("--weights", checkpoint)
    assert done.exit_code == 2
    assert "give each backbone once" in done.stderr


def test_backbones_and_weights_contradict(reproduce: Callable[..., Result]) -> None:
    done = reproduce("--backbone", "RN50")
    assert done.exit_code == 2
    assert "contradicts --weights" in done.stderr
