"""What officers of this side do with a statement, and the receipts that tell the peer (docs/protocol.md section 9)."""

from __future__ import annotations

from collections.abc import Iterator

from hotline.machine import Delete, Instant, Plane, Private, Put, Reply
from hotline.protocol.context import Context
from hotline.protocol.events import MarkRead
from hotline.protocol.receipts import Unnoted
from hotline.protocol.tables import Saved
from hotline.wire.codec import encode
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2


class Ladder:
    """The rungs above DELIVERED, as this side climbs them."""

    def __init__(self, context: Context) -> None:
        self._ctx = context

    def restore(self, saved: Saved, now: Instant) -> None:
        """Take up what was not yet noted when the last run ended."""
        for row in saved.rows("unnoted"):
            serial, name, at = row["serial"], row["hash"], row["at"]
            assert isinstance(serial, int)
            assert isinstance(name, bytes)
            assert isinstance(at, int)
            unnoted = Unnoted(Plane(str(row["plane"])), serial, name, str(row["officer"]), at, retry_at=now.mono)
            self._ctx.reads.add(unnoted)

    def mark_read(self, event: MarkRead, now: Instant) -> None:
        """A named officer opens a statement; the peer is told until it has noted it."""
        ctx = self._ctx
        name = ctx.unread[event.plane].get(event.serial)
        if name is None:
            known = ctx.inboxes[event.plane].known_hash(event.serial)
            text = f"there is no statement #{event.serial} to read"
            if known:
                text = f"#{event.serial} was read before, or is a channel test, which nobody need read"
            ctx.out.replies.append(Reply(event.request, known is not None, "again" if known else "unknown", text))
            return
        del ctx.unread[event.plane][event.serial]
        key: dict[str, str | int] = {"plane": event.plane.value, "serial": event.serial}
        ctx.out.changes += [
            Delete("unread", key),
            Put("received_fact", {**key, "stage": "read", "at": now.wall, "by": event.officer}),
            Put("unnoted", {**key, "hash": name, "officer": event.officer, "at": now.wall}),
        ]
        officer = {"officer": Private(event.officer.encode())}
        ctx.record("msg.opened", officer, plane=event.plane.value, serial=event.serial)
        unnoted = Unnoted(event.plane, event.serial, name, event.officer, now.wall, retry_at=now.mono)
        for plane, serial in ctx.reads.add(unnoted):
            ctx.out.changes.append(Delete("unnoted", {"plane": plane.value, "serial": serial}))
        ctx.tell("read", plane=event.plane.value, serial=event.serial, officer=event.officer, at=now.wall)
        ctx.out.replies.append(Reply(event.request, True, "read", f"#{event.serial} read by {event.officer}"))
        self.due(now)

    def due(self, now: Instant) -> None:
        """Repeat READ receipts until they are noted."""
        for item in self._ctx.reads.due(now.mono):
            routes = self._ctx.routes(urgent=False)
            profile = (routes or list(self._ctx.paths.values()))[0].setup.profile
            sent = self._ctx.send_content(
                item.plane, ContentType.RECEIPT, _read_receipt(item), now, transient=False, urgent=False
            )
            item.attempts += 1 if sent else 0
            delay = min(profile.retransmit_ms << min(item.attempts, 16), profile.retransmit_max_ms)
            item.retry_at = now.mono + (delay if self._ctx.peer_is_heard else 6 * profile.retransmit_max_ms)

    def noted(self, plane: Plane, receipt: content_pb2.Receipt) -> None:
        """The peer has noted our READ receipts."""
        for item in receipt.item:
            if self._ctx.reads.noted(plane, item.serial, item.statement):
                self._ctx.out.changes.append(Delete("unnoted", {"plane": plane.value, "serial": item.serial}))

    def receipts(self, plane: Plane) -> Iterator[bytes]:
        """For a bundle: what the peer has not noted."""
        for item in self._ctx.reads.of(plane):
            yield _read_receipt(item)


def _read_receipt(item: Unnoted) -> bytes:
    return encode(
        content_pb2.Receipt(
            stage=content_pb2.STAGE_READ,
            item=[content_pb2.ReceiptItem(serial=item.serial, statement=item.hash)],
            officer=item.officer,
            time_ms=item.at,
        )
    )
