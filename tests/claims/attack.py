"""A thief: everything that a terminal holds at one moment, and what can be opened with it of what relays have carried.

`dump` collects every byte string that is reachable from the running machine, and every row of its tables. `Thief` has
that, both signing keys, the storage key, the pairwise secret and all public names, and tries everything as everything:
each 32 bytes as key of stored boxes, as prekey secret, as root and state of a hash chain, each triple as message key.
What it does not have is the memory of the operating system's random numbers.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from hotline.crypto.epochs import OPENER_SIZE, PREKEY_TAG_SIZE, Binding, epoch_info, epoch_roots
from hotline.crypto.sealing import (
    COMMIT_SIZE,
    KemKey,
    MessageKey,
    derive_message_key,
    next_chain_key,
    open_opener,
    open_sealed,
)
from hotline.crypto.storage import storage_open
from hotline.errors import KeyFileError, NotOpened
from hotline.machine import Plane
from hotline.protocol.prekeys import STORAGE_LABEL, prekey_hash
from hotline.wire.envelope import FLAG_CLEAR, FLAG_OPENER, HEADER_SIZE, decode_header
from hotline.wire.inner import Inner, decode_inner
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import CHARTER, Party

WINDOWED_MAX = 128
"""Byte strings up to this length are tried in 32-byte windows; longer ones are texts and envelopes."""
STEPS = 8
"""A possible chain key is followed as long as it leads to recorded envelopes with at most so many missing between."""


@dataclass
class Dump:
    """Byte strings and possible message keys of one terminal at one moment."""

    strings: set[bytes] = field(default_factory=set)
    triples: set[tuple[bytes, bytes, bytes]] = field(default_factory=set)
    boxes: list[bytes] = field(default_factory=list)


def dump(party: Party) -> Dump:
    """Everything that is reachable from the machine, and its tables."""
    found = Dump()
    seen: set[int] = set()
    stack: list[Any] = [party.endpoint, party.memory.tables, party.setup]
    while stack:
        item = stack.pop()
        if id(item) in seen or isinstance(item, (ModuleType, type, BuiltinFunctionType)):
            continue
        seen.add(id(item))
        if isinstance(item, bytes):
            found.strings.add(item)
        elif isinstance(item, FunctionType):
            stack += [cell.cell_contents for cell in item.__closure__ or ()]
        elif isinstance(item, MethodType):
            stack.append(item.__self__)
        else:
            if isinstance(item, tuple) and [len(one) for one in item if isinstance(one, bytes)] == [32, 12, 32]:
                found.triples.add(tuple(item))
            stack += gc.get_referents(item)
    for rows in party.memory.tables.values():
        found.boxes += [row["box"] for row in rows.values() if "box" in row]  # type: ignore[misc]
    return found


class Thief:
    """Tries to open envelopes of one direction with a dump."""

    def __init__(self, stolen: Dump, sender: Party, recipient: Party, bodies: Iterable[bytes]) -> None:
        """`bodies` are the contents of all prekeys that the recipient ever announced: they are public."""
        self.binding = Binding(CHARTER, sender.number, recipient.number, sender.pair.pairwise)
        self.triples = stolen.triples
        self.keys = {
            string[at : at + 32]
            for string in stolen.strings
            if 32 <= len(string) <= WINDOWED_MAX
            for at in range(0, len(string) - 31, 4)
        }
        self._open_boxes(stolen.boxes)
        public = {content_pb2.PrekeyBody.FromString(body).public_key: body for body in bodies}
        self.prekeys: dict[bytes, KemKey] = {}
        for key in self.keys:
            pair = KemKey(key)
            if pair.public in public:
                self.prekeys[prekey_hash(CHARTER, recipient.number, public[pair.public])] = pair

    def _open_boxes(self, boxes: list[bytes]) -> None:
        for key in list(self.keys):
            for box in boxes:
                try:
                    self.keys.add(storage_open(key, STORAGE_LABEL, box))
                except KeyFileError:
                    continue

    def _roots(self, envelope: bytes) -> set[bytes]:
        """Chain roots of an epoch, if its opener opens."""
        end = HEADER_SIZE + PREKEY_TAG_SIZE
        tag, opener = envelope[HEADER_SIZE:end], envelope[end : end + OPENER_SIZE]
        roots: set[bytes] = set()
        for name, key in self.prekeys.items():
            for plane in Plane:
                info = epoch_info(self.binding, plane, envelope[6:18], name)
                try:
                    secret = open_opener(key, opener, info)
                except NotOpened:
                    continue
                assert name.startswith(tag)
                roots |= set(epoch_roots(self.binding, secret, info, opener))
        return roots

    def read(self, envelopes: Iterable[bytes]) -> dict[bytes, Inner]:
        """The envelopes that open, by their SHA-256, with what is in them."""
        sealed: dict[bytes, tuple[bytes, bytes]] = {}
        chains, openers = set(self.keys), set()
        for envelope in envelopes:
            header = decode_header(envelope)
            if (header.sender, header.recipient) != (self.binding.sender, self.binding.recipient):
                continue
            if header.flags & FLAG_CLEAR:
                continue
            start = HEADER_SIZE + (PREKEY_TAG_SIZE + OPENER_SIZE if header.flags & FLAG_OPENER else 0)
            sealed[envelope[start : start + COMMIT_SIZE]] = (envelope, envelope[start:])
            if header.flags & FLAG_OPENER and header.epoch not in openers:
                openers.add(header.epoch)
                chains |= self._roots(envelope)
        found = {}
        for key in self._message_keys(chains, sealed.keys()):
            envelope, rest = sealed[key.commit]
            plain = open_sealed(key, envelope[:HEADER_SIZE], rest)
            found[hashlib.sha256(envelope).digest()] = decode_inner(plain, padded=True)
        return found

    def _message_keys(self, chains: Iterable[bytes], commitments: Container[bytes]) -> Iterator[MessageKey]:
        """Those whose commitment was seen."""
        yield from (MessageKey(*triple) for triple in self.triples if triple[2] in commitments)
        for first in chains:
            chain, missing = first, 0
            while missing < STEPS:
                key = derive_message_key(chain)
                missing = 0 if key.commit in commitments else missing + 1
                if not missing:
                    yield key
                chain = next_chain_key(chain)
