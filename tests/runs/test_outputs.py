from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import recipe
from magiqa import Item, Score, Scorer, SourceError
from magiqa.runs import parts, sinks
from magiqa.runs.outputs import Output, selected
from magiqa.runs.pipeline import Run

Scored = Callable[[str], Output]


@pytest.fixture
def scored(tiny: Scorer, tmp_path: Path) -> Scored:
    """What scores two pictures and a text into an output of this name."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(2):
        Image.fromarray(recipe.picture(40, 50, seed)).save(folder / f"{seed}.png")
    (folder / "text.jpg").write_text("a text")

    def run(name: str) -> Output:
        with Run([folder], tiny, tmp_path / name) as scoring:
            for _ in scoring:
                pass
            scoring.finish()
        return Output(tmp_path / name)

    return run


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_an_output_is_read_back_whatever_its_format(
    scored: Scored, tiny: Scorer, tmp_path: Path, name: str
) -> None:
    output = scored(name)
    kept = [sinks.with_carried(line["row"], line["carried"]) for line in output.kept()]
    assert list(output.rows()) == kept
    assert [row["score"] is None for row in kept] == [False, False, True]
    assert output.pairs == [f"{good} / {bad}" for good, bad in tiny.settings.pairs]
    assert output.provenance == json.loads(json.dumps(tiny.provenance))
    assert output.settings == tiny.settings
    assert output.sources == [str(tmp_path / "pictures")]
    assert output.has_journal


def test_the_folder_that_one_is_in_has_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = sinks.columns(())
    (tmp_path / "part-00000.csv").write_text(",".join(rows) + "\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(parts, "files", lambda _: [tmp_path / "part-00000.csv"])
    assert Output(Path()).provenance == {}


def test_without_a_journal_the_rest_is_there(scored: Scored, tmp_path: Path, tiny: Scorer) -> None:
    scored("out.csv")
    (tmp_path / "out.csv.journal.jsonl").unlink()
    output = Output(tmp_path / "out.csv")
    assert not output.has_journal
    assert (list(output.kept()), output.sources) == ([], [])
    assert output.settings == tiny.settings


def test_without_provenance_beside_it_the_journals_is_taken(
    scored: Scored, tmp_path: Path, tiny: Scorer
) -> None:
    scored("out.csv")
    (tmp_path / "out.csv.meta.json").unlink()
    assert Output(tmp_path / "out.csv").settings == tiny.settings
    (tmp_path / "out.csv.journal.jsonl").unlink()
    output = Output(tmp_path / "out.csv")
    assert output.provenance == {}
    assert output.settings is None


def test_settings_of_another_version_are_not_known(scored: Scored, tmp_path: Path) -> None:
    scored("out.jsonl")
    meta = tmp_path / "out.jsonl.meta.json"
    about = json.loads(meta.read_text())
    meta.write_text(json.dumps(about | {"settings": about["settings"] | {"shoe_size": 43}}))
    assert Output(tmp_path / "out.jsonl").settings is None


def test_a_torn_journal_is_read_up_to_the_tear(scored: Scored, tmp_path: Path) -> None:
    scored("out.jsonl")
    journal = tmp_path / "out.jsonl.journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-9])
    assert len(list(Output(tmp_path / "out.jsonl").kept())) == 2


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("gone.csv", None, "there is no such output - name the file that `magiqa score -o` wrote"),
        ("out.xls", "", "no output format '.xls' - choose from .csv, .jsonl, .parquet"),
        ("out.csv", "path,score\na,1\n", "no output of magiqa: it has no column 'source' - name"),
        ("out.jsonl", "5\n", "no output of magiqa: a line is no JSON object"),
        ("out.parquet", "PAR1", "not a readable manifest"),
    ],
)
def test_what_is_no_output_is_told(
    tmp_path: Path, name: str, content: str | None, text: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(SourceError, match=text):
        Output(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"score": None}, "it has neither score nor error"),
        ({"source": ""}, "it has neither score nor error"),
        ({"magnitude": "much"}, "could not convert string to float: 'much'"),
        ({"score": float("nan")}, "nan is not finite"),
        ({"width": [1]}, "int\\(\\) argument must be"),
    ],
)
def test_a_row_that_makes_no_sense_is_told(
    scored: Scored, tmp_path: Path, change: dict[str, Any], text: str
) -> None:
    row = next(scored("out.jsonl").rows())
    (tmp_path / "out.jsonl").write_text(json.dumps(row | change))
    with pytest.raises(SourceError, match=f"a row cannot be read \\({text}"):
        list(Output(tmp_path / "out.jsonl").rows())


def test_an_output_without_rows_is_one(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").touch()
    output = Output(tmp_path / "out.jsonl")
    assert (list(output.rows()), output.pairs) == ([], [])


def test_selection_is_by_score() -> None:
    scores = {"a": 2, "b": 1, "c": None, "d": 3, "e": 2}
    rows = [{"source": name, "score": score} for name, score in scores.items()]
    assert selected(rows, above=1) == ["a", "d", "e"]
    assert selected(rows, below=2) == ["b"]
    assert selected(rows, top=2) == ["d", "a"]
    assert selected(rows, top=2, lowest_first=True) == ["b", "a"]
    assert selected(rows, above=1, below=3, top=9) == ["a", "e"]


def test_rows_are_results_again(scored: Scored, tiny: Scorer, tmp_path: Path) -> None:
    results = list(scored("out.csv").results())
    wanted = tiny.score_many([result.source for result in results], on_error="return")
    assert results[2] == wanted[2]
    for result, score in zip(results[:2], wanted[:2], strict=True):
        assert isinstance(score, Score)
        assert result == replace(score, pairs={}, views=())
    rival = replace(
        tiny(results[0].source), similarity=math.nan, magnitude=math.nan, weight=math.nan
    )
    row = sinks.row(Item("a.png", None), rival, ())
    sinks.write(tmp_path / "rival.csv", lambda: iter([row]), (), {})
    [again] = Output(tmp_path / "rival.csv").results()
    assert isinstance(again, Score)
    assert again.score == rival.score
    assert math.isnan(again.similarity)
