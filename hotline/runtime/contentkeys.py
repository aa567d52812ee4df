"""Keys for content at rest, one for each calendar month, each in a file of its own so that it can be destroyed.

What is sealed under a destroyed key is gone for good, in every copy of the database; the ledger that commits to it
stays whole (docs/protocol.md 13.4). Back up these files apart from the database, and no longer than you promise.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Final

from hotline.civil import civil
from hotline.crypto.storage import storage_open, storage_seal
from hotline.errors import ConfigError, KeyFileError, StorageError
from hotline.files import read_secret, sync_folder, write_new
from hotline.ledger.record import Opening
from hotline.machine import Entropy
from hotline.protocol.nonpapers import Name, open_stored

KEY_SIZE: Final = 32
_PERIOD: Final = re.compile("[0-9]{4}-(?:0[1-9]|1[0-2])", re.ASCII)
_PERIOD_BYTES: Final = 7


def period_of(unix_ms: int) -> str:
    """The month (UTC) of a time, as YYYY-MM."""
    at = civil(unix_ms)
    return f"{at.year:04d}-{at.month:02d}"


def _next(period: str) -> str:
    year, month = int(period[:4]), int(period[5:])
    return f"{year + month // 12:04d}-{month % 12 + 1:02d}"


class ContentKeys:
    """Seals and opens content. `storage` is the terminal's storage key, under which the key files are sealed."""

    def __init__(self, folder: Path, storage: bytes, entropy: Entropy = os.urandom) -> None:
        self._folder = folder
        self._storage = storage
        self._entropy = entropy
        self._keys: dict[str, bytes | None] = {}

    def _path(self, period: str) -> Path:
        return self._folder / f"{period}.key"

    def _mark(self, period: str) -> str:
        """A file that stands for a key that was destroyed: its month gets no other one."""
        return f"{self._folder}/{period}.gone"

    def _is_gone(self, period: str) -> bool:
        """Asked at every seal: an auditor's command destroys keys beside a daemon that runs."""
        return os.path.exists(self._mark(period))  # noqa: PTH110 - a Path would cost as much as the question

    def _key(self, period: str) -> bytes | None:
        """The key of a month, or None if it was destroyed. Raises KeyFileError."""
        if period not in self._keys:
            path = self._path(period)
            here = path.exists() and not self._is_gone(period)
            self._keys[period] = storage_open(self._storage, f"content/{period}", read_secret(path)) if here else None
        return self._keys[period]

    def periods(self) -> list[str]:
        """Months whose keys are here, oldest first."""
        found = (path.stem for path in self._folder.glob("*.key")) if self._folder.is_dir() else ()
        return sorted(stem for stem in found if _PERIOD.fullmatch(stem))

    def seal(self, label: str, content: bytes, unix_ms: int) -> bytes:
        """`content` sealed under the key of its month, which is made if it is the first. Raises StorageError.

        By a clock that went back into a month whose key was destroyed it rests under the next one's that was not.
        """
        period = period_of(unix_ms)
        while self._is_gone(period):
            period = _next(period)
        key = self._key(period)
        if key is None:
            key = self._make(period)
        return period.encode() + storage_seal(key, label, content, self._entropy)

    def _make(self, period: str) -> bytes:
        key = self._entropy(KEY_SIZE)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._folder.parent)  # else a power cut takes the folder, and leaves what its keys have sealed
            write_new(self._path(period), storage_seal(self._storage, f"content/{period}", key, self._entropy), 0o600)
        except (OSError, KeyFileError) as error:
            raise StorageError(f"{self._path(period)}: cannot be made ({error})") from error
        self._keys[period] = key
        return key

    def open(self, label: str, box: bytes) -> bytes | None:
        """Undo `seal`; None if the key of that month was destroyed. Raises KeyFileError."""
        period = box[:_PERIOD_BYTES].decode("ascii", "replace")
        if not _PERIOD.fullmatch(period):
            raise KeyFileError("sealed content names no month: the store is damaged")
        key = self._key(period)
        return None if key is None else storage_open(key, label, box[_PERIOD_BYTES:])

    def open_nonpaper(self, name: Name, box: bytes, content: bytes) -> bytes:
        """The content of a non-paper, whose own key lies in `box`. Raises KeyFileError."""
        return open_stored(self._storage, name, box, content)

    def destroy(self, period: str) -> bool:
        """Overwrite and remove the key of a month; durable when it returns. False if there is none.

        Raises StorageError.
        """
        path = self._path(period)
        if not _PERIOD.fullmatch(period) or not path.exists():
            return False
        try:
            if not self._is_gone(period):
                write_new(Path(self._mark(period)), b"", 0o600)
            size = path.stat().st_size
            with path.open("r+b") as handle:
                handle.write(self._entropy(size))
                handle.flush()
                os.fsync(handle.fileno())
            path.unlink()
            sync_folder(self._folder)
        except (OSError, ConfigError) as error:
            raise StorageError(f"{path}: cannot be destroyed ({error})") from error
        self._keys[period] = None
        return True


def spell_openings(openings: Sequence[Opening]) -> bytes:
    """Openings as canonical JSON: tag to salt and value, both in hex."""
    boxes = [f'{encode_basestring_ascii(one.tag)}:["{one.salt.hex()}","{one.value.hex()}"]' for one in sorted(openings)]
    return f"{{{','.join(boxes)}}}".encode("ascii")


def read_openings(data: bytes) -> tuple[Opening, ...]:
    """Undo `spell_openings`. Raises KeyFileError: what was sealed here is not of this program."""
    try:
        values = json.loads(data)
        return tuple(Opening(tag, bytes.fromhex(salt), bytes.fromhex(value)) for tag, (salt, value) in values.items())
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise KeyFileError("sealed openings are not readable: the store is damaged") from error
