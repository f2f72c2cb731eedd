"""What may end a run: kill -9 at any moment, signals, a full disk, a folder that goes away."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from PIL import Image

import recipe

KILLS = 30
COUNT = 2000


class Command:
    """`magiqa score -o`, always the same one."""

    def __init__(self, checkpoint: Path, pictures: Path, output: Path, *options: str) -> None:
        self._line = [sys.executable, "-m", "magiqa", "score", "--weights", str(checkpoint)]
        self._line += ["-o", str(output), *options, str(pictures)]

    def start(self, shell: str = ":") -> subprocess.Popen[str]:
        """Begin it, after something that a shell does."""
        return subprocess.Popen(
            ["sh", "-c", f'{shell}; exec "$@"', "sh", *self._line],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, shell: str = ":") -> tuple[int, str]:
        """Exit code and what it says on stderr."""
        with self.start(shell) as process:
            return _end(process)


def _end(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, told = process.communicate(timeout=120)
    return process.returncode, told


def _lines(stream: IO[str] | None, count: int) -> None:
    """Wait for so many pictures to be scored."""
    assert stream is not None
    for _ in range(count):
        stream.readline()


def _rows(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.read_text().splitlines()]


def _near(row: dict[str, Any]) -> dict[str, Any]:
    """The row up to what the size of a micro-batch changes."""
    return {
        name: pytest.approx(value, abs=1e-5) if isinstance(value, float) else value
        for name, value in row.items()
    }


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,000 distinct pictures, each a thumbnail alone."""
    folder = tmp_path_factory.mktemp("pictures")
    whole = recipe.picture(600, 600, seed=1)
    for number in range(COUNT):
        top, left = divmod(number, 50)
        height, width = 32 + number % 33, 32 + number % 31
        cut = whole[12 * top : 12 * top + height, 10 * left : 10 * left + width]
        Image.fromarray(cut).save(folder / f"{number:04}.png", compress_level=1)
    return folder


@pytest.fixture(scope="module")
def few(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 300 of them."""
    folder = tmp_path_factory.mktemp("few")
    for path in sorted(pictures.iterdir())[:300]:
        shutil.copy2(path, folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(
    checkpoint: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    output = tmp_path_factory.mktemp("undisturbed") / "out.jsonl"
    code, _ = Command(checkpoint, pictures, output).run()
    assert code == 0
    return _rows(output)


def _equal_but_for_the_folder(
    rows: list[dict[str, Any]], undisturbed: list[dict[str, Any]]
) -> None:
    def named(row: dict[str, Any]) -> dict[str, Any]:
        return row | {name: Path(row[name]).name for name in ("source", "key")}

    assert [named(row) for row in rows] == [_near(named(row)) for row in undisturbed]


@pytest.mark.slow
def test_killed_30_times_every_picture_has_one_row_with_the_same_values(
    checkpoint: Path, pictures: Path, undisturbed: list[dict[str, Any]], tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"
    journal = tmp_path / "out.jsonl.journal.jsonl"
    command = Command(checkpoint, pictures, output)
    moments = np.random.default_rng(4)
    for kill in range(KILLS):
        with command.start() as process:
            if kill % 5:
                _lines(process.stdout, int(moments.integers(1, COUNT // KILLS)))
                time.sleep(moments.uniform(0, 0.02))
            else:  # while it starts, too
                time.sleep(moments.uniform(0, 0.8))
            process.kill()
            process.communicate()
        if kill % 3 == 0 and journal.exists():  # no kill tears a line; a power cut does
            os.truncate(journal, max(0, journal.stat().st_size - int(moments.integers(1, 400))))
        assert not output.exists()
    code, told = command.run()
    assert (code, "kept from before" in told) == (0, True)
    assert len(undisturbed) == COUNT
    _equal_but_for_the_folder(_rows(output), undisturbed)
    assert command.run()[1].startswith(f"0 scored, {COUNT} kept from before")


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_an_output_and_the_same_command_goes_on(
    checkpoint: Path,
    few: Path,
    undisturbed: list[dict[str, Any]],
    tmp_path: Path,
    sent: signal.Signals,
    code: int,
) -> None:
    output = tmp_path / "out.jsonl"
    command = Command(checkpoint, few, output)
    # a shell lets what it starts in the background ignore Ctrl-C
    with command.start("trap '' INT") as process:
        _lines(process.stdout, 30)
        process.send_signal(sent)
        ended, told = _end(process)
    assert ended == code
    assert "interrupted: give the same command to go on" in told
    rows = _rows(output)
    assert 30 <= len(rows) < 300
    _equal_but_for_the_folder(rows, undisturbed[: len(rows)])
    ended, told = command.run()
    assert (ended, f", {len(rows)} kept from before" in told) == (0, True)
    _equal_but_for_the_folder(_rows(output), undisturbed[:300])


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_it_at_once(sent: signal.Signals) -> None:
    program = """
import os, time
from magiqa.cli.interrupts import Interrupts
with Interrupts(lambda: os.write(1, b"stopping\\n")):
    print("started", flush=True)
    while True:
        time.sleep(60)
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            for wanted in ("started\n", "stopping\n"):
                assert process.stdout.readline() == wanted
                process.send_signal(sent)
            assert process.wait(10) == -sent
        finally:
            process.kill()  # or leaving the block would wait for it


def test_two_runs_on_one_output(checkpoint: Path, pictures: Path, tmp_path: Path) -> None:
    command = Command(checkpoint, pictures, tmp_path / "out.jsonl")
    with command.start() as process:
        _lines(process.stdout, 1)
        code, told = command.run()
        assert code == 3
        assert "another run is writing it - wait for its end, or name another output" in told
        process.send_signal(signal.SIGTERM)
        assert _end(process)[0] == 143


def _mounted(folder: Path, *options: str) -> bool:
    """Mount memory as a small disk there, or change one; False where that is not allowed."""
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    yield folder
    subprocess.run(["umount", str(folder)], capture_output=True, check=False)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_full_disk_loses_nothing(checkpoint: Path, few: Path, disk: Path, suffix: str) -> None:
    command = Command(checkpoint, few, disk / f"out{suffix}")
    mounted = _mounted(disk, "size=80k")
    code, told = command.run(":" if mounted else "ulimit -f 160")  # blocks of 512 bytes, a file
    assert code == 3
    assert "cannot be written (" in told
    assert "free some space and give the same command again: what was scored is kept" in told
    journal = disk / f"out{suffix}.journal.jsonl"
    kept = len(journal.read_text().splitlines()) - 1
    assert 30 < kept < 300
    assert not mounted or _mounted(disk, "remount", "size=8m")
    code, told = command.run()
    assert (code, f"{300 - kept} scored, {kept} kept from before" in told) == (0, True)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_no_room_for_the_output_loses_nothing(
    checkpoint: Path, few: Path, tmp_path: Path, suffix: str
) -> None:
    output = tmp_path / f"out{suffix}"
    command = Command(checkpoint, few, output, "--shard", "1/2")
    assert command.run()[0] == 0
    output.unlink()
    code, told = command.run("ulimit -f 1")  # a block of 512 bytes
    assert code == 3
    assert f"out{suffix} - cannot be written (" in told
    assert "what was scored is kept in its journal" in told
    assert not list(tmp_path.glob(".*.part"))
    code, told = command.run()
    assert (code, told.startswith("0 scored, 44 kept from before")) == (0, True)
    assert output.exists()


def test_a_folder_that_cannot_be_written_is_told(checkpoint: Path, few: Path, disk: Path) -> None:
    if not (_mounted(disk, "size=80k") and _mounted(disk, "remount", "ro")):
        disk.chmod(0o555)
    folder = disk if not os.access(disk, os.W_OK) else Path("/proc")
    code, told = Command(checkpoint, few, folder / "out.csv").run()
    assert code == 3
    assert "out.csv - cannot be written (" in told
    assert "name a file in a folder you may write to" in told


def test_a_folder_deleted_during_the_run_loses_nothing(
    checkpoint: Path, few: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    command = Command(checkpoint, few, folder / "out.jsonl")
    with command.start() as process:
        _lines(process.stdout, 50)
        shutil.rmtree(folder)
        code, told = _end(process)
    assert code == 3
    assert "was moved or deleted during the run - it was written again: give the same" in told
    kept = len((folder / "out.jsonl.journal.jsonl").read_text().splitlines()) - 1
    assert kept >= 50
    code, told = command.run()
    assert (code, f"{300 - kept} scored, {kept} kept from before" in told) == (0, True)
    assert len({row["source"] for row in _rows(folder / "out.jsonl")}) == 300
