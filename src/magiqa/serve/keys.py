"""API keys: where they come from, and who has one."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
from pathlib import Path

from magiqa.errors import SettingsError

VARIABLE = "MAGIQA_KEYS"
SHORTEST = 16


class Keys:
    """Keys that open the service; no key means that it is open to everyone.

    Only their SHA-256 is kept.
    """

    def __init__(self, keys: list[str]) -> None:
        """Raises SettingsError for a key that can be guessed."""
        for number, key in enumerate(keys, 1):
            if len(key) < SHORTEST or not key.isascii() or not key.isprintable():
                wrong = "too short" if len(key) < SHORTEST else "not printable ASCII"
                raise SettingsError(
                    f"key {number} - {wrong} ({len(key)} characters) - give at least {SHORTEST} of "
                    f"printable ASCII, as `openssl rand -hex 16` makes them"
                )
        self._digests = [hashlib.sha256(key.encode()).digest() for key in keys]

    def admit(self, authorization: bytes) -> bool:
        """Whether an Authorization header, "Bearer KEY", has one of the keys.

        Takes as long for every wrong key of a length: digests are compared, which nobody can
        choose, each in constant time, and all of them whether or not one was equal.
        """
        if not self._digests:
            return True
        scheme, _, key = authorization.partition(b" ")
        digest = hashlib.sha256(key.strip()).digest()
        equal = [hmac.compare_digest(digest, each) for each in self._digests]
        return scheme.lower() == b"bearer" and any(equal)


def keys_of(file: Path | None, host: str, open_to_all: bool) -> Keys:
    """The keys of a file (a line each, # begins a comment), else of MAGIQA_KEYS (spaces between).

    Raises SettingsError where other machines could come in without one, unless `open_to_all`.
    """
    if open_to_all:
        if file is not None:
            raise SettingsError("keys - got a file of keys and --no-auth - give one of them")
        return Keys([])
    if file is not None:
        try:
            lines = file.read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"keys - {file} cannot be read ({getattr(error, 'strerror', error)}) - give a text "
                f"file, a key a line"
            ) from None
        stripped = [line.strip() for line in lines]
        keys = [line for line in stripped if line and not line.startswith("#")]
        if not keys:
            raise SettingsError(f"keys - {file} holds none - write one a line")
    else:
        keys = os.environ.get(VARIABLE, "").split()
    if not keys and not _loopback(host):
        raise SettingsError(
            f"keys - got none, and {host} can be reached from other machines - give --keys FILE, "
            f"set {VARIABLE}, or say --no-auth"
        )
    return Keys(keys)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
