"""What is said without prejudice: how the peer knows it, and how it rests until it is gone (docs/protocol.md 22).

Whoever holds the pairwise secret can make every byte by which a non-paper is known to come from the other side. So it
convinces the peer, which knows what it made itself, and nobody else.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from hotline.crypto.derivation import SUITE, hkdf
from hotline.crypto.signing import pae
from hotline.crypto.storage import storage_open, storage_seal
from hotline.errors import Untrusted
from hotline.limits import NONPAPER_KEPT, NONPAPERS_KEPT_MAX, PADDING_CLASSES
from hotline.machine import Change, Delete, Entropy, Instant, Plane, Put
from hotline.protocol.statements import Ends, decode_statement, label
from hotline.protocol.tables import Row
from hotline.wire.inner import ContentType, Inner, encode_inner
from hotline.wire.v1 import content_pb2

KEY_LABEL: Final = "hotline/v1/without-prejudice"
_KIND: Final = ContentType.WITHOUT_PREJUDICE
_STORAGE: Final = "non-paper"
_MARK: Final = b"\0"
"""Begins what is sealed under a key of its own: no message does."""
_ENVELOPES_REMEMBERED: Final = 65_536


def mac_key(pairwise: bytes, plane: Plane, ends: Ends) -> bytes:
    """32 bytes that both ends have, for one direction on one plane of one charter (22.2)."""
    both = ends.sender.to_bytes(2, "big") + ends.recipient.to_bytes(2, "big")
    return hkdf(b"", pairwise, pae(KEY_LABEL, SUITE.encode(), plane.value.encode(), ends.charter, both), 32)


def _mac(pairwise: bytes, plane: Plane, ends: Ends, content: bytes) -> bytes:
    covered = pae(label(_KIND, plane), *ends.parts(_KIND), content)
    return hmac.digest(mac_key(pairwise, plane, ends), covered, "sha512")


def authenticate(pairwise: bytes, plane: Plane, ends: Ends, content: bytes) -> Inner:
    """`content` as either end could have made it."""
    return Inner(_KIND, content, _mac(pairwise, plane, ends, content))


def check(pairwise: bytes, inner: Inner, plane: Plane, ends: Ends) -> None:
    """Raises Untrusted unless one of the two ends made exactly this."""
    if not hmac.compare_digest(_mac(pairwise, plane, ends, inner.content), inner.signature):
        raise Untrusted("signature", "not authenticated")


def size_class(content: bytes) -> int:
    """What both ledgers say of its length: the padding class, which a relay sees too."""
    length = len(encode_inner(Inner(_KIND, content, bytes(64)), padded=False))
    return next(size for size in PADDING_CLASSES if length <= size)


class Name(NamedTuple):
    """A non-paper at rest: `sent` or `received`, plane and serial."""

    way: str
    plane: Plane
    serial: int

    @property
    def key(self) -> dict[str, str | int]:
        """As the tables name it."""
        return {"way": self.way, "plane": self.plane.value, "serial": self.serial}

    @property
    def label(self) -> str:
        """What its seal is bound to."""
        return f"{_STORAGE}/{self.way}/{self.plane.value}/{self.serial}"


def is_sealed(content: bytes) -> bool:
    """Whether stored content is that of a non-paper, under a key of its own."""
    return content.startswith(_MARK)


def open_stored(storage_key: bytes, name: Name, box: bytes, content: bytes) -> bytes:
    """The content of a non-paper as stored; `box` holds its key. Raises KeyFileError."""
    return storage_open(storage_open(storage_key, name.label, box), name.label, content[len(_MARK) :])


@dataclass(slots=True)
class _Kept:
    """The key of one, and when it is to be destroyed."""

    key: bytes
    gone_at: int | None = None
    words: bytes = b""
    """Of one of this run: a digest of what it says, under its key, which tells nobody more than the text and goes with
    it. The store has the text only once the commit under way is done."""


def _words(key: bytes, statement: content_pb2.Statement) -> bytes:
    return hmac.digest(key, f"{statement.precedence} {statement.language} {statement.text}".encode(), "sha256")


class NonPapers:
    """The keys under which non-papers rest, and which envelopes held any."""

    def __init__(self, storage_key: bytes, entropy: Entropy) -> None:
        self._storage_key = storage_key
        self._entropy = entropy
        self._kept: dict[Name, _Kept] = {}
        self._envelopes: dict[bytes, None] = {}
        self._next: int | None = None

    def restore(self, rows: Iterable[Row], now: Instant) -> None:
        """Take up what the operational table holds."""
        for row in rows:
            serial, box, over = row["serial"], row["box"], row["over"]
            assert isinstance(serial, int)
            assert isinstance(box, bytes)
            assert isinstance(over, int)
            name = Name(str(row["way"]), Plane(str(row["plane"])), serial)
            kept = self._kept[name] = _Kept(storage_open(self._storage_key, name.label, box))
            if over:
                # A clock that was set back between two runs keeps nothing longer than one more time.
                left = max(0, min(NONPAPER_KEPT, over + NONPAPER_KEPT - now.wall))
                kept.gone_at = now.mono + left
        self._look()

    def _look(self) -> None:
        """When the next one is due: asked after each step, and seldom another."""
        self._next = min((kept.gone_at for kept in self._kept.values() if kept.gone_at is not None), default=None)

    # --- at rest -----------------------------------------------------------------------------------------------------

    def has_room(self, way: str) -> bool:
        """Whether one more can be kept, if need be in the place of one that is finished."""
        mine = [kept for name, kept in self._kept.items() if name.way == way]
        return len(mine) < NONPAPERS_KEPT_MAX or any(kept.gone_at is not None for kept in mine)

    def seal(self, name: Name, content: bytes) -> tuple[bytes, Change]:
        """What a table may hold of `content`, and the row of its key. Call `make_room` first."""
        key = self._entropy(32)
        self._kept[name] = _Kept(key, words=_words(key, decode_statement(content)))
        return _MARK + storage_seal(key, name.label, content, self._entropy), self._row(name, 0)

    def _row(self, name: Name, over: int) -> Put:
        box = storage_seal(self._storage_key, name.label, self._kept[name].key, self._entropy)
        return Put("nonpaper", {**name.key, "box": box, "over": over})

    def open(self, name: Name, content: bytes) -> bytes | None:
        """Undo `seal`; None if its key was destroyed. What is no non-paper is given back as it is."""
        if not is_sealed(content):
            return content
        kept = self._kept.get(name)
        return None if kept is None else storage_open(kept.key, name.label, content[len(_MARK) :])

    def __contains__(self, name: Name) -> bool:
        """Whether the text of this non-paper is here still."""
        return name in self._kept

    def says(self, name: Name, statement: content_pb2.Statement) -> bool | None:
        """Whether one of this run says the same in text, language and precedence; None if it is of another one."""
        kept = self._kept.get(name)
        return kept.words == _words(kept.key, statement) if kept is not None and kept.words else None

    def finish(self, name: Name, now: Instant) -> list[Change]:
        """Nobody waits for this one any more: it goes NONPAPER_KEPT from now. Nothing if it is none."""
        kept = self._kept.get(name)
        if kept is None or kept.gone_at is not None:
            return []
        kept.gone_at = now.mono + NONPAPER_KEPT
        self._look()
        return [self._row(name, now.wall)]

    def make_room(self, way: str) -> list[Name]:
        """Those that must go so that one more can be kept."""
        mine = [name for name in self._kept if name.way == way]
        if len(mine) < NONPAPERS_KEPT_MAX:
            return []
        over = [
            (kept.gone_at, name) for name, kept in self._kept.items() if name.way == way and kept.gone_at is not None
        ]
        return [min(over)[1]] if over else []

    def due(self, now: Instant) -> list[Name]:
        """Those whose time is over."""
        if self._next is None or self._next > now.mono:
            return []
        return [name for name, kept in self._kept.items() if kept.gone_at is not None and kept.gone_at <= now.mono]

    def destroy(self, name: Name) -> list[Change]:
        """The key of one is gone for good. Nothing if it is none."""
        if self._kept.pop(name, None) is None:
            return []
        self._look()
        return [Delete("nonpaper", name.key)]

    def next_deadline(self) -> int | None:
        """When the next one is due."""
        return self._next

    # --- envelopes ---------------------------------------------------------------------------------------------------

    def sealed_in(self, envelope: bytes) -> None:
        """The envelope of this SHA-256 holds a non-paper."""
        self._envelopes[envelope] = None
        while len(self._envelopes) > _ENVELOPES_REMEMBERED:
            del self._envelopes[next(iter(self._envelopes))]

    def any_of(self, envelopes: Iterable[bytes]) -> bool:
        """Whether one of these envelopes holds a non-paper."""
        return any(name in self._envelopes for name in envelopes)
