"""What a thief or a liar can put on a wire: content that is right in everything but what its maker lacks."""

from __future__ import annotations

import hashlib
import json

from hotline.crypto.epochs import PREKEY_TAG_SIZE, Binding, SendingEpoch
from hotline.crypto.sealing import KemKey, seal
from hotline.crypto.signing import SigningKey
from hotline.drill.simulator.memorylog import MemoryLog
from hotline.drill.simulator.nodes import CHARTER, EndpointNode
from hotline.drill.simulator.world import World
from hotline.ledger.tree import Frontier, leaf_hash
from hotline.machine import Plane
from hotline.protocol.statements import Ends, sign_content
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.envelope import EPOCH_ID_SIZE, FLAG_CLEAR, FLAG_OPENER, FLAG_TRANSIENT, Header
from hotline.wire.inner import ContentType, encode_inner
from hotline.wire.v1 import content_pb2

OTHER_CHARTER = hashlib.sha256(b"a charter that a thief has signed").digest()


def sealed(
    world: World,
    sender: EndpointNode,
    kind: ContentType,
    content: bytes,
    key: SigningKey,
    *,
    plane: Plane = Plane.REAL,
    charter: bytes = CHARTER,
) -> bytes | None:
    """A frame to the peer of `sender`, sealed with the true pairwise secret and signed by `key`; None if it is down."""
    victim = world.endpoints[sender.peer]
    prekey = None if victim.machine is None else victim.machine.context.prekeys.newest
    if prekey is None:
        return None
    inner = sign_content(key, kind, plane, Ends(charter, sender.number, victim.number), content)
    binding = Binding(charter, sender.number, victim.number, world.pairwise)
    epoch = SendingEpoch(binding, plane, prekey.name, prekey.key.public, world.entropy)
    number, message_key = epoch.take(transient=False)
    header = Header(FLAG_OPENER, victim.number, sender.number, epoch.epoch_id, number).encode()
    prefix = prekey.name[:PREKEY_TAG_SIZE] + epoch.opener
    return envelope_frame(header + prefix + seal(message_key, header, encode_inner(inner, padded=True)))


def statement(world: World, sender: EndpointNode, text: str, plane: Plane = Plane.REAL) -> bytes:
    """The content of a FLASH statement with the next serial that the peer of `sender` waits for."""
    victim = world.endpoints[sender.peer]
    assert victim.machine is not None
    return encode(
        content_pb2.Statement(
            serial=victim.machine.context.inboxes[plane].through + 1,
            precedence=content_pb2.PRECEDENCE_FLASH,
            kind=content_pb2.STATEMENT_KIND_TEXT,
            language="en",
            direction=content_pb2.DIRECTION_LTR,
            from_party=sender.name,
            to_party=sender.peer,
            text=text,
            body_salt=hashlib.sha256(text.encode()).digest(),
            valid_for_ms=60_000,
        )
    )


def receipt(world: World, sender: EndpointNode) -> bytes | None:
    """The content of a DELIVERED receipt for whatever the peer of `sender` is waiting for."""
    victim = world.endpoints[sender.peer]
    pending = [] if victim.machine is None else list(victim.machine.context.outboxes[Plane.REAL].pending.values())
    if not pending:
        return None
    items = [content_pb2.ReceiptItem(serial=item.serial, statement=item.hash) for item in pending[:10]]
    return encode(content_pb2.Receipt(stage=content_pb2.STAGE_DELIVERED, item=items, time_ms=victim.now().wall))


def key_request(world: World, sender: EndpointNode) -> bytes | None:
    """A key request to the peer of `sender`, signed by its true key, with a prekey whose secret a thief has."""
    victim = world.endpoints[sender.peer]
    if victim.machine is None:
        return None
    current = victim.machine.context.session._sending.get(Plane.REAL)
    wall = world.endpoints[sender.name].now().wall
    body = encode(
        content_pb2.PrekeyBody(
            generation=wall // 1_000 + 86_400,
            public_key=KemKey(world.entropy(32)).public,
            created_ms=wall,
            not_after_ms=wall + 86_400_000,
        )
    )
    signature = sender.signing.sign("hotline/v1/prekey", CHARTER, sender.number.to_bytes(2, "big"), body)
    request = content_pb2.KeyRequest(
        unknown_epoch=b"" if current is None else current.epoch_id,
        prekey=content_pb2.SignedPrekey(body=body, signature=signature),
        time_ms=wall,
    )
    ends = Ends(CHARTER, sender.number, victim.number)
    inner = sign_content(sender.signing, ContentType.KEY_REQUEST, Plane.REAL, ends, encode(request))
    epoch = world.entropy(EPOCH_ID_SIZE)
    header = Header(FLAG_CLEAR | FLAG_TRANSIENT, victim.number, sender.number, epoch, 0)
    return envelope_frame(header.encode() + encode_inner(inner, padded=False))


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
