from __future__ import annotations

import io
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recipe
from magiqa import Failure, Item, MagiqaError, Settings, SettingsError
from magiqa.pictures.pool import DecodePool
from magiqa.records import Picture
from pictures import hostile
from pictures.hostile_scans import slow_jpeg

HOURS = slow_jpeg(50_000)
"""More than a minute, in fact: 700 kB."""

Results = list[Picture | Failure]


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def small(seed: int) -> bytes:
    return png(Image.fromarray(recipe.picture(20, 30, seed=seed)))


SMALL = [Item(f"small {seed}", small(seed)) for seed in range(8)]


def described(results: Iterable[Picture | Failure]) -> list[object]:
    return [
        result
        if isinstance(result, Failure)
        else (
            result.source,
            result.pixels.shape,
            result.pixels.tobytes(),
            result.width,
            result.height,
            result.warnings,
        )
        for result in results
    ]


def read(items: Iterable[Item | Failure], jobs: int = 2, **limits: int) -> Results:
    with DecodePool(Settings(), jobs, **limits) as pool:
        return list(pool.read(items))


def mixed(folder: Path) -> Iterator[Item | Failure]:
    """Good and bad files and bytes, failures, and what is in memory already."""
    for seed in range(6):
        path = folder / f"{seed}.jpg"
        Image.fromarray(recipe.picture(50 + 9 * seed, 70, seed=seed)).save(path)
        yield Item(path.name, path)
        yield Item(f"as text {seed}", str(path))
        yield Item(f"bytes {seed}", path.read_bytes())
        yield Item(f"cut {seed}", path.read_bytes()[:500])
    large = folder / "large.jpg"
    Image.fromarray(recipe.picture(900, 1100, seed=1)).save(large)
    yield Item("large", large)
    yield Item("not there", folder / "not there.jpg")
    yield Failure("listed", "SourceError", "what - got - mend")
    yield Item("writable", bytearray(small(3)))
    yield Item("array", recipe.picture(30, 40, seed=2))
    yield Item("wrong array", np.zeros((2, 2, 2), np.uint8))
    yield Item("image", Image.open(large))
    yield Item("odd\udce9name", b"no picture")
    yield Item("last", small(1))


@pytest.mark.parametrize("jobs", [1, 3])
def test_workers_give_what_decoding_in_place_gives_in_order(jobs: int, tmp_path: Path) -> None:
    in_place, pooled = read(mixed(tmp_path), jobs=0), read(mixed(tmp_path), jobs=jobs)
    assert described(pooled) == described(in_place)
    assert sum(isinstance(result, Failure) for result in pooled) == 10


def test_pixels_may_be_written_to_as_those_decoded_in_place() -> None:
    [first, second] = read([SMALL[0], SMALL[0]], jobs=1)
    assert isinstance(first, Picture)
    assert isinstance(second, Picture)
    first.pixels[:] = 0
    assert second.pixels.any()


def test_a_relative_path_is_of_the_folder_that_is_current_when_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "it.png").write_bytes(small(ord(name)))
    with DecodePool(Settings(), 1) as pool:
        for name in ("a", "b"):
            monkeypatch.chdir(tmp_path / name)
            results = list(pool.read([Item(name, "it.png")]))
            assert described(results) == described(read([Item(name, small(ord(name)))], jobs=0))


def test_modules_beside_the_pictures_are_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    assert described(read(SMALL[:1], jobs=1)) == described(read(SMALL[:1], jobs=0))


def test_a_picture_over_the_time_limit_costs_itself() -> None:
    items = [*SMALL[:4], Item("endless", HOURS), *SMALL[4:]]
    begun = time.monotonic()
    results = read(items, jobs=2, seconds=2)
    assert time.monotonic() - begun < 20
    assert results.pop(4) == Failure(
        "endless",
        "PictureError",
        "endless - is not decoded after 2 s - check the file and the disk it is on, or trust "
        "it: jobs=0 decodes without a limit",
    )
    assert described(results) == described(read(SMALL, jobs=0))


@pytest.mark.skipif(sys.platform != "linux", reason="the memory limit is Linux's")
def test_a_picture_over_the_memory_limit_costs_itself() -> None:
    bomb = png(Image.new("L", (10_000, 10_000)))
    assert len(bomb) < 1_000_000
    items = [*SMALL[:4], Item("bomb", bomb), *SMALL[4:]]
    results = read(items, jobs=1, memory=200 << 20)
    assert results.pop(4) == Failure(
        "bomb",
        "PictureError",
        "bomb - takes more than 200 MiB to decode - scale it down, or trust it: "
        "jobs=0 decodes without a limit",
    )
    assert described(results) == described(read(SMALL, jobs=0))


@pytest.mark.skipif(sys.platform != "linux", reason="the memory limit is Linux's")
def test_bytes_over_the_memory_limit_cost_themselves(capfd: pytest.CaptureFixture[str]) -> None:
    items = [SMALL[0], Item("bytes", bytes(100 << 20)), SMALL[1]]
    [first, failure, last] = read(items, jobs=1, memory=50 << 20)
    assert isinstance(failure, Failure)
    assert failure.text.endswith("or the machine short of memory: use fewer jobs")
    assert described([first, last]) == described(read(SMALL[:2], jobs=0))
    assert capfd.readouterr().err == ""


def worker_pids(pool: DecodePool) -> list[int]:
    return [worker.process.pid for worker in pool._workers]


@pytest.mark.parametrize(
    ("number", "named"), [(signal.SIGKILL, "9, Killed"), (signal.SIGSEGV, "11, Segmentation fault")]
)
def test_a_worker_that_dies_costs_one_picture(number: int, named: str) -> None:
    with DecodePool(Settings(), 1) as pool:
        list(pool.read(SMALL[:1]))
        [first] = worker_pids(pool)
        threading.Timer(0.5, os.kill, (first, number)).start()
        results = list(pool.read([*SMALL[:4], Item("endless", HOURS), *SMALL[4:]]))
        assert worker_pids(pool) != [first]
    assert results.pop(4) == Failure(
        "endless",
        "PictureError",
        f"endless - ended the process that decoded it (signal {named}) - the file is damaged or "
        f"hostile, or the machine short of memory: use fewer jobs",
    )
    assert described(results) == described(read(SMALL, jobs=0))


def test_an_idle_worker_that_dies_costs_nothing() -> None:
    with DecodePool(Settings(), 1) as pool:
        for _ in range(2):
            assert described(pool.read(SMALL)) == described(read(SMALL, jobs=0))
            [worker] = pool._workers
            worker.process.kill()
            worker.process.wait()


def test_workers_see_neither_interrupt_nor_termination() -> None:
    with DecodePool(Settings(), 1) as pool:
        list(pool.read(SMALL[:1]))
        [pid] = worker_pids(pool)
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)
        assert described(pool.read(SMALL)) == described(read(SMALL, jobs=0))
        assert worker_pids(pool) == [pid]


def leftovers() -> tuple[int, int]:
    """Open files, the shared memory among them, and threads."""
    return len(os.listdir("/dev/fd")), threading.active_count()


def test_the_limit_on_pixels_is_the_settings_alone() -> None:
    [failure] = read([Item("it", hostile.png(60_000, 60_000, b""))], jobs=1)
    assert "it - 60000x60000 is over the limit on decoding - scale it down" in str(failure)


def test_thousands_of_pictures_leave_nothing_behind() -> None:
    before = leftovers()
    names = [f"{number}" for number in range(3000)]
    with DecodePool(Settings(), 2) as pool:
        results = pool.read(Item(name, SMALL[0].data) for name in names)
        assert [result.source for result in results if isinstance(result, Picture)] == names
        list(pool.read([Item("bad", b"bad")] * 50))
        pids = worker_pids(pool)
    assert leftovers() == before
    assert 1 <= len(pids) <= 2
    assert all(map(ended, pids))


@pytest.mark.parametrize(
    ("picture", "ahead"),
    [(SMALL[0], 2 * 2 + 6), (Item("large", png(Image.new("RGB", (2400, 2400)))), 2 * 2)],
)
def test_it_reads_ahead_as_sizes_allow_and_stops_with_its_consumer(
    picture: Item, ahead: int
) -> None:
    before, taken = leftovers(), 0

    def endless() -> Iterator[Item]:
        nonlocal taken
        for taken in range(1, 1_000_000):  # noqa: B007
            yield picture

    with DecodePool(Settings(max_pixels=None), 2) as pool:
        results = pool.read(endless())
        for _ in range(10):
            next(results)
        assert taken == 10 + ahead
        assert isinstance(results, Iterator)
        results.close()  # type: ignore[attr-defined]
        assert described(pool.read(SMALL)) == described(read(SMALL, jobs=0))
    assert leftovers() == before


def test_pixels_that_are_overwritten_later_are_read_before() -> None:
    frame = np.zeros((4, 4, 3), np.uint8)

    def frames() -> Iterator[Item]:
        for level in range(5):
            frame[:] = level
            yield Item(f"{level}", frame)

    with DecodePool(Settings(), 2) as pool:
        levels = [
            int(picture.pixels[0, 0, 0])
            for picture in pool.read(frames())
            if isinstance(picture, Picture)
        ]
    assert levels == list(range(5))


@pytest.mark.parametrize("jobs", [0, 2])
def test_what_the_items_raise_comes_after_the_pictures_before_it(jobs: int) -> None:
    def failing() -> Iterator[Item]:
        yield from SMALL[:3]
        raise LookupError("no more")

    with DecodePool(Settings(), jobs) as pool:
        results = pool.read(failing())
        assert [next(results).source for _ in range(3)] == ["small 0", "small 1", "small 2"]
        with pytest.raises(LookupError, match="no more"):
            next(results)


def test_threads_share_a_pool() -> None:
    got: dict[int, list[object]] = {}
    with DecodePool(Settings(), 2) as pool:

        def ask(number: int) -> None:
            got[number] = described(pool.read(SMALL[number:]))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert got == {number: described(read(SMALL[number:], jobs=0)) for number in range(8)}


def test_closing_ends_a_picture_in_the_middle() -> None:
    before, begun = leftovers(), time.monotonic()
    with DecodePool(Settings(), 1) as pool:
        results = pool.read([SMALL[0], Item("endless", HOURS), SMALL[1]])
        next(results)
        time.sleep(0.3)
    assert time.monotonic() - begun < 10
    assert leftovers() == before


def in_a_child(jobs: int) -> tuple[int, list[str]]:
    with DecodePool(Settings(), jobs) as pool:
        sources = [result.source for result in pool.read(SMALL)]
        return len(worker_pids(pool)), sources


def test_inside_another_pool_decoding_is_in_place() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as others:
        workers, sources = others.apply(in_a_child, (2,))
    assert workers == 0
    assert sources == [item.source for item in SMALL]


def test_without_jobs_nothing_is_started() -> None:
    before = leftovers()
    with DecodePool(Settings(), 0) as pool:
        results = pool.read(iter(SMALL))
        assert next(results).source == "small 0"
        assert leftovers() == before


@pytest.mark.parametrize(
    "options", [{"jobs": -1}, {"jobs": 1, "seconds": 0}, {"jobs": 1, "memory": 0}]
)
def test_limits_are_checked(options: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match=r"^DecodePool - got jobs=.* - give jobs of at least 0"):
        DecodePool(Settings(), **options)


@pytest.mark.parametrize(
    ("executable", "ending"),
    [("/not/there", "No such file"), ("/bin/false", "exit status 1")],
)
def test_workers_that_cannot_start_are_an_error(
    executable: str, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = leftovers()
    monkeypatch.setattr(sys, "executable", executable)
    with pytest.raises(MagiqaError, match=rf"^decode workers - none could be.*{ending}.*jobs=0"):
        read(SMALL)
    assert leftovers() == before


def ended(pid: int) -> bool:
    """Whether a process is gone, or only waits for whoever adopted it to notice."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until, "waited for 10 s"
        time.sleep(0.02)


SCRIPT = """
import signal, sys
from magiqa import Item, Settings
from magiqa.pictures.pool import DecodePool

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it

print("main", flush=True)
paths = sys.argv[1:]
with DecodePool(Settings(), 2) as pool:
    for result in pool.read(Item(path, path) for path in paths):
        pids = [worker.process.pid for worker in pool._workers]
        print(type(result).__name__, *pids, flush=True)
"""


def script(tmp_path: Path, *pictures: bytes) -> subprocess.Popen[str]:
    """A user's script without `if __name__ == "__main__"`, decoding these."""
    (tmp_path / "script.py").write_text(SCRIPT)
    paths = [tmp_path / f"{number}" for number in range(len(pictures))]
    for path, data in zip(paths, pictures, strict=True):
        path.write_bytes(data)
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", tmp_path / "script.py", *paths],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def test_a_script_needs_no_main_guard(tmp_path: Path) -> None:
    with script(tmp_path, small(1), b"bad", small(2)) as process:
        out, err = process.communicate(timeout=30)
    assert [line.split()[0] for line in out.splitlines()] == [
        "main",
        "Picture",
        "Failure",
        "Picture",
    ]
    assert err == ""
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_leave_with_their_parent(number: int, tmp_path: Path) -> None:
    pictures = [small(seed) for seed in range(6)] + [HOURS] * 4
    with script(tmp_path, *pictures) as process:
        assert process.stdout
        assert process.stderr
        lines = [process.stdout.readline() for _ in range(7)]
        pids = [int(pid) for pid in lines[-1].split()[1:]]
        assert pids
        time.sleep(0.5)  # into the endless ones
        assert not any(map(ended, pids))
        process.send_signal(number)
        begun = time.monotonic()
        process.wait(10)
        wait_until(lambda: all(map(ended, pids)))
        assert time.monotonic() - begun < 5
        err = process.stderr.read()
    assert process.returncode == -number
    assert err.count("Traceback") == (number == signal.SIGINT)
    assert "multiprocessing" not in err


@pytest.mark.parametrize("jobs", [0, 2])
def test_single_items_need_not_wait_for_those_before_them(jobs: int) -> None:
    items = [*SMALL, Item("text", b"a text"), Item("array", recipe.picture(20, 30, seed=1))]
    with DecodePool(Settings(), jobs) as pool:
        futures = [pool.submit(item) for item in items]
        results = [future.result() for future in reversed(futures)][::-1]
    assert described(results) == described(read(items, jobs=0))


def test_a_slow_item_holds_up_its_worker_alone() -> None:
    with DecodePool(Settings(), 2, seconds=20) as pool:
        slow = pool.submit(Item("hours", HOURS))
        quick = [pool.submit(item) for item in SMALL]
        assert [type(future.result()) for future in quick] == [Picture] * len(SMALL)
        assert not slow.done()
