"""All kinds of sources give the same rows for the same pictures."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

import recipe
from magiqa import Scorer
from magiqa.runs.pipeline import Run
from runs.servers import Answer, Web, s3_server, web_server

NAMES = ("0.png", "1.jpg", "2 b.png", "3#c.png", "4.jpg", "d/5.webp", "d/6 broken.png")
ARCHIVES = ("a.tar", "a.tar.gz", "a.zip")
MANIFESTS = ("list.csv", "list.tsv", "list.jsonl", "list.parquet")
Row = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures, in archives and manifests too."""
    home = tmp_path_factory.mktemp("home")
    (home / "pictures" / "d").mkdir(parents=True)
    for seed, name in enumerate(NAMES):
        path = home / "pictures" / name
        Image.fromarray(recipe.picture(60 + 40 * seed, 250, seed)).save(path)
    path.write_bytes(path.read_bytes()[:2000])  # the last one
    with zipfile.ZipFile(home / "a.zip", "w") as archive:
        for name in NAMES:
            archive.write(home / "pictures" / name, name)
    for suffix in ("", ".gz"):
        with tarfile.open(home / f"a.tar{suffix}", f"w:{suffix[1:]}") as shard:  # type: ignore[call-overload]
            for name in NAMES:
                shard.add(home / "pictures" / name, name)
    rows = [{"path": f"pictures/{name}", "place": at} for at, name in enumerate(NAMES)]
    for name, separator in (("list.csv", ","), ("list.tsv", "\t")):
        lines = [f"path{separator}place", *(f"{r['path']}{separator}{r['place']}" for r in rows)]
        (home / name).write_text("\n".join(lines))
    (home / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), home / "list.parquet")
    return home


@pytest.fixture(scope="module")
def contents(folder: Path) -> dict[str, bytes]:
    """All files below the folder."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def rows(tiny: Scorer, tmp_path: Path) -> Any:
    """What scores sources into an output and gives its rows."""

    def run(*sources: str | Path) -> list[Row]:
        output = tmp_path / "out.jsonl"
        with Run(sources, tiny, output, restart=True) as scoring:
            for _ in scoring:
                pass
            scoring.finish()
        return [json.loads(line) for line in output.read_text().splitlines()]

    return run


@pytest.fixture
def expected(rows: Any, folder: Path) -> list[Row]:
    """The rows of the files named one by one."""
    named: list[Row] = rows(*(folder / "pictures" / name for name in NAMES))
    assert [row["score"] is None for row in named] == [False] * 6 + [True]
    return named


def same(got: list[Row], expected: list[Row], sources: list[str], keys: list[str]) -> None:
    """All but names equal, and these as they should be."""
    assert [row["source"] for row in got] == sources
    assert [row["key"] for row in got] == keys
    for row, other in zip(got, expected, strict=True):
        for name in other.keys() - {"source", "key", "error"}:
            assert row[name] == other[name], (name, row["source"])
        if other["error"]:
            told = other["error"].removeprefix(other["source"])
            assert row["error"] == row["source"] + told


def prefixed(prefix: object, names: tuple[str, ...] = NAMES) -> list[str]:
    return [f"{prefix}{name}" for name in names]


def test_a_folder_and_a_glob(rows: Any, expected: list[Row], folder: Path) -> None:
    sources = prefixed(f"{folder}/pictures/")
    same(rows(folder / "pictures"), expected, sources, sources)
    same(rows(f"{folder}/pic*/**/*.*"), expected, sources, sources)


@pytest.mark.parametrize("end", ["\n", "\0"])
def test_stdin(
    rows: Any, expected: list[Row], folder: Path, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = prefixed(f"{folder}/pictures/")
    lines = io.BytesIO("".join(name + end for name in sources).encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(lines))
    same(rows("-"), expected, sources, sources)


def keys_in(archive: str) -> list[str]:
    return list(NAMES) if archive == "a.zip" else [name.rpartition(".")[0] for name in NAMES]


@pytest.mark.parametrize("archive", ARCHIVES)
def test_archives(rows: Any, expected: list[Row], folder: Path, archive: str) -> None:
    sources = prefixed(f"{folder}/{archive}/")
    same(rows(folder / archive), expected, sources, keys_in(archive))


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_manifests(rows: Any, expected: list[Row], folder: Path, manifest: str) -> None:
    got = rows(folder / manifest)
    same(got, expected, prefixed(f"{folder}/pictures/"), prefixed("pictures/"))
    places = range(len(NAMES))
    assert [row["place"] for row in got] == (
        list(map(str, places)) if manifest.endswith("sv") else list(places)
    )


@pytest.fixture
def server(contents: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with web_server() as server:
        for name, content in contents.items():
            server.answers[f"/{quoted(name)}"] = Answer(content)
        yield server


def quoted(name: str) -> str:
    return name.replace(" ", "%20").replace("#", "%23")


def test_a_web_server(rows: Any, expected: list[Row], server: Web) -> None:
    home = server.address
    sources = [quoted(name) for name in prefixed(f"{home}/pictures/")]
    same(rows(*sources), expected, sources, sources)
    for archive in ARCHIVES:
        got = rows(f"{home}/{archive}")
        same(got, expected, prefixed(f"{home}/{archive}/"), keys_in(archive))
    for manifest in MANIFESTS:
        same(rows(f"{home}/{manifest}"), expected, sources, prefixed("pictures/"))


def check_store(rows: Any, expected: list[Row], home: str) -> None:
    sources = prefixed(f"{home}/pictures/")
    same(rows(f"{home}/pictures"), expected, sources, sources)
    same(rows(f"{home}/pictures/*.*", f"{home}/pictures/d"), expected, sources, sources)
    for archive in ARCHIVES:
        got = rows(f"{home}/{archive}")
        same(got, expected, prefixed(f"{home}/{archive}/"), keys_in(archive))
    for manifest in MANIFESTS:
        same(rows(f"{home}/{manifest}"), expected, sources, prefixed("pictures/"))


def test_a_store_in_memory(rows: Any, expected: list[Row], contents: dict[str, bytes]) -> None:
    store = fsspec.filesystem("memory")
    for name, content in contents.items():
        store.pipe(f"/home/{name}", content)
    check_store(rows, expected, "memory://home")
    store.rm("/home", recursive=True)


def test_an_s3_server(rows: Any, expected: list[Row], contents: dict[str, bytes]) -> None:
    with s3_server():
        store = fsspec.filesystem("s3", skip_instance_cache=True)
        store.mkdir("bucket")
        for name, content in contents.items():
            store.pipe(f"bucket/home/{name}", content)
        check_store(rows, expected, "s3://bucket/home")
