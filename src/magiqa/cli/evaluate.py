"""`magiqa evaluate` and `magiqa reproduce`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magiqa import atomic
from magiqa.cli import options, results, show
from magiqa.cli.kept import Kept, Network
from magiqa.errors import OutputError

if TYPE_CHECKING:  # loaded inside the commands, not with --help
    import numpy as np
    from numpy.typing import NDArray

    from magiqa.evaluate.datasets import Rated
    from magiqa.records import Failure
    from magiqa.settings import Coverage

Keep = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="For embeddings.  [default: embeddings/ beside -o]"),
]
Limit = Annotated[
    int | None, typer.Option(metavar="N", min=3, help="Only a set's first N pictures.")
]


def evaluate(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="SET", help="A name of `magiqa datasets`, or a CSV: columns path and mos."
        ),
    ],
    root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The set's folder.  [default for a CSV: its own]"),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Once or more, see above.  [default: ma-clip]"),
    ] = None,
    limit: Limit = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="All there is to know, as .json."),
    ] = None,
    keep: Keep = None,
    backbone: options.Backbone = None,
    weights: options.Weights = None,
    threads: options.Threads = None,
    provider: options.Provider = None,
    engine: options.Engine = "onnx",
    device: options.Device = None,
    dtype: options.Dtype = None,
    jobs: options.Jobs = 1,
    restart: options.Restart = False,
) -> None:
    """Hold scores against people's opinions: correlation, intervals, comparison.

    Methods: ma-clip, similarity, magnitude, l1, l2, clip-iqa, fixed-0.8 (or
    another weight); NAME-whole for whole pictures instead of views; piqe,
    niqe, ilniqe, niqe=MODEL, pyiqa:NAME, torchmetrics:NAME, piq:NAME;
    MODULE:FUNCTION for your own, a picture's path -> a number.

    Pictures are read as the authors' code reads them. Their embeddings, or
    a rival's scores, are kept: a run may end at any moment, the same command
    goes on with it.

    Exit code: 0 all well, 1 a picture or a method failed, 2 wrong usage,
    3 nothing could start.
    """
    if output:
        if output.suffix.lower() != ".json":
            raise OutputError(f"{output} - no output format {output.suffix!r} - name a .json file")
        atomic.check(output)
    import numpy as np

    from magiqa.evaluate import datasets, embeddings, evaluation
    from magiqa.evaluate.methods import find_method
    from magiqa.evaluate.rivals.metric import Metric
    from magiqa.runs import manifests
    from magiqa.settings import Settings

    sys.path.append("")  # a function in a file of this folder is found, after all that is installed
    methods = {name: find_method(name) for name in method or ["ma-clip"]}
    if manifests.is_manifest(dataset):
        chosen = datasets.from_csv(Path(dataset))
        root = root or Path(dataset).parent
    else:
        chosen = datasets.find_dataset(dataset)
    if root is None:
        raise typer.BadParameter("say where the set is", param_hint="--root")
    rated = chosen.load(root.resolve())[:limit]
    settings = {
        name: replace(each, resize=chosen.resize)
        for name, each in methods.items()
        if isinstance(each, Settings)
    }
    network = Network(backbone, weights, options.Machine(threads, provider, engine, device, dtype))
    if settings:
        network.check(settings.values())
    kept = Kept(keep or (output.parent if output else Path()) / "embeddings", limit, jobs, restart)
    folders = {
        coverage: kept.embed(chosen, rated, network, coverage)
        for coverage in dict.fromkeys(each.coverage for each in settings.values())
    }
    answers = embeddings.scores(folders, settings, network.anchors)
    scores, failures = answers.scores, list(answers.failures)
    lower_is_better = []
    for name, each in methods.items():
        if isinstance(each, Metric):
            scores[name], failed = kept.score(chosen, rated, each)
            failures += failed
            lower_is_better += [name] if each.lower_is_better else []
        elif not isinstance(each, Settings):
            scores[name] = _called(name, each, rated, failures)
    scores = {name: scores[name] for name in methods}
    found = evaluation.results(chosen, rated, scores, lower_is_better)
    released = all(each.get("released", True) for each in kept.provenance)
    warning = None if released else evaluation.NOT_RELEASED
    results.warn(warning)
    results.show(found, sys.stdout.isatty(), warning)
    for failure in failures:
        typer.echo(f"failed: {show.printable(failure.text)}", err=True)
    if output:
        columns = ([None if np.isnan(x) else float(x) for x in each] for each in scores.values())
        content = {
            "warning": warning,
            "set": chosen.name,
            "limit": limit,
            "higher_is_better": chosen.higher_is_better,
            "methods_lower_is_better": lower_is_better,
            "results": found,
            "settings": settings,
            "provenance": kept.provenance,
            "failures": failures,
            "pictures": [
                {"name": each.name, "mos": each.mos} | dict(zip(scores, own, strict=True))
                for each, own in zip(rated, zip(*columns, strict=True), strict=True)
            ],
        }
        results.write(output, content)
    raise typer.Exit(1 if failures or any(each.error for each in found) else 0)


def reproduce(
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Holds a folder for each set, named as the set.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="For page, tables, figures.")
    ],
    backbone: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="More than once for Table 6.  [default: RN50]"),
    ] = None,
    weights: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Instead: checkpoints, .safetensors or .pt."),
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", metavar="", help="Whole pictures too, as CLIP-IQA's code.")
    ] = False,
    rivals: Annotated[
        bool, typer.Option("--rivals", metavar="", help="PIQE, NIQE and IL-NIQE too; slow.")
    ] = False,
    limit: Limit = None,
    keep: Keep = None,
    threads: options.Threads = None,
    provider: options.Provider = None,
    engine: options.Engine = "onnx",
    device: options.Device = None,
    dtype: options.Dtype = None,
    jobs: options.Jobs = 1,
    restart: options.Restart = False,
) -> None:
    """Draw up the paper's tables and figures beside ours, from the sets there are.

    Tables 1-6 and Figures 1, 3, 5 and 6 as one HTML page, Markdown and CSV;
    what cannot be run is shown with the reason. The first backbone makes
    everything, the others their rows of Table 6.

    Embeddings are kept: a run may end at any moment, the same command goes on.
    """
    if backbone and weights:
        raise typer.BadParameter("contradicts --weights - give one", param_hint="--backbone")
    from magiqa.evaluate import page, reproduction
    from magiqa.evaluate.methods import RIVALS, find_metric, settings_of
    from magiqa.evaluate.paper import TABLE_6

    sets = list(reproduction.find_sets(data))
    present = [(dataset, rated[:limit]) for dataset, rated in sets if isinstance(rated, list)]
    absent = {dataset.name: why for dataset, why in sets if isinstance(why, str)}
    if not present:
        for name, why in absent.items():
            typer.echo(f"{name}: {why}", err=True)
        raise typer.Exit(3)
    machine = options.Machine(threads, provider, engine, device, dtype)
    networks = [Network(None, file, machine) for file in weights or []]
    networks += [Network(name, None, machine) for name in backbone or []]
    networks = networks or [Network(None, None, machine)]
    first, *others = networks
    if len({each.backbone for each in networks}) < len(networks):
        raise typer.BadParameter("give each backbone once", param_hint="--backbone, --weights")
    for network in networks:
        network.check(map(settings_of, reproduction.ON_VIEWS))
    kept = Kept(keep or output / "embeddings", limit, jobs, restart)
    metrics = {name: find_metric(name) for name in RIVALS if rivals}
    made = reproduction.Reproduction(first.backbone, absent, whole=whole, limit=limit)
    coverages: list[Coverage] = ["paper"]
    coverages += ["whole"] if whole and first.any_size else []
    for dataset, rated in present:
        if not made.take_part(dataset, rated):
            folders = {each: kept.embed(dataset, rated, first, each) for each in coverages}
            own = {name: kept.score(dataset, rated, each) for name, each in metrics.items()}
            made.measure(dataset, rated, first.backbone, folders, first.anchors, own)
    for network in others:
        for dataset, rated in present:
            if dataset.name in TABLE_6:
                folders = {"paper": kept.embed(dataset, rated, network, "paper")}
                made.measure(dataset, rated, network.backbone, folders, network.anchors)
    written = page.write(output, made, kept.provenance)
    for warning in page.warnings(made, kept.provenance):
        results.warn(warning)
    typer.echo(f"{written[0]} and {len(written) - 1} files beside it", err=True)
    raise typer.Exit(1 if any(each.failures for each in made.measured.values()) else 0)


def _called(
    name: str, function: Callable[[str], float], rated: Sequence[Rated], failures: list[Failure]
) -> NDArray[np.float64]:
    """A function's scores of all pictures, NaN where it failed."""
    import numpy as np

    from magiqa.evaluate.rivals.metric import call
    from magiqa.records import Failure

    scores = np.full(len(rated), np.nan)
    with typer.progressbar(rated, label=name, file=sys.stderr) as bar:
        for place, each in enumerate(bar):
            number = call(function, str(each.path), str(each.path))
            if isinstance(number, Failure):
                failures.append(number)
            else:
                scores[place] = number
    return scores
