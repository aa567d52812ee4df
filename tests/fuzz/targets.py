"""Every parser as a function of bytes. A refusal is a HotlineError; any other exception is a find."""

from __future__ import annotations

import contextlib
import re
import tempfile
import unicodedata
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from hotline.charter.body import AmendsEntry, CharterText
from hotline.charter.cards import TerminalCard, open_identity_card, open_offer, open_relay_card
from hotline.charter.ceremony import read_claim
from hotline.charter.documents import IdentitySigner, read_text, spell
from hotline.charter.model import load_draft
from hotline.charter.secrets import RelaySecret, TerminalSecret, WitnessSecret, decode_secret, encode_secret
from hotline.cli.fieldview import isolated, typed
from hotline.cli.phraseview import own_language
from hotline.cli.prove import read_disclosure
from hotline.config import example_endpoint_toml, load_endpoint_config
from hotline.conformance.kit import CaseSet
from hotline.conformance.kit import load as load_cases
from hotline.crypto.identity import IdentityKey
from hotline.crypto.signing import SigningKey
from hotline.crypto.vault import is_sealed, open_secret, plain_secret, seal_secret
from hotline.drill.journal import FIELDS, Journal, read_journal
from hotline.drill.journal import spell as spell_entry
from hotline.drill.plan import library, load_plan
from hotline.errors import HotlineError
from hotline.ledger.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, sign_checkpoint
from hotline.ledger.cosignature import Ed25519Cosigner, check_cosignature, parse_witness_vkey
from hotline.ledger.note import Ed25519Signer, Ed25519Verifier, Signer, open_note, parse_note, parse_vkey, sign_note
from hotline.ledger.policy import open_cosigned, parse_policy
from hotline.ledger.proof import Proof, parse_proof, verify_proof
from hotline.ledger.record import _encode as encode_leaf
from hotline.ledger.record import make_entry, parse_leaf
from hotline.ledger.tiles import split_bundle, stored_hashes, tile_path
from hotline.ledger.tree import leaf_hash
from hotline.ledger.witness import AddCheckpoint, Status, Witness, parse_add_checkpoint
from hotline.limits import FRAME_BYTES_MAX
from hotline.machine import Plane, Record
from hotline.phrasebook import book, reading
from hotline.protocol.bundle import encode_bundle, read_bundle, verify_bundle
from hotline.protocol.context import LogIdentity
from hotline.protocol.fields import canonical, fault
from hotline.protocol.heads import open_head, place_of, said_head
from hotline.protocol.nonpapers import authenticate
from hotline.protocol.nonpapers import check as check_mac
from hotline.protocol.prekeys import read_peer_prekey
from hotline.protocol.statements import (
    Ends,
    decode_heartbeat,
    decode_receipt,
    decode_statement,
    read_heartbeat,
    read_statement,
    statement_name,
)
from hotline.runtime.contentkeys import read_openings
from hotline.safetext import SafeText, controls_found, safe_block, safe_line
from hotline.token import TokenKey, names_token
from hotline.wire.codec import decode, decode_frame, encode, envelope_frame
from hotline.wire.envelope import decode_header, envelope_id
from hotline.wire.inner import ContentType, Inner, decode_inner, encode_inner
from hotline.wire.v1 import bundle_pb2, content_pb2, frame_pb2, relay_pb2
from relay.config import load_relay_config
from tests.fuzz.forms import documents
from tests.fuzz.mutation import Shape
from tools.cases.agreement import charter_text
from tools.cases.keys import seed

FOLDER = Path(__file__).resolve().parent
VECTORS = FOLDER.parent.parent / "docs" / "vectors"
KEY = SigningKey(bytes(range(32)))
CLEAR = Inner(ContentType.KEY_REQUEST, b"content", bytes(64))
ORIGIN = "hotline/test/ALPHA/main/1"
LOG = LogIdentity(ORIGIN.rpartition("/")[0], KEY.public)
LEAF = make_entry(0, 1_795_000_000_000, 1, Record("test", {"a": 1}), bytes).leaf
HEAD = Checkpoint(ORIGIN, 1, leaf_hash(LEAF))
TWO = Checkpoint(ORIGIN, 2, bytes(32))
NOTE = sign_checkpoint(HEAD, Ed25519Signer(ORIGIN, KEY))
COSIGNER = Ed25519Cosigner("witness.example/1", KEY)
POLICY = f"log {Ed25519Verifier(ORIGIN, KEY.public).vkey()}\nwitness w {COSIGNER.verifier.vkey()}\nquorum w\n".encode()


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to fuzz. `run` raises HotlineError for a refusal and anything else for a find."""

    run: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    size: int = 4_096
    """Longest input worth trying."""
    shape: Shape | None = None
    """Makes inputs that keep the form of the seeds, so that what stands behind the parser is reached."""


def holds(promise: bool, what: str) -> None:
    """An assertion that -O does not take away."""
    if not promise:
        raise AssertionError(what)


# --- where the first inputs come from --------------------------------------------------------------------------------
@cache
def published() -> dict[str, CaseSet]:
    """The cases of docs/vectors by kind."""
    return {one.kind: one for one in load_cases(VECTORS)}


@cache
def asked(kind: str, *path: str) -> tuple[bytes, ...]:
    """What the cases of one kind ask about under a name: byte strings, which stand there in hex, or texts."""
    found = []
    for case in published()[kind].cases:
        value: Any = case.asked
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, str):
            found.append(bytes.fromhex(value) if _HEX.fullmatch(value) else value.encode())
    assert found, (kind, path)
    return tuple(dict.fromkeys(found))


_HEX = re.compile("(?:[0-9a-f]{2})*")


def charter_note() -> bytes:
    """The first published charter, signed by both parties."""
    return asked("charter", "note")[0]


# --- parsers ---------------------------------------------------------------------------------------------------------
def strict(kind: type[Message]) -> Callable[[bytes], object]:
    """A message in its one spelling."""

    def run(data: bytes) -> object:
        message = decode(kind, data, FRAME_BYTES_MAX)
        holds(encode(message) == data, "two spellings of one message (docs/protocol.md 4.2)")
        return message

    return run


def frame(data: bytes) -> object:
    decoded = decode_frame(data)
    holds(encode(decoded) == data, "two spellings of one frame")
    return decoded


def header(data: bytes) -> object:
    found = decode_header(data)
    holds(found.encode() == data[:22] and envelope_id(data) == data[4:22], "a header that is spelled otherwise")
    return found


def inner(padded: bool) -> Callable[[bytes], object]:
    def run(data: bytes) -> object:
        found = decode_inner(data, padded=padded)
        holds(encode_inner(found, padded=padded) == data, "two spellings of one content")
        return found

    return run


def statement(data: bytes) -> object:
    found = decode_statement(data)
    holds(encode(found) == data and 0 < found.serial <= 2**40 and len(found.body_salt) == 32, "an unlawful statement")
    return [read_statement(data, plane, "ALPHA", "BRAVO") for plane in Plane]


def non_paper(data: bytes) -> object:
    """Its content, and a MAC that holds for one direction alone."""
    ends = Ends(bytes(32), 1, 2)
    made = authenticate(bytes(32), Plane.REAL, ends, data)
    check_mac(bytes(32), made, Plane.REAL, ends)
    found = read_statement(data, Plane.REAL, "ALPHA", "BRAVO", made.type)
    holds(not (found.checkpoint or found.HasField("corrects")), "somebody's signature, without prejudice (22.4)")
    holds(statement_name(Plane.REAL, ends, found, data) == found.body_salt, "a name that binds (22.3)")
    return found


def receipt(data: bytes) -> object:
    found = decode_receipt(data)
    holds(encode(found) == data and 1 <= len(found.item) <= 256, "an unlawful receipt")
    return found


def heartbeat(data: bytes) -> object:
    found = decode_heartbeat(data)
    holds(encode(found) == data and found.beat > 0, "an unlawful heartbeat")
    return read_heartbeat(data, 1, transient=True)


def prekey(data: bytes) -> object:
    signed = decode(content_pb2.SignedPrekey, data, FRAME_BYTES_MAX)
    # What is in the body is looked at only under a signature, so it is signed here.
    charter, terminal = bytes(32), 2
    name = KEY.sign("hotline/v1/prekey", charter, terminal.to_bytes(2, "big"), signed.body)
    for one in (signed, content_pb2.SignedPrekey(body=signed.body, signature=name)):
        try:
            found = read_peer_prekey(charter, terminal, KEY.public, one)
        except HotlineError:
            continue
        holds(len(found.name) == 32, "a prekey without a name")
    return signed


def bundle_file(data: bytes) -> object:
    found = read_bundle(data)
    holds(found.sender != found.recipient and len(found.charter) == 32, "a bundle from nobody")
    verify_bundle(found, KEY.public)
    return found


def leaf(data: bytes) -> object:
    found = parse_leaf(data)
    holds(encode_leaf(found) == data, "two spellings of one leaf")
    return found


def checkpoint(data: bytes) -> object:
    found = parse_checkpoint(data)
    holds(found.text() == data, "two spellings of one checkpoint")
    return found


def note(data: bytes) -> object:
    found = parse_note(data)
    holds(found.encode() == data, "two spellings of one note")
    opened = open_note(data, [Ed25519Verifier(ORIGIN, KEY.public)])
    holds(opened.text == NOTE[: len(opened.text)] or b"\n\n" in data, "another text under an old signature")
    return opened


def head(data: bytes) -> object:
    said = said_head(data, LOG)
    try:
        place = place_of(data, LOG)
        holds(said == {} or (said["peer_log_epoch"], said["peer_size"]) == place, "said otherwise than it claims")
        opened = open_head(data, LOG)
    except HotlineError:
        return said
    holds((opened.place, opened.root) == ((1, 1), HEAD.root), "a head that was never signed")
    return open_checkpoint(data, ORIGIN, Ed25519Verifier(ORIGIN, KEY.public))


def cosignature(data: bytes) -> object:
    found = parse_note(b"x\n\n" + data).signatures
    return [check_cosignature(HEAD.text(), one, COSIGNER.verifier) for one in found]


def vkey(data: bytes) -> object:
    text = data.decode("utf-8", "surrogateescape")
    for parse in (parse_vkey, parse_witness_vkey):
        try:
            holds(parse(text).vkey() == text, "two spellings of one verifier key")
        except HotlineError:
            continue
    return text


def proof(data: bytes) -> object:
    found = parse_proof(data)
    holds(found.encode() == data, "two spellings of one proof")
    return verify_proof(data, LEAF, Ed25519Verifier(ORIGIN, KEY.public))


def policy(data: bytes) -> object:
    found = parse_policy(data)
    names = {witness.name for witness in found.witnesses}
    holds(found.satisfied(names) and (not found.quorum or not found.satisfied([])), "a quorum of nobody, or never")
    return open_cosigned(NOTE, found)


def request(data: bytes) -> object:
    try:
        parsed = parse_add_checkpoint(data)
        holds(parsed.encode() == data, "two spellings of one request")
    except HotlineError:
        parsed = None
    verifier = Ed25519Verifier(ORIGIN, KEY.public)
    witness = Witness({ORIGIN: verifier}.get, [COSIGNER])
    judged = [witness.judge(data, lambda _, held=held: held) for held in (None, HEAD)]
    for one in judged:
        lawful = parsed is not None and one.checkpoint in (HEAD, TWO)
        holds(one.status is not Status.OK or lawful, "cosigned what was not signed")
    return judged


def bundle(data: bytes) -> object:
    width = 1 + data[0] if data else 1
    entries = split_bundle(data[1:], width)
    spelled = b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
    holds(len(entries) == width and spelled == data[1:], "entries that are not those of the bundle")
    return list(stored_hashes(len(data) // 32, lambda _: data))


def tile(data: bytes) -> object:
    """No two tiles may stand at one place."""
    numbers = [int.from_bytes(data[start : start + 6].ljust(6, b"\0"), "big") for start in (0, 6)]
    paths = [tile_path(number % 5 or None, number >> 3, 1 + number % 256) for number in numbers]
    one, two = ((number % 5 or None, number >> 3, 1 + number % 256) for number in numbers)
    holds((paths[0] == paths[1]) == (one == two), "two tiles at one place")
    holds(not any(part in {"", ".", ".."} for path in paths for part in path.split("/")), "a path that leads elsewhere")
    return paths


def charter(data: bytes) -> object:
    found = load_draft(data)
    holds(
        not found.signed_by or parse_note(data).text in b"".join(asked("charter", "note")),
        "signed by a key that never signed it",
    )
    return found


def document(data: bytes) -> object:
    """The text of a charter or a card, without its signatures, so that the checks behind them are reached."""
    for kind in (CharterText, TerminalCard):
        try:
            holds(spell(read_text(kind, data)) == data, "two spellings of one document")
        except HotlineError:
            continue
    return load_draft(data)


def card(data: bytes) -> object:
    for read in (open_identity_card, open_relay_card, open_offer):
        with contextlib.suppress(HotlineError):
            read(data)
    found = read_claim(data)
    if is_one_in(16, data):  # what is behind the signature is reached under one
        text = parse_note(data).text
        for signed in (issuer.sign(text) for issuer in issuers()):
            with contextlib.suppress(HotlineError):
                holds(read_claim(signed) == found, "another claim under another signature")
            for opened in (open_identity_card, open_relay_card, open_offer):
                with contextlib.suppress(HotlineError):
                    opened(signed)
    return found


@dataclass(frozen=True, slots=True)
class Issuer:
    """Somebody whose key the cases have."""

    signer: Signer

    def sign(self, text: bytes) -> bytes:
        """The note."""
        return sign_note(text, [self.signer])


@cache
def issuers() -> tuple[Issuer, Issuer]:
    """A party and a relay."""
    party = IdentitySigner("ALPHA", IdentityKey(seed("identity of ALPHA", 64)))
    return Issuer(party), Issuer(Ed25519Signer("relay-1", SigningKey(seed("signing of relay-1"))))


def is_one_in(count: int, data: bytes) -> bool:
    """Whether it is one of so many inputs, told by its bytes."""
    return zlib.crc32(data) % count == 0


def key_file(data: bytes) -> object:
    sealed = is_sealed(data)
    for kind in (TerminalSecret, RelaySecret, WitnessSecret):
        try:
            decode_secret(kind, data, None)
        except HotlineError:
            continue
    name, secret = open_secret(data, "relay")
    holds(not sealed and plain_secret("relay", name, secret) == data, "two spellings of one key file")
    return name


def token_key(data: bytes) -> object:
    found = TokenKey.read(data)
    holds(names_token(data) and found.file() == data, "two spellings of one token key file")
    return found


def key_payload(data: bytes) -> object:
    """What a key file holds, whose seal was opened."""
    return decode_secret(RelaySecret, plain_secret("relay", "relay-1", data), None)


def with_file(load: Callable[[Path], object], name: str = "x.toml") -> Callable[[bytes], object]:
    """A parser of files, given a file."""

    def run(data: bytes) -> object:
        path = scratch() / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return load(path)

    return run


@cache
def scratch() -> Path:
    """The folder of this process's files, in memory where that can be; gone when the process ends."""
    memory = Path("/dev/shm")
    _KEPT.append(tempfile.TemporaryDirectory(prefix="hotline-fuzz-", dir=memory if memory.is_dir() else None))
    return Path(_KEPT[0].name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def safe(data: bytes) -> object:
    text = data.decode("utf-8", "surrogateescape")
    for shown in (safe_line(text), safe_line(text, 20), safe_line(text, ascii_only=True), safe_block(text)):
        holds(isinstance(shown, SafeText), "a text for which nobody vouches")
        acting = [one for one in shown if unicodedata.category(one) in {"Cc", "Cs", "Co", "Cn"} and one != "\n"]
        holds(not acting, f"{acting} reached the screen")
    holds("\n" not in safe_line(text), "a line of two lines")
    holds(
        len(safe_line(text, 20)) <= 20 and safe_line(safe_line(text)) == safe_line(text), "too long, or changed again"
    )
    return controls_found(text)


def _endpoint_seeds() -> list[bytes]:
    return [example_endpoint_toml("ALPHA", "main").encode(), b"config = 1\n"]


def _relay_seeds() -> list[bytes]:
    return [b'config = 1\nname = "relay-1"\nkey = "k"\ncharters = ["c"]\nstore = "s"\nlisten = "127.0.0.1:0"\n']


def _journal_seeds() -> list[bytes]:
    value: dict[str, object] = {"text": "x", "integer": 1, "truth": True, "object": {}, "number": 1.5}
    journal = Journal()
    for kind, fields in FIELDS.items():
        journal.add(0, kind, **{name: value[type_.split(" ")[0]] for name, type_ in fields.items()})
    return ["".join(map(spell_entry, journal.entries)).encode()]


def _plan_seeds() -> list[bytes]:
    return [path.read_bytes().replace(path.stem.encode(), b"fuzzed", 1) for path in library()[:6]]


def _key_payload_seeds() -> list[bytes]:
    return [open_secret(encode_secret("r", RelaySecret(bytes(32), b"pem", b"der"), None, bytes), "relay")[1]]


def _proof_seeds() -> list[bytes]:
    return [Proof(0, (), NOTE).encode(), Proof(0, (HEAD.root,), NOTE, b"extra").encode()]


def _request_seeds() -> list[bytes]:
    two = sign_checkpoint(TWO, Ed25519Signer(ORIGIN, KEY))
    return [AddCheckpoint(0, (), NOTE).encode(), AddCheckpoint(1, (HEAD.root,), two).encode()]


def _text_seeds() -> list[bytes]:
    return [
        "Status Ruf 12 \u062e\u0637 \u0928\u092e\u0938\u094d\u0924\u0947 \u202e\x1b[2J\u200d\U0001f600".encode(),
        b"plain\ntext",
        b"\xff",
    ]


def _note_seeds() -> list[bytes]:
    line = COSIGNER.cosign(HEAD.text(), 1_795_000_000).line() + "\n"
    return [NOTE, NOTE + line.encode(), parse_note(charter_note()).encode()]


def _bodies(kind: str) -> list[bytes]:
    return [data for case in published()[kind].cases if len(data := bytes.fromhex(case.asked["body"])) <= 4_096]


def _key_requests() -> list[bytes]:
    opened = [case.expected["output"] for case in published()["envelope"].cases if case.expected["accept"]]
    return [bytes.fromhex(output["content"]) for output in opened if output["type"] == 4]


def _prekey_seeds() -> list[bytes]:
    return [encode(content_pb2.SignedPrekey(body=body, signature=bytes(64))) for body in asked("prekey", "body")]


def _key_file_seeds() -> list[bytes]:
    return [plain_secret("relay", "relay-1", b"{}"), seal_secret("relay", "relay-1", b"{}", b"x", bytes)]


def _bundle_seeds() -> list[bytes]:
    body = bundle_pb2.BundleBody(charter=bytes(32), from_terminal=1, to_terminal=2, made_ms=5, envelope=[b"e" * 30])
    return [encode_bundle(KEY, body), *asked("bundle", "bytes")[:8]]


def _charter_seeds() -> list[bytes]:
    """Published ones, and short ones without officers, which nobody has signed."""
    short = [
        spell(charter_text(officers=(), serial=serial, amends=amends))
        for serial, amends in (
            (1, None),
            (2, AmendsEntry(founding="0" * 64, previous="1" * 64, terminal_number=2, relay_number=1)),
        )
    ]
    return [*short * 4, *asked("charter", "note")[:4]]


def _case_seeds() -> list[bytes]:
    return [(VECTORS / "pae.json").read_bytes()]


def typed_field(data: bytes) -> object:
    """A field as it stands on a command line: in one spelling, which is lawful."""
    found = typed(data.decode("utf-8", "replace"))
    holds(not fault(found) and canonical(found.kind, found.value) == found.value, "a field with two spellings")
    return found


def shown_text(data: bytes) -> object:
    """A statement's text on a screen: no sign of its own can act, and our isolates stay closed (21.8)."""
    found = decode_statement(data)
    text = isolated(found.text, found.field)
    values = [f"\u2068{safe_line(one.value, 2_000)}\u2069" for one in found.field]
    for value in values:
        text = text.replace(value, "")
    holds(controls_found(text) == 0, "a sign that acts on the screen")
    read = reading(found.phrase, found.text, found.language, found.field, own_language())
    holds(read.agrees is not True or bool(read.text), "a phrase that is in no book agrees")
    return read


def _phrase_seeds() -> list[bytes]:
    """Statements that say a phrase, as it is and with another text."""
    entry = book().phrases["B02"]
    said = content_pb2.Statement.FromString(asked("statement", "content")[0])
    said.text, said.language = entry.texts["en"], "en"
    said.phrase.CopyFrom(content_pb2.Phrase(code="B02", book=book().name))
    said.field.append(content_pb2.Field(name="number", kind=content_pb2.FIELD_KIND_NUMBER, value="17"))
    other = content_pb2.Statement.FromString(encode(said))
    other.text = "{number}\u2069\u202e{number}"
    return [encode(said), encode(other)]


def _plain_frames() -> list[bytes]:
    return [*asked("frame", "bytes"), *(envelope_frame(one) for one in asked("envelope", "envelope"))]


def _strict(kind: type[Message], *seeds: Message) -> Target:
    return Target(strict(kind), lambda: [encode(one) for one in seeds])


TARGETS: dict[str, Target] = {
    "frame": Target(frame, _plain_frames),
    "hello": _strict(frame_pb2.Hello, frame_pb2.Hello(version=1, charter=bytes(32), terminal=2)),
    "welcome": _strict(frame_pb2.Welcome, frame_pb2.Welcome(version=1, relay="relay-1", waiting=3)),
    "custody": Target(strict(frame_pb2.CustodyBody), lambda: asked("custody", "body")),
    "taken": _strict(frame_pb2.Taken, frame_pb2.Taken(envelope_id=[bytes(18), bytes(range(18))])),
    "refusal": _strict(frame_pb2.Refusal, frame_pb2.Refusal(envelope_id=bytes(18), reason=4)),  # type: ignore[arg-type]
    "parcel": Target(strict(relay_pb2.AttachRequest), lambda: asked("parcel", "bytes")),
    "key-request": _strict(content_pb2.KeyRequest, content_pb2.KeyRequest(unknown_epoch=bytes(12), time_ms=1)),
    "prekey-body": Target(strict(content_pb2.PrekeyBody), lambda: asked("prekey", "body")),
    "header": Target(header, lambda: asked("header", "bytes"), 200),
    "inner-padded": Target(inner(True), lambda: asked("inner", "bytes"), 600),
    "inner-clear": Target(inner(False), lambda: [encode_inner(CLEAR, padded=False), *asked("inner", "bytes")], 600),
    "statement": Target(statement, lambda: asked("statement", "content")),
    "typed-field": Target(
        typed_field,
        lambda: [b"time.begin=2026-11-25T10:00Z", b"coord=-28.6139,77.2090", b"place=Point One", b"number=17"],
        200,
    ),
    "shown-text": Target(shown_text, lambda: [*_phrase_seeds(), *asked("statement", "content")]),
    "non-paper": Target(non_paper, lambda: asked("non-paper", "content")),
    "receipt": Target(receipt, lambda: asked("receipt", "content")),
    "heartbeat": Target(heartbeat, lambda: asked("heartbeat", "content")),
    "prekey": Target(prekey, _prekey_seeds),
    "bundle-file": Target(bundle_file, _bundle_seeds),
    "leaf": Target(leaf, lambda: asked("leaf", "leaf")),
    "checkpoint": Target(checkpoint, lambda: [HEAD.text(), TWO.text()], 400),
    "note": Target(note, lambda: [*_note_seeds(), *asked("checkpoint", "note")]),
    "head": Target(head, lambda: _note_seeds()[:2], 1_200),
    "cosignature": Target(
        cosignature, lambda: [f"{COSIGNER.cosign(HEAD.text(), 1_795_000_000).line()}\n".encode()], 600
    ),
    "vkey": Target(vkey, lambda: [*(word for word in POLICY.split() if b"+" in word), *asked("cosignature", "vkey")]),
    "proof": Target(proof, lambda: [*_proof_seeds(), *asked("proof", "proof")]),
    "policy": Target(policy, lambda: [POLICY, POLICY + b"# \xff\n", *asked("policy", "policy")]),
    "witness-request": Target(request, lambda: [*_request_seeds(), *asked("witness", "request")]),
    "bundle": Target(bundle, lambda: [b"\x01\0\x01a\0\x00", b"\0\0\x02ab"], 600),
    "tile-path": Target(tile, lambda: [bytes(12), bytes(range(12))], 12),
    "charter": Target(charter, _charter_seeds, 60_000, documents),
    "document": Target(document, lambda: [parse_note(charter_note()).text], 60_000, documents),
    "card": Target(card, lambda: asked("card", "note"), 16_384, documents),
    "key-file": Target(key_file, _key_file_seeds),
    "token-key": Target(token_key, lambda: [TokenKey("A/b", "/lib.so", "t", "0", "k", KEY.public).file()]),
    "key-payload": Target(key_payload, _key_payload_seeds),
    "openings": Target(read_openings, lambda: [b'{"body":["00","00"]}'], 600),
    "disclosure": Target(read_disclosure, lambda: [b'{"body": {"salt": "00", "value": "x"}}'], 600),
    "endpoint-config": Target(with_file(load_endpoint_config), _endpoint_seeds),
    "relay-config": Target(with_file(load_relay_config), _relay_seeds),
    "drill-plan": Target(with_file(load_plan, "fuzzed.toml"), _plan_seeds),
    "drill-journal": Target(with_file(read_journal, "x.jsonl"), _journal_seeds),
    "case-file": Target(with_file(lambda path: load_cases(path.parent), "cases/pae.json"), _case_seeds),
    "safe-text": Target(safe, _text_seeds, 600),
}
"""Name to target; each name is a folder of the corpus."""


def refused(run: Callable[[bytes], object], data: bytes) -> bool:
    """Whether `data` is refused. Any exception that is no refusal goes through."""
    try:
        run(data)
    except HotlineError:
        return True
    return False


def replayed(name: str) -> list[Path]:
    """The files that the tree holds for one target."""
    return [path for kind in ("corpus", "regressions") for path in sorted((FOLDER / kind / name).glob("*"))]
