"""The same scoring as a Ray Data job, for sets that outgrow one machine (extra `cluster`).

The driver lists the input as a table of chunks (runs/chunks.py): names, a row a chunk. A worker, an
actor with a `Scorer` of its own (runs/worker.py), takes a row, scores its pictures and puts their
rows as one part (runs/parts.py); what comes back is how it went. A chunk whose worker or machine is
lost is scored again by another, which puts the same part.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self

import magiqa
from magiqa import errors
from magiqa.clip.weights import open_checkpoint
from magiqa.errors import MagiqaError, MissingExtra, SettingsError
from magiqa.runs import chunks
from magiqa.runs.parts import Parts, part_name
from magiqa.runs.sources import named
from magiqa.runs.worker import Done, Work, Worker
from magiqa.settings import Settings

OBJECT_STORE = 128 << 20  # bytes, of a Ray of one's own: nothing but names goes through it
PATIENCE = 10  # seconds for an address to answer, for Ray Data to end
RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no telemetry
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # stderr is the command's
    "RAY_ENABLE_AUTO_CONNECT": "0",  # what is connected here is what was asked for
}


class ClusterRun:
    """A scoring of sources by the workers of a Ray cluster; it may end at any moment and go on.

    A context manager, connected to Ray while it is open. Iterate for chunks as they are through,
    then `finish`.
    """

    def __init__(
        self,
        paths: Iterable[str | os.PathLike[str]],
        output: str | os.PathLike[str],
        scorer: Mapping[str, Any],
        *,
        column: str | None = None,
        address: str | None = None,
        workers: tuple[int, int] | None = None,
        cpus_per_worker: int = 1,
        gpus_per_worker: float = 0.0,
        jobs: int = 1,
        restart: bool = False,
        retry_failed: bool = False,
        pictures_a_chunk: int = chunks.PICTURES,
    ) -> None:
        """List the input and begin or go on with the folder or URL `output`.

        `scorer` is the arguments of `Scorer`, `threads` apart: a worker's CPUs encode. `address` is
        a Ray cluster's, None the one this process or RAY_ADDRESS has, else a new one on this
        machine. From `workers` = (least, most) actors work at a time, each with `jobs` guarded
        decode processes; None: 1 up to as many as the cluster has room for.
        Raises WeightsError, SettingsError, OutputError, SourceError, MissingExtra.
        """
        _import_ray()
        if workers and not 1 <= workers[0] <= workers[1]:
            raise SettingsError(
                f"workers - got {workers[0]} {workers[1]} - give at least 1, and no more than the "
                f"second number"
            )
        self._address = address
        self._workers = workers
        self._cpus = cpus_per_worker
        self._gpus = gpus_per_worker
        settings: Settings = scorer.get("settings") or Settings()
        checkpoint = open_checkpoint(scorer.get("backbone"), scorer.get("weights"))
        provenance = {
            "magiqa": magiqa.__version__,
            "engine": f"{scorer.get('engine', 'onnx')} {scorer.get('dtype') or 'float32'}",
            "backbone": checkpoint.architecture.backbone,
            "weights": checkpoint.origin,
            "weights_hash": checkpoint.hash,
            "settings": settings.to_dict(),
            "fingerprint": settings.fingerprint,
        }
        sources = list(named(paths))
        self._table = chunks.table(sources, column, settings.pairs, pictures_a_chunk)
        listed = {
            "sources": sources,
            "column": column,
            "pictures_a_chunk": pictures_a_chunk,
            "entries": self._table.entries,
            "digest": self._table.digest,
        }
        self._parts = Parts(output)
        there = self._parts.begin({"input": listed, "provenance": provenance}, restart)
        self._work = Work(
            output=self._parts.place,
            scorer={**scorer, "threads": cpus_per_worker},
            jobs=jobs,
            weights_hash=checkpoint.hash,
            kinds=self._table.kinds,
            folder=os.getcwd(),
        )
        self.kept = 0
        """Pictures that an earlier run scored."""
        self.kept_failures = 0
        """Pictures that failed in an earlier run and were not tried again."""
        outcomes = self._parts.outcomes(there)
        self._open: list[int] = []
        for number in range(len(self._table.chunks)):
            scored, failed = outcomes.get(part_name(number), (None, 0))
            if scored is None or (failed and retry_failed):
                self._open.append(number)
            else:
                self.kept += scored
                self.kept_failures += failed

    def __enter__(self) -> Self:
        """Connect, if there is something to do. Raises MagiqaError."""
        with ExitStack() as stack:
            if self._open:
                stack.enter_context(_connected(self._address))
            self._close = stack.pop_all().close
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def __iter__(self) -> Iterator[Done]:
        if not self._open:
            return
        ray = _import_ray()
        least, most = self._workers or (1, self._room(ray))
        packed = self._table.chunks
        rows = [{"chunk": number, "packed": packed[number]} for number in self._open]
        scored = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
            Worker,
            fn_constructor_args=(self._work,),
            compute=ray.data.ActorPoolStrategy(min_size=least, max_size=most),
            num_cpus=self._cpus,
            num_gpus=self._gpus,
        )
        try:
            for row in scored.iter_rows():
                if row["error_kind"]:
                    raise getattr(errors, row["error_kind"])(row["error"])
                yield Done(**{name: row[name] for name in Done.__slots__})
        except ray.exceptions.RayError as error:
            *_, reason = str(error).rstrip().splitlines()  # a worker's traceback, mostly
            raise MagiqaError(
                f"Ray - {type(error).__name__}: {reason} - mend it, and give the same command to "
                f"go on"
            ) from error
        finally:  # Ray Data ends in a thread of its own, which must not outlive the connection
            for thread in threading.enumerate():
                if thread.name == "iter_threaded":
                    thread.join(PATIENCE)

    def count(self) -> int | None:
        """Pictures in the input; None where archives hold some."""
        return None if self._table.archives else self._table.entries

    def finish(self) -> None:
        """See that every chunk has its part, and remove what killed workers left. OutputError."""
        self._parts.finish(len(self._table.chunks))

    def _room(self, ray: Any) -> int:
        """How many workers the cluster's machines have room for; SettingsError for none."""
        room = 0
        for node in filter(lambda node: node["Alive"], ray.nodes()):
            has = node["Resources"]
            fit = [has.get("CPU", 0) // self._cpus]
            # 1 // .1 is 9
            fit += [(has.get("GPU", 0) + 1e-9) // self._gpus] if self._gpus else []
            room += int(min(fit))
        if not room:
            raise SettingsError(
                f"workers - no machine has room for one with {self._cpus} CPUs and {self._gpus:g} "
                f"GPUs - give it fewer, or --workers to wait for machines"
            )
        return room


@contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    """Ray, connected; what was begun here ends here."""
    ray = _import_ray()
    if ray.is_initialized():
        yield ray
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    own = {"include_dashboard": False, "object_store_memory": OBJECT_STORE}
    try:
        _knock(address)
        with _stderr_closed():
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                **(own if address == "local" else {}),
            )
    except (OSError, RuntimeError, ValueError) as error:
        raise MagiqaError(
            f"Ray - cannot be reached at {address} ({error}) - check the address, or leave it out "
            f"for this machine alone"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Find out at once, which takes Ray minutes, that nobody is there. Raises OSError."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "://" not in host:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()


@contextmanager
def _stderr_closed() -> Iterator[None]:
    """Ray's core says on stderr, whatever its level, that its level is set."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _import_ray() -> Any:
    os.environ.update({name: os.environ.get(name, value) for name, value in RAY.items()})
    try:
        import ray.data
    except ImportError:
        raise MissingExtra("a cluster needs Ray - pip install 'magiqa[cluster]'") from None
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # errors are raised too
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    return ray
