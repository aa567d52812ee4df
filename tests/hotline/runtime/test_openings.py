"""What an entry commits to can be shown to a third party, from where it rests, until its key is destroyed."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from hotline.errors import KeyFileError
from hotline.ledger.record import Leaf, check_opening, parse_leaf
from hotline.machine import Instant, Output, Private, Put, Record
from hotline.protocol.tables import scoped
from hotline.runtime.openings import openings_of
from hotline.runtime.store import EndpointStore, connect
from hotline.wire.codec import encode
from hotline.wire.v1 import content_pb2
from tests.hotline.runtime.store_writer import open_store

NOW = Instant(1, 1_700_000_000_000)
MONTH = "2023-11"


def _said(serial: int, text: str) -> tuple[bytes, dict[str, Private]]:
    salt = bytes((serial,)) * 32
    statement = content_pb2.Statement(
        serial=serial,
        precedence=content_pb2.PRECEDENCE_FLASH,
        kind=content_pb2.STATEMENT_KIND_TEXT,
        direction=content_pb2.DIRECTION_LTR,
        language="en",
        text=text,
        body_salt=salt,
    )
    return encode(statement), {"body": Private(text.encode(), salt), "drafter": Private(b"duty-1")}


def _put(
    store: EndpointStore,
    table: str,
    kind: str,
    serial: int,
    text: str,
    old: int = 0,
    party: str = "",
    first: bool = False,
) -> Leaf:
    """One statement and the entry that tells of it, as the machine writes them."""
    content, private = _said(serial, text)
    row = {"plane": "real", "serial": serial, "content": content, "signature": bytes(64), "hash": bytes(32)}
    if table == "received":
        row["at"] = NOW.wall
    fields = {"serial": old, "new": serial} if old else {"serial": serial}
    record = Record(kind, {"plane": "real", **fields, **({"party": party} if party else {})}, private)
    place = scoped(table, "" if first else party)
    store.commit([Output(records=[record], changes=[Put(place, row)])], NOW)
    seq = store.head().size - 1
    return parse_leaf(store.query("SELECT leaf FROM entry WHERE seq=?", (seq,))[0][0])


def _opened(store: EndpointStore, leaf: Leaf) -> dict[str, str] | None:
    with contextlib.closing(connect(store.path, read_only=True)) as database:
        found = openings_of(database, store.keys, 1, leaf)
    if found is None:
        return None
    for opening in found:
        check_opening(leaf, opening)
    return {opening.tag: opening.value.decode() for opening in found}


def test_every_entry_that_tells_of_a_text_is_opened_by_that_text(tmp_path: Path) -> None:
    """A statement could be proved and never shown: what was sent, what was received, and what got another serial."""
    with contextlib.closing(open_store(tmp_path)) as store:
        sent = _put(store, "sent", "msg.submit", 1, "ours")
        received = _put(store, "received", "msg.recv", 1, "theirs")
        moved = _put(store, "sent", "msg.renumbered", 4, "ours again", old=1)
        assert _opened(store, sent) == {"body": "ours", "drafter": "duty-1"}
        assert _opened(store, received) == {"body": "theirs", "drafter": "duty-1"}
        assert _opened(store, moved) == {"body": "ours again", "drafter": "duty-1"}


def test_of_several_parties_each_text_is_that_partys(tmp_path: Path) -> None:
    """Whoever had one capital's word shown to a third was handed another's, under the same serial (13.12, 26.6)."""
    with contextlib.closing(open_store(tmp_path)) as store:
        store.of("CHARLIE")
        first = _put(store, "received", "msg.recv", 1, "BRAVO's, for us alone", party="BRAVO", first=True)
        other = _put(store, "received", "msg.recv", 1, "CHARLIE's", party="CHARLIE")
        ours = _put(store, "sent", "msg.submit", 2, "ours, to CHARLIE", party="CHARLIE")
        assert _opened(store, first) == {"body": "BRAVO's, for us alone", "drafter": "duty-1"}
        assert _opened(store, other) == {"body": "CHARLIE's", "drafter": "duty-1"}
        assert _opened(store, ours) == {"body": "ours, to CHARLIE", "drafter": "duty-1"}


def test_the_text_of_a_draft_rests_beside_its_entry(tmp_path: Path) -> None:
    """It has no serial: it was sought among what was sent, and the store was called damaged."""
    with contextlib.closing(open_store(tmp_path)) as store:
        record = Record("draft.made", {"plane": "real", "number": 1}, {"body": Private(b"not yet said")})
        store.commit([Output(records=[record])], NOW)
        leaf = parse_leaf(store.query("SELECT leaf FROM entry", ())[0][0])
        assert _opened(store, leaf) == {"body": "not yet said"}


def test_a_text_is_kept_once(tmp_path: Path) -> None:
    """Kept twice, each statement would cost two more pages of every commit, and its text twice the disk."""
    # docs/protocol.md 13.4
    with contextlib.closing(open_store(tmp_path)) as store:
        leaf = _put(store, "sent", "msg.submit", 1, "x" * 1_024)
        ((box,),) = store.query("SELECT length(box) FROM entry WHERE seq=?", (leaf.seq,))
        assert box < 400


def test_an_entry_without_commitments_opens_nothing(tmp_path: Path) -> None:
    """Most entries hold nothing private; asking them must not look like damage."""
    with contextlib.closing(open_store(tmp_path)) as store:
        store.commit([Output(records=[Record("daemon.stop")])], NOW)
        leaf = parse_leaf(store.query("SELECT leaf FROM entry", ())[0][0])
        assert _opened(store, leaf) == {}


@pytest.mark.parametrize("only_body", [True, False])
def test_what_was_destroyed_is_told_apart_from_what_is_damaged(tmp_path: Path, only_body: bool) -> None:
    """A destroyed text is the schedule at work; a missing statement is a reason to stop and look."""
    with contextlib.closing(open_store(tmp_path)) as store:
        leaf = _put(store, "sent", "msg.submit", 1, "ours")
        if only_body:
            content, private = _said(2, "alone")
            record = Record("msg.submit", {"plane": "real", "serial": 2}, {"body": private["body"]})
            row = {"plane": "real", "serial": 2, "content": content, "signature": bytes(64), "hash": bytes(32)}
            store.commit([Output(records=[record], changes=[Put("sent", row)])], NOW)
            leaf = parse_leaf(store.query("SELECT leaf FROM entry WHERE seq=1", ())[0][0])
        assert store.keys.destroy(MONTH)
        assert _opened(store, leaf) is None
    with contextlib.closing(open_store(tmp_path / "other")) as store:
        leaf = _put(store, "sent", "msg.submit", 1, "ours")
        store._writer.execute("DELETE FROM sent")
        with pytest.raises(KeyFileError, match="not in the store"):
            _opened(store, leaf)
        store._writer.execute(
            "INSERT INTO sent VALUES ('real', 1, ?, x'', x'')", (store.keys.seal("sent/real/1", b"\xff", NOW.wall),)
        )
        with pytest.raises(KeyFileError, match="damaged"):
            _opened(store, leaf)
