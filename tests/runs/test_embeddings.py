from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

import recipe
from magiqa import Failure, OutputError, Score, Scorer, Settings, SettingsError, SourceError
from magiqa.runs import embeddings
from magiqa.runs.embeddings import EmbedRun, load_embeddings, rescore, rescore_to
from magiqa.runs.pipeline import Run


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"{seed}.png" for seed in range(5)]
    for seed, path in enumerate(paths):
        Image.fromarray(recipe.picture(230 + 30 * seed, 300, seed)).save(path)
    (tmp_path / "text.png").write_text("no picture")
    return [*map(str, paths[:3]), str(tmp_path / "text.png"), *map(str, paths[3:])]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def embed(pictures: list[str], scorer: Scorer, folder: Path, **options: bool) -> int:
    with EmbedRun(pictures, scorer, folder, **options) as run:
        new = sum(1 for _ in run)
        run.finish()
    return new


@pytest.mark.parametrize("views_a_part", [1, 5, 4096])
def test_rescoring_gives_the_scores_of_scoring(
    pictures: list[str],
    folder: Path,
    tiny: Scorer,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    views_a_part: int,
) -> None:
    monkeypatch.setattr(embeddings, "VIEWS_A_PART", views_a_part)
    assert embed(pictures, tiny, folder) == 6
    other = Scorer(weights=checkpoint, settings=Settings(prompts="contrast", weight=0.3))
    for scorer in (tiny, other):
        wanted = scorer.score_many(pictures, on_error="return")
        for got, score in zip(rescore(folder, scorer), wanted, strict=True):
            if isinstance(score, Failure):
                assert got == score
            else:
                assert isinstance(got, Score)
                assert got.score == pytest.approx(score.score, abs=1e-5)
                assert [view.box for view in got.views] == [view.box for view in score.views]
                assert (got.source, got.width, got.warnings) == (
                    score.source,
                    score.width,
                    score.warnings,
                )


@pytest.mark.parametrize("limit", ["VIEWS_A_PART", "SECONDS_A_PART"])
def test_an_embedding_survives_whatever_ends_the_run(
    pictures: list[str],
    folder: Path,
    tiny: Scorer,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
) -> None:
    monkeypatch.setattr(embeddings, limit, 0)
    with EmbedRun(pictures, tiny, folder) as run:
        for number, _ in enumerate(run):
            if number == 2:
                break  # as a kill would, without finish
    orphan = folder / "part-00099.safetensors"
    orphan.write_bytes(b"a crash came between the part and its lines")
    assert embed(pictures, tiny, folder) == 6 - 3
    assert not orphan.exists()
    assert len(list(load_embeddings(folder))) == 6
    assert embed(pictures, tiny, folder) == 0
    assert len(list(load_embeddings(folder))) == 6


def test_rows_keep_their_keys_and_a_manifests_columns(
    pictures: list[str], folder: Path, tiny: Scorer, tmp_path: Path
) -> None:
    manifest = tmp_path / "list.jsonl"
    columns = {"label": "x", "part": "y", "first": 7}  # two are names of the index
    lines = [json.dumps({"path": Path(each).name, **columns}) for each in pictures]
    manifest.write_text("\n".join(lines))
    embed([str(manifest)], tiny, folder)
    rescore_to(tmp_path / "out.jsonl", folder, tiny)
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["key"] for row in rows] == [Path(each).name for each in pictures]
    own = {(row["label"], row["input_part"], row["input_first"]) for row in rows}
    assert own == {("x", "y", 7)}
    assert "part" not in rows[0]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (Settings(coverage="full"), r"embedded otherwise: coverage was 'paper', is 'full' - score"),
        (Settings(resize=(300, 300)), r"resize was None, is \[300, 300\]"),
        (Settings(positional_embedding=True), r"positional_embedding was False, is True"),
    ],
)
def test_what_embeddings_rest_on_must_be_the_same(
    pictures: list[str], folder: Path, tiny: Scorer, checkpoint: Path, settings: Settings, text: str
) -> None:
    embed(pictures[:1], tiny, folder)
    with pytest.raises(SettingsError, match=text):
        list(rescore(folder, Scorer(weights=checkpoint, settings=settings)))


def test_a_folder_without_embeddings_is_told(tmp_path: Path, tiny: Scorer) -> None:
    with pytest.raises(SourceError, match=r"holds no finished embeddings \(No such file.*\)"):
        list(rescore(tmp_path, tiny))


def test_a_lost_part_is_told(pictures: list[str], folder: Path, tiny: Scorer) -> None:
    embed(pictures, tiny, folder)
    (folder / "part-00000.safetensors").unlink()
    with pytest.raises(SourceError, match=r"part-00000\.safetensors - cannot be read"):
        list(load_embeddings(folder))


def test_pictures_that_are_away_for_a_run_are_kept(
    pictures: list[str], folder: Path, tiny: Scorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "VIEWS_A_PART", 1)
    assert embed([str(tmp_path)], tiny, folder) == 6
    away = Path(pictures[-1]).rename(tmp_path / "away")
    assert embed([str(tmp_path)], tiny, folder) == 0
    assert len(list(load_embeddings(folder))) == 5
    away.rename(pictures[-1])
    assert embed([str(tmp_path)], tiny, folder) == 0
    assert len(list(load_embeddings(folder))) == 6


def test_a_picture_whose_part_is_lost_is_embedded_again(
    pictures: list[str], folder: Path, tiny: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "VIEWS_A_PART", 1)
    embed(pictures, tiny, folder)
    (folder / "part-00001.safetensors").unlink()
    assert embed(pictures, tiny, folder) == 1
    assert len(list(load_embeddings(folder))) == 6


def test_rescoring_counts_failures_and_does_not_hide_an_interruption(
    pictures: list[str], folder: Path, tiny: Scorer, tmp_path: Path
) -> None:
    with EmbedRun(pictures, tiny, folder) as run:
        for _ in run:
            run.stop()
        run.finish()
    for suffix in ("csv", "jsonl"):  # the one goes through the rows twice
        assert rescore_to(tmp_path / f"out.{suffix}", folder, tiny) == 1
        assert json.loads((tmp_path / f"out.{suffix}.meta.json").read_text())["interrupted"]


def test_the_index_is_not_overwritten(pictures: list[str], folder: Path, tiny: Scorer) -> None:
    embed(pictures[:1], tiny, folder)
    with pytest.raises(OutputError, match=r"scores\.jsonl - this tells where the embeddings are"):
        rescore_to(folder / ".." / "kept" / "scores.jsonl", folder, tiny)


def test_files_of_others_are_left_alone(pictures: list[str], folder: Path, tiny: Scorer) -> None:
    folder.mkdir()
    others = [folder / "part-mine.safetensors", folder / "part-00001-of-00002.safetensors"]
    for other in others:
        other.write_bytes(b"not ours")
    embed(pictures, tiny, folder)
    assert all(other.read_bytes() == b"not ours" for other in others)


def test_embeddings_without_a_journal_are_not_written_over(
    pictures: list[str], folder: Path, tiny: Scorer
) -> None:
    embed(pictures, tiny, folder)
    (folder / f"{embeddings.INDEX}.journal.jsonl").unlink()
    with pytest.raises(OutputError, match="holds embeddings without the journal of their run"):
        embed(pictures[:1], tiny, folder)
    assert (folder / "part-00000.safetensors").exists()
    assert embed(pictures, tiny, folder, restart=True) == 6


def test_scores_and_embeddings_share_no_journal(
    pictures: list[str], folder: Path, tiny: Scorer
) -> None:
    embed(pictures, tiny, folder)
    with pytest.raises(SettingsError, match="keeps was 'embeddings', is None"):
        Run(pictures, tiny, folder / embeddings.INDEX)
    with Run(pictures, tiny, folder / "other" / embeddings.INDEX) as run:
        list(run)
        run.finish()
    with pytest.raises(SettingsError, match="keeps was None, is 'embeddings'"):
        embed(pictures, tiny, folder / "other")
