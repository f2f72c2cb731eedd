"""Text -> CLIP token ids; the presets' are constants, so they need no vocabulary."""

from __future__ import annotations

import gzip
import html
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from magiqa.clip import hub
from magiqa.clip.architecture import CONTEXT, VOCABULARY
from magiqa.clip.releases import Release
from magiqa.errors import SettingsError

START, END = VOCABULARY - 2, VOCABULARY - 1
_MARKS = ("<|startoftext|>", "<|endoftext|>")

PRESET_TOKENS: dict[str, tuple[int, ...]] = {
    "Good image": (886, 2867),
    "bad image": (2103, 2867),
    "Sharp image": (8157, 2867),
    "blurry image": (21977, 2867),
    "sharp edges": (8157, 20938),
    "blurry edges": (21977, 20938),
    "High resolution image": (1400, 9977, 2867),
    "low resolution image": (1042, 9977, 2867),
    "Noise-free image": (9307, 268, 1139, 2867),
    "noisy image": (33495, 2867),
    "a good photo": (320, 886, 1125),
    "a bad photo": (320, 2103, 1125),
    "Good photo.": (886, 1125, 269),
    "Bad photo.": (2103, 1125, 269),
    "Bright photo.": (4852, 1125, 269),
    "Dark photo.": (3144, 1125, 269),
    "Clean photo.": (3772, 1125, 269),
    "Noisy photo.": (33495, 1125, 269),
    "Colorful photo.": (11444, 1125, 269),
    "Dull photo.": (19433, 1125, 269),
    "Sharp photo.": (8157, 1125, 269),
    "Blurry photo.": (21977, 1125, 269),
    "High contrast photo.": (1400, 18501, 1125, 269),
    "Low contrast photo.": (1042, 18501, 1125, 269),
}
"""Each preset prompt's token ids, without the start and end token around them."""

# CLIP's own splitting: contractions, runs of letters, single digits, runs of anything else
_WORDS = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)


def token_ids(
    texts: Sequence[str],
    vocabulary: str | os.PathLike[str] | None = None,
    release: Release | None = None,
) -> list[tuple[int, ...]]:
    """Each text's token ids with the start and end token, not padded.

    Texts that are not in PRESET_TOKENS need `vocabulary`, CLIP's tokenizer.json or
    bpe_simple_vocab_16e6.txt.gz; without, tokenizer.json is taken from the hub repository of
    `release`. Raises SettingsError naming a text that is empty or too long.
    """
    own = next((text for text in texts if text not in PRESET_TOKENS), None)
    if own is None:
        return [(START, *PRESET_TOKENS[text], END) for text in texts]
    tokenizer = _tokenizer(_fetched(release, own) if vocabulary is None else Path(vocabulary))
    ids = [_encode(tokenizer, text) for text in texts]
    for text, row in zip(texts, ids, strict=True):
        if len(row) == 2:
            raise SettingsError(f"prompt {text!r} - nothing is left of it - give a text with words")
        if len(row) > CONTEXT:
            raise SettingsError(
                f"prompt {text!r} - {len(row) - 2} tokens, at most {CONTEXT - 2} fit - shorten it"
            )
    return ids


def clean(text: str) -> str:
    r"""Text as CLIP cleans it: HTML entities undone twice, single spaces, lower case.

    >>> clean("  A &amp;amp; B\n")
    'a & b'
    """
    import ftfy

    plain = html.unescape(html.unescape(ftfy.fix_text(text)))
    return re.sub(r"\s+", " ", plain.strip()).strip().lower()


def _encode(tokenizer: Any, text: str) -> tuple[int, ...]:
    return (START, *tokenizer.encode(clean(text), add_special_tokens=False).ids, END)


def _fetched(release: Release | None, own: str) -> Path:
    """The vocabulary in the hub repository of a release, for the prompt `own`."""
    missing = "no vocabulary was given"
    if release:
        try:
            file = hub.recall(release, hub.TOKENIZER_FILE)
            if file is None:
                file = hub.fetch(release, hub.TOKENIZER_FILE)
                hub.keep(release, hub.TOKENIZER_FILE, file)
            return file.path
        except OSError as error:
            where = f"{release.hub_repository}/{hub.TOKENIZER_FILE}"
            missing = f"{where} could not be fetched ({error})"
    raise SettingsError(
        f"prompt {own!r} - not one of the presets', and {missing} - pass tokenizer=FILE "
        f"(--tokenizer FILE): CLIP's tokenizer.json or bpe_simple_vocab_16e6.txt.gz"
    )


def _tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        tokenizer = _of_merges(path) if packed else Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise SettingsError(
            f"{path} - not a readable CLIP vocabulary ({error}) - give tokenizer.json or "
            f"bpe_simple_vocab_16e6.txt.gz"
        ) from error
    found = [tokenizer.token_to_id(word) for word in _MARKS]
    if found != [START, END]:
        raise SettingsError(
            f"{path} - not CLIP's vocabulary: {' and '.join(_MARKS)} are {found}, expected "
            f"{[START, END]} - give CLIP's tokenizer.json or bpe_simple_vocab_16e6.txt.gz"
        )
    tokenizer.no_truncation()  # tokenizer.json may ask for it, and a long prompt would lose its end
    tokenizer.no_padding()
    return tokenizer


def _of_merges(path: Path) -> Any:
    """A tokenizer from the list of merges in CLIP's own repository."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    with gzip.open(path, "rt", encoding="utf-8") as file:
        merges = file.read().split("\n")[1 : VOCABULARY - 2 - 2 * 256 + 1]
    pairs = [(left, right) for left, right in (line.split() for line in merges)]
    letters = _byte_letters()
    words = [*letters, *(letter + "</w>" for letter in letters)]
    words += ["".join(pair) for pair in pairs] + list(_MARKS)
    ids = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=pairs, end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer


def _byte_letters() -> list[str]:
    """The letters that stand for the 256 bytes, in the vocabulary's order."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(byte) for byte in printable] + [chr(256 + n) for n in range(256 - len(printable))]
