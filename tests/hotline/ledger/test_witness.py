"""A witness signs a log only as it grows; what contradicts is kept."""

from __future__ import annotations

import pytest

from hotline.crypto.signing import SigningKey
from hotline.errors import Malformed
from hotline.ledger.checkpoint import Checkpoint, sign_checkpoint
from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.ledger.note import Ed25519Signer, Ed25519Verifier, Note, Signature, open_note, parse_note
from hotline.ledger.tree import EMPTY_ROOT, Frontier, Node, consistency_proof, leaf_hash
from hotline.ledger.witness import (
    PROOF_LINES_MAX,
    REQUEST_BYTES_MAX,
    AddCheckpoint,
    Judgement,
    Status,
    Witness,
    parse_add_checkpoint,
)
from tests.hotline.ledger.specimen import KEY, ORIGIN, VERIFIER

SIGNER = Ed25519Signer(ORIGIN, KEY)
COSIGNER = Ed25519Cosigner("witness.example/w1", SigningKey(bytes(range(1, 33))))


class Log:
    """A tree of numbered leaves; `tint` makes another one."""

    def __init__(self, size: int, tint: bytes = b"") -> None:
        self.frontiers = [Frontier()]
        self.nodes: dict[tuple[int, int], bytes] = {}
        frontier = Frontier()
        for index in range(size):
            grown: list[Node] = frontier.append(leaf_hash(b"%d" % index + tint))
            self.nodes.update({(node.level, node.position): node.hash for node in grown})
            self.frontiers.append(frontier.copy())

    def head(self, size: int) -> Checkpoint:
        return Checkpoint(ORIGIN, size, self.frontiers[size].root())

    def request(self, old: int, new: int, signer: Ed25519Signer = SIGNER) -> bytes:
        proof = consistency_proof(old, new, lambda level, i: self.nodes[level, i]) if 0 < old <= new else []
        return AddCheckpoint(old, tuple(proof), sign_checkpoint(self.head(new), signer)).encode()


LOG, FORK = Log(40), Log(40, b"x")


class Held:
    """A witness with its memory, stored at once as the service does."""

    def __init__(self) -> None:
        self.heads: dict[str, Checkpoint] = {}
        self.witness = Witness(lambda origin: VERIFIER if origin == ORIGIN else None, [COSIGNER])

    def ask(self, request: bytes) -> Judgement:
        answer = self.witness.judge(request, self.heads.get)
        if answer.checkpoint is not None:
            self.heads[answer.checkpoint.origin] = answer.checkpoint
        return answer


def test_the_published_order_of_answers() -> None:
    """Logs of other programs could not be witnessed here, nor ours elsewhere (docs/protocol.md 13.17)."""
    held = Held()
    steps = [
        (LOG.request(0, 5), Status.OK),
        (LOG.request(0, 5), Status.CONFLICT),
        (LOG.request(5, 5), Status.OK),
        (LOG.request(5, 12), Status.OK),
        (LOG.request(5, 13), Status.CONFLICT),
        (LOG.request(14, 13), Status.BAD_REQUEST),
        (FORK.request(12, 12), Status.UNPROCESSABLE),
        (FORK.request(12, 20), Status.UNPROCESSABLE),
        (LOG.request(12, 12), Status.OK),
        (LOG.request(12, 20, Ed25519Signer(ORIGIN, SigningKey(bytes(32)))), Status.FORBIDDEN),
        (LOG.request(12, 40), Status.OK),
    ]
    assert [held.ask(request).status for request, _ in steps] == [status for _, status in steps]
    assert held.heads[ORIGIN] == LOG.head(40)


def test_a_conflict_names_the_size() -> None:
    """A terminal that lost its memory would not learn how far it had been seen (docs/protocol.md 13.17)."""
    held = Held()
    held.ask(LOG.request(0, 12))
    assert held.ask(LOG.request(0, 13)).held == 12


def test_only_signed_contradictions_are_evidence() -> None:
    """Anyone could fill a witness's disk, or a liar's own words would be thrown away."""
    held = Held()
    held.ask(LOG.request(0, 12))
    assert held.ask(FORK.request(12, 20)).evidence
    assert held.ask(FORK.request(12, 12)).evidence
    stranger = Ed25519Signer(ORIGIN, SigningKey(bytes(32)))
    assert not held.ask(FORK.request(12, 20, stranger)).evidence
    assert not held.ask(b"old 12\n\nnonsense\n").evidence


def test_a_wrong_proof_of_whoever_asked_is_no_evidence() -> None:
    """A stranger could fill a witness with the very head that it holds, which he was given (docs/protocol.md 13.7)."""
    held, made_up = Held(), (bytes(32),)
    first = AddCheckpoint(0, made_up, parse(LOG.request(0, 12)).note).encode()
    assert (held.ask(first).status, held.ask(first).evidence) == (Status.UNPROCESSABLE, False)
    held.ask(LOG.request(0, 12))
    again = AddCheckpoint(12, made_up, parse(LOG.request(0, 12)).note).encode()
    assert (held.ask(again).status, held.ask(again).evidence) == (Status.UNPROCESSABLE, False)
    later = AddCheckpoint(12, made_up, parse(LOG.request(0, 20)).note).encode()
    assert (held.ask(later).evidence, held.ask(later).convicts) == (True, False)
    fork = AddCheckpoint(12, made_up, parse(FORK.request(0, 12)).note).encode()
    assert (held.ask(fork).evidence, held.ask(fork).convicts) == (True, True)
    nothing = sign_checkpoint(Checkpoint(ORIGIN, 0, bytes(32)), SIGNER)
    assert Held().ask(AddCheckpoint(0, (), nothing).encode()).convicts


def test_size_zero() -> None:
    """A log could begin with a root over nothing and grow from there into anything."""
    held = Held()
    empty = sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT), SIGNER)
    other = sign_checkpoint(Checkpoint(ORIGIN, 0, bytes(32)), SIGNER)
    assert held.ask(AddCheckpoint(0, (), other).encode()).status is Status.UNPROCESSABLE
    assert held.ask(AddCheckpoint(0, (), empty).encode()).status is Status.OK
    assert held.ask(AddCheckpoint(0, (bytes(32),), parse(LOG.request(0, 5)).note).encode()).status is (
        Status.UNPROCESSABLE
    )
    assert held.ask(LOG.request(0, 5)).status is Status.OK


def parse(data: bytes) -> AddCheckpoint:
    return parse_add_checkpoint(data)


def test_an_unknown_log_is_not_taken_on_trust() -> None:
    """Whoever comes first with a name would own it."""
    other = "hotline/ab/BRAVO/main/1"
    note = sign_checkpoint(Checkpoint(other, 5, bytes(32)), Ed25519Signer(other, KEY))
    assert Held().ask(AddCheckpoint(0, (), note).encode()).status is Status.NOT_FOUND


def test_a_forged_witness_line_changes_nothing() -> None:
    """A line beside the log's own signature could poison what the witness holds, or make it refuse an honest log."""
    held = Held()
    note = parse_note(parse(LOG.request(0, 5)).note)
    forged = Signature(COSIGNER.name, COSIGNER.verifier.key_id, bytes(72))
    request = AddCheckpoint(0, (), Note(note.text, (*note.signatures, forged)).encode()).encode()
    answer = held.ask(request)
    assert answer.status is Status.OK
    assert answer.text == note.text


def test_the_cosignature_is_over_what_was_judged() -> None:
    """A witness would vouch for something it never checked."""
    held = Held()
    request = LOG.request(0, 5)
    answer = held.ask(request)
    lines = held.witness.cosign(answer.text, 1_795_000_000)
    whole = parse(request).note + lines
    opened = open_note(whole, [Ed25519Verifier(ORIGIN, KEY.public), COSIGNER.verifier])
    assert len(opened.verified) == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.replace(b"old 5", b"old 05"),
        lambda data: data.replace(b"old 5", b"old +5"),
        lambda data: data.replace(b"old 5", b"old 5 "),
        lambda data: data.replace(b"old 5", b"Old 5"),
        lambda data: data.replace(b"old 5\n", b"old 5\r\n"),
        lambda data: data.replace(b"\n\nhotline", b"\n\n\nhotline"),
        lambda data: data.replace(b"old 5\n", b"old 5\n" + b"A" * 44 + b"\n" * 1),
        lambda data: data.replace(b"old 5\n", b"old 5\nAA==\n"),
        lambda data: b"\n" + data,
        lambda data: data.replace(b"old 5\n", b"old 5\n" + (b"A" * 43 + b"=\n") * (PROOF_LINES_MAX + 1)),
        lambda data: data[:-1],
        lambda data: b"old 5\n",
        lambda data: b"old 5\n\n" + b"x" * 70_000,
        lambda data: data.replace(b"=\n\n", b"=\n\n", 1).replace(b"old 5\n", b"old 5\n\xff\n"),
    ],
)
def test_one_spelling(spoil: object) -> None:
    """Two witnesses would read one request differently."""
    good = LOG.request(5, 12)
    bad = spoil(good)  # type: ignore[operator]
    assert bad != good
    held = Held()
    held.ask(LOG.request(0, 5))
    assert held.ask(bad).status is Status.BAD_REQUEST


def test_a_request_is_written_as_it_is_read() -> None:
    """What a terminal sends would not be what a witness judges."""
    data = LOG.request(5, 12)
    assert parse(data).encode() == data


def test_a_request_says_that_its_number_is_the_old_size() -> None:
    """Bytes of another protocol would be taken for a request (docs/protocol.md 13.7)."""
    lawful = LOG.request(0, 5)
    for start in (b"0", b"new 0", b" old 0", b"old  0", b"old 00", b"old -0", b"old"):
        changed = start + lawful.removeprefix(b"old 0")
        assert Held().ask(changed).status is Status.BAD_REQUEST
    assert Held().ask(lawful).status is Status.OK


def test_what_contradicts_is_told_with_what_is_held() -> None:
    """The operator could not see from the log line which head was contradicted."""
    held = Held()
    held.ask(LOG.request(0, 5))
    answer = held.ask(AddCheckpoint(5, (), sign_checkpoint(FORK.head(5), SIGNER)).encode())
    assert (answer.status, answer.held, answer.evidence) == (Status.UNPROCESSABLE, 5, True)
    assert not held.ask(LOG.request(5, 9)).evidence


def test_a_request_at_its_bounds_is_read_and_one_beyond_is_not() -> None:
    """A log with a long proof could not be witnessed (docs/protocol.md 13.17)."""
    longest = b"old 0\n\n" + b"x" * (REQUEST_BYTES_MAX - 7)
    assert parse(longest).note == longest[7:]
    with pytest.raises(Malformed, match="too-long"):
        parse(longest + b"x")
    hashes = tuple(bytes([number]) * 32 for number in range(PROOF_LINES_MAX))
    assert parse(AddCheckpoint(1, hashes, b"note").encode()) == AddCheckpoint(1, hashes, b"note")


def test_each_judgement_says_what_is_held_and_nothing_more() -> None:
    """What is refused would be taken for what is stored (docs/protocol.md 13.17)."""
    held = Held()
    first = held.ask(LOG.request(0, 5))
    assert (first.held, first.checkpoint, first.text) == (0, LOG.head(5), LOG.head(5).text())
    assert first.note == parse(LOG.request(0, 5)).note
    second = held.ask(LOG.request(5, 9))
    assert (second.held, second.why, second.evidence) == (5, "cosigned", False)
    stranger = Ed25519Signer(ORIGIN, SigningKey(bytes(32)))
    for request in (b"x", LOG.request(0, 9, stranger), LOG.request(12, 9)):
        refused = held.ask(request)
        assert (refused.held, refused.checkpoint, refused.text, refused.note) == (0, None, b"", b"")
    assert held.ask(LOG.request(0, 12)).note == b""
    fork = held.ask(FORK.request(9, 12))
    assert (fork.held, fork.checkpoint, fork.text, fork.note) == (9, None, b"", parse(FORK.request(9, 12)).note)
