from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, models, normalizers, processors

from magiqa import PRESETS, SettingsError
from magiqa.clip import hub, tokenizer
from magiqa.clip.releases import RELEASES, Release

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "tokens.json").read_text())


def test_presets_have_the_authors_tokens_without_a_vocabulary() -> None:
    texts = [text for pairs in PRESETS.values() for pair in pairs for text in pair]
    wanted = {row["text"]: tuple(row["tokens"]) for row in GOLDEN}
    assert tokenizer.token_ids(texts) == [wanted[text] for text in texts]
    assert set(texts) == set(tokenizer.PRESET_TOKENS)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  Two   words\n", "two words"),
        ("&lt;b&gt; &amp;amp;", "<b> &"),
        ("schÃ¶n", "schön"),
        ("“quoted”", '"quoted"'),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert tokenizer.clean(text) == cleaned


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CLIP's format with 48,894 merges, of which three make words."""
    merges = ["o d</w>", "o od</w>", "g ood</w>"]
    others = [letter for letter in tokenizer._byte_letters() if not "a" <= letter <= "z"]
    merges += [f"{first} {second}" for first in others for second in others]
    path = tmp_path_factory.mktemp("bpe") / "bpe_simple_vocab_16e6.txt.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(["#version: 0.2", *merges]))
    return path


def test_merges_are_applied_in_order(vocabulary: Path) -> None:
    # bytes come first, "!" being 0; then the same as ends of words; then the merges
    def letter(character: str) -> int:
        return ord(character) - ord("!")

    [good, bad] = tokenizer.token_ids(["Good", "bad!"], vocabulary)
    assert good == (tokenizer.START, 512 + 2, tokenizer.END)
    ends = (256 + letter("d"), 256 + letter("!"))
    assert bad == (tokenizer.START, letter("b"), letter("a"), *ends, tokenizer.END)


def test_prompts_that_do_not_fit_are_named(vocabulary: Path) -> None:
    with pytest.raises(SettingsError, match=r"prompt 'x{76}' - 76 tokens, at most 75 fit"):
        tokenizer.token_ids(["x" * 76], vocabulary)
    with pytest.raises(SettingsError, match=r"prompt '&nbsp;' - nothing is left of it"):
        tokenizer.token_ids(["&nbsp;"], vocabulary)


def as_json(tokenizer: Any, path: Path) -> Path:
    """The vocabulary as hub repositories have it: normalised, marked, cut and filled up."""
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    marks = ["<|startoftext|>", "<|endoftext|>"]
    tokenizer.add_special_tokens(marks)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{marks[0]} $A {marks[1]}",
        special_tokens=[(mark, tokenizer.token_to_id(mark)) for mark in marks],
    )
    tokenizer.enable_truncation(77)
    tokenizer.enable_padding(length=77, pad_id=0, pad_token="!")
    tokenizer.save(str(path))
    return path


def test_tokenizer_json_neither_marks_nor_cuts_nor_fills(vocabulary: Path, tmp_path: Path) -> None:
    path = as_json(tokenizer._tokenizer(vocabulary), tmp_path / "vocabulary")
    texts = ["Good", "bad!", "x" * 75]
    assert tokenizer.token_ids(texts, path) == tokenizer.token_ids(texts, vocabulary)
    with pytest.raises(SettingsError, match=r"prompt 'x{76}' - 76 tokens, at most 75 fit"):
        tokenizer.token_ids(["x" * 76], path)


def test_a_vocabulary_that_is_not_clips_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    Tokenizer(models.BPE(vocab={"<|endoftext|>": 0}, merges=[])).save(str(path))
    with pytest.raises(
        SettingsError, match=r"a\.json - not CLIP's vocab.* are \[None, 0\], expect"
    ):
        tokenizer.token_ids(["own"], path)


def test_the_vocabulary_of_a_release_comes_from_the_hub_once(
    vocabulary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAGIQA_CACHE", str(tmp_path))
    asked = []

    def fetch(release: Release, name: str) -> hub.HubFile:
        asked.append((release.backbone, name))
        return hub.HubFile(vocabulary, "")

    monkeypatch.setattr(hub, "fetch", fetch)
    release = RELEASES["RN50"]
    assert tokenizer.token_ids(["Good image"], None, release)  # a preset's needs none
    assert not asked
    for _ in range(2):
        assert tokenizer.token_ids(["Good"], None, release)[0][1] == 512 + 2
    assert asked == [("RN50", "tokenizer.json")]


def test_without_a_vocabulary_the_ways_out_are_told() -> None:
    mend = r"pass tokenizer=FILE \(--tokenizer FILE\): CLIP's tokenizer.json or bpe_simple_vocab"
    with pytest.raises(SettingsError, match=rf"prompt 'own' - .* no vocabulary was given - {mend}"):
        tokenizer.token_ids(["Good image", "own"])
    with pytest.raises(
        SettingsError,
        match=r"prompt 'own' - not one of the presets', and timm/resnet50_clip\.openai/tokenizer"
        rf"\.json could not be fetched \(.*offline.*\) - {mend}",
    ):
        tokenizer.token_ids(["own"], None, RELEASES["RN50"])


@pytest.mark.parametrize("name", ["a.json", "a.txt.gz", "gone.json"])
def test_a_file_that_is_no_vocabulary_is_told(tmp_path: Path, name: str) -> None:
    if not name.startswith("gone"):
        (tmp_path / name).write_text("nonsense")
    with pytest.raises(SettingsError, match=rf"{name} - not a readable CLIP vocabulary"):
        tokenizer.token_ids(["own"], tmp_path / name)


@pytest.mark.data
@pytest.mark.parametrize("kind", ["bpe_simple_vocab_16e6.txt.gz", "tokenizer.json"])
def test_every_golden_line_with_clips_vocabulary(shared: Path, tmp_path: Path, kind: str) -> None:
    path = shared / "data" / "clip-bpe" / "bpe_simple_vocab_16e6.txt.gz"
    if kind == "tokenizer.json":
        path = as_json(tokenizer._tokenizer(path), tmp_path / kind)
    loaded = tokenizer._tokenizer(path)
    for row in GOLDEN:
        assert tokenizer._encode(loaded, row["text"]) == tuple(row["tokens"]), row["text"]
