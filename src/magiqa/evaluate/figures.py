"""The paper's figures, a panel at a time: each an SVG for light pages and one for dark ones."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from magiqa import equations
from magiqa.errors import MissingExtra
from magiqa.evaluate import embeddings
from magiqa.evaluate.correlation import fit_logistic
from magiqa.evaluate.datasets import DATASETS
from magiqa.evaluate.methods import PAPER
from magiqa.evaluate.paper import FIGURE_1, FIGURE_3, FIGURE_5, FIGURE_6, VARIANTS
from magiqa.evaluate.reproduction import ALPHAS, LAMBDAS, Measured, Reproduction

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES = (4.2, 3.2)
CONTENTS, PICTURES = 6, 100  # shown in a panel of Figure 3: contents, pictures of each
CONTENT = {
    "csiq": r"[^.]+",
    "tid2013": r"[iI]\d+",
    "kadid-10k": r"I\d+",
    "agiqa-3k": r"[^_]+",
}
"""What a picture's name says of its content: the reference it was made from, or its generator."""


@dataclass(frozen=True, slots=True)
class Ink:
    """The colours of a page."""

    text: str
    rule: str
    alarm: str
    marks: tuple[str, ...]


LIGHT = Ink(
    "#26292e",
    "#c9ccd1",
    "#a31515",
    ("#1f63b5", "#c8501e", "#2d7d46", "#8a4fb0", "#8c6a12", "#0f7f8c"),
)
DARK = Ink(
    "#dfe2e7",
    "#4a4f57",
    "#ffb4ab",
    ("#74aef2", "#f08c5d", "#6cc48a", "#c69be8", "#d9b654", "#58c6d2"),
)


@dataclass(frozen=True, slots=True)
class Panel:
    """One plot, or why it is not there."""

    title: str
    light: str = ""
    """SVG."""
    dark: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of the paper."""

    number: int
    caption: str
    panels: tuple[Panel, ...]


Draw: TypeAlias = Callable[["Axes", Ink, Measured], None]


def figures(reproduction: Reproduction, warnings: Sequence[str]) -> Iterator[Figure]:
    """Figures 1, 3, 5 and 6, each panel with the warnings in it. Raises MissingExtra.

    The paper's sets come first; others that were measured follow where a figure is of score and
    label, marked as not the paper's.
    """

    def panels(names: Sequence[str], draw: Draw, others: bool = True) -> tuple[Panel, ...]:
        return _panels(reproduction, names, draw, others, "\n".join(warnings))

    cues = "The cues against the mean opinion: similarity and magnitude, a dot a picture each."
    yield Figure(1, cues, panels(FIGURE_1, _draw_cues))
    yield Figure(3, _CAPTION_3, panels(FIGURE_3, _draw_contents, others=False))
    scatter = "MA-CLIP's score against the label, with the five-parameter logistic."
    yield Figure(5, scatter, panels(FIGURE_5, _draw_scatter))
    sweep = "SRCC of MA-CLIP (raw) over lambda, for four alpha."
    yield Figure(6, sweep, panels(FIGURE_6, _draw_sweep))


_CAPTION_3 = (
    "How the entries of |F| are distributed for pictures of different content, before and after "
    "Eq. 8-9. Our reading: content is the reference a picture was made from, or its generator "
    "(AGIQA-3k); the view is the thumbnail; before is |F| over its mean over all pictures; W is "
    "the mean Wasserstein distance of two contents over the spread of all entries: the smaller, "
    "the less a magnitude depends on content."
)


def _panels(
    reproduction: Reproduction, names: Sequence[str], draw: Draw, others: bool, warning: str
) -> tuple[Panel, ...]:
    titles = {dataset.name: dataset.title for dataset in DATASETS}
    more = [
        name
        for name in titles
        if others and name not in (*names, *VARIANTS)
        if isinstance(reproduction.main(name), Measured)
    ]
    panels = []
    for name in (*names, *more):
        title = titles[name] + (" (not in the paper's figure)" if name in more else "")
        found = reproduction.main(name)
        if isinstance(found, str):
            panels.append(Panel(title, why=f"not run: {found}"))
            continue
        try:
            light, dark = (_svg(draw, ink, found, warning) for ink in (LIGHT, DARK))
            panels.append(Panel(title, light, dark))
        except _NothingToDrawError as error:
            panels.append(Panel(title, why=f"not run: {error}"))
    return tuple(panels)


class _NothingToDrawError(Exception):
    """A measured set that a figure cannot show."""


def _draw_cues(axes: Axes, ink: Ink, found: Measured) -> None:
    labels = _labels(found)
    for mark, method in zip(ink.marks, ("similarity", "magnitude"), strict=False):
        axes.scatter(labels, found.scores[method], label=method, color=mark, **_DOTS)
    axes.set(xlabel=found.dataset.label, ylabel="cue")
    _legend(axes, ink)


def _draw_scatter(axes: Axes, ink: Ink, found: Measured) -> None:
    scores, labels = found.scores["ma-clip"], _labels(found)
    axes.scatter(scores, labels, color=ink.marks[0], **_DOTS)
    if not found.results["ma-clip"].correlation:
        raise _NothingToDrawError(found.results["ma-clip"].error)
    scored = np.isfinite(scores)
    curve, _ = fit_logistic(scores[scored], labels[scored], "authors")
    order = np.argsort(scores[scored])
    axes.plot(scores[scored][order], curve[order], color=ink.marks[1], linewidth=1.8)
    axes.set(xlabel="score", ylabel=found.dataset.label)


def _draw_sweep(axes: Axes, ink: Ink, found: Measured) -> None:
    if not found.sweep:
        raise _NothingToDrawError("not swept")
    for mark, alpha in zip(ink.marks, ALPHAS, strict=False):
        line = [found.sweep[each, alpha] for each in LAMBDAS]
        axes.plot(LAMBDAS, line, label=f"alpha {alpha:g}", color=mark, marker="o", markersize=3)
    axes.axvline(0.5, color=ink.rule, linewidth=1, linestyle="--")
    axes.set(xlabel="lambda (dashed: the paper's)", ylabel="SRCC")
    _legend(axes, ink)


def _draw_contents(axes: Axes, ink: Ink, found: Measured) -> None:
    assert found.folder is not None  # a set of FIGURE_3 is no variant
    F = embeddings.thumbnails(found.folder)
    names = np.asarray([_content(found.dataset.name, each.name) for each in found.rated])
    scored = np.isfinite(F).all(axis=1)
    contents = sorted(set(names[scored]))[:CONTENTS]
    if len(contents) < 2:
        raise _NothingToDrawError("pictures of one content alone")
    before, after = {}, {}
    for each in contents:
        own = F[scored & (names == each)][:PICTURES].astype(np.float64)
        before[each] = np.abs(own).ravel() / np.abs(F[scored]).mean()
        scaled = equations.scale_free(own)
        after[each] = equations.box_cox(scaled, PAPER.box_cox_lambda).ravel()
    axes.set_axis_off()
    both = (("before", before, "|F| over its mean"), ("after", after, "T of Eq. 9"))
    for place, (name, groups, label) in enumerate(both):
        plot = axes.inset_axes((0.56 * place, 0, 0.44, 0.88))
        _style(plot, ink)
        edges = np.linspace(0, np.quantile(np.concatenate(list(groups.values())), 0.995), 40)
        for mark, (content, values) in zip(ink.marks, groups.items(), strict=False):
            heights, _ = np.histogram(values, edges, density=True)
            plot.stairs(heights, edges, color=mark, linewidth=1.3, label=content)
        plot.set_title(f"{name}: W {_distance(groups):.3f}", color=ink.text, fontsize=9)
        plot.set(xlabel=label, yticks=[])
    _legend(plot, ink)


def _distance(groups: dict[Any, Any]) -> float:
    """Mean Wasserstein distance of two groups, in units of the spread of all."""
    from scipy.stats import wasserstein_distance

    spread = np.concatenate(list(groups.values())).std()
    pairs = [wasserstein_distance(a, b) for a, b in combinations(groups.values(), 2)]
    return float(np.mean(pairs) / spread)


def _content(dataset: str, name: str) -> str:
    found = re.match(CONTENT[dataset], name.rpartition("/")[2])
    return found.group().lower() if found else ""


def _labels(found: Measured) -> Any:
    return np.asarray([each.mos for each in found.rated])


_DOTS: dict[str, Any] = {"s": 5, "alpha": 0.35, "linewidths": 0, "rasterized": True}


def _svg(draw: Draw, ink: Ink, found: Measured, warning: str) -> str:
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure as Canvas
    except ImportError:
        raise MissingExtra("figures need matplotlib - pip install 'magiqa[evaluate]'") from None
    # text stays text, in the page's own size; the same drawing has the same bytes
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "magiqa", "font.size": 9}):
        canvas = Canvas(figsize=INCHES, dpi=150, layout="constrained")
        axes = canvas.add_subplot()
        _style(axes, ink)
        draw(axes, ink, found)
        if warning:  # the file may go where the page does not
            canvas.suptitle(warning, color=ink.alarm, fontsize=6.5, fontweight="bold")
        file = io.StringIO()
        canvas.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue()


def _style(axes: Axes, ink: Ink) -> None:
    axes.set_facecolor("none")
    axes.tick_params(colors=ink.text)
    for side, spine in axes.spines.items():
        spine.set_color(ink.rule)
        spine.set_visible(side in ("left", "bottom"))
    axes.xaxis.label.set_color(ink.text)
    axes.yaxis.label.set_color(ink.text)


def _legend(axes: Axes, ink: Ink) -> None:
    axes.legend(frameon=False, labelcolor=ink.text, fontsize=8, markerscale=2)
