from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path
from typing import Any

import pytest

from magiqa import SettingsError
from magiqa.serve.keys import Keys, keys_of
from serve.conftest import KEY

OTHER = "another-key-of-many-letters"


def test_any_of_the_keys_opens_and_nothing_else() -> None:
    keys = Keys([KEY, OTHER])
    assert not keys.admit(b"")
    for key in (KEY, OTHER):
        assert keys.admit(f"Bearer {key}".encode())
        assert keys.admit(f"bearer  {key}".encode())
        for wrong in (key[:-1], key + "x", key.upper(), "", key[:4]):
            assert not keys.admit(f"Bearer {wrong}".encode())
        assert not keys.admit(key.encode())
        assert not keys.admit(f"Basic {key}".encode())
    assert not keys.admit(b"")
    assert not keys.admit(b"Bearer \xff\xfe")


def test_without_keys_everyone_may_come_in() -> None:
    assert Keys([]).admit(b"")
    assert Keys([]).admit(b"")


def test_digests_of_one_length_are_compared_all_of_them_in_constant_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[tuple[Any, Any]] = []
    compare = hmac.compare_digest

    def watched(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    keys = Keys([KEY, OTHER])
    expected = [hashlib.sha256(key.encode()).digest() for key in (KEY, OTHER)]
    for tried in (KEY, OTHER, KEY[:-1] + "#", "#" + KEY[1:], "nothing"):
        compared.clear()
        keys.admit(f"Bearer {tried}".encode())
        assert compared == [(hashlib.sha256(tried.encode()).digest(), each) for each in expected]


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        *(("short", "too short"), ("fifteen-letters", "too short")),
        *(("ümlauts-are-many", "not printable ASCII"), ("tab\t" * 9, "not printable ASCII")),
    ],
)
def test_keys_that_can_be_guessed_or_sent_wrongly_are_refused(key: str, wrong: str) -> None:
    with pytest.raises(
        SettingsError, match=rf"^key 2 - {wrong} \({len(key)} characters\) - give at"
    ):
        Keys([KEY, key])


def test_keys_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# who\n  # and what for\n{KEY}\n\n  {OTHER}  \n")
    keys = keys_of(file, "0.0.0.0", open_to_all=False)
    assert keys.admit(f"Bearer {KEY}".encode())
    assert keys.admit(f"Bearer {OTHER}".encode())
    file.write_bytes(b"\xef\xbb\xbf" + KEY.encode())  # as some editors begin a text
    assert keys_of(file, "0.0.0.0", open_to_all=False).admit(f"Bearer {KEY}".encode())
    assert not keys.admit(b"Bearer # who")
    assert not keys.admit(b"Bearer # and what for")


def test_keys_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGIQA_KEYS", f"{KEY} {OTHER}")
    assert keys_of(None, "127.0.0.1", open_to_all=False).admit(f"Bearer {OTHER}".encode())
    assert keys_of(None, "0.0.0.0", open_to_all=True).admit(b"")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_loopback_no_key_is_needed(host: str) -> None:
    assert keys_of(None, host, open_to_all=False).admit(b"")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.org", ""])
def test_elsewhere_a_key_is_needed(host: str) -> None:
    text = (
        f"keys - got none, and {host} can be reached from other machines - give --keys FILE, set "
        f"MAGIQA_KEYS, or say --no-auth"
    )
    with pytest.raises(SettingsError, match=f"^{re.escape(text)}$"):
        keys_of(None, host, open_to_all=False)
    assert keys_of(None, host, open_to_all=True).admit(b"")


def test_what_is_no_file_of_keys(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("# none yet\n")
    for file, text in (
        (empty, f"keys - {empty} holds none - write one a line"),
        (tmp_path, f"keys - {tmp_path} cannot be read (Is a directory) - give a text file"),
        (tmp_path / "no", f"keys - {tmp_path / 'no'} cannot be read (No such file or directory)"),
    ):
        with pytest.raises(SettingsError, match=f"^{re.escape(text)}"):
            keys_of(file, "localhost", open_to_all=False)
    with pytest.raises(SettingsError, match="got a file of keys and --no-auth - give one of them"):
        keys_of(empty, "localhost", open_to_all=True)
