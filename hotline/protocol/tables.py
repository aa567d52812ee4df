"""The operational tables of an endpoint, and the ports through which it sees them (docs/protocol.md section 13).

History tables grow for ever and are looked up one row at a time. Live tables hold only what is not finished and are
read whole at the start. Every row is written in the same transaction as the ledger records that tell of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from hotline.machine import Plane

Row = Mapping[str, str | int | bytes | None]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns with their SQLite types, and the columns that make the key."""

    columns: Mapping[str, str]
    key: tuple[str, ...]
    heap: bool = False
    """Rows of this size would spill out of a table that is its own index; they lie in order of arrival, beside one."""


TABLES: Final[Mapping[str, Table]] = {
    # history
    "sent": Table(
        {"plane": "TEXT", "serial": "INTEGER", "content": "BLOB", "signature": "BLOB", "hash": "BLOB"},
        ("plane", "serial"),
        heap=True,
    ),
    "sent_fact": Table(
        {"plane": "TEXT", "serial": "INTEGER", "stage": "TEXT", "at": "INTEGER", "by": "TEXT", "evidence": "BLOB"},
        ("plane", "serial", "stage", "by"),
    ),
    "custody": Table({"hash": "BLOB", "relay": "TEXT", "body": "BLOB", "signature": "BLOB"}, ("hash",)),
    "received": Table(
        {
            "plane": "TEXT",
            "serial": "INTEGER",
            "content": "BLOB",
            "signature": "BLOB",
            "hash": "BLOB",
            "at": "INTEGER",
        },
        ("plane", "serial"),
        heap=True,
    ),
    "received_fact": Table(
        {"plane": "TEXT", "serial": "INTEGER", "stage": "TEXT", "at": "INTEGER", "by": "TEXT"},
        ("plane", "serial", "stage"),
    ),
    # What corrects or retracts a statement whose name it gives in `named`; `first`: the serial under which it was first
    # said.
    "correction": Table(
        {
            "way": "TEXT",
            "plane": "TEXT",
            "serial": "INTEGER",
            "by": "INTEGER",
            "first": "INTEGER",
            "stage": "TEXT",
            "named": "BLOB",
            "at": "INTEGER",
        },
        ("way", "plane", "serial", "by"),
    ),
    # The rungs above READ, of both ways: shown, reply-by (the newest promise; `answer`: after which it was made),
    # answered and, of what we answer, arrived. Of answers the one with the highest serial.
    "ladder": Table(
        {
            "way": "TEXT",
            "plane": "TEXT",
            "serial": "INTEGER",
            "stage": "TEXT",
            "at": "INTEGER",
            "said": "INTEGER",
            "officer": "TEXT",
            "principal": "TEXT",
            "until": "INTEGER",
            "answer": "INTEGER",
        },
        ("way", "plane", "serial", "stage"),
    ),
    "received_draft": Table({"draft": "BLOB", "plane": "TEXT", "serial": "INTEGER"}, ("draft",)),
    "cosignature": Table(
        {"epoch": "INTEGER", "name": "TEXT", "hour": "INTEGER", "size": "INTEGER", "line": "TEXT"},
        ("epoch", "name", "hour"),
    ),
    "channel_test": Table({"at": "INTEGER", "way": "TEXT", "serial": "INTEGER"}, ("at", "way", "serial")),
    "translation": Table(
        {"plane": "TEXT", "serial": "INTEGER", "content": "BLOB", "signature": "BLOB", "hash": "BLOB"},
        ("plane", "serial"),
        heap=True,
    ),
    "translated": Table(
        {
            "plane": "TEXT",
            "way": "TEXT",
            "serial": "INTEGER",
            "carrier": "TEXT",
            "number": "INTEGER",
            "original": "BLOB",
        },
        ("plane", "way", "serial", "carrier", "number"),
    ),
    "voice": Table(
        {"plane": "TEXT", "way": "TEXT", "serial": "INTEGER", "terminal": "TEXT", "term": "INTEGER"},
        ("plane", "way", "serial"),
    ),
    # What another party was told by a third one under a serial under which that one told us something else (26.11).
    "told": Table({"plane": "TEXT", "serial": "INTEGER", "content": "BLOB"}, ("plane", "serial"), heap=True),
    # Watch handovers: number, the list that was signed with who and what was added, and the signature.
    "handover": Table(
        {"plane": "TEXT", "serial": "INTEGER", "content": "BLOB", "signature": "BLOB", "at": "INTEGER"},
        ("plane", "serial"),
        heap=True,
    ),
    # live
    "draft": Table({"plane": "TEXT", "serial": "INTEGER", "content": "BLOB"}, ("plane", "serial")),
    "outbox": Table({"plane": "TEXT", "serial": "INTEGER", "stage": "TEXT"}, ("plane", "serial")),
    "unread": Table({"plane": "TEXT", "serial": "INTEGER", "hash": "BLOB"}, ("plane", "serial")),
    "held": Table(
        {
            "plane": "TEXT",
            "serial": "INTEGER",
            "precedence": "INTEGER",
            "previous": "INTEGER",
            "hash": "BLOB",
            "shown": "INTEGER",
        },
        ("plane", "serial"),
    ),
    "moved": Table(
        {"plane": "TEXT", "first": "INTEGER", "salt": "BLOB", "serial": "INTEGER"}, ("plane", "first", "salt")
    ),
    "unnoted": Table(
        {
            "plane": "TEXT",
            "serial": "INTEGER",
            "stage": "TEXT",
            "hash": "BLOB",
            "officer": "TEXT",
            "at": "INTEGER",
            "principal": "TEXT",
            "until": "INTEGER",
        },
        ("plane", "serial", "stage"),
    ),
    "waiting": Table(
        {
            "way": "TEXT",
            "plane": "TEXT",
            "serial": "INTEGER",
            "precedence": "INTEGER",
            "since": "INTEGER",
            "told": "INTEGER",
        },
        ("way", "plane", "serial"),
    ),
    "promise": Table(
        {"way": "TEXT", "plane": "TEXT", "serial": "INTEGER", "until": "INTEGER", "overdue": "INTEGER"},
        ("way", "plane", "serial"),
    ),
    "challenge": Table(
        {
            "way": "TEXT",
            "serial": "INTEGER",
            "plane": "TEXT",
            "named": "INTEGER",
            "statement": "BLOB",
            "ours": "INTEGER",
            "at": "INTEGER",
            "record": "TEXT",
            "officer": "TEXT",
            "by": "TEXT",
            "alarmed": "INTEGER",
        },
        ("way", "serial"),
    ),
    "nonpaper": Table(
        {"way": "TEXT", "plane": "TEXT", "serial": "INTEGER", "box": "BLOB", "over": "INTEGER"},
        ("way", "plane", "serial"),
    ),
    # Alarms since the last handover, by name.
    "raised": Table({"name": "TEXT", "times": "INTEGER", "last": "INTEGER"}, ("name",)),
    "counter": Table({"name": "TEXT", "value": "INTEGER"}, ("name",)),
    "prekey": Table(
        {"generation": "INTEGER", "box": "BLOB", "content": "BLOB", "signature": "BLOB"},
        ("generation",),
    ),
    "peer_prekey": Table({"terminal": "INTEGER", "content": "BLOB", "signature": "BLOB"}, ("terminal",)),
    "courier_prekey": Table(
        {"generation": "INTEGER", "box": "BLOB", "content": "BLOB", "signature": "BLOB"},
        ("generation",),
    ),
    "peer_courier": Table({"terminal": "INTEGER", "content": "BLOB", "signature": "BLOB"}, ("terminal",)),
    "peer_epoch": Table(
        {
            "epoch": "BLOB",
            "plane": "TEXT",
            "prekey": "BLOB",
            "opener": "BLOB",
            "at": "INTEGER",
            "terminal": "INTEGER",
        },
        ("epoch",),
    ),
    "peer_head": Table(
        {"terminal": "INTEGER", "epoch": "INTEGER", "linked": "BLOB", "claimed": "BLOB", "at": "INTEGER"},
        ("terminal", "epoch"),
    ),
    "fact": Table({"name": "TEXT", "value": "BLOB"}, ("name",)),
}


def scoped(table: str, party: str) -> str:
    """The name of a table that belongs to one other party among several; the first party's have none of their own."""
    return f"{table}@{party}" if party else table


def shape(name: str) -> Table:
    """Columns and key of a table, whosever it is."""
    return TABLES[name.partition("@")[0]]


class SentRow(NamedTuple):
    """A statement of ours as stored."""

    content: bytes
    signature: bytes
    hash: bytes


class Rung(NamedTuple):
    """When it was said, until when an answer was promised, and the serial of an answer."""

    said: int
    until: int
    answer: int


NO_RUNG: Final = Rung(0, 0, 0)


class Correction(NamedTuple):
    """What corrects or retracts a statement, in the order in which the newest is the greatest (8.10)."""

    first: int
    by: int
    stage: str


NO_CORRECTION: Final = Correction(0, 0, "")


class History(Protocol):
    """Committed history, one row at a time. An endpoint asks only for what it no longer remembers."""

    def sent(self, plane: Plane, serial: int) -> SentRow | None:
        """Our statement with this serial."""

    def sent_hash(self, plane: Plane, serial: int) -> bytes | None:
        """Hash of our statement with this serial, also if its text is destroyed."""

    def received(self, plane: Plane, serial: int) -> bytes | None:
        """Content of the peer's statement with this serial."""

    def received_hash(self, plane: Plane, serial: int) -> bytes | None:
        """Hash of the peer's statement with this serial."""

    def received_signed(self, plane: Plane, serial: int) -> SentRow | None:
        """The peer's statement with this serial, with its signature."""

    def is_nonpaper(self, way: str, plane: Plane, serial: int) -> bool:
        """Whether the statement of this way and serial was said without prejudice, also if its text is destroyed."""

    def received_draft(self, draft: bytes) -> tuple[Plane, int] | None:
        """Plane and serial of the released statement of the peer that has used this draft up."""

    def authority(self, plane: Plane, serial: int) -> str:
        """What the release of the peer's statement was found to be worth; empty where none was asked for."""

    def has_sent_fact(self, plane: Plane, serial: int, stage: str) -> bool:
        """Whether this stage is already known of our statement."""

    def moved_to(self, plane: Plane, serial: int) -> int:
        """The serial under which our statement of this one goes on; 0 if it was not renumbered."""

    def correction(self, way: str, plane: Plane, serial: int, name: bytes) -> Correction:
        """The newest that corrects or retracts the statement of this serial and name; NO_CORRECTION if nothing does."""

    def rung(self, way: str, plane: Plane, serial: int, stage: str) -> Rung:
        """What stands on this rung of a sent or received statement; NO_RUNG if nothing does."""


class Head(NamedTuple):
    """The last committed state of our ledger. `note` is empty until somebody has vouched for it."""

    epoch: int
    size: int
    root: bytes
    note: bytes


class LedgerView(Protocol):
    """What is committed of our own ledger."""

    def head(self) -> Head:
        """Log epoch, size, root and signed checkpoint of the current log."""

    def root_at(self, size: int) -> bytes:
        """Root of the first `size` entries of the current log; `size` is at most its own."""

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Consistency proof between two sizes of the current log, 0 < old <= new."""


class Saved(Protocol):
    """The live tables as they were at the last commit."""

    def rows(self, table: str) -> Sequence[Row]:
        """Every row of a live table, in the order of its key."""
