"""What the metrics know of good pictures: statistics of their features, in files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from magiqa.atomic import replacing
from magiqa.errors import OutputError, SettingsError

DATA = Path(__file__).with_name("data")
NIQE_FEATURES = 36
ILNIQE_FEATURES = 468


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Mean (n,) and covariance (n, n) of the features of blocks of good pictures, in float64."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Template(Statistics):
    """The same, of features seen along their principal components."""

    origin: NDArray[np.float64]
    """(468,): subtracted from features."""
    components: NDArray[np.float64]
    """(468, n): what they are then multiplied by."""


def read_niqe(path: Path | None = None) -> Statistics:
    """Of NIQE: magiqa's own .npz, the authors' modelparameters.mat, or None, the one shipped.

    SettingsError: no such file, or not such a model.
    """
    path = path or DATA / "niqe.npz"
    arrays = _read(path, ("mu_prisparam", "cov_prisparam"), ("mean", "covariance"))
    return Statistics(
        _shaped(path, "the mean", arrays[0].ravel(), (NIQE_FEATURES,)),
        _shaped(path, "the covariance", arrays[1], (NIQE_FEATURES, NIQE_FEATURES)),
    )


def read_ilniqe(path: Path | None = None) -> Template:
    """Of IL-NIQE: magiqa's own .npz, the authors' templateModel.mat, or None, the one shipped.

    SettingsError: no such file, or not such a model.
    """
    path = path or DATA / "ilniqe.npz"
    arrays = _read(path, ("templateModel",), ("mean", "covariance", "origin", "components"))
    if len(arrays) == 1:  # a cell of the same four
        arrays = [np.asarray(cell) for cell in arrays[0].ravel()]
        if len(arrays) != 4:
            raise _unfit(path, f"holds {len(arrays)} arrays where a template has 4")
    kept = arrays[3].shape[-1]
    return Template(
        _shaped(path, "the mean", arrays[0].ravel(), (kept,)),
        _shaped(path, "the covariance", arrays[1], (kept, kept)),
        _shaped(path, "the origin", arrays[2].ravel(), (ILNIQE_FEATURES,)),
        _shaped(path, "the components", arrays[3], (ILNIQE_FEATURES, kept)),
    )


def write(path: Path, model: Statistics, about: Mapping[str, object]) -> None:
    """A model and a record of how it came about, as .npz; OutputError when it cannot be written.

    A template's matrices are written in float32, which its scores do not notice.
    """
    matrices = np.float32 if isinstance(model, Template) else np.float64
    arrays = {field.name: getattr(model, field.name) for field in fields(model)}
    arrays = {name: a.astype(matrices) if a.ndim == 2 else a for name, a in arrays.items()}
    try:
        with replacing(path) as part, part.open("wb") as file:
            np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)
    except OSError as error:
        raise OutputError(
            f"{path} - cannot be written ({error.strerror}) - check the folder and its space"
        ) from error


def _read(
    path: Path, in_mat: tuple[str, ...], in_npz: tuple[str, ...]
) -> list[NDArray[np.generic]]:
    if not path.is_file():
        raise SettingsError(f"{path} - there is no such model - give a .npz or the authors' .mat")
    names = in_mat if path.suffix == ".mat" else in_npz
    try:
        if path.suffix == ".mat":
            from scipy.io import loadmat

            found = loadmat(path, variable_names=names)
        else:
            with np.load(path, allow_pickle=False) as file:
                found = {name: file[name] for name in names if name in file}
    except Exception as error:  # those of zip, numpy and scipy, and of the disk
        raise _unfit(path, f"cannot be read ({' '.join(str(error).split())})") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise _unfit(path, f"lacks {', '.join(missing)}")
    return [found[name] for name in names]


def _shaped(
    path: Path, what: str, array: NDArray[np.generic], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    if array.shape != shape or array.dtype.kind not in "fiu":
        raise _unfit(path, f"{what} is {array.dtype} {array.shape} where it should be {shape}")
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise _unfit(path, f"{what} holds values that are not finite")
    return values


def _unfit(path: Path, why: str) -> SettingsError:
    return SettingsError(
        f"{path} - {why} - give a model of this metric: from `magiqa fit`, or the authors' .mat"
    )
