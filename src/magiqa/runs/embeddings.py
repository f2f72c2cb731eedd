"""Embeddings kept in a folder, to be scored again under other settings without the pictures.

    scores.jsonl              a row a picture, as of any run, with two columns more: part, first
    part-00000.safetensors    embeddings (views, D) float32, boxes (views, 4) of many pictures

A picture's views are `views` rows of its part from row `first` on, in the order of its boxes.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from magiqa.atomic import replacing, sweep
from magiqa.clip.releases import RELEASES
from magiqa.clip.sources import NANO
from magiqa.errors import OutputError, SettingsError, SourceError
from magiqa.records import Embedded, Failure, Item, Picture, Score
from magiqa.runs import sinks
from magiqa.runs.journal import SUFFIX, Line
from magiqa.runs.pipeline import Run
from magiqa.runs.sinks import Row
from magiqa.scorer import Scorer
from magiqa.settings import Settings

INDEX = "scores.jsonl"
PART = re.compile(r"part-\d{5,}\.safetensors")
VIEWS_A_PART = 4096  # 16 MB of RN50
SECONDS_A_PART = 60.0  # what a crash may cost
SAME = ("positional_embedding", "coverage", "protocol", "max_pixels", "resize")
"""Settings that embeddings rest on; the others are the equations' and may change."""


class EmbedRun(Run):
    """A run that also keeps each picture's embeddings; its output is a folder."""

    keeps = "embeddings"

    def __init__(
        self, paths: Iterable[str | os.PathLike[str]], scorer: Scorer, folder: Path, **options: Any
    ) -> None:
        """Take `Run`'s options. Raises what it raises."""
        self._folder = folder
        known = Path(folder, INDEX + SUFFIX).exists() or options.get("restart")
        if not known and self._parts():
            raise OutputError(
                f"{folder} - holds embeddings without the journal of their run - name another "
                f"folder, or --restart to embed everything anew"
            )
        super().__init__(paths, scorer, folder / INDEX, **options)
        self._embedder = scorer
        self._entry: Embedded | Failure | None = None  # what the line to record is of
        self._kept_back: list[tuple[int, Line, Embedded]] = []
        self._begun = time.monotonic()  # the part that is gathered

    def finish(self) -> None:
        """Write what is left and the index; parts that a crash left without lines are removed."""
        self._write_part()
        super().finish()
        assert self._journal is not None  # there is always an output
        lines = map(self._journal.read, self._journal.places())  # also what is not in this input
        named = {line["carried"].get("part") for line in lines}
        for part in self._parts():
            if part.name not in named:
                part.unlink()
        sweep(self._folder, PART.pattern)

    def _parts(self) -> list[Path]:
        return [part for part in self._folder.glob("part-*") if PART.fullmatch(part.name)]

    def _scored(self, pictures: Iterable[Picture | Failure]) -> Iterator[Score | Failure]:
        for entry in self._embedder.stream_embeddings(pictures):
            self._entry = entry
            yield entry if isinstance(entry, Failure) else self._embedder.score_embedded(entry)

    def _find(self, source: str, occurrence: int, stamp: str) -> tuple[int, bool] | None:
        found = super()._find(source, occurrence, stamp)
        if self._journal is None or found is None or not found[1]:
            return found
        part = self._journal.read(found[0])["carried"]["part"]
        return found if Path(self._folder, part).exists() else None

    def _record(self, position: int, line: Line) -> None:
        if not isinstance(self._entry, Embedded):
            self._record_at(position, line, None, None)
            return
        self._kept_back.append((position, line, self._entry))
        views = sum(len(each.boxes) for _, _, each in self._kept_back)
        if views >= VIEWS_A_PART or time.monotonic() - self._begun > SECONDS_A_PART:
            self._write_part()

    def _write_part(self) -> None:
        """Bring a part to the disk, and only then the lines that point to it."""
        if not self._kept_back:
            return
        numbers = [int(part.stem[5:]) for part in self._parts()]
        name = f"part-{max(numbers, default=-1) + 1:05}.safetensors"
        pictures = [embedded for _, _, embedded in self._kept_back]
        tensors = {
            "embeddings": np.concatenate([each.embeddings for each in pictures]),
            "boxes": np.concatenate([np.asarray(each.boxes, np.int32) for each in pictures]),
        }
        try:
            with replacing(self._folder / name) as part:
                save_file(tensors, part)
        except (OSError, SafetensorError) as error:
            raise OutputError(
                f"{self._folder / name} - cannot be written ({error}) - free some space and give "
                f"the same command again: what was kept before stays"
            ) from error
        first = 0
        for position, line, embedded in self._kept_back:
            self._record_at(position, line, name, first)
            first += len(embedded.boxes)
        self._kept_back = []
        self._begun = time.monotonic()

    def _record_at(self, position: int, line: Line, part: str | None, first: int | None) -> None:
        """Where the embeddings are, before a manifest's columns, which may have the same names."""
        carried = sinks.with_carried({"part": part, "first": first}, line["carried"])
        super()._record(position, line | {"carried": carried})


def load_embeddings(folder: str | os.PathLike[str]) -> Iterator[Embedded | Failure]:
    """What `magiqa embed` kept, in the order of its input. Raises SourceError."""
    opened: tuple[str, Any, Any] = ("", None, None)
    for row in _rows(Path(folder)):
        if row["error"] is not None:
            yield Failure(row["source"], row["error_kind"], row["error"])
            continue
        if opened[0] != row["part"]:
            opened = (row["part"], *_part(Path(folder, row["part"])))
        views = slice(row["first"], row["first"] + row["views"])
        yield Embedded(
            source=row["source"],
            width=row["width"],
            height=row["height"],
            warnings=tuple(row["warnings"]),
            boxes=tuple((int(a), int(b), int(c), int(d)) for a, b, c, d in opened[2][views]),
            embeddings=opened[1][views],
        )


def rescore(folder: str | os.PathLike[str], scorer: Scorer) -> Iterator[Score | Failure]:
    """Scores of kept embeddings under the scorer's settings.

    Raises SettingsError when the embeddings rest on another model, or on other settings of those
    that move them (SAME); SourceError when there are none.
    """
    about = _provenance(Path(folder))
    now = json.loads(json.dumps(scorer.provenance))
    was, is_now = ({**each["settings"], **each} for each in (about, now))
    changed = [
        f"{name} was {was[name]!r}, is {is_now[name]!r}"
        for name in ("backbone", "weights_hash", *SAME)
        if was[name] != is_now[name]
    ]
    if changed:
        raise SettingsError(
            f"{folder} - embedded otherwise: {'; '.join(changed)} - score with the same, or embed "
            f"the pictures anew"
        )
    for entry in load_embeddings(folder):
        yield entry if isinstance(entry, Failure) else scorer.score_embedded(entry)


def rescore_to(output: Path, folder: Path, scorer: Scorer) -> int:
    """Write kept embeddings' scores under the scorer's settings; how many rows are failures.

    Keys and carried columns stay. Raises what `rescore` raises, and OutputError.
    """
    if output.resolve() == Path(folder, INDEX).resolve():
        raise OutputError(f"{output} - this tells where the embeddings are - name another file")
    about = _provenance(folder)
    before = sinks.columns(settings_of(folder).pairs)
    pairs = scorer.settings.pairs
    failed = 0

    def rows() -> Iterator[Row]:
        nonlocal failed
        failed = 0
        for kept, result in zip(_rows(folder), rescore(folder, scorer), strict=True):
            failed += isinstance(result, Failure)
            item = Item(kept["source"], None, key=kept["key"])
            own = ("part", "first", *before)
            carried = {name: value for name, value in kept.items() if name not in own}
            yield sinks.with_carried(sinks.row(item, result, pairs), carried)

    interrupted = {"interrupted": True} if "interrupted" in about else {}
    sinks.write(output, rows, pairs, scorer.provenance | interrupted)
    return failed


def settings_of(folder: Path) -> Settings:
    """The settings that pictures were embedded under. Raises SourceError."""
    return Settings(**_provenance(folder)["settings"])


def backbone_of(folder: Path) -> str | None:
    """What pictures were embedded with, where it has a name to ask for it by.

    Raises SourceError, SettingsError for a checkpoint of one's own.
    """
    about = _provenance(folder)
    if about["weights"] == "file":
        raise SettingsError(
            f"{folder} - embedded with a checkpoint of one's own ({about['backbone']}) - give it "
            f"with --weights"
        )
    return about["backbone"] if about["backbone"] in (*RELEASES, NANO) else None


def _provenance(folder: Path) -> dict[str, Any]:
    with _opened(folder / f"{INDEX}.meta.json") as file:
        about: dict[str, Any] = json.load(file)
    return about


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    with _opened(folder / INDEX) as file:
        yield from map(json.loads, file)


def _opened(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8")
    except OSError as error:
        raise SourceError(
            f"{path.parent} - holds no finished embeddings ({error.strerror}: {path.name}) - name "
            f"the folder that `magiqa embed` wrote"
        ) from error


def _part(path: Path) -> tuple[Any, Any]:
    try:
        with safe_open(path, framework="np") as file:
            return file.get_tensor("embeddings"), file.get_tensor("boxes")
    except (SafetensorError, OSError) as error:
        raise SourceError(f"{path} - cannot be read ({error}) - embed the pictures anew") from error
