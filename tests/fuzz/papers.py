"""Files, tables and words that people hand to a program, and papers that the other side hands to people."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

import click

from hotline.charter.amendment import Changes, amend
from hotline.charter.cards import OfficerCard, TerminalCard, open_officer_card, open_terminal_card
from hotline.charter.delta import from_text, to_text
from hotline.charter.documents import read_text, spell
from hotline.charter.mandates import mandate_fault, read_mandate
from hotline.charter.model import load_charter
from hotline.charter.parts import Charter
from hotline.charter.succession import read_next
from hotline.cli.addresses import departure, load_addresses
from hotline.cli.amendment import _values
from hotline.cli.checklist import load as load_checklist
from hotline.cli.checklist import shipped
from hotline.cli.releasepolicy import read_release_policy
from hotline.drill.judging import judge
from hotline.drill.links import parse_link
from hotline.drill.outcome import read_report, report_json
from hotline.drill.weather import parse_weather
from hotline.errors import ConfigError, HotlineError
from hotline.ledger.note import parse_note
from hotline.protocol.custody import read_custody
from hotline.protocol.language import decode_local
from hotline.wire.codec import decode, encode
from hotline.wire.v1 import content_pb2, frame_pb2
from relay.witnessd import load_witness_config
from tests.fuzz.targets import KEY, Target, asked, charter_note, holds, with_file
from tests.hotline.charter.conftest import held
from tests.hotline.drill.journals import told
from tests.hotline.protocol.offices import IDENTITIES, OFFICERS, TWO, mandate_for

CHECKLIST = b'schema = "hotline.checklist/1"\ntitle = "Ours"\n[[step]]\ntext = "Look"\ncommand = "hotline status"\n'
ADDRESSES = b'office = "head"\n[[address]]\noffice = "head"\nlanguage = "en-GB"\nform = "Mr Prime Minister"\n'
POLICY = b'[{"plane": "real", "precedence": "flash", "roles": ["drafter", "releaser"]}]'
WITNESS = b'config = 1\nkey = "k"\ncharters = ["c"]\nstore = "s"\nlisten = "127.0.0.1:0"\npost_quantum = true\n'
WEATHER = b'{"latency_ms": 300, "loss_percent": 1.5, "rate_bps": 2400, "mode": "pass"}'


def checklist(data: bytes) -> object:
    name, read, found = with_file(lambda path: load_checklist(str(path)), "ours.toml")(data)  # type: ignore[misc]
    holds(read == data and name == "ours" and bool(found.step), "another file than the one whose hash is entered")
    return found


def addresses(data: bytes) -> object:
    found: object = with_file(load_addresses)(data)
    departure(found, data.decode("utf-8", "replace"), "en", None)  # type: ignore[arg-type]
    return found


@cache
def given() -> bytes:
    """A mandate that ALPHA gives."""
    return mandate_for()


def mandate(data: bytes) -> object:
    key, officer = IDENTITIES["ALPHA"].public, OFFICERS["ALPHA", "duty-1"]
    fault = mandate_fault(data, key, TWO.founding, officer, "releaser", "2026-11-18")
    holds(bool(fault) or parse_note(data).text == parse_note(given()).text, "a mandate that nobody gave")
    return read_mandate(data)


def proposal(data: bytes) -> object:
    """A text in which the other side proposes a charter (24.5)."""
    note = from_text(data.decode("utf-8", "replace"), charter_note())
    holds(from_text(to_text(note, charter_note()), charter_note()) == note, "two charters of one proposal")
    return note


@cache
def agreed() -> tuple[bytes, bytes]:
    """A charter that both parties have signed, and the next one."""
    made = held()
    return made.signed, made.agreed(Changes(values={"fibre.heartbeat_ms": 400}))


@cache
def opened() -> tuple[Charter, Charter]:
    """The same, opened."""
    now, then = map(load_charter, agreed())
    return now, then


def next_charter(data: bytes) -> object:
    now, then = opened()
    found = read_next(data, now)
    holds(found.hash == then.hash, "a charter that nobody signed")
    return found


def certified(data: bytes) -> object:
    """Cards that an identity key certifies, and their texts."""
    text = parse_note(data).text
    for kind, read in ((TerminalCard, open_terminal_card), (OfficerCard, open_officer_card)):
        try:
            read(data, IDENTITIES["ALPHA"].public)
        except HotlineError:
            pass
        else:
            raise AssertionError("a card that ALPHA never certified")
        try:
            holds(spell(read_text(kind, text)) == text, "two spellings of one card")  # type: ignore[type-var]
        except HotlineError:
            continue
    return text


def custody(data: bytes) -> object:
    """What the relay signed, and the same bytes under its real signature."""
    frame = decode(frame_pb2.Custody, data, 65_536)
    signed = frame_pb2.Custody(body=frame.body, signature=KEY.sign("hotline/v1/custody", frame.body))
    found = read_custody(KEY.public, bytes(32), 1, signed)
    holds(found.charter == bytes(32) and encode(found) == frame.body, "custody for another terminal")
    return read_custody(KEY.public, bytes(32), 1, frame)


def local_translation(data: bytes) -> object:
    found = decode_local(data)
    holds(encode(found) == data, "two spellings of one translation")
    return found


def words(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """A parser of words of a command line."""
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


def amended(word: str) -> object:
    try:
        return _values((word,))
    except click.BadParameter as error:
        raise ConfigError("wrong use") from error


def weather(data: bytes) -> object:
    try:
        return parse_weather(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise ConfigError("not JSON") from error


def drill_report(data: bytes) -> object:
    found = read_report(data)
    holds(read_report(report_json(found)) == found, "two reports of one text")
    return found


def _custody_seeds() -> list[bytes]:
    body = encode(frame_pb2.CustodyBody(charter=bytes(32), terminal=1, envelope=[bytes(32)], time_ms=5))
    return [encode(frame_pb2.Custody(body=body, signature=KEY.sign("hotline/v1/custody", body)))]


def _proposal_seeds() -> list[bytes]:
    base = charter_note()
    next_ = amend(base, Changes(values={"fibre.heartbeat_ms": 400}), "2026-11-18")
    return [to_text(next_, base).encode(), to_text(base, base).encode()]


def _local_seeds() -> list[bytes]:
    original = content_pb2.Reference(serial=1, statement=bytes(32))
    made = content_pb2.Translation(original=original, grade=2, translator="linguist-1")  # type: ignore[arg-type]
    return [encode(content_pb2.LocalTranslation(translation=made, language="hi", text="x"))]


PAPERS: dict[str, Target] = {
    "checklist": Target(checklist, lambda: [CHECKLIST, *((path.encode()) for path in shipped())]),
    "addresses": Target(addresses, lambda: [ADDRESSES, b""], 2_000),
    "release-policy": Target(with_file(lambda path: read_release_policy(str(path))), lambda: [POLICY, b"[]"], 2_000),
    "witness-config": Target(with_file(load_witness_config), lambda: [WITNESS], 2_000),
    "mandate": Target(mandate, lambda: [given()], 6_000),
    "proposal": Target(proposal, _proposal_seeds, 4_000),
    "next-charter": Target(next_charter, lambda: [agreed()[1], *asked("charter", "note")[:4]], 50_000),
    "certified-card": Target(certified, lambda: asked("card", "note"), 16_384),
    "custody-frame": Target(custody, _custody_seeds, 1_000),
    "local-translation": Target(local_translation, _local_seeds, 1_000),
    "weather": Target(weather, lambda: [WEATHER, b"{}"], 600),
    "link": Target(words(parse_link), lambda: [b"relay-1=127.0.0.1:0,127.0.0.1:7001", b"r=[::1]:0,[::1]:1"], 200),
    "amended-value": Target(words(amended), lambda: [b"fibre.heartbeat_ms=1000"], 600),
    "drill-report": Target(drill_report, lambda: [report_json(judge(told().finish())).encode()], 20_000),
}
"""Name to target, as in `targets.TARGETS`."""
