"""How a file of nano's weights does on held-out pictures, whole: ladders, ranks, garbage.

Prints a table and, with --out, writes it all as JSON: shares of monotone ladders by family, rank
correlations with severity, mean scores by kind and level (for plots), scores of garbage, and how
each attribute's own preset follows the distortion that it is about.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import ladders
import pristine
from distortions import KINDS
from distortions.pixels import Bytes
from ladders import AIMED, LEVELS, Rung
from magiqa import Scorer, Settings
from magiqa.records import Score

CUES = ("similarity", "magnitude", "score")
ATTRIBUTES = {  # preset -> the kind under which it must fall
    "brightness": "tone.darken",
    "noisiness": "noise.white",
    "colorfulness": "colour.less_colour",
    "sharpness": "blur.gaussian",
    "contrast": "tone.less_contrast",
}
SHAPE = (512, 768, 3)  # of garbage: as Kodak's pictures


def main() -> None:
    """Score every held-out picture at every level of every distortion."""
    given = _arguments()
    scorer = Scorer(weights=given.weights, threads=given.threads)
    _, _, held = pristine.pictures(given.pristine)
    pictures = [pristine.read(path) for path in held[: given.pictures]]
    kinds = [name for name in KINDS if not given.families or KINDS[name].family in given.families]
    found = judge(scorer, pictures, kinds)
    found["attributes"] = {
        preset: attribute(
            Scorer(
                weights=given.weights,
                settings=Settings(prompts=preset, weight=1),
                threads=given.threads,
            ),
            kind,
            pictures,
        )
        for preset, kind in ATTRIBUTES.items()
    }
    _show(found)
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n")


def judge(scorer: Scorer, pictures: Sequence[Bytes], kinds: Sequence[str]) -> dict[str, Any]:
    """All of it, ready for JSON; by cue: similarity, magnitude and the fused score."""
    rungs, rows = [], []
    known: dict[int, Score] = {}  # a picture itself is scored once, not once a kind
    for rung, picture in ladders.degraded(pictures, kinds):
        if rung.level or rung.picture not in known:
            scores = scorer(picture)
        if not rung.level:
            scores = known.setdefault(rung.picture, scores)
        rungs.append(rung)
        rows.append(scores)
    outside = [(name, scorer(picture)) for name, picture in garbage()]
    return {
        "pictures": len(pictures),
        "kinds": len(kinds),
        **{
            cue: _judged(
                rungs,
                [getattr(row, cue) for row in rows],
                [(name, getattr(row, cue)) for name, row in outside],
            )
            for cue in CUES
        },
    }


def attribute(scorer: Scorer, kind: str, pictures: Sequence[Bytes]) -> dict[str, Any]:
    """How an attribute falls along the ladders of a kind: share monotone, rank correlation."""
    rungs, found = zip(*ladders.degraded(pictures, [kind]), strict=True)
    scores = np.array([score.similarity for score in scorer.score_many(found)])
    return {
        "kind": kind,
        "monotone": ladders.monotone_shares(rungs, scores)[KINDS[kind].family],
        "srcc": ladders.rank_correlation(rungs, scores),
    }


def garbage() -> Iterable[tuple[str, Bytes]]:
    """Uniform noise, grey noise, flat pictures, black."""
    rng = np.random.default_rng(0)
    yield "uniform noise", rng.integers(0, 256, SHAPE, dtype=np.uint8)
    yield "grey noise", np.repeat(rng.integers(0, 256, (*SHAPE[:2], 1), dtype=np.uint8), 3, 2)
    for name, colour in (
        ("black", (0, 0, 0)),
        ("white", (255, 255, 255)),
        ("grey", (128, 128, 128)),
        ("blue", (30, 60, 200)),
        ("red", (200, 30, 30)),
    ):
        yield name, np.broadcast_to(np.array(colour, np.uint8), SHAPE).copy()


def _judged(
    rungs: Sequence[Rung], values: Sequence[float], outside: Sequence[tuple[str, float]]
) -> dict[str, Any]:
    scores = np.array(values)
    levels = np.array([rung.level for rung in rungs])
    floor = float(np.percentile(scores[levels == 0], 5))
    families = [KINDS[rung.kind].family for rung in rungs]
    kinds = [rung.kind for rung in rungs]
    return {
        "monotone": ladders.monotone_shares(rungs, scores),
        "monotone_by_kind": ladders.monotone_shares(rungs, scores, by_kind=True),
        "srcc": ladders.rank_correlation(rungs, scores),
        "srcc_by_family": {
            family: ladders.rank_correlation(*_those(rungs, scores, families, family))
            for family in dict.fromkeys(families)
        },
        "means": {
            kind: [
                float(scores[(np.array(kinds) == kind) & (levels == level)].mean())
                for level in range(len(LEVELS))
            ]
            for kind in dict.fromkeys(kinds)
        },
        "pristine_5th_percentile": floor,
        "garbage": {name: {"score": score, "below": score < floor} for name, score in outside},
    }


def _those(
    rungs: Sequence[Rung], scores: np.ndarray, families: Sequence[str], family: str
) -> tuple[list[Rung], np.ndarray]:
    at = [index for index, name in enumerate(families) if name == family]
    return [rungs[index] for index in at], scores[at]


def _show(found: dict[str, Any]) -> None:
    print(f"{found['pictures']} pictures, {found['kinds']} kinds, levels {LEVELS}")
    print(f"{'monotone ladders':24}" + "".join(f"{cue:>12}" for cue in CUES))
    for family in found["score"]["monotone"]:
        mark = " (aimed at)" if family in AIMED else ""
        shares = (found[cue]["monotone"][family] for cue in CUES)
        print(f"{family + mark:24}" + "".join(f"{share:12.1%}" for share in shares))
    print(f"{'SRCC with severity':24}" + "".join(f"{found[cue]['srcc']:12.3f}" for cue in CUES))
    floors = (found[cue]["pristine_5th_percentile"] for cue in CUES)
    print(f"{'pristine, 5th centile':24}" + "".join(f"{floor:12.3f}" for floor in floors))
    for name in found["score"]["garbage"]:
        rows = (found[cue]["garbage"][name] for cue in CUES)
        print(
            f"{name:24}"
            + "".join(f"{row['score']:11.3f}{' ' if row['below'] else '!'}" for row in rows)
        )
    print("! not below the 5th percentile of the pristine pictures")
    for preset, row in found.get("attributes", {}).items():
        print(f"{preset:16}{row['kind']:24}{row['monotone']:8.1%} monotone, SRCC {row['srcc']:.3f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, help="nano.safetensors")
    parser.add_argument("pristine", type=Path, help="folder with a folder 'kodak' in it")
    parser.add_argument("--pictures", type=int, help="only so many held-out pictures")
    parser.add_argument(
        "--families", nargs="+", choices=sorted({kind.family for kind in KINDS.values()})
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="JSON file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
