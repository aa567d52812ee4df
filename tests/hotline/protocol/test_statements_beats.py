"""Every field of a receipt and of a heartbeat at its bound and beyond it (docs/protocol.md 4.3, 9.6 and 10.11)."""

from __future__ import annotations

from typing import Any

import pytest

from hotline.errors import Malformed
from hotline.limits import GOSSIP_ITEMS_MAX, PARTIES_MAX, SERIAL_MAX, TIME_MAX
from hotline.protocol.statements import (
    CHECKPOINT_MAX,
    PROOF_HASHES_MAX,
    decode_heartbeat,
    decode_receipt,
    read_heartbeat,
)
from hotline.wire.codec import encode
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.test_statements_bounds import Fields, refused

STAGE, PRESENCE = content_pb2.Stage, content_pb2.Presence


def item(serial: int = 1, size: int = 32) -> content_pb2.ReceiptItem:
    return content_pb2.ReceiptItem(serial=serial, statement=bytes(size))


def receipt(stage: str, **fields: Any) -> dict[str, Any]:
    return {"stage": STAGE.Value(f"STAGE_{stage}"), "item": [item()]} | fields


SHOWN, REPLY_BY = content_pb2.STAGE_SHOWN, content_pb2.STAGE_REPLY_BY
TOLD = content_pb2.Told(terminal=1, content=b"x", signature=bytes(64))


def told(**fields: Any) -> content_pb2.Told:
    return content_pb2.Told(**({"terminal": 1, "content": b"x", "signature": bytes(64)} | fields))


RECEIPTS: list[tuple[str, Fields, list[Fields], list[tuple[str, Fields]]]] = [
    (
        "delivered",
        receipt("DELIVERED"),
        [{"item": [item(SERIAL_MAX)]}],
        [
            ("items", {"item": [item(SERIAL_MAX + 1)]}),
            ("items", {"item": [item(), item(1, 33)]}),
            ("officer", {"principal": "x"}),
            ("stage", {"noted": SHOWN}),
            ("stage", {"reply_by_ms": 1}),
            ("stage", {"expired": True}),
            ("stage", {"told": TOLD}),
        ],
    ),
    ("read", receipt("READ", officer="x" * 64), [{"item": [item()] * 2}], [("officer", {"principal": "x"})]),
    (
        "shown",
        receipt("SHOWN", officer="x"),
        [{"principal": "x" * 64}],
        [
            ("officer", {"principal": "x" * 65}),
            ("officer", {"officer": ""}),
            ("items", {"item": [item()] * 2}),
            ("stage", {"reply_by_ms": 1}),
        ],
    ),
    (
        "reply-by",
        receipt("REPLY_BY", officer="x", reply_by_ms=1),
        [{"reply_by_ms": TIME_MAX}],
        [
            ("stage", {"reply_by_ms": 0}),
            ("stage", {"reply_by_ms": TIME_MAX + 1}),
            ("items", {"item": [item()] * 2}),
            ("officer", {"principal": "x"}),
        ],
    ),
    (
        "noted",
        receipt("NOTED"),
        [{"noted": SHOWN}, {"noted": REPLY_BY, "reply_by_ms": 1}],
        [
            ("stage", {"noted": REPLY_BY}),
            ("stage", {"noted": SHOWN, "reply_by_ms": 1}),
            ("stage", {"noted": content_pb2.STAGE_READ}),
            ("stage", {"reply_by_ms": 1}),
        ],
    ),
    ("settled", receipt("SETTLED"), [{"expired": True}], [("officer", {"officer": "x"})]),
    (
        "told",
        receipt("TOLD", told=TOLD),
        [{"told": told(terminal=65_535)}],
        [
            ("items", {"item": [item()] * 2}),
            ("stage", {"told": None}),
            ("items", {"told": told(terminal=0)}),
            ("items", {"told": told(terminal=65_536)}),
            ("items", {"told": told(signature=bytes(63))}),
        ],
    ),
]


def lacking(**fields: int) -> Fields:
    return {"lacking": content_pb2.Lacking(**fields)}


def gossip(**fields: Any) -> Fields:
    return {"gossip": [content_pb2.Gossip(**({"terminal": 3} | fields))]}


def log(**fields: Any) -> Fields:
    return {"log": content_pb2.LogExchange(**fields)}


SERIALS = ("sent_through", "received_through", "exercise_sent_through", "exercise_received_through", "log_size")
STRETCHES = (("first", "last"), ("exercise_first", "exercise_last"), ("service_first", "service_last"))
SIZES = ("proof_from", "claimed_from", "claimed_to", "linked", "linked_epoch")
HEARD = ("heard", "exercise_heard")
BEATS: list[tuple[Fields, list[Fields]]] = [
    *(({name: SERIAL_MAX}, [{name: SERIAL_MAX + 1}]) for name in (*SERIALS, "silent_ms", "charter_serial")),
    ({"service_sent": 1, "service_received": SERIAL_MAX}, [{"service_sent": 1}, {"service_received": 1}]),
    ({"service_sent": SERIAL_MAX, "service_received": 1}, [{"service_sent": SERIAL_MAX + 1, "service_received": 1}]),
    ({"time_ms": TIME_MAX}, [{"service_sent": 1, "service_received": SERIAL_MAX + 1}]),
    *(
        (
            {"presence": PRESENCE.Value(f"PRESENCE_{word}"), "presence_until_ms": TIME_MAX},
            [{"presence": PRESENCE.Value(f"PRESENCE_{word}"), "presence_until_ms": TIME_MAX + 1}],
        )
        for word in ("CONSULTING", "PRINCIPAL_ABSENT", "DEGRADED")
    ),
    *(
        (
            {"presence": PRESENCE.Value(f"PRESENCE_{word}")},
            [{"presence": PRESENCE.Value(f"PRESENCE_{word}"), "presence_until_ms": 1}],
        )
        for word in ("ALIVE", "CLOSING", "DECLINED")
    ),
    *(({name: bytes(32)}, [{name: bytes(31)}, {name: bytes(33)}]) for name in ("charter", "charter_next")),
    *(({name: 2**48}, [{name: 2**48 + 1}]) for name in ("turn", "peer_turn", "other_turn")),
    *(
        (lacking(**{first: 1, last: SERIAL_MAX}), [lacking(**{first: 2, last: 1}), lacking(**{last: SERIAL_MAX + 1})])
        for first, last in STRETCHES
    ),
    *((log(**{name: SERIAL_MAX}), [log(**{name: SERIAL_MAX + 1})]) for name in SIZES),
    *(
        (log(**{name: [bytes(32)] * PROOF_HASHES_MAX}), [log(**{name: [bytes(32)] * (PROOF_HASHES_MAX + 1)})])
        for name in ("proof", "claimed_proof")
    ),
    (gossip(terminal=65_535), [gossip(terminal=0), gossip(terminal=65_536)]),
    (gossip(checkpoint=bytes(CHECKPOINT_MAX)), [gossip(checkpoint=bytes(CHECKPOINT_MAX + 1))]),
    *((gossip(**{name: [item()] * GOSSIP_ITEMS_MAX}), [gossip(**{name: [item()] * 9})]) for name in HEARD),
    *(
        (
            gossip(**{name: [item(SERIAL_MAX)]}),
            [gossip(**{name: [item(), bad]}) for bad in (item(0), item(SERIAL_MAX + 1), item(1, 31))],
        )
        for name in HEARD
    ),
    (
        {"gossip": [content_pb2.Gossip(terminal=number) for number in range(1, PARTIES_MAX + 1)]},
        [
            {"gossip": [content_pb2.Gossip(terminal=number) for number in range(1, PARTIES_MAX + 2)]},
            {"gossip": [content_pb2.Gossip(terminal=3)] * 2},
        ],
    ),
]


@pytest.mark.parametrize(("base", "lawful", "unlawful"), [row[1:] for row in RECEIPTS], ids=[r[0] for r in RECEIPTS])
def test_a_receipt_holds_what_its_stage_may(
    base: Fields, lawful: list[Fields], unlawful: list[tuple[str, Fields]]
) -> None:
    """A word about one rung would be taken for another's (docs/protocol.md 9.6, 20.2, 23.5 and 26.11)."""
    for fields in ({}, *lawful):
        assert refused(decode_receipt, content_pb2.Receipt(**(base | fields))) == "taken", fields
    for word, fields in unlawful:
        assert refused(decode_receipt, content_pb2.Receipt(**(base | fields))) == word, fields


@pytest.mark.parametrize(("lawful", "unlawful"), BEATS)
def test_a_heartbeat_holds_what_a_ledger_can(lawful: Fields, unlawful: list[Fields]) -> None:
    """What no table can hold would stop whoever hears it (docs/protocol.md 10.11, 18.1, 23.7, 24.8 and 26.10)."""
    plain = {"beat": 1, "path": 1, "presence": content_pb2.PRESENCE_ALIVE}
    assert refused(decode_heartbeat, content_pb2.Heartbeat(**(plain | lawful))) == "taken"
    for fields in unlawful:
        assert refused(decode_heartbeat, content_pb2.Heartbeat(**(plain | fields))) == "beat", fields


def test_a_beat_holds_for_its_path_and_is_never_kept() -> None:
    """A relay could play the beat of another path, or an old one that it stored (docs/protocol.md 10.1)."""
    beat = encode(content_pb2.Heartbeat(beat=1, path=2, presence=content_pb2.PRESENCE_ALIVE))
    assert read_heartbeat(beat, 2, transient=True).path == 2
    for path, transient, word in ((2, False, "durable-heartbeat"), (1, True, "wrong-path")):
        with pytest.raises(Malformed) as raised:
            read_heartbeat(beat, path, transient=transient)
        assert raised.value.reason == word
