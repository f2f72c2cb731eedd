"""What the rival metrics share, as MATLAB does it: their published numbers were taken there."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from magiqa.errors import MissingExtra, PictureError

try:
    from scipy import ndimage, special
except ImportError:
    raise MissingExtra("rival metrics need scipy - pip install 'magiqa[evaluate]'") from None

Values: TypeAlias = NDArray[np.float64]

LUMA = (0.2989360212937753, 0.5870430744511212, 0.1140209042551033)  # rgb2gray's, to the last digit
FLAT = 1e-9
"""A pixel this near its local mean equals it: in flat areas the rest is the noise of summing."""
ALPHAS = np.arange(200, 10_001) / 1000
"""The shapes an asymmetric generalised Gaussian may have."""


def checked(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture, (H, W, 3) uint8; PictureError for anything else."""
    pixels = np.asarray(picture)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape or pixels.dtype != np.uint8:
        raise PictureError(
            f"picture - got an array of {pixels.dtype}, {pixels.shape} - give uint8, (H, W, 3)"
        )
    return pixels


def grey(picture: NDArray[np.uint8]) -> Values:
    """(H, W, 3) -> (H, W) whole numbers in 0..255, halves rounded up; rgb2gray."""
    red, green, blue = (picture[..., channel] * weight for channel, weight in enumerate(LUMA))
    rounded: Values = np.floor(red + green + blue + 0.5)
    return rounded


def gaussian(size: int, sigma: float) -> Values:
    """(size,) weights that sum to 1; the outer product with itself is fspecial's window."""
    at = np.arange(size) - (size - 1) / 2
    weights = np.exp(-(at**2) / (2 * sigma**2))
    return np.asarray(weights / weights.sum())


def smoothed(image: Values, window: Values) -> Values:
    """Correlation with the window both ways, edges repeated; imfilter(..., 'replicate').

    The middle of an even window is, as in MATLAB, the left one of its two.
    """
    origin = 0 if len(window) % 2 else -1
    for axis in (0, 1):
        image = ndimage.correlate1d(image, window, axis=axis, mode="nearest", origin=origin)
    return image


def correlated(image: Values, weights: Values, axis: int) -> Values:
    """Correlation with odd weights along one axis, with zeros beyond the edges; conv2's 'same'."""
    result: Values = ndimage.correlate1d(image, weights, axis=axis, mode="constant")
    return result


def mscn(image: Values, window: Values) -> tuple[Values, Values]:
    """Mean-subtracted, contrast-normalised pixels, and the local deviation: (H, W) each."""
    mean = smoothed(image, window)
    sigma = smoothed(image * image, window)
    sigma -= mean * mean
    np.sqrt(np.abs(sigma, out=sigma), out=sigma)
    centred = np.subtract(image, mean, out=mean)
    centred[np.abs(centred) < FLAT] = 0
    centred /= sigma + 1
    return centred, sigma


def resized(image: NDArray[Any], height: int, width: int) -> Values:
    """(H, W, ...) -> (height, width, ...) by imresize's bicubic, without rounding or clipping.

    Keys's cubic (a = -0.5), widened where it shrinks, pictures mirrored at their borders; what is
    shrunk more comes first.
    """
    axes = {0: height, 1: width}
    for axis in sorted(axes, key=lambda axis: axes[axis] / image.shape[axis]):
        image = _resized_along(image, axis, axes[axis])
    return image


def _resized_along(image: NDArray[Any], axis: int, target: int) -> Values:
    scale = target / image.shape[axis]
    narrow = min(scale, 1.0)
    taps = int(np.ceil(4 / narrow)) + 2
    centre = (np.arange(target) + 0.5) / scale - 0.5
    first = np.floor(centre - 2 / narrow).astype(np.int64)
    length = image.shape[axis]
    at = first[:, None] + np.arange(taps)
    weights = _cubic((centre[:, None] - at) * narrow)
    weights /= weights.sum(axis=1, keepdims=True)
    at %= 2 * length
    at = np.minimum(at, 2 * length - 1 - at)
    column = (-1,) + (1,) * (image.ndim - axis - 1)
    result: Values = np.zeros(())
    for tap in np.flatnonzero(weights.any(axis=0)):
        result = result + np.take(image, at[:, tap], axis=axis) * weights[:, tap].reshape(column)
    return result


def _cubic(x: Values) -> Values:
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x**2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def blocks(image: Values, side: int) -> Values:
    """(H, W) -> (blocks, side, side), row by row; what does not fill a block is left out."""
    rows, columns = image.shape[0] // side, image.shape[1] // side
    cut = image[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return cut.swapaxes(1, 2).reshape(rows * columns, side, side)


def dots(a: Values, b: Values) -> Values:
    """The dot product of each row of a with that of b."""
    return np.asarray((a[:, None, :] @ b[:, :, None])[:, 0, 0])


class Aggd(NamedTuple):
    """Asymmetric generalised Gaussians, an entry for each row that was fitted."""

    alpha: Values
    """Shape, of ALPHAS."""
    left: Values
    """Scale of what is negative; NaN where nothing is."""
    right: Values
    """Of what is positive, likewise."""
    mean: Values
    """Of the distribution."""

    @property
    def scale(self) -> Values:
        """The mean of both."""
        return (self.left + self.right) / 2


def aggd(rows: Values) -> Aggd:
    """Fit (n, values) by their moments: Lasmar et al. 2009, as NIQE's code does."""
    above = np.maximum(rows, 0)
    below = above - rows
    squares = [dots(part, part) for part in (below, above)]
    counts = [np.count_nonzero(part, axis=1) for part in (below, above)]
    absolute = below.sum(axis=1) + above.sum(axis=1)
    ratios, spreads, means = _shapes()
    with np.errstate(all="ignore"):  # nothing on one side: NaN
        left, right = (np.sqrt(sum_ / count) for sum_, count in zip(squares, counts, strict=True))
        skew = left / right
        ratio = absolute**2 / rows.shape[1] / (squares[0] + squares[1])
        ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
        at = np.searchsorted((ratios[1:] + ratios[:-1]) / 2, ratio)  # the nearest
        at[np.isnan(ratio)] = 0  # MATLAB's min of NaNs
        left, right = left * spreads[at], right * spreads[at]
    return Aggd(ALPHAS[at], left, right, (right - left) * means[at])


@cache
def _shapes() -> tuple[Values, Values, Values]:
    """For each of ALPHAS: E|x|^2 / E x^2, which rises; scale over deviation; mean over scale."""
    one, two, three = (special.gammaln(order / ALPHAS) for order in (1, 2, 3))
    return np.exp(2 * two - one - three), np.exp((one - three) / 2), np.exp(two - one)


SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Rows and columns between the neighbours whose products are fitted."""


def mscn_features(cells: Values) -> Values:
    """(blocks, side, side) of MSCN -> (blocks, 18): its fit and those of products of neighbours.

    Neighbours are sought within the block, as on a torus.
    """
    own = aggd(cells.reshape(len(cells), -1))
    columns = [own.alpha, own.scale]
    for shift in SHIFTS:
        product = cells * np.roll(cells, shift, axis=(1, 2))
        fit = aggd(product.reshape(len(cells), -1))
        columns += [fit.alpha, fit.mean, fit.left, fit.right]
    return np.stack(columns, axis=1)


def inverse(covariance: Values) -> Values:
    """The pseudo-inverse, cut off where MATLAB's pinv is."""
    cutoff = len(covariance) * float(np.finfo(np.float64).eps)
    return np.asarray(np.linalg.pinv(covariance, rcond=cutoff, hermitian=True))
