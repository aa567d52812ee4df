"""A strict reader of this protocol's protobuf messages (docs/protocol.md 4.2), from the fields in proto/.

What is no sequence of fields at all is unreadable; what is one in another than its one spelling is refused as that.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.oracle.primitives import Refused, need

Value = dict[str, Any]


class Field(NamedTuple):
    """One field: `kind` is a scalar's name or a message's; `label` is '', 'many' or 'arm' (of the one oneof)."""

    name: str
    kind: str
    label: str = ""


MESSAGES: dict[str, dict[int, Field]] = {
    "Parcel": {1: Field("frame", "bytes", "many")},
    "Frame": {
        1: Field("hello", "Hello", "arm"),
        2: Field("welcome", "Welcome", "arm"),
        3: Field("envelope", "bytes", "arm"),
        4: Field("custody", "Custody", "arm"),
        5: Field("taken", "Taken", "arm"),
        6: Field("refusal", "Refusal", "arm"),
    },
    "Hello": {1: Field("version", "u32"), 2: Field("charter", "bytes"), 3: Field("terminal", "u32")},
    "Welcome": {1: Field("version", "u32"), 2: Field("relay", "string"), 3: Field("waiting", "u32")},
    "Custody": {1: Field("body", "bytes"), 2: Field("signature", "bytes")},
    "CustodyBody": {
        1: Field("charter", "bytes"),
        2: Field("terminal", "u32"),
        3: Field("envelope", "bytes", "many"),
        4: Field("time_ms", "u64"),
    },
    "Taken": {1: Field("envelope_id", "bytes", "many")},
    "Refusal": {1: Field("envelope_id", "bytes"), 2: Field("reason", "enum")},
    "Statement": {
        1: Field("serial", "u64"),
        2: Field("previous_in_precedence", "u64"),
        3: Field("precedence", "enum"),
        4: Field("kind", "enum"),
        5: Field("date_time_group", "string"),
        6: Field("composed_ms", "u64"),
        7: Field("language", "string"),
        8: Field("direction", "enum"),
        9: Field("from_party", "string"),
        10: Field("to_party", "string"),
        11: Field("drafter", "string"),
        12: Field("text", "string"),
        13: Field("body_salt", "bytes"),
        14: Field("valid_for_ms", "u64"),
        15: Field("checkpoint", "bytes"),
        16: Field("first_serial", "u64"),
        17: Field("in_reply_to", "Reference"),
        18: Field("corrects", "Reference"),
        19: Field("draft", "bytes"),
        20: Field("release", "Release", "many"),
        23: Field("action", "string", "many"),
        24: Field("info", "string", "many"),
        25: Field("originator_reference", "string"),
        28: Field("translation", "Translation"),
        29: Field("phrase", "Phrase"),
        30: Field("field", "Field", "many"),
        33: Field("put_on_record", "Reference"),
        34: Field("of_recipient", "bool"),
        35: Field("term", "u32"),
        38: Field("challenge", "Challenge"),
        39: Field("verdict", "enum"),
    },
    "Phrase": {1: Field("code", "string"), 2: Field("book", "bytes")},
    "Field": {1: Field("name", "string"), 2: Field("kind", "enum"), 3: Field("value", "string")},
    "Challenge": {1: Field("ours", "bool"), 2: Field("exercise", "bool"), 3: Field("named", "Reference")},
    "Translation": {
        1: Field("original", "Reference"),
        2: Field("grade", "enum"),
        3: Field("translator", "string"),
    },
    "Release": {
        1: Field("officer", "string"),
        2: Field("role", "enum"),
        3: Field("signed_ms", "u64"),
        4: Field("signature", "bytes"),
        5: Field("mandate", "bytes"),
    },
    "Reference": {1: Field("serial", "u64"), 2: Field("statement", "bytes")},
    "Receipt": {
        1: Field("stage", "enum"),
        2: Field("item", "ReceiptItem", "many"),
        3: Field("officer", "string"),
        4: Field("time_ms", "u64"),
        5: Field("received_through", "u64"),
        6: Field("checkpoint", "bytes"),
        7: Field("reply_by_ms", "u64"),
        8: Field("principal", "string"),
        9: Field("noted", "enum"),
        10: Field("answered", "u64"),
        20: Field("expired", "bool"),
        21: Field("told", "Told"),
    },
    "Told": {1: Field("terminal", "u32"), 2: Field("content", "bytes"), 3: Field("signature", "bytes")},
    "Gossip": {
        1: Field("terminal", "u32"),
        2: Field("checkpoint", "bytes"),
        3: Field("heard", "ReceiptItem", "many"),
        4: Field("exercise_heard", "ReceiptItem", "many"),
    },
    "ReceiptItem": {1: Field("serial", "u64"), 2: Field("statement", "bytes")},
    "Heartbeat": {
        1: Field("beat", "f32"),
        2: Field("echo", "f32"),
        3: Field("path", "u32"),
        4: Field("sent_through", "u64"),
        5: Field("received_through", "u64"),
        6: Field("exercise_sent_through", "u64"),
        7: Field("exercise_received_through", "u64"),
        8: Field("time_ms", "u64"),
        9: Field("prekey", "f32"),
        10: Field("prekey_held", "f32"),
        11: Field("epoch_opened", "f32"),
        12: Field("log_size", "u64"),
        13: Field("presence", "enum"),
        14: Field("announcement", "SignedPrekey"),
        15: Field("echo_delay_ms", "u32"),
        16: Field("log", "LogExchange"),
        17: Field("courier", "CourierKey"),
        18: Field("presence_until_ms", "u64"),
        19: Field("presence_asked", "f32"),
        20: Field("presence_answered", "f32"),
        24: Field("turn", "u64"),
        25: Field("peer_turn", "u64"),
        26: Field("activation", "SignedActivation"),
        27: Field("peer_activation", "SignedActivation"),
        28: Field("lacking", "Lacking"),
        29: Field("service_sent", "u64"),
        30: Field("service_received", "u64"),
        33: Field("charter_serial", "u64"),
        34: Field("charter", "bytes"),
        35: Field("charter_next", "bytes"),
        37: Field("gossip", "Gossip", "many"),
        40: Field("silent_ms", "u64"),
        41: Field("other_turn", "u64"),
        42: Field("other_activation", "SignedActivation"),
    },
    "SignedActivation": {1: Field("body", "bytes"), 2: Field("signature", "bytes")},
    "ActivationBody": {
        1: Field("term", "u32"),
        2: Field("terminal", "u32"),
        3: Field("time_ms", "u64"),
        4: Field("by_rule", "bool"),
    },
    "Lacking": {
        1: Field("first", "u64"),
        2: Field("last", "u64"),
        3: Field("exercise_first", "u64"),
        4: Field("exercise_last", "u64"),
        5: Field("service_first", "u64"),
        6: Field("service_last", "u64"),
    },
    "CourierKey": {1: Field("prekey", "SignedPrekey"), 2: Field("held", "f32")},
    "Bundle": {1: Field("body", "bytes"), 2: Field("signature", "bytes")},
    "BundleBody": {
        1: Field("charter", "bytes"),
        2: Field("from_terminal", "u32"),
        3: Field("to_terminal", "u32"),
        4: Field("made_ms", "u64"),
        5: Field("prekey", "SignedPrekey"),
        6: Field("envelope", "bytes", "many"),
    },
    "LogExchange": {
        1: Field("checkpoint", "bytes"),
        2: Field("proof", "bytes", "many"),
        3: Field("proof_from", "u64"),
        4: Field("claimed_proof", "bytes", "many"),
        5: Field("claimed_from", "u64"),
        6: Field("claimed_to", "u64"),
        7: Field("seen", "bytes"),
        8: Field("linked", "u64"),
        9: Field("linked_epoch", "u64"),
        10: Field("cosignature", "bytes"),
        11: Field("asked", "bool"),
        12: Field("answered", "bool"),
    },
    "SignedPrekey": {1: Field("body", "bytes"), 2: Field("signature", "bytes")},
    "PrekeyBody": {
        1: Field("generation", "u64"),
        2: Field("public_key", "bytes"),
        3: Field("created_ms", "u64"),
        4: Field("not_after_ms", "u64"),
    },
    "KeyRequest": {
        1: Field("unknown_epoch", "bytes"),
        2: Field("prekey", "SignedPrekey"),
        3: Field("time_ms", "u64"),
    },
}
GROUPS_MAX = 100
_WIRE = {"u32": 0, "u64": 0, "enum": 0, "bool": 0, "f32": 5}
_LIMIT = {"u32": 2**32, "u64": 2**64, "bool": 2}


def wire_type(field: Field) -> int:
    """The wire type that a field of this kind has."""
    return _WIRE.get(field.kind, 2)


class _Cut(Exception):
    """The bytes end, or are no field."""


def _varint(data: bytes, at: int, longest: int = 10) -> tuple[int, int]:
    """The number that begins `at`, and where it ends; what ten bytes hold beyond 64 bits is dropped."""
    value = 0
    for place in range(longest):
        if at + place >= len(data):
            raise _Cut
        value |= (data[at + place] & 0x7F) << 7 * place
        if data[at + place] < 0x80:
            return value % 2**64, at + place + 1
    raise _Cut


def _minimal(value: int) -> int:
    return max(1, (value.bit_length() + 6) // 7)


def _tag(data: bytes, at: int) -> tuple[int, int, int]:
    """Field number, wire type, and where the value begins."""
    tag, at = _varint(data, at, 5)
    if tag >= 2**32:
        raise _Cut
    return tag >> 3, tag & 7, at


def _length(data: bytes, at: int) -> tuple[int, int]:
    length, at = _varint(data, at, 5)
    if length >= 2**31:
        raise _Cut
    return length, at


def _skip(data: bytes, at: int, wire: int, number: int, depth: int = 0) -> int:
    """Where the value that begins `at` ends."""
    if wire == 0:
        return _varint(data, at)[1]
    if wire == 2:
        length, at = _length(data, at)
        at += length
    elif wire == 3 and depth < GROUPS_MAX:
        while True:
            inner, kind, at = _tag(data, at)
            if kind == 4:
                if inner != number:
                    raise _Cut
                return at
            at = _skip(data, at, kind, inner, depth + 1)
    elif wire in (1, 5):
        at += 8 if wire == 1 else 4
    else:
        raise _Cut
    if at > len(data):
        raise _Cut
    return at


def _look(kind: str, data: bytes) -> None:
    """Raises _Cut unless a protobuf reader could read `data`, whatever it would make of it."""
    at = 0
    while at < len(data):
        number, wire, at = _tag(data, at)
        if not number:
            raise _Cut
        end = _skip(data, at, wire, number)
        field = MESSAGES[kind].get(number)
        if field is not None and wire == 2 == wire_type(field):
            value = data[_length(data, at)[1] : end]
            if field.kind in MESSAGES:
                _look(field.kind, value)
            elif field.kind == "string":
                try:
                    value.decode()
                except UnicodeDecodeError as error:
                    raise _Cut from error
        at = end


def _empty(kind: str) -> Value:
    made: Value = {}
    for name, kind_, label in MESSAGES[kind].values():
        if label == "many":
            made[name] = []
        elif label == "arm" or kind_ in MESSAGES:
            made[name] = None
        else:
            made[name] = {"string": "", "bytes": b"", "bool": False}.get(kind_, 0)
    return made


def _number(field: Field, data: bytes, at: int) -> tuple[Any, int]:
    if field.kind == "f32":
        return int.from_bytes(data[at : at + 4], "little"), at + 4
    value, end = _varint(data, at)
    # Of ten bytes the last holds one bit: more in it would be dropped, and is another spelling.
    need(end - at == _minimal(value) and (end - at < 10 or data[end - 1] == 1), "spelling")
    if field.kind == "enum":
        need(value < 2**31 or value >= 2**64 - 2**31, "spelling")
        return value - (2**64 if value >= 2**63 else 0), end
    need(value < _LIMIT[field.kind], "spelling")
    return (bool(value) if field.kind == "bool" else value), end


def _strict(kind: str, data: bytes) -> Value:
    made, at, last, arms = _empty(kind), 0, 0, 0
    while at < len(data):
        begin = at
        number, wire, at = _tag(data, at)
        field = MESSAGES[kind].get(number)
        need(field is not None and wire == wire_type(field), "spelling")
        assert field is not None
        need(at - begin == _minimal(number << 3 | wire), "spelling")
        need(number > last or (number == last and field.label == "many"), "spelling")
        last = number
        value: Any
        if wire == 2:
            length, start = _length(data, at)
            need(start - at == _minimal(length), "spelling")
            at = start + length
            value = data[start:at]
            if field.kind in MESSAGES:
                value = _strict(field.kind, value)
            elif field.kind == "string":
                value = value.decode()
        else:
            value, at = _number(field, data, at)
        if field.label == "many":
            made[field.name].append(value)
            continue
        arms += field.label == "arm"
        need(field.label == "arm" or field.kind in MESSAGES or value, "spelling")
        made[field.name] = value
    need(arms <= 1, "spelling")
    return made


def read(kind: str, data: bytes, limit: int) -> Value:
    """The fields of a message. Raises Refused('too-long' | 'unreadable' | 'spelling')."""
    need(len(data) <= limit, "too-long")
    try:
        _look(kind, data)
    except _Cut as error:
        raise Refused("unreadable") from error
    return _strict(kind, data)


def shown(value: Any) -> Any:
    """A message as the vectors show it: what is written in it, byte strings in hexadecimal."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: shown(item) for name, item in value.items() if item or isinstance(item, dict)}
    return [shown(item) for item in value] if isinstance(value, list) else value
