"""What a relay can see, and so anybody who takes its disk or its lines: addresses, times, size classes. Nothing else.

| judge | promise |
|---|---|
| plaintext | no text and no word of a precedence is in a frame, nor on the disk of a relay (1.3) |
| size-class | a sealed envelope is as long as one of the padding classes allows, whatever it says (6.4, 7.4) |
| header | its flags say whether it may be stored and opens an epoch, and nothing of its urgency (6.1) |
"""

from __future__ import annotations

from typing import Final

from hotline.crypto.epochs import OPENER_SIZE, PREKEY_TAG_SIZE
from hotline.drill.simulator.cables import Cable
from hotline.drill.simulator.nodes import RelayNode
from hotline.drill.simulator.world import World
from hotline.limits import PADDING_CLASSES
from hotline.machine import Output, Put
from hotline.wire.codec import decode_frame
from hotline.wire.envelope import FLAG_CLEAR, FLAG_OPENER, FLAG_TRANSIENT, HEADER_SIZE
from tests.simulator.judges import Broken

CANARIES: Final = (b" statement ", b" answer ", b"FLASH", b"IMMEDIATE", b"PRIORITY", b"ROUTINE")
"""Every text of the players has one of the first two."""
_SEALED_OVERHEAD: Final = 32 + 16
"""Commitment and tag of the AEAD."""
_KEY_REQUEST_MAX: Final = 1_500
_MAILBOX: Final = {"charter", "terminal", "envelope_id", "name", "frame", "stored_at"}


class Secrecy:
    """Reads what terminals give to relays, and what relays write."""

    def __init__(self, world: World) -> None:
        self.read = 0
        for cable in world.cables.values():
            self._listen(cable)
        for relay in world.relays.values():
            self._search(relay)

    def _listen(self, cable: Cable) -> None:
        to_relay = cable.to_relay

        def heard(frame: bytes) -> None:
            self.judge(frame)
            to_relay(frame)

        cable.to_relay = heard  # type: ignore[method-assign]

    def _search(self, relay: RelayNode) -> None:
        commit = relay.commit

        def committed(batch: list[Output]) -> None:
            for output in batch:
                for change in output.changes:
                    if isinstance(change, Put) and (set(change.row) != _MAILBOX or self._tells(change.row["frame"])):
                        raise Broken("plaintext", f"{relay.name} writes down more than it may know")
            commit(batch)

        relay.commit = committed  # type: ignore[method-assign]

    @staticmethod
    def _tells(frame: object) -> bool:
        return isinstance(frame, bytes) and any(canary in frame for canary in CANARIES)

    def judge(self, frame: bytes) -> None:
        """One frame of an honest terminal."""
        self.read += 1
        if self._tells(frame):
            raise Broken("plaintext", "a frame shows what it says")
        parsed = decode_frame(frame)
        if parsed.WhichOneof("body") != "envelope":
            return
        envelope = parsed.envelope
        flags, size = envelope[1], len(envelope) - HEADER_SIZE
        if flags & ~(FLAG_OPENER | FLAG_TRANSIENT | FLAG_CLEAR):
            raise Broken("header", f"flags {flags:#x}")
        if flags & FLAG_CLEAR:
            if size > _KEY_REQUEST_MAX:
                raise Broken("size-class", f"{size} bytes in the clear")
            return
        size -= PREKEY_TAG_SIZE + OPENER_SIZE if flags & FLAG_OPENER else 0
        if size - _SEALED_OVERHEAD not in PADDING_CLASSES:
            raise Broken("size-class", f"an envelope of {size} bytes tells how long its text is")
