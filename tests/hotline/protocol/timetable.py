"""What happens and at which millisecond: each entry, row, word to people, answer and frame of a conversation, as text.

Left out is what a person cannot check: hashes, keys, signatures, and the sizes of ledgers. A beat is written when it
says another thing than the last one on its way; when all of them left stands at the end of each part.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from google.protobuf.message import Message

from hotline.machine import Output, Plane, Put, Reply, RequestId
from hotline.protocol.events import EndpointEvent
from hotline.protocol.session import Session
from hotline.protocol.tables import TABLES
from hotline.wire.codec import decode_frame
from hotline.wire.envelope import FLAG_OPENER, decode_header
from hotline.wire.inner import ContentType, Inner
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import WALL, Pair, Party

_TYPES: Mapping[ContentType, Callable[[bytes], Message]] = {
    ContentType.STATEMENT: content_pb2.Statement.FromString,
    ContentType.WITHOUT_PREJUDICE: content_pb2.Statement.FromString,
    ContentType.RECEIPT: content_pb2.Receipt.FromString,
    ContentType.HEARTBEAT: content_pb2.Heartbeat.FromString,
}
_UNTOLD = {
    *(f"Heartbeat.{name}" for name in ("beat", "echo", "path", "time_ms", "prekey", "prekey_held", "epoch_opened")),
    *("Heartbeat.log_size", "Heartbeat.echo_delay_ms", "Statement.body_salt", "Statement.checkpoint"),
    *("ReceiptItem.statement", "Reference.statement", "CourierKey.held", "SignedPrekey.body", "SignedPrekey.signature"),
    *("SignedActivation.body", "SignedActivation.signature", "Told.signature", "Release.signature"),
    *("LogExchange.proof", "LogExchange.claimed_proof", "LogExchange.linked", "LogExchange.proof_from"),
    *("LogExchange.claimed_from", "LogExchange.claimed_to"),
}
_RANDOM = {"Heartbeat.presence_asked", "Heartbeat.presence_answered"}
"""Fields of which only is said that they are there."""
_SIZES = {"size", "peer_size", "ledger_size", "witnessed", "version", "line"}
_HASH = re.compile("[0-9a-f]{16,}")
_TIME = re.compile(r"\b1[78]\d{11}\b")


class Timetable:
    """Writes down what the parties of one world do, from the first part of a play on."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.lines: list[str] = []
        self._begun = False
        self._sealed: dict[bytes, tuple[Plane, Inner]] = {}
        self._beats: dict[str, list[int]] = {}
        self._said: dict[str, str] = {}
        seal, step = Session.seal, Party.step

        def noted_seal(session: Session, plane: Plane, inner: Inner, *, transient: bool) -> bytes:
            envelope = seal(session, plane, inner, transient=transient)
            self._sealed[envelope] = plane, inner
            return envelope

        def noted_step(party: Party, event: EndpointEvent) -> Output:
            output = step(party, event)
            self._note(party, output)
            return output

        patch.setattr(Session, "seal", noted_seal)
        patch.setattr(Party, "step", noted_step)

    # --- what a play does --------------------------------------------------------------------------------------------

    def part(self, title: str) -> None:
        """Another part begins."""
        self.close()
        self._begun = True
        self.lines += [f"== {title}", ""]

    def close(self) -> None:
        """When beats left in the part that ends."""
        for way, times in sorted(self._beats.items()):
            self.lines.append(f"       beats {way}: {_runs(times)}")
        self._beats.clear()
        if not self._begun:
            self.lines.clear()
        elif self.lines[-1:] != [""]:
            self.lines.append("")

    def ask(self, party: Party, event: Callable[..., Any], *what: object) -> Reply:
        """An officer asks for something."""
        request = RequestId(len(party.replies) + 1)
        party.step(event(request, *what))
        return party.replies[request]

    def picture(self, party: Party, values: Mapping[str, Any]) -> None:
        """What people are shown."""
        self.lines += [f"       {_who(party)} shows {line}" for line in _flat(values)]

    # --- what is written ---------------------------------------------------------------------------------------------

    def _note(self, party: Party, output: Output) -> None:
        who, time = _who(party), party.pair.time
        entries = [*_records(output), *_rows(output), *self._frames(party, output), *_words(output)]
        self.lines += [f"{time:>6} {who} {entry}" for entry in entries]

    def _frames(self, party: Party, output: Output) -> Iterator[str]:
        ways: dict[bytes, list[str]] = {}
        for item in (*output.express, *output.transmit):
            ways.setdefault(item.frame, []).append(item.link)
        for data, links in ways.items():
            frame = decode_frame(data)
            kind, over = frame.WhichOneof("body"), " ".join(links)
            if kind != "envelope":
                count = f" {len(frame.taken.envelope_id)}" if kind == "taken" else ""
                yield f"> {over} {kind}{count}"
                continue
            to = _name_of(party.pair, int.from_bytes(frame.envelope[2:4], "big"))
            if frame.envelope not in self._sealed:
                yield f"> {to} over {over}: key request"
                continue
            plane, inner = self._sealed[frame.envelope]
            said = f"{inner.type.name.lower()}{_marks(frame.envelope)} {_plain(_TYPES[inner.type](inner.content))}"
            if inner.type is ContentType.HEARTBEAT:
                way = f"{_who(party)} > {to} over {over}"
                self._beats.setdefault(way, []).append(party.pair.time)
                if self._said.get(way) == said:
                    continue
                self._said[way] = said
            yield f"> {to} over {over}: {plane} {said}"


def _who(party: Party) -> str:
    terminal = getattr(party, "terminal", "")
    return f"{party.name}/{terminal}" if terminal else party.name


def _marks(envelope: bytes) -> str:
    header = decode_header(envelope)
    opens = " with opener" if header.flags & FLAG_OPENER else ""
    return opens if header.transient else f"{opens} to be held"


def _name_of(world: Pair, number: int) -> str:
    every = getattr(world, "all", (world.alpha, world.bravo))
    return next(_who(one) for one in every if one.number == number)


def _runs(times: list[int]) -> str:
    """The first time, then how long after each other: 1000 500x7 50."""
    parts: list[list[int]] = []
    for gap in (later - earlier for earlier, later in itertools.pairwise(times)):
        if parts and parts[-1][0] == gap:
            parts[-1][1] += 1
        else:
            parts.append([gap, 1])
    return " ".join([str(times[0]), *(f"{gap}x{count}" if count > 1 else str(gap) for gap, count in parts)])


def _records(output: Output) -> Iterator[str]:
    for record in output.records:
        private = {f"({name})": kept.value for name, kept in record.private.items()}
        yield f"enters {record.kind} {_pairs({**record.fields, **private})}".rstrip()


def _rows(output: Output) -> Iterator[str]:
    for change in output.changes:
        known = TABLES.get(change.table.partition("@")[0])  # the requests of auditors are the store's own
        key = known.key if known is not None else ()
        row = change.row if isinstance(change, Put) else change.match
        names = [_value(row[name]) for name in key if name in row]
        rest = {name: value for name, value in row.items() if name not in key}
        word = "keeps" if isinstance(change, Put) else "drops"
        whole = " ".join([word, change.table, *filter(None, names), _pairs(rest, facts=change.table == "fact")])
        yield whole.rstrip()


def _words(output: Output) -> Iterator[str]:
    for told in output.deliver:
        yield f"tells {told.kind} {_pairs(told.fields)}".rstrip()
    for reply in output.replies:
        fields = _pairs(reply.fields)
        yield f"answers {'yes' if reply.ok else 'no'}, {reply.code}: {reply.text}" + (f" [{fields}]" if fields else "")


def _pairs(values: Mapping[str, Any], *, facts: bool = True) -> str:
    shown = {
        name: _value(value)
        for name, value in values.items()
        if name not in _SIZES and (facts or not isinstance(value, bytes)) and value is not None
    }
    return " ".join(f"{name}={value}" for name, value in shown.items() if value is not None)


def _value(value: object) -> str | None:
    """As people could write it; None for what nobody can check."""
    if isinstance(value, bytes):
        try:
            text = value.decode()
        except UnicodeDecodeError:
            return None
        if not text.isprintable() or len(text) > 300:
            return None
    else:
        text = str(value)
    if _HASH.fullmatch(text):
        return None
    text = _HASH.sub("...", text)
    text = _TIME.sub(lambda found: f"+{int(found[0]) - WALL}", text)
    return f'"{text}"' if " " in text or not text else text


def _plain(message: Message) -> str:
    """The fields that are set, in the order of their numbers; of bytes only that they are there."""
    parts = []
    for field, value in message.ListFields():
        name = f"{message.DESCRIPTOR.name}.{field.name}"
        if name in _UNTOLD:
            continue
        parts.append(
            field.name if isinstance(value, bytes) or name in _RANDOM else f"{field.name}={_said(field, value)}"
        )
    return " ".join(parts)


def _said(field: Any, value: Any) -> str:
    if isinstance(value, Message):
        return f"({_plain(value)})"
    if isinstance(value, str):
        return f'"{_HASH.sub("...", value)}"'
    if isinstance(value, bool):
        return "yes"
    if isinstance(value, int):
        if field.enum_type is not None:
            return str(field.enum_type.values_by_number[value].name).rpartition("_")[2].lower()
        return _value(value) or ""
    return ",".join(_said(field, one) for one in value)


def _flat(value: Any, name: str = "") -> Iterator[str]:
    """Each value of a tree with its way."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _flat(one, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for number, one in enumerate(value):
            yield from _flat(one, f"{name}[{number}]")
    elif name.rpartition(".")[2] not in _SIZES and (text := _value(value)) is not None:
        yield f"{name}: {text}"
