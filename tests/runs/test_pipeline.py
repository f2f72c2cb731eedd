from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import recipe
from magiqa import Failure, OutputError, Score, Scorer, Settings, SettingsError, score_paths
from magiqa.runs import chunks
from magiqa.runs.pipeline import Run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten small pictures, the last but one no picture at all."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(10):
        Image.fromarray(recipe.picture(40, 50, seed)).save(folder / f"{seed}.png")
    (folder / "8.png").write_text("a text")
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def finished(scorer: Scorer, output: Path, *paths: Path, **options: Any) -> list[str]:
    """Names of the pictures that a run scores."""
    with Run(paths, scorer, output, **options) as run:
        names = [Path(result.source).name for result in run]
        run.finish()
    return names


def rows(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.read_text().splitlines()]


def names(output: Path) -> list[str]:
    return [Path(row["source"]).name for row in rows(output)]


def near(row: dict[str, Any]) -> dict[str, Any]:
    """The row up to what the size of a micro-batch changes."""
    return {
        name: pytest.approx(value, abs=1e-5) if isinstance(value, float) else value
        for name, value in row.items()
    }


ALL = [f"{number}.png" for number in range(10)]


def test_folders_and_files_give_rows_in_order(tiny: Scorer, tmp_path: Path) -> None:
    Image.fromarray(recipe.picture(230, 240, seed=1)).save(tmp_path / "b.png")
    (tmp_path / "a.jpg").write_text("a text")
    results = list(score_paths([tmp_path, "gone", tmp_path / "b.png"], tiny))
    assert [Path(each.source).name for each in results] == ["a.jpg", "b.png", "gone", "b.png"]
    broken, scored, gone, again = results
    assert isinstance(broken, Failure)
    assert "not a picture in a format Pillow knows" in broken.text
    assert isinstance(gone, Failure)
    assert isinstance(scored, Score)
    assert scored == again
    assert scored.score == pytest.approx(tiny(tmp_path / "b.png").score, abs=1e-5)


def test_decode_workers_change_nothing(tiny: Scorer, folder: Path) -> None:
    assert list(score_paths([folder], tiny, jobs=2)) == list(score_paths([folder], tiny))


def test_a_finished_run_scores_nothing_again(tiny: Scorer, folder: Path, output: Path) -> None:
    assert finished(tiny, output, folder) == ALL
    first = output.read_text()
    with Run([folder], tiny, output) as run:
        assert not list(run)
        assert (run.kept, run.kept_failures) == (9, 1)
        run.finish()
    assert output.read_text() == first
    assert names(output) == ALL


def test_the_journal_keeps_what_maps_are_drawn_from(tiny: Scorer, output: Path) -> None:
    picture = output.parent / "large.png"
    Image.fromarray(recipe.picture(260, 360, 1)).save(picture)
    broken = output.parent / "broken.png"
    broken.write_text("a text")
    [score] = score_paths([picture], tiny)
    assert isinstance(score, Score)
    finished(tiny, output, picture, broken)
    _, scored, failed = rows(output.with_name("out.jsonl.journal.jsonl"))
    assert scored["views"]["size"] == [360, 260]
    for cue in ("score", "similarity", "magnitude"):
        values = [getattr(view, cue) for view in score.views]
        assert scored["views"][cue] == pytest.approx(values, abs=1e-4)
    assert failed["views"] is None


def test_a_stopped_run_leaves_an_output_and_goes_on(
    tiny: Scorer, checkpoint: Path, folder: Path, output: Path, tmp_path: Path
) -> None:
    with Run([folder], Scorer(weights=checkpoint, micro_batch=1), output) as run:
        results = iter(run)
        next(results)
        run.stop()
        under_way = 1 + len(list(results))
        run.finish()
    assert names(output) == ALL[:under_way]
    assert 1 <= under_way < 10
    assert finished(tiny, output, folder) == ALL[under_way:]
    undisturbed = tmp_path / "undisturbed.jsonl"
    finished(tiny, undisturbed, folder)
    assert names(output) == ALL
    assert rows(output) == list(map(near, rows(undisturbed)))


def test_what_an_earlier_run_scored_further_on_is_in_a_stopped_runs_output(
    tiny: Scorer, folder: Path, output: Path
) -> None:
    finished(tiny, output, folder)
    for name in ALL[:8]:
        Image.fromarray(recipe.picture(40, 60, 1)).save(folder / name)
    with Run([folder], tiny, output) as run:
        next(iter(run))
        run.stop()
        run.finish()
    assert sorted(names(output)) == ALL


def test_failures_are_tried_again_on_demand_and_keep_their_place(
    tiny: Scorer, folder: Path, output: Path
) -> None:
    finished(tiny, output, folder)
    assert finished(tiny, output, folder) == []
    assert finished(tiny, output, folder, retry_failed=True) == ["8.png"]
    assert names(output) == ALL
    Image.fromarray(recipe.picture(40, 50, 8)).save(folder / "8.png")
    assert finished(tiny, output, folder) == ["8.png"]  # another file by its size and time
    assert names(output) == ALL
    assert all(row["error"] is None for row in rows(output))


def test_a_changed_file_is_scored_again(tiny: Scorer, folder: Path, output: Path) -> None:
    finished(tiny, output, folder)
    before = rows(output)
    Image.fromarray(recipe.picture(40, 60, 3)).save(folder / "3.png")
    (folder / "5.png").unlink()
    assert finished(tiny, output, folder) == ["3.png"]
    assert names(output) == [name for name in ALL if name != "5.png"]
    assert (before[3]["width"], rows(output)[3]["width"]) == (50, 60)


def test_a_picture_named_twice_has_two_rows(tiny: Scorer, folder: Path, output: Path) -> None:
    twice = [folder / "1.png", folder / "0.png", folder / "1.png"]
    assert finished(tiny, output, *twice) == ["1.png", "0.png", "1.png"]
    assert finished(tiny, output, *twice) == []
    assert names(output) == ["1.png", "0.png", "1.png"]


def test_other_settings_are_refused_unless_begun_anew(
    tiny: Scorer, checkpoint: Path, folder: Path, output: Path
) -> None:
    finished(tiny, output, folder)
    other = Scorer(weights=checkpoint, settings=Settings(prompts="sharpness"))
    with pytest.raises(SettingsError, match=r"prompts was 'ensemble', is 'sharpness' - give the"):
        Run([folder], other, output)
    with pytest.raises(SettingsError, match=r"sources was \['.*'\], is \["):
        Run([folder / "0.png"], tiny, output)
    assert finished(other, output, folder, restart=True) == ALL
    assert "Sharp photo. / Blurry photo." in rows(output)[0]


def test_a_second_run_is_refused(tiny: Scorer, folder: Path, output: Path) -> None:
    with (
        Run([folder], tiny, output),
        pytest.raises(OutputError, match=r"another run is writing it"),
    ):
        Run([folder], tiny, output)


def test_shards_together_are_the_whole(
    tiny: Scorer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "PICTURES", 2)
    whole = tmp_path / "whole.jsonl"
    finished(tiny, whole, folder, folder / "gone", folder / "1.png")
    parts = []
    for part in range(3):
        output = tmp_path / f"{part}.jsonl"
        finished(tiny, output, folder, folder / "gone", folder / "1.png", shard=(part, 3))
        parts.append(rows(output))
        assert len(parts[-1]) == 4
    merged = [parts[index // 2 % 3][index % 2 + index // 6 * 2] for index in range(12)]
    assert merged == list(map(near, rows(whole)))


def test_a_manifests_columns_and_keys_reach_the_output(
    tiny: Scorer, folder: Path, output: Path
) -> None:
    manifest = folder / "list.csv"
    manifest.write_text("path,score,label\n0.png,5,cat\n8.png,4,dog\n")
    finished(tiny, output, manifest)
    scored, failed = rows(output)
    assert (scored["key"], scored["input_score"], scored["label"]) == ("0.png", "5", "cat")
    assert isinstance(scored["score"], float)
    assert (failed["score"], failed["input_score"], failed["label"]) == (None, "4", "dog")


def test_the_number_of_pictures_is_known_where_counting_is_cheap(
    tiny: Scorer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "PICTURES", 4)

    def count(*paths: object, **options: Any) -> int | None:
        return Run(list(map(str, paths)), tiny, **options).count()

    assert count(folder, folder / "1.png") == 11
    assert [count(folder, shard=(part, 3)) for part in range(3)] == [4, 4, 2]
    for other in ("-", "http://127.0.0.1/a.png", folder / "list.csv", "a.tar"):
        assert count(folder, other) is None


class _ShortOfMemory:
    """An encoder that has no memory for more than `most` views."""

    dimensions = 64

    def __init__(self, scorer: Scorer, most: int) -> None:
        self._encode = scorer._encoder
        self._most = most
        self.sizes: list[int] = []

    def __call__(self, views: NDArray[np.float32]) -> NDArray[np.float32]:
        self.sizes.append(len(views))
        if len(views) > self._most:
            raise MemoryError
        return np.concatenate([self._encode(view[None]) for view in views])


def test_where_memory_is_short_micro_batches_are_halved(checkpoint: Path) -> None:
    pictures = [recipe.picture(260, 400, seed) for seed in range(8)]
    scores, sizes = [], []
    for most in (8, 3, 1):
        scorer = Scorer(weights=checkpoint)
        encoder = _ShortOfMemory(scorer, most)
        scorer._encoder = encoder  # type: ignore[assignment]
        scores.append(scorer.score_many(pictures))
        sizes.append(encoder.sizes)
    assert scores[0] == scores[1] == scores[2]
    assert [sizes[0][:2], sizes[1][:5], sizes[2][:5]] == [[8, 8], [8, 4, 2, 2, 2], [8, 4, 2, 1, 1]]
    assert max(sizes[1][2:]) == 2  # it does not try larger ones again
    scorer._encoder = _ShortOfMemory(scorer, 0)  # type: ignore[assignment]
    with pytest.raises(MemoryError):
        scorer(pictures[0])


def test_the_input_is_not_written_over(tiny: Scorer, tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("path\na.png\n")
    with pytest.raises(OutputError, match=r"list\.csv - this is the input - name another file"):
        Run([manifest], tiny, manifest)
    assert manifest.read_text() == "path\na.png\n"


def test_an_interrupted_run_says_so_beside_its_output(
    tiny: Scorer, folder: Path, output: Path
) -> None:
    about = output.with_name("out.jsonl.meta.json")
    with Run([folder], tiny, output) as run:
        next(iter(run))
        run.stop()
        run.finish()
    assert json.loads(about.read_text())["interrupted"] is True
    finished(tiny, output, folder)
    assert "interrupted" not in json.loads(about.read_text())


def test_a_column_named_in_odd_bytes_reaches_parquet(tiny: Scorer, folder: Path) -> None:
    import pyarrow.parquet

    manifest, output = folder / "list.csv", folder / "out.parquet"
    manifest.write_bytes(b"path,Qualit\xe9\n0.png,good\n")
    finished(tiny, output, manifest)
    table = pyarrow.parquet.read_table(output)
    assert table.column_names[-1] == "Qualit\\udce9"
    assert table["Qualit\\udce9"].to_pylist() == ["good"]


def test_a_missing_picture_keeps_a_manifests_key_and_columns(tmp_path: Path, tiny: Scorer) -> None:
    (tmp_path / "list.csv").write_text("path,id\ngone.jpg,8\n")
    with Run([tmp_path / "list.csv"], tiny, tmp_path / "out.jsonl") as run:
        [failure] = run
        run.finish()
    [row] = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert (row["key"], row["id"], row["error_kind"]) == ("gone.jpg", "8", "SourceError")
    assert "gone.jpg - there is no such file or folder - check the path" in str(failure)
