"""Programs in processes of their own: their start and their peak memory are theirs alone."""

from __future__ import annotations

import subprocess
import sys


def printed(program: str, *arguments: object) -> list[float]:
    """The numbers that a Python program prints, spaces or line ends between."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [float(word) for word in done.stdout.split()]


def megabytes(maxrss: float) -> float:
    """Of getrusage's ru_maxrss, in 10^6 bytes."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return maxrss * unit / 1e6
