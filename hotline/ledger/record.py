"""The leaf: canonical JSON, blinded, content only as salted commitments (docs/protocol.md 13.1)."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii
from typing import Final, NamedTuple

from hotline.civil import iso_utc
from hotline.errors import LocalError, Malformed, Untrusted
from hotline.limits import LEAF_BYTES_MAX
from hotline.machine import Entropy, Record

VERSION: Final = 1
SALT_SIZE: Final = 32
_INTEGER_MAX: Final = 2**53
_TIME: Final = re.compile(
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z"
)
_BLINDER: Final = re.compile("[0-9a-f]{32}")
_COMMITMENT: Final = re.compile("[0-9a-f]{64}")
_TOP: Final = ("commit", "epoch", "fields", "rnd", "seq", "ts", "type", "v")


class Opening(NamedTuple):
    """What opens one commitment of a leaf."""

    tag: str
    salt: bytes
    value: bytes


class Entry(NamedTuple):
    """One leaf at its place, and what opens those of its commitments whose salt was drawn for it.

    A salt that came with the value is kept with it: the body of a statement is opened by the statement itself.
    """

    seq: int
    leaf: bytes
    openings: tuple[Opening, ...] = ()


EMPTY: Final = frozenset({"void", "test-void"})
"""The field `kind` in entries of a statement that takes the place of another."""


class Leaf(NamedTuple):
    """A parsed leaf."""

    seq: int
    ts: str
    type: str
    epoch: int
    rnd: str
    fields: Mapping[str, str | int]
    commit: Mapping[str, str]

    def text(self, name: str) -> str:
        """A field that holds text. Raises Malformed: whoever signs a log may leave it out, or put a number there."""
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise Malformed("leaf", f"the field {name} of a {self.type[:64]!r} holds no text")
        return value

    def number(self, name: str) -> int:
        """A field that holds a number. Raises Malformed."""
        value = self.fields.get(name)
        if not isinstance(value, int):
            raise Malformed("leaf", f"the field {name} of a {self.type[:64]!r} holds no number")
        return value


def commitment(salt: bytes, tag: str, value: bytes) -> bytes:
    """HMAC-SHA256(salt, tag || 0x00 || value): hides the value from whoever lacks the salt, binds whoever gives it.

    Raises LocalError if `tag` holds a zero byte: tag and value could then be parted in two ways.
    """
    if "\0" in tag:
        raise LocalError("the tag of a commitment holds no zero byte")
    return hmac.digest(salt, tag.encode() + b"\0" + value, "sha256")


def _object(values: Mapping[str, str | int]) -> str:
    parts = []
    for name in sorted(values):
        value = values[name]
        if isinstance(value, str):
            text = encode_basestring_ascii(value)
        elif isinstance(value, bool) or not isinstance(value, int) or abs(value) >= _INTEGER_MAX:
            raise LocalError(f"a ledger field holds strings and integers below 2**53 only: {name}")
        else:
            text = str(value)
        parts.append(f"{encode_basestring_ascii(name)}:{text}")
    return "{" + ",".join(parts) + "}"


def _encode(leaf: Leaf) -> bytes:
    return (
        f'{{"commit":{_object(leaf.commit)},"epoch":{leaf.epoch},"fields":{_object(leaf.fields)},"rnd":"{leaf.rnd}",'
        f'"seq":{leaf.seq},"ts":"{leaf.ts}","type":{encode_basestring_ascii(leaf.type)},"v":{VERSION}}}'
    ).encode("ascii")


def make_entry(seq: int, timestamp_ms: int, epoch: int, record: Record, entropy: Entropy) -> Entry:
    """The leaf of `record`. Raises LocalError if it cannot be one (too long, a field of another type)."""
    openings = tuple(
        Opening(tag, entropy(SALT_SIZE), private.value) for tag, private in record.private.items() if not private.salt
    )
    commit = {tag: commitment(salt, tag, value).hex() for tag, salt, value in openings}
    for tag, private in record.private.items():
        if private.salt:
            commit[tag] = commitment(private.salt, tag, private.value).hex()
    # Without the blinder a witness, who sees raw leaf hashes in proofs, could guess a leaf.
    leaf = Leaf(seq, iso_utc(timestamp_ms), record.kind, epoch, entropy(16).hex(), record.fields, commit)
    data = _encode(leaf)
    if len(data) > LEAF_BYTES_MAX:
        raise LocalError(f"a ledger record of kind {record.kind} has {len(data)} bytes")
    return Entry(seq, data, openings)


def check_opening(leaf: Leaf, opening: Opening) -> None:
    """Raises Untrusted unless `opening` opens a commitment of `leaf`."""
    wanted = leaf.commit.get(opening.tag)
    if wanted is None:
        raise Untrusted("opening", f"entry {leaf.seq} commits to no {opening.tag[:64]!r}")
    if not hmac.compare_digest(commitment(opening.salt, opening.tag, opening.value).hex(), wanted):
        raise Untrusted("opening", f"this is not the {opening.tag} that entry {leaf.seq} commits to")


def parse_leaf(data: bytes) -> Leaf:
    """Parse a leaf in its one spelling. Raises Malformed."""
    if len(data) > LEAF_BYTES_MAX:
        raise Malformed("too-long", f"leaf of {len(data)} bytes")
    try:
        parsed = json.loads(data.decode("ascii"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise Malformed("leaf", "not JSON") from error
    if not isinstance(parsed, dict) or tuple(sorted(parsed)) != _TOP or parsed["v"] != VERSION:
        raise Malformed("leaf", "not the fields of a leaf")
    seq, ts, kind, epoch, rnd = parsed["seq"], parsed["ts"], parsed["type"], parsed["epoch"], parsed["rnd"]
    fields, commits = parsed["fields"], parsed["commit"]
    if type(fields) is not dict or type(commits) is not dict or not type(ts) is type(kind) is type(rnd) is str:
        raise Malformed("leaf", "a field of the wrong type")
    if not type(seq) is type(epoch) is int or not 0 <= seq < _INTEGER_MAX or not 0 <= epoch < _INTEGER_MAX:
        raise Malformed("leaf", "a number of the wrong type or size")
    if not _TIME.fullmatch(ts) or not _BLINDER.fullmatch(rnd):
        raise Malformed("leaf", "a time or a blinder that is none")
    if not all(isinstance(value, str) and _COMMITMENT.fullmatch(value) for value in commits.values()):
        raise Malformed("leaf", "a commitment that is not 64 lower-case hex digits")
    leaf = Leaf(seq, ts, kind, epoch, rnd, fields, commits)
    try:
        spelled = _encode(leaf)
    except (LocalError, TypeError, AttributeError) as error:
        raise Malformed("leaf", "a field of the wrong type") from error
    if spelled != data:
        raise Malformed("leaf", "not the canonical spelling")
    return leaf
