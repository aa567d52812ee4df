"""A relay that lies (replays, alters, cuts), somebody with the pairwise secret but no signing key, and a thief."""

from __future__ import annotations

import hashlib
import json

from hotline.crypto.epochs import PREKEY_TAG_SIZE, Binding, SendingEpoch
from hotline.crypto.sealing import seal
from hotline.crypto.signing import SigningKey
from hotline.drill.simulator.memorylog import MemoryLog
from hotline.drill.simulator.nodes import CHARTER
from hotline.drill.simulator.world import World
from hotline.ledger.tree import Frontier, leaf_hash
from hotline.machine import FramesReceived, Plane
from hotline.protocol.statements import Ends, sign_content
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.envelope import FLAG_OPENER, Header
from hotline.wire.inner import ContentType, encode_inner
from hotline.wire.v1 import content_pb2

_CAPTURED_MAX = 400


class LyingRelay:
    """Keeps what passes one cable and gives it again, whole or altered, to either end, until `end`."""

    def __init__(self, world: World, begin: int, end: int) -> None:
        self.world, self.end = world, end
        self.told = 0
        rng = world.rng
        self.cable = world.cables[rng.choice(list(world.endpoints)), rng.choice(list(world.relays))]
        self._captured: list[bytes] = []
        to_endpoint = self.cable.to_endpoint

        def tapped(frame: bytes, link: str) -> None:
            self._captured.append(frame)
            del self._captured[:-_CAPTURED_MAX]
            to_endpoint(frame, link)

        self.cable.to_endpoint = tapped  # type: ignore[method-assign]
        world.at(begin, self._lie)

    def _lie(self) -> None:
        world, rng = self.world, self.world.rng
        if world.time >= self.end:
            return
        if self._captured and self.cable.link:
            frame = rng.choice(self._captured)
            trick = rng.choice(("replay", "flip", "cut", "noise"))
            if trick == "flip":
                at = rng.randrange(len(frame))
                frame = frame[:at] + bytes([frame[at] ^ (1 << rng.randrange(8))]) + frame[at + 1 :]
            elif trick == "cut":
                frame = frame[: rng.randrange(len(frame))]
            elif trick == "noise":
                frame = rng.randbytes(rng.randint(0, 300))
            self.told += 1
            self.cable.endpoint.post(FramesReceived(self.cable.relay.name, (frame,)))
        world.after(rng.randint(5, 400), self._lie)


def forged_statement(world: World, sender: str, text: str, plane: Plane = Plane.REAL) -> bytes:
    """A frame that opens at the peer of `sender`: everything is right except the key that signed it."""
    node = world.endpoints[sender]
    victim = world.endpoints[node.peer]
    assert victim.machine is not None
    prekey = victim.machine.context.prekeys.newest
    assert prekey is not None
    serial = victim.machine.context.inboxes[plane].through + 1
    statement = content_pb2.Statement(
        serial=serial,
        precedence=content_pb2.PRECEDENCE_FLASH,
        kind=content_pb2.STATEMENT_KIND_TEXT,
        language="en",
        direction=content_pb2.DIRECTION_LTR,
        from_party=sender,
        to_party=node.peer,
        text=text,
        body_salt=hashlib.sha256(text.encode()).digest(),
        valid_for_ms=60_000,
    )
    ends = Ends(CHARTER, node.number, victim.number)
    inner = sign_content(SigningKey(world.entropy(32)), ContentType.STATEMENT, plane, ends, encode(statement))
    binding = Binding(CHARTER, node.number, victim.number, world.pairwise)
    epoch = SendingEpoch(binding, plane, prekey.name, prekey.key.public, world.entropy)
    number, key = epoch.take(transient=False)
    header = Header(FLAG_OPENER, victim.number, node.number, epoch.epoch_id, number).encode()
    prefix = prekey.name[:PREKEY_TAG_SIZE] + epoch.opener
    return envelope_frame(header + prefix + seal(key, header, encode_inner(inner, padded=True)))


def rewrite(log: MemoryLog, index: int) -> None:
    """What a thief does under a running terminal: another entry, and the whole tree built anew over it."""
    one = log.current
    leaf = json.loads(one.leaves[index]) | {"rnd": "0" * 32}
    one.leaves[index] = json.dumps(leaf, separators=(",", ":"), sort_keys=True).encode()
    log.frontier = Frontier()
    for data in one.leaves:
        one.nodes.update({(node.level, node.position): node.hash for node in log.frontier.append(leaf_hash(data))})
    assert log.ledger is not None
    log.ledger._frontier = log.frontier.copy()
