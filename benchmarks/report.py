"""How the benchmarks show and keep what they measured."""

from __future__ import annotations

import json
import os
import platform
from contextlib import suppress
from importlib import metadata
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
LIBRARIES = (
    "magiqa",
    "numpy",
    "onnx",
    "onnxruntime",
    "Pillow",
    "rich",
    "torch",
    "typer",
    "uvicorn",
)


class Report:
    """The measured numbers of one benchmark: each a line on stdout, all a JSON file."""

    def __init__(self, name: str, method: str) -> None:
        """`method` says how the numbers were taken."""
        self._path = RESULTS / f"{name}.json"
        self._rows: list[dict[str, object]] = []
        self._head = {"method": method, "machine": _machine(), "versions": _versions()}
        print(f"{name}: {method}")

    def add(
        self,
        what: str,
        value: float,
        unit: str = "",
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """A number, next to its target where it has one."""
        row: dict[str, object] = {"what": what, "value": float(f"{value:.4g}"), "unit": unit}
        verdict = ""
        if at_least is not None:
            row |= {"target": f">= {at_least:g}", "met": value >= at_least}
        if at_most is not None:
            row |= {"target": f"<= {at_most:g}", "met": value <= at_most}
        if "target" in row:
            verdict = f"{row['target']:10} {'pass' if row['met'] else 'MISS'}"
        self._rows.append(row)
        print(f"  {value:10.4g} {unit:8} {verdict:15} {what}", flush=True)

    def write(self) -> None:
        RESULTS.mkdir(exist_ok=True)
        self._path.write_text(json.dumps(self._head | {"measured": self._rows}, indent=1) + "\n")


def _machine() -> dict[str, object]:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
