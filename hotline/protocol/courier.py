"""Bundles out and in: the peer gets by hand what no path carries (docs/protocol.md section 17).

A bundle is no path: it has no state, no beats and no custody, and what it carries is delivered when a receipt says so,
by whatever way that comes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from hotline.errors import RemoteError
from hotline.limits import BUNDLE_BYTES_MAX, BUNDLE_ENVELOPES_MAX
from hotline.machine import Instant, Plane, Private, Reply
from hotline.protocol.bundle import Bundle, bundle_name, encode_bundle, open_bundle
from hotline.protocol.context import Context
from hotline.protocol.courierkeys import CourierKeys
from hotline.protocol.events import ExportBundle, ImportBundle
from hotline.protocol.line import Line
from hotline.protocol.outbox import Pending, SentState
from hotline.protocol.paths import Path
from hotline.protocol.prekeys import PeerPrekey
from hotline.protocol.receiving import Receiving
from hotline.wire.inner import ContentType, Inner
from hotline.wire.v1 import bundle_pb2

WAY: Final = "(courier)"
"""What stands in records where the name of a path would: no relay can be called so."""

_ROOM: Final = BUNDLE_BYTES_MAX - 65_536
"""What envelopes may take of a bundle."""


class Courier:
    """Everything an endpoint does for bundles. `take` is what it does with one envelope that came over a path."""

    def __init__(
        self,
        context: Context,
        lines: Mapping[int, Line],
        keys: CourierKeys,
        receiving: Receiving,
        take: Callable[[Path, bytes, Instant], None],
    ) -> None:
        self._ctx = context
        self._lines = lines
        self._keys = keys
        self._receiving = receiving
        self._take = take
        self._hand = Path(replace(context.setup.paths[0], name=WAY, number=0), context.entropy)

    # --- out ---------------------------------------------------------------------------------------------------------

    def export(self, event: ExportBundle, now: Instant) -> None:
        """Answer with a bundle of all that a terminal of the peer has not acknowledged, and of what we owe it."""
        line = self._meant(event.terminal)
        if line is None:
            told = ", ".join(one.context.setup.remote.name for one in self._possible()) or "none"
            text = f"no bundle is made for {event.terminal or 'the peer'}: its terminals that take one now are {told}"
            self._ctx.out.replies.append(Reply(event.request, False, "terminal", text))
            return
        ctx, remote = line.context, line.context.setup.remote
        ctx.out.changes += self._keys.due(now)
        key = self._keys.usable(remote.number, now)
        speaks = ctx.standing.active  # else nothing that is pending leaves, by hand either (23.3)
        envelopes, statements, left = ([], 0, 0) if key is None else self._sealed(line, key, now, speaks=speaks)
        newest = self._keys.newest
        assert newest is not None
        data = encode_bundle(
            ctx.setup.signing,
            bundle_pb2.BundleBody(
                charter=ctx.setup.charter,
                from_terminal=ctx.setup.local.number,
                to_terminal=remote.number,
                made_ms=now.wall,
                prekey=newest.signed,
                envelope=envelopes,
            ),
        )
        officer = {"officer": Private(event.officer.encode())}
        name = bundle_name(data).hex()
        ctx.record("courier.export", officer, bundle=name, envelopes=len(envelopes), statements=statements, **ctx.whose)
        ctx.tell("courier", way="out", bundle=name, statements=statements)
        text = f"{statements} statements in {len(envelopes)} envelopes"
        if key is None:
            text = (
                f"no courier key of {remote.party}/{remote.name} is held that may be used: this bundle carries ours "
                "alone; import one of theirs, then export again"
            )
        elif not speaks:
            text += "; this terminal stands by: the one that speaks exports what is pending"
        elif left:
            text += f"; {left} more did not fit and wait for the next bundle"
        fields: dict[str, str | int | bytes | None] = {
            "bundle": data,
            "statements": statements,
            "terminal": remote.name,
        }
        ctx.out.replies.append(Reply(event.request, True, "bundle", text, fields))

    def _possible(self) -> list[Line]:
        """Those to the peer's terminals that are a part of the hotline now."""
        return [line for line in self._lines.values() if line.context.awake and not line.context.sibling]

    def _meant(self, terminal: str) -> Line | None:
        """To the terminal of this name, or PARTY/NAME; without one to that which speaks, as far as is known."""
        possible, speaks = self._possible(), self._ctx.standing.speaks
        if terminal:
            name = terminal.removeprefix(f"{self._ctx.setup.remote.party}/")
            return next((line for line in possible if line.context.setup.remote.name == name), None)
        first = possible[0] if possible else None  # none of a terminal that travels and is not activated
        return next((line for line in possible if speaks(line.context.setup.remote.number)), first)

    def usable(self, now: Instant) -> bool:
        """Whether a bundle for the terminal that speaks would hold more than a key."""
        line = self._meant("")
        return line is not None and self._keys.usable(line.context.setup.remote.number, now) is not None

    def _sealed(self, line: Line, key: PeerPrekey, now: Instant, *, speaks: bool) -> tuple[list[bytes], int, int]:
        """Envelopes, how many of them are statements, and how many statements found no room."""
        ctx, envelopes, room = line.context, [], _ROOM
        taken = left = 0
        for plane, outbox in ctx.outboxes.items():
            seal = ctx.session.courier_epoch(plane, key)
            for content in self._receiving.courier_receipts(plane, line.ladder, now):
                envelopes.append(seal(ctx.session.sign(ContentType.RECEIPT, plane, content)))
                room -= len(envelopes[-1])
            # A bundle is signed: what is said without prejudice waits for a path (22.6).
            carried = [one for one in outbox.pending.values() if speaks and not one.is_nonpaper]
            for item in sorted(carried, key=lambda one: (-one.precedence, one.serial)):
                # An envelope is at most its content, doubled by padding, and less than 4 KiB beside it.
                if len(envelopes) >= BUNDLE_ENVELOPES_MAX or 2 * len(item.content) + 4_096 > room:
                    left += 1
                    continue
                envelopes.append(seal(Inner(ContentType.STATEMENT, item.content, item.signature)))
                room -= len(envelopes[-1])
                taken += 1
                self._sent(plane, item, envelopes[-1])
        return envelopes, taken, left

    def _sent(self, plane: Plane, item: Pending, envelope: bytes) -> None:
        name = hashlib.sha256(envelope).hexdigest()
        self._ctx.record("msg.sent", plane=plane.value, serial=item.serial, envelope=name, paths=WAY)

    # --- in ----------------------------------------------------------------------------------------------------------

    def take_in(self, event: ImportBundle, now: Instant) -> None:
        """Take every envelope of a bundle as if it had come over a path, or refuse the bundle with a sentence."""
        ctx = self._ctx
        try:
            bundle = self._checked(event.bundle)
            changes = self._keys.offer(bundle.prekey, bundle.sender, fresh=False) if bundle.prekey.body else []
        except RemoteError as error:
            ctx.refuse(WAY, error.reason, now)
            ctx.out.replies.append(Reply(event.request, False, error.reason, _SENTENCES.get(error.reason, str(error))))
            return
        ctx.out.changes += changes
        refused, lost = 0, False
        for envelope in bundle.envelopes:
            try:
                self._take(self._hand, envelope, now)
            except RemoteError as error:
                refused += 1
                ctx.refuse(WAY, error.reason, now)
                lost = lost or error.reason == "unknown-prekey"
        if lost:
            # They hold a key whose secret we have lost: the next bundle brings them one that is newer.
            ctx.out.changes += self._keys.rotate(now)
        self._answer(event, bundle, refused)

    def _answer(self, event: ImportBundle, bundle: Bundle, refused: int) -> None:
        ctx, line = self._ctx, self._lines[bundle.sender].context
        new = sum(record.kind == "msg.recv" for record in ctx.out.records)
        sent = [delivery for delivery in ctx.out.deliver if delivery.kind == "sent"]
        delivered = sum(delivery.fields["state"] == SentState.DELIVERED.value for delivery in sent)
        name = bundle_name(event.bundle).hex()
        ctx.record(
            "courier.import",
            {"officer": Private(event.officer.encode())},
            bundle=name,
            envelopes=len(bundle.envelopes),
            statements=new,
            delivered=delivered,
            refused=refused,
            **line.whose,
        )
        ctx.tell("courier", way="in", bundle=name, statements=new, delivered=delivered, refused=refused)
        counts: dict[str, str | int | bytes | None] = {
            "envelopes": len(bundle.envelopes),
            "statements": new,
            "delivered": delivered,
            "refused": refused,
        }
        text = f"{new} statements are new, {delivered} of ours are delivered"
        if refused:
            text += f"; {refused} envelopes could not be used: export a bundle and let the courier take it back"
        ctx.out.replies.append(Reply(event.request, True, "taken", text, counts))

    def _checked(self, data: bytes) -> Bundle:
        remotes = [line.context.setup.remote for line in self._lines.values() if not line.context.sibling]
        senders = {remote.number: remote.signing for remote in remotes}
        bundle = open_bundle(data, self._ctx.setup.charter, senders, self._ctx.setup.local.number)
        if not self._lines[bundle.sender].context.awake:
            raise RemoteError("inactive")
        return bundle


_SENTENCES: Final = {
    "version": "this is not a courier bundle of this version: nothing was imported",
    "unreadable": "the bundle is damaged: nothing was imported",
    "spelling": "the bundle is damaged: nothing was imported",
    "too-long": "the bundle is larger than any that a terminal makes: nothing was imported",
    "inactive": "the terminal that made it travels, or this one does, and is not activated: nothing was imported",
    "address": "the bundle is for another terminal, another peer or another charter: nothing was imported",
    "prekey": "the courier key in the bundle is none, though the peer's terminal signed it: nothing was imported",
    "signature": "the bundle is not as the peer's terminal made it: nothing was imported; ask the peer for another",
}
