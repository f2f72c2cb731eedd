"""The Dockerfile where there is no Docker: linted, and its steps taken in a clean environment."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from serve.conftest import encoded, raw, wait_for

ROOT = Path(__file__).parents[2]
BASE_MEGABYTES = 130
"""Of python:3.12-slim, unpacked: 41 MB as its registry says, compressed; Debian and Python."""


def instructions() -> list[tuple[str, str]]:
    """(word, rest) of each, lines that go on joined, comments left out."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text()).replace("\\\n", "")
    found = [line.partition(" ") for line in text.splitlines() if line]
    return [(word, rest) for word, _, rest in found]


def last(word: str) -> str:
    return [rest for each, rest in instructions() if each == word][-1]


def test_hadolint_has_nothing_to_say() -> None:
    command = [Path(sys.executable).with_name("hadolint"), ROOT / "Dockerfile"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_is_no_root_and_has_a_health_check() -> None:
    assert last("USER").isdecimal()
    assert int(last("USER")) > 0
    assert "/healthz" in last("HEALTHCHECK")
    assert last("VOLUME") in last("ENV")
    bases = [rest for word, rest in instructions() if word == "FROM"]
    assert [base.split()[0] for base in bases] == ["python:3.12-slim"] * 2


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the build stage makes: its COPYs and RUNs, in a folder that stands for /."""
    root = tmp_path_factory.mktemp("image")
    stage = instructions()
    ends = [at for at, (word, _) in enumerate(stage) if word == "FROM"][1]
    work = root
    for word, rest in stage[1:ends]:
        if word == "WORKDIR":
            work = root / rest.lstrip("/")
            work.mkdir()
        elif word == "COPY":
            *names, target = rest.split()
            for name in names:
                source = ROOT / name
                if source.is_dir():
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(source, work / target, ignore=ignored)
                else:
                    shutil.copy(source, work / target)
        elif word == "RUN":
            (root / "opt").mkdir()
            here = rest.replace("/opt/", f"{root}/opt/")
            here = here.replace("python -m", f"{sys.executable} -m")
            own = ("PYTHONPATH", "VIRTUAL_ENV")
            clean = {name: value for name, value in os.environ.items() if name not in own}
            subprocess.run(here, shell=True, cwd=work, env=clean, check=True, capture_output=True)
    return root


@pytest.mark.slow
def test_the_image_is_small(image: Path) -> None:
    files = [path for path in (image / "opt").rglob("*") if path.is_file()]
    megabytes = sum(path.lstat().st_size for path in files) / 1e6
    assert megabytes + BASE_MEGABYTES < 500


def read_only() -> list[str]:
    """What a command is run with so that it sees a file system it cannot write to."""
    unshare = shutil.which("unshare")
    script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind / && shift && exec "$@"'
    command = [unshare or "unshare", "-rm", "sh", "-c", script, "sh"]
    tried = unshare and subprocess.run([*command, "/tmp", "true"], capture_output=True, check=False)
    return command if tried and tried.returncode == 0 else []


@pytest.fixture
def running(image: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The entry point, on a port of its own; nothing but the volume can be written to."""
    entry = json.loads(last("ENTRYPOINT"))
    assert entry[0] == "magiqa"
    command = [str(image / "opt/magiqa/bin/magiqa"), *entry[1:], "--port", "0"]
    guarded = read_only()
    cache = tmp_path / "cache"
    cache.mkdir()
    environment = {"PATH": os.environ["PATH"], "MAGIQA_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        [*guarded, *([str(cache)] if guarded else []), *command, "--backbone", "nano", "--no-auth"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=cache,
        env=environment,
    )
    assert process.stderr is not None
    try:
        line = json.loads(process.stderr.readline())
        yield line["message"].replace("0.0.0.0", "127.0.0.1").split()[-1], image
    finally:
        process.terminate()
        process.wait(30)
        process.stderr.close()


@pytest.mark.slow
def test_what_was_built_serves_and_is_healthy(running: tuple[str, Path]) -> None:
    url, image = running
    wait_for(lambda: httpx.get(f"{url}/readyz").status_code == 200)
    assert httpx.post(f"{url}/v1/score", **raw(encoded(300, 420))).status_code == 200
    assert httpx.post(f"{url}/v1/map", **raw(encoded(300, 420))).status_code == 200
    check = json.loads(last("HEALTHCHECK").split("CMD", 1)[1])
    port = url.rsplit(":", 1)[1]
    command = [str(image / "opt/magiqa/bin" / check[0]), *check[1:]]
    for where, expected in ((port, 0), ("9", 1)):
        there = [part.replace(":8000/", f":{where}/") for part in command]
        assert subprocess.run(there, capture_output=True, check=False).returncode == expected
