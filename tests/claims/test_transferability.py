"""What was said without prejudice convinces the one who was meant, and nobody else (docs/protocol.md 22.8).

BRAVO plays the traitor: it has kept every byte, its own keys and those of the epochs, and shows an outsider all of
both disks. The same text said of record is the control: it is nailed down wherever these tests look.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from hotline.crypto.epochs import Binding, SendingEpoch
from hotline.crypto.sealing import seal
from hotline.errors import NotOpened, Untrusted
from hotline.ledger.log import unvouched_origin
from hotline.ledger.note import Ed25519Verifier
from hotline.ledger.record import commitment
from hotline.ledger.verify import Outcome, verify_log
from hotline.machine import Plane
from hotline.protocol import nonpapers
from hotline.protocol.nonpapers import Name, open_stored
from hotline.protocol.session import Session
from hotline.protocol.statements import statement_hash
from hotline.wire.codec import encode
from hotline.wire.envelope import FLAG_OPENER, decode_header
from hotline.wire.inner import ContentType, Inner, encode_inner
from hotline.wire.v1 import content_pb2
from tests.claims.test_binding import PAIRWISE, PLACES
from tests.hotline.protocol.pair import Pair, Party, durable

TEXT = "We could live with the fifteenth, if nobody quotes us."
OTHER = "We shall never agree to it, and you may quote us there."


@dataclass
class Overheard:
    """A conversation of which everything was kept."""

    pair: Pair
    serial: int
    content: bytes = b""
    envelopes: list[bytes] = field(default_factory=list)
    signed: list[bytes] = field(default_factory=list)
    """Every content that either terminal signed."""


def overheard(monkeypatch: pytest.MonkeyPatch, *, quiet: bool) -> Overheard:
    """ALPHA says one thing, BRAVO reads it, and a day's worth of beats and heads goes by."""
    signed: list[bytes] = []
    sign = Session.sign

    def noting(self: Session, kind: ContentType, plane: Plane, content: bytes) -> Inner:
        if kind is not ContentType.WITHOUT_PREJUDICE:
            signed.append(content)
        return sign(self, kind, plane, content)

    monkeypatch.setattr(Session, "sign", noting)
    pair = Pair(7)
    pair.custody = True
    pair.open(15_000)
    before = len(pair.sent)
    serial = int(str(pair.alpha.submit(TEXT, without_prejudice=quiet).fields["serial"]))
    heard = Overheard(pair, serial, signed=signed)
    heard.content = pair.alpha.endpoint.context.outboxes[Plane.REAL].pending[serial].content
    pair.run(2_000)
    assert pair.bravo.read(serial).ok
    pair.run(120_000)
    assert pair.alpha.states(serial)[-1] == "read"
    own = [envelope for name, _, envelope in pair.sent[before:] if name == "ALPHA" and durable(envelope)]
    heard.envelopes = own[:1]
    return heard


def traces(heard: Overheard) -> dict[str, bytes]:
    """What would tie somebody to the text if it stood under a signature, or where its maker cannot alter it."""
    content, party = heard.content, heard.pair.alpha
    said = content_pb2.Statement.FromString(content)
    session = party.endpoint.context.session
    return {
        "content": content,
        "text": TEXT.encode(),
        "hash of the content": hashlib.sha256(content).digest(),
        "hash of the text": hashlib.sha256(TEXT.encode()).digest(),
        "name of a statement": statement_hash(Plane.REAL, session.ends_out, content),
        "commitment": commitment(said.body_salt, "body", TEXT.encode()),
        "envelope": hashlib.sha256(heard.envelopes[0]).digest(),
        "MAC": nonpapers.authenticate(heard.pair.pairwise, Plane.REAL, session.ends_out, content).signature,
    }


def everything(heard: Overheard) -> Iterator[tuple[str, bytes]]:
    """All that is left: rows, leaves, heads, openings, and what was signed for the line."""
    for party in (heard.pair.alpha, heard.pair.bravo):
        for table, rows in party.memory.tables.items():
            for row in rows.values():
                yield (
                    f"{party.name} {table}",
                    repr(sorted(row.items())).encode()
                    + b"".join(value for value in row.values() if isinstance(value, bytes)),
                )
        for one in party.memory.log.epochs.values():
            yield from ((f"{party.name} ledger", leaf) for leaf in one.leaves)
            yield from ((f"{party.name} head", note) for note in one.notes)
    yield from (("signed", content) for content in heard.signed)


def found(heard: Overheard) -> set[tuple[str, str]]:
    """Which trace stands where."""
    wanted = traces(heard)
    return {
        (what, where)
        for where, data in everything(heard)
        for what, trace in wanted.items()
        if trace in data or trace.hex().encode() in data
    }


def test_no_trace_of_what_was_said_stands_under_a_signature_or_on_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receipt, a head or a relay's word would prove to everybody what only the peer may know (docs/protocol.md 22.3,
    22.5 and 22.8). Of record all of these are there, or the search would find nothing anywhere.
    """
    with monkeypatch.context() as patch:
        of_record = {what for what, _ in found(overheard(patch, quiet=False))}
    assert of_record >= {"content", "text", "name of a statement", "commitment", "envelope"}
    assert found(overheard(monkeypatch, quiet=True)) == set()


def forged(heard: Overheard) -> bytes:
    """Another text of the same length, with everything else as it was."""
    said = content_pb2.Statement.FromString(heard.content)
    said.text = OTHER
    content = encode(said)
    assert nonpapers.size_class(content) == nonpapers.size_class(heard.content)
    return content


def as_if_sent(heard: Overheard, content: bytes, pairwise: bytes) -> bytes:
    """An envelope from ALPHA that ALPHA never made: of BRAVO's own prekey, the pairwise secret and dice."""
    bravo, ends = heard.pair.bravo, heard.pair.bravo.endpoint.context.session.ends_in
    prekey = bravo.endpoint.context.prekeys.newest
    assert prekey is not None
    binding = Binding(ends.charter, ends.sender, ends.recipient, pairwise)
    epoch = SendingEpoch(binding, Plane.REAL, prekey.name, prekey.key.public, heard.pair.entropy)
    number, key = epoch.take(transient=False)
    header = bytes((1, FLAG_OPENER)) + b"\0\2\0\1" + epoch.epoch_id + number.to_bytes(4, "big")
    inner = nonpapers.authenticate(pairwise, Plane.REAL, ends, content)
    return header + prekey.name[:4] + epoch.opener + seal(key, header, encode_inner(inner, padded=True))


def test_the_receiver_can_make_one_that_nothing_tells_from_the_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise what BRAVO shows around is proof of what ALPHA said (docs/protocol.md 22.1 and 22.8)."""
    heard = overheard(monkeypatch, quiet=True)
    bravo = heard.pair.bravo
    ends = bravo.endpoint.context.session.ends_in
    real = nonpapers.authenticate(heard.pair.pairwise, Plane.REAL, ends, heard.content)
    lie = nonpapers.authenticate(heard.pair.pairwise, Plane.REAL, ends, forged(heard))
    for inner in (real, lie):
        nonpapers.check(heard.pair.pairwise, inner, Plane.REAL, ends)
    # On the wire: the same session, asked the same way, takes either.
    opened = []
    for content in (heard.content, forged(heard)):
        envelope = as_if_sent(heard, content, heard.pair.pairwise)
        opened.append(bravo.endpoint.context.session.open(decode_header(envelope), envelope, bravo.now()))
    assert [(one.plane, one.inner.type) for one in opened] == [(Plane.REAL, ContentType.WITHOUT_PREJUDICE)] * 2
    assert [one.inner for one in opened] == [real, lie]
    # On the disk: in the place of the real one, under its key, beside everything that anybody signed.
    name = Name("received", Plane.REAL, heard.serial)
    (row,) = bravo.memory.rows("received")
    (kept,) = bravo.memory.rows("nonpaper")
    stored = nonpapers.NonPapers(bravo.storage_key, heard.pair.entropy)
    sealed, key_row = stored.seal(name, forged(heard))
    lying = {**row, "content": sealed}
    assert set(key_row.row) == set(kept)  # type: ignore[union-attr]
    bravo.memory.tables["received"]["real", heard.serial] = lying
    assert open_stored(bravo.storage_key, name, key_row.row["box"], sealed) == forged(heard)  # type: ignore[union-attr,arg-type]
    assert [len(sealed), row["hash"], row["signature"]] == [
        len(forged(heard)) + 41,
        content_pb2.Statement.FromString(forged(heard)).body_salt,
        b"",
    ]
    for party in (heard.pair.alpha, bravo):
        assert party.ledger_and_tables() == []
        assert verdict(party) is Outcome.VERIFIED


def verdict(party: Party) -> Outcome:
    """What an auditor says who is given all of one side."""
    log = party.memory.log
    origin = f"{party.log.base}/{log.epoch}"
    notes = log.current.notes
    name = origin if not notes[-1].startswith(unvouched_origin(origin).encode()) else unvouched_origin(origin)
    return verify_log(iter(log.leaves), notes[-1], Ed25519Verifier(name, party.log.key)).outcome


def test_of_record_the_receiver_can_make_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: if the traitor could do this of record too, the test above would show nothing."""
    heard = overheard(monkeypatch, quiet=False)
    row = heard.pair.bravo.memory.tables["received"]["real", heard.serial]
    said = content_pb2.Statement.FromString(heard.content)
    said.text = OTHER
    ends = heard.pair.bravo.endpoint.context.session.ends_in
    heard.pair.bravo.memory.tables["received"]["real", heard.serial] = {
        **row,
        "content": encode(said),
        "hash": statement_hash(Plane.REAL, ends, encode(said)),
    }
    heard.pair.bravo.lies = True
    assert heard.pair.bravo.ledger_and_tables() == [f"received #{heard.serial} (real): another statement"]


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32])
def test_who_has_no_pairwise_secret_makes_none(monkeypatch: pytest.MonkeyPatch, secret: bytes) -> None:
    """A relay or a witness would speak in a party's name (docs/protocol.md 22.8)."""
    heard = overheard(monkeypatch, quiet=True)
    session = heard.pair.bravo.endpoint.context.session
    envelope = as_if_sent(heard, forged(heard), secret)
    with pytest.raises(NotOpened, match="not-opened"):
        session.open(decode_header(envelope), envelope, heard.pair.bravo.now())
    inner = nonpapers.authenticate(secret, Plane.REAL, session.ends_in, forged(heard))
    with pytest.raises(Untrusted, match="signature"):
        nonpapers.check(heard.pair.pairwise, inner, Plane.REAL, session.ends_in)


def test_a_mac_holds_in_no_other_place() -> None:
    """What was said in an exercise, or by the other side, would be said here (docs/protocol.md 22.2)."""
    macs = {place: nonpapers.authenticate(PAIRWISE, place.plane, place.ends, b"words") for place in PLACES}
    for place, other in itertools.product(PLACES, PLACES):
        if place == other:
            nonpapers.check(PAIRWISE, macs[place], other.plane, other.ends)
            continue
        with pytest.raises(Untrusted):
            nonpapers.check(PAIRWISE, macs[place], other.plane, other.ends)
