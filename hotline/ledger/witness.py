"""What a witness decides of an add-checkpoint request (c2sp.org/tlog-witness). Pure: storing is the service's.

A witness cosigns a log only as long as it grows: it never signs a smaller tree, nor another one of the same size.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from hotline.errors import Malformed, RemoteError, Untrusted
from hotline.ledger.checkpoint import CHECKPOINT_BYTES_MAX, Checkpoint, parse_checkpoint, parse_size
from hotline.ledger.cosignature import Cosigner
from hotline.ledger.note import Verifier, decode_base64, open_note, parse_note
from hotline.ledger.tree import EMPTY_ROOT, HASH_SIZE, verify_consistency

PROOF_LINES_MAX: Final = 63
REQUEST_BYTES_MAX: Final = 65_536


class Status(IntEnum):
    """Answers of a witness, as HTTP status codes."""

    OK = 200
    BAD_REQUEST = 400
    FORBIDDEN = 403
    NOT_FOUND = 404
    CONFLICT = 409
    UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request: the size that the witness is thought to hold, the proof from there, and the signed checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    note: bytes

    def encode(self) -> bytes:
        """The request's one spelling."""
        hashes = [base64.b64encode(hash_).decode() for hash_ in self.proof]
        return "\n".join([f"old {self.old}", *hashes]).encode() + b"\n\n" + self.note


def parse_add_checkpoint(data: bytes) -> AddCheckpoint:
    """Parse a request. Raises Malformed."""
    if len(data) > REQUEST_BYTES_MAX:
        raise Malformed("too-long", f"request of {len(data)} bytes")
    head, gap, note = data.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise Malformed("request", "not ASCII before the checkpoint") from error
    if not gap or not first.startswith("old "):
        raise Malformed("request", "no old size")
    if len(lines) > PROOF_LINES_MAX:
        raise Malformed("request", f"{len(lines)} proof lines")
    proof = tuple(decode_base64(line) for line in lines)
    if any(len(hash_) != HASH_SIZE for hash_ in proof):
        raise Malformed("request", "a hash that is not 32 bytes")
    return AddCheckpoint(parse_size(first.removeprefix("old ")), proof, note)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What becomes of a request. With OK, `checkpoint` MUST be stored before a cosignature over `text` is given out.

    `evidence`: the log signed what is not shown to be true beside what it signed before; the request must be kept.
    """

    status: Status
    why: str
    held: int = 0
    checkpoint: Checkpoint | None = None
    text: bytes = b""
    evidence: bool = False
    convicts: bool = False
    """Evidence that needs no proof: one size with two roots. Any other may be a wrong proof of whoever asked."""
    note: bytes = b""
    """The checkpoint as it came, with OK and with evidence."""


class Witness:
    """Judges requests for pinned logs. `find(origin)` is the key of a log, or None."""

    def __init__(self, find: Callable[[str], Verifier | None], cosigners: Sequence[Cosigner]) -> None:
        self._find = find
        self._cosigners = cosigners

    def judge(self, data: bytes, held: Callable[[str], Checkpoint | None]) -> Judgement:
        """One request against what is held. Call it inside the transaction that stores the result."""
        try:
            request = parse_add_checkpoint(data)
            if len(request.note) > CHECKPOINT_BYTES_MAX * 16:
                raise Malformed("too-long", "checkpoint")
            checkpoint = parse_checkpoint(parse_note(request.note).text)
        except RemoteError as error:
            return Judgement(Status.BAD_REQUEST, str(error))
        verifier = self._find(checkpoint.origin)
        if verifier is None:
            return Judgement(Status.NOT_FOUND, "no log of this origin is witnessed here")
        try:
            text = open_note(request.note, [verifier]).text
        except RemoteError as error:
            return Judgement(Status.FORBIDDEN, str(error))
        if request.old > checkpoint.size:
            return Judgement(Status.BAD_REQUEST, "the old size is larger than the checkpoint")
        known = held(checkpoint.origin)
        size = known.size if known is not None else 0
        if request.old != size:
            return Judgement(Status.CONFLICT, f"{size} entries are held", held=size)
        try:
            _consistent(known, checkpoint, request.proof)
        except Untrusted as error:
            evidence, convicts = _weight(known, checkpoint)
            return Judgement(
                Status.UNPROCESSABLE, str(error), size, evidence=evidence, convicts=convicts, note=request.note
            )
        return Judgement(Status.OK, "cosigned", held=size, checkpoint=checkpoint, text=text, note=request.note)

    def cosign(self, text: bytes, unix: int) -> bytes:
        """The answer to an accepted request: one signature line for each key."""
        return "".join(f"{cosigner.cosign(text, unix).line()}\n" for cosigner in self._cosigners).encode()


def _weight(known: Checkpoint | None, new: Checkpoint) -> tuple[bool, bool]:
    """Whether what does not continue what is known is evidence, and whether it convicts the log by itself.

    A proof is nobody's word: where a right one leads to the very same head, or nothing is known, it tells of no log.
    """
    size, root = (known.size, known.root) if known is not None else (0, EMPTY_ROOT)
    convicts = new.size == size and new.root != root
    return convicts or new.size > size > 0, convicts


def _consistent(known: Checkpoint | None, new: Checkpoint, proof: Sequence[bytes]) -> None:
    """Raises Untrusted unless `new` continues what is known."""
    if known is None or known.size == 0:
        if proof:
            raise Untrusted("consistency", "a proof from nothing")
        if new.size == 0 and new.root != EMPTY_ROOT:
            raise Untrusted("consistency", "a root over no entries")
        return
    verify_consistency(known.size, new.size, proof, known.root, new.root)
