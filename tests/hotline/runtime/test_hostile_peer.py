"""What a lying peer signs, taken by a real store: whatever it is, the next commit must hold it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hotline.limits import TIME_MAX, WITNESS_INTERVAL
from hotline.machine import Plane
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import Pair
from tests.hotline.protocol.test_ledgers import forged
from tests.hotline.runtime.test_translationviews import stored

JUNK = "\u2014 ".encode() + b"\x7f" * 690 + b" AAAAAAAA\n"
"""A line that anybody may add to a signed head: lawful, and six times as long in a ledger."""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """BRAVO commits to a real store, and has said something."""
    with stored(tmp_path) as pair:
        pair.bravo.submit("Has it been shown?")
        pair.run(2 * WITNESS_INTERVAL)
        yield pair


def say(pair: Pair, kind: ContentType, content: bytes) -> None:
    """ALPHA's key signs and seals it, whatever it is; BRAVO hears it, and commits."""
    session = pair.alpha.endpoint.context.session
    inner = session.sign(kind, Plane.REAL, content)
    pair.bravo.hear("relay-1", envelope_frame(session.seal(Plane.REAL, inner, transient=kind is ContentType.HEARTBEAT)))


@pytest.mark.parametrize("stage", [content_pb2.STAGE_SHOWN, content_pb2.STAGE_REPLY_BY])
@pytest.mark.parametrize(
    ("at", "refused"), [(TIME_MAX, []), (TIME_MAX + 1, ["field-length"]), (2**64 - 1, ["field-length"])]
)
def test_no_time_of_the_peer_ends_the_daemon(
    pair: Pair, stage: content_pb2.Stage.ValueType, at: int, refused: list[str]
) -> None:
    """Its word would not fit the database, the commit would fail, and so at every start (docs/protocol.md 4.3, 9.6)."""
    row = pair.bravo.memory.sent(Plane.REAL, 1)
    assert row is not None
    receipt = content_pb2.Receipt(
        stage=stage,
        item=[content_pb2.ReceiptItem(serial=1, statement=row.hash)],
        officer="duty-1",
        time_ms=at,
        reply_by_ms=TIME_MAX if stage == content_pb2.STAGE_REPLY_BY else 0,
    )
    say(pair, ContentType.RECEIPT, encode(receipt))
    assert pair.bravo.refusals() == refused


def test_two_heads_with_all_that_a_note_may_hold_fit_an_entry(pair: Pair) -> None:
    """A peer that forks its ledger would end the daemon that finds it out (docs/protocol.md 13.6 and 13.14)."""
    linked = pair.bravo.endpoint.peer_log.linked
    assert linked is not None
    size = linked.size + 1
    for note in (linked.note + JUNK, forged(pair.alpha, linked.size) + JUNK, forged(pair.alpha, size) + JUNK):
        exchange = content_pb2.LogExchange(checkpoint=note, proof=[bytes(32)], proof_from=linked.size)
        path = pair.bravo.endpoint.context.paths["relay-1"]
        beat = content_pb2.Heartbeat(beat=7, path=1, echo=path._beat, presence=1, log=exchange)  # type: ignore[arg-type]
        say(pair, ContentType.HEARTBEAT, encode(beat))
    alarms = [record.fields for record in pair.bravo.records if record.fields.get("name") == "peer-fork"]
    assert [alarm["size"] for alarm in alarms] == [linked.size, size]
    assert not any("\x7f" in str(value) for alarm in alarms for value in alarm.values())
