"""Weights between two files of one ancestry: `between.py FIRST SECOND SHARE OUT`.

SHARE, 0..1, is how far towards the second. What a network learned anew and what it knew before are
often both kept on the straight line between the two (Wortsman et al. 2022).
"""

from __future__ import annotations

import sys
from pathlib import Path

import export
from tower import Nano


def between(first: Nano, second: Nano, share: float) -> Nano:
    """`first`, changed, its weights and statistics moved by a share, 0..1, towards `second`'s."""
    others = second.state_dict()
    mixed = {
        name: values.lerp(others[name], share) if values.is_floating_point() else values
        for name, values in first.state_dict().items()
    }
    first.load_state_dict(mixed)
    return first


if __name__ == "__main__":
    first, second = (export.load(Path(name)) for name in sys.argv[1:3])
    export.save(between(first, second, float(sys.argv[3])), Path(sys.argv[4]))
