"""The form of what is said of a third party, among several (docs/protocol.md 26.10, 26.11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hotline.crypto.signing import SIGNATURE_SIZE
from hotline.errors import Malformed
from hotline.ledger.tree import HASH_SIZE
from hotline.limits import GOSSIP_ITEMS_MAX, PARTIES_MAX, SERIAL_MAX
from hotline.wire.v1 import content_pb2

_TERMINAL_MAX: Final = 65_535
_CHECKPOINT_MAX: Final = 1_024


def check_gossip(gossip: Sequence[content_pb2.Gossip]) -> None:
    """What a heartbeat says of third parties. Raises Malformed."""
    if not gossip:
        return
    if len({one.terminal for one in gossip}) != len(gossip) or len(gossip) > PARTIES_MAX:
        raise Malformed("beat", "a third party twice, or too many")
    for one in gossip:
        items = (*one.heard, *one.exercise_heard)
        if max(len(one.heard), len(one.exercise_heard)) > GOSSIP_ITEMS_MAX or len(one.checkpoint) > _CHECKPOINT_MAX:
            raise Malformed("beat", "too much of a third party")
        if not 1 <= one.terminal <= _TERMINAL_MAX or any(
            len(item.statement) != HASH_SIZE or not 1 <= item.serial <= SERIAL_MAX for item in items
        ):
            raise Malformed("beat", "a third party's statement that is none")


def check_told(receipt: content_pb2.Receipt) -> None:
    """A third party's statement comes with its own stage, and with no other. Raises Malformed."""
    if (receipt.stage == content_pb2.STAGE_TOLD) != receipt.HasField("told"):
        raise Malformed("stage", "what a third party said is told so, and nothing else is")
    told = receipt.told
    if receipt.HasField("told") and not (1 <= told.terminal <= _TERMINAL_MAX and len(told.signature) == SIGNATURE_SIZE):
        raise Malformed("items", "what nobody has signed")
