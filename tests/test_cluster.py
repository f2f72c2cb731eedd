from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

import recipe
from machines import Nodes, read, scored, two_machines
from magiqa import MagiqaError, MissingExtra, Scorer, Settings, SettingsError, cluster
from magiqa.cluster import ClusterRun
from magiqa.runs.outputs import Output
from magiqa.runs.parts import RECORD, part_name
from magiqa.runs.worker import Worker
from runs.servers import s3_server


@pytest.fixture(scope="module")
def nodes(_own_cache: None) -> Iterator[Nodes]:
    """A cluster; an S3 server, whose address machines know from their start, is there too."""
    with s3_server(), two_machines() as nodes:
        yield nodes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty small pictures, one of them none."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(40):
        Image.fromarray(recipe.picture(40, 50, seed)).save(folder / f"{seed:02}.png")
    (folder / "17.png").write_text("a text")
    return folder


@pytest.fixture
def arguments(checkpoint: Path) -> dict[str, Any]:
    """Of a scorer."""
    return {"weights": checkpoint}


def assert_whole(output: Path, folder: Path, pictures_a_chunk: int) -> None:
    """Every picture once, and nothing but the parts."""
    sources = [Path(row["source"]).name for row in read(output)]
    assert sources == sorted(path.name for path in folder.iterdir())
    parts = {part_name(number) for number in range(-(-len(sources) // pictures_a_chunk))}
    assert set(os.listdir(output)) == {RECORD, *parts}


def test_rows_are_those_of_score(
    nodes: Nodes, folder: Path, tmp_path: Path, tiny: Scorer, arguments: dict[str, Any]
) -> None:
    import ray

    Path("list.csv").write_text(
        "path,label\n" + "".join(f"{folder}/{n:02}.png,{n}\n" for n in range(9))
    )
    shutil.make_archive("more", "tar", root_dir=folder)
    paths = [folder, Path("more.tar"), Path("list.csv"), Path("gone.png")]
    output = tmp_path / "out"
    with ClusterRun(
        paths, output, arguments, address=nodes.address, workers=(2, 2), pictures_a_chunk=8
    ) as run:
        done = list(run)
        run.finish()
    assert sorted(each.chunk for each in done) == list(range(8))
    assert sum(each.scored for each in done) == 39 + 39 + 9
    assert (sum(each.failed for each in done), sum(each.not_found for each in done)) == (3, 1)
    assert len({each.worker for each in done}) == 2
    assert run.count() is None
    assert "iter_threaded" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ray.exceptions.RaySystemError, match="has not been started"):
        ray.put(0)  # what Ray left behind connects to nothing by itself
    rows = read(output)
    assert rows == scored(tiny, paths, tmp_path / "score.parquet")
    assert rows[40]["key"] == "./00"  # an archive's own
    assert (rows[-2]["key"], rows[-2]["label"]) == (f"{folder}/08.png", "8")
    found = Output(output)
    assert list(found.rows()) == [
        {name: value for name, value in row.items() if name != "label"} for row in rows
    ]
    assert (found.provenance["weights_hash"], found.settings) == (
        (tiny.provenance["weights_hash"], tiny.settings)
    )


def test_a_worker_that_is_killed_costs_nothing(
    nodes: Nodes, folder: Path, tmp_path: Path, arguments: dict[str, Any]
) -> None:
    output = tmp_path / "out"
    with ClusterRun(
        [folder], output, arguments, address=nodes.address, workers=(2, 2), pictures_a_chunk=2
    ) as run:
        killed = ""
        for done in run:
            if not killed:
                killed = done.worker
                os.kill(int(killed.split()[1]), signal.SIGKILL)
            last = done.chunk
        run.finish()
    assert killed
    assert last
    assert_whole(output, folder, 2)


def test_a_machine_that_is_lost_costs_nothing(
    nodes: Nodes, folder: Path, tmp_path: Path, arguments: dict[str, Any]
) -> None:
    output = tmp_path / "out"
    with ClusterRun(
        [folder], output, arguments, address=nodes.address, workers=(2, 2), pictures_a_chunk=2
    ) as run:
        lost = False
        for _ in run:
            if not lost:
                nodes.lose()
                nodes.add()  # else its worker waits for room
                lost = True
        run.finish()
    assert lost
    assert_whole(output, folder, 2)


def test_pictures_and_parts_in_a_store(
    nodes: Nodes, folder: Path, tmp_path: Path, tiny: Scorer, arguments: dict[str, Any]
) -> None:
    import s3fs

    store = s3fs.S3FileSystem()
    store.put(str(folder), "bucket/pictures", recursive=True)
    options: dict[str, Any] = {"address": nodes.address, "workers": (1, 2), "pictures_a_chunk": 16}
    urls = ["s3://bucket/pictures"]
    with ClusterRun(urls, "s3://bucket/out", arguments, **options) as run:
        next(iter(run))  # and no more
    with ClusterRun(urls, "s3://bucket/out", arguments, **options) as run:
        assert run.kept >= 15
        for _ in run:
            pass
        run.finish()
    store.get("bucket/out", str(tmp_path / "out"), recursive=True)
    assert_whole(tmp_path / "out", folder, 16)
    rows = read(tmp_path / "out")
    assert rows[20]["source"] == "s3://bucket/pictures/20.png"
    local = scored(tiny, [folder], tmp_path / "score.parquet")
    assert [row["score"] for row in rows] == [row["score"] for row in local]


def test_a_run_that_is_through_is_told_and_refused_otherwise(
    folder: Path, tmp_path: Path, arguments: dict[str, Any]
) -> None:
    output = tmp_path / "out"
    with _begun(folder, output, arguments) as run:  # there is nothing to connect to Ray for
        assert list(run) == []
        run.finish()
    assert (run.kept, run.kept_failures, run.count()) == (39, 1, 40)
    again = ClusterRun([folder], output, arguments, pictures_a_chunk=16, retry_failed=True)
    assert (again.kept, again.kept_failures) == (39 - 15, 0)
    changed = {**arguments, "settings": Settings(max_pixels=None)}
    for options, text in (
        ({"scorer": changed}, "max_pixels was 786432, is None"),
        ({"pictures_a_chunk": 8}, "pictures_a_chunk was 16, is 8"),
        ({"paths": [folder, folder]}, r"entries was 40, is 80; digest was '\w+', is '\w+'"),
    ):
        given: dict[str, Any] = {
            "paths": [folder],
            "scorer": arguments,
            "pictures_a_chunk": 16,
            **options,
        }
        with pytest.raises(SettingsError, match=f"begun otherwise: .*{text} - give the same"):
            ClusterRun(output=output, **given)
    (folder / "00.png").write_text("other")
    with pytest.raises(SettingsError, match=r"begun otherwise: digest was '\w+', is '\w+' - give"):
        ClusterRun([folder], output, arguments, pictures_a_chunk=16)
    ClusterRun([folder], output, arguments, pictures_a_chunk=16, restart=True)
    assert os.listdir(output) == [RECORD]


def test_what_a_worker_says_ends_the_run(
    nodes: Nodes, folder: Path, tmp_path: Path, arguments: dict[str, Any]
) -> None:
    output = tmp_path / "out"
    wrong = {**arguments, "device": "cuda"}
    with (
        ClusterRun([folder], output, wrong, address=nodes.address) as run,
        pytest.raises(SettingsError, match=r"device - got 'cuda' with engine='onnx'"),
    ):
        list(run)
    large = ClusterRun([folder], output, arguments, address=nodes.address, cpus_per_worker=64)
    with large, pytest.raises(SettingsError, match=r"no machine has room for one with 64 CPUs"):
        list(large)


def test_what_cannot_be_is_refused(
    folder: Path, tmp_path: Path, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for workers in ((0, 1), (2, 1)):
        with pytest.raises(SettingsError, match=r"workers - got \d \d - give at least 1, and no"):
            ClusterRun([folder], tmp_path / "out", arguments, workers=workers)
    with (
        pytest.raises(
            MagiqaError, match=r"Ray - cannot be reached at 127.0.0.1:1 \(.*refused\) - check"
        ),
        ClusterRun([folder], tmp_path / "out", arguments, address="127.0.0.1:1"),
    ):
        pass
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(MissingExtra, match=r"needs Ray - pip install 'magiqa\[cluster\]'"):
        ClusterRun([folder], tmp_path / "out", arguments)


@pytest.mark.parametrize(("share", "room"), [(0.1, 10), (0.2, 5), (0.3, 3), (1, 1)])
def test_all_of_a_gpu_is_shared(
    folder: Path, tmp_path: Path, arguments: dict[str, Any], share: float, room: int
) -> None:
    run = ClusterRun([folder], tmp_path / "out", arguments, gpus_per_worker=share)
    node = {"Alive": True, "Resources": {"CPU": 64.0, "GPU": 1.0}}
    assert run._room(SimpleNamespace(nodes=lambda: [node])) == room


def test_addresses_of_all_kinds_are_knocked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], _: float) -> SimpleNamespace:
        asked.append(address)
        return SimpleNamespace(close=lambda: None)

    monkeypatch.setattr(socket, "create_connection", connect)
    for address in ("head:6379", "[::1]:6379", "ray://head:10001", "http://127.0.0.1:8265", "auto"):
        cluster._knock(address)
    assert asked == [("head", 6379), ("::1", 6379)]


def _begun(folder: Path, output: Path, arguments: dict[str, Any]) -> ClusterRun:
    """A run whose parts are all there, made in this process."""
    run = ClusterRun([folder], output, arguments, pictures_a_chunk=16)
    worker = Worker(run._work)
    for number, packed in enumerate(run._table.chunks):
        worker({"chunk": number, "packed": packed})
    worker.close()
    return ClusterRun([folder], output, arguments, pictures_a_chunk=16)
