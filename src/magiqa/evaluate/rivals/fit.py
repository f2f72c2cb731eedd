"""A metric's model, fitted on good pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from magiqa.errors import PictureError
from magiqa.evaluate.rivals import ilniqe, models, niqe
from magiqa.evaluate.rivals.ilniqe_features import RESIZED, SIDE
from magiqa.evaluate.rivals.primitives import Values
from magiqa.pictures import decode
from magiqa.records import Item
from magiqa.settings import Settings


def fit(name: Literal["niqe", "ilniqe"], files: Sequence[Path], out: Path) -> int:
    """Fit a metric's model on picture files, write it as .npz; how many pictures it is of.

    None is passed over: PictureError names the first that is damaged or too small. SettingsError:
    they hold too few sharp blocks. OutputError.
    """
    model: models.Statistics
    if name == "niqe":
        recipe = f"blocks of {niqe.SIDE}, sharper than {niqe.SHARP} of the sharpest in a picture"
        model = niqe.fit_niqe(_sharp(files, niqe.sharp_features))
    else:
        recipe = (
            f"pictures at {RESIZED}x{RESIZED}, blocks of {SIDE}, sharper than {ilniqe.SHARP} of "
            f"the sharpest in a picture, {ilniqe.KEPT} principal components"
        )
        model = ilniqe.fit_ilniqe(_sharp(files, ilniqe.sharp_features))
    folders = sorted({path.parent.name for path in files})
    about = {"metric": name, "recipe": recipe, "folders": folders, "pictures": len(files)}
    models.write(out, model, about)
    return len(files)


def _sharp(
    files: Sequence[Path], features: Callable[[NDArray[np.uint8]], Values]
) -> Iterator[Values]:
    settings = Settings(protocol="paper")
    for path in files:
        pixels = decode.read(Item(str(path), path), settings).pixels.astype(np.uint8, copy=False)
        try:
            yield features(pixels)
        except PictureError as error:
            raise PictureError(f"{path}{str(error).removeprefix('picture')}") from None
