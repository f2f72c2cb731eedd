from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from magiqa import PRESETS, SettingsError
from magiqa.clip import tokenizer

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


@pytest.mark.parametrize("name", ["a.json", "a.txt.gz", "gone.json"])
def test_a_file_that_is_no_vocabulary_is_told(tmp_path: Path, name: str) -> None:
    if not name.startswith("gone"):
        (tmp_path / name).write_text("nonsense")
    with pytest.raises(SettingsError, match=rf"{name} - not a readable CLIP vocabulary"):
        tokenizer.token_ids(["own"], tmp_path / name)


@pytest.mark.data
def test_every_golden_line_with_clips_vocabulary(shared: Path) -> None:
    path = shared / "data" / "clip-bpe" / "bpe_simple_vocab_16e6.txt.gz"
    for row in GOLDEN:
        ids = tokenizer._encode(tokenizer._tokenizer(path), row["text"])
        assert ids == tuple(row["tokens"]), row["text"]
