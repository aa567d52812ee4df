"""What a received statement's release is worth, written down when it arrives (docs/protocol.md 19.5 to 19.7)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from hotline.machine import Instant, Plane, Private, Put
from hotline.protocol.context import Context
from hotline.protocol.release import LACKS, RELEASED, ROLES, judge
from hotline.wire.v1 import content_pb2

_DRAFTS_REMEMBERED = 4_096
"""Recent drafts kept in memory; older ones are looked up. More than one commit can ever hold back."""


def signers(releases: Iterable[content_pb2.Release]) -> bytes:
    """Who signed in which role, as it enters a ledger: `drafter duty-1, releaser duty-2`."""
    return ", ".join(f"{ROLES[one.role]} {one.officer}" for one in releases).encode()


def acting(releases: Sequence[content_pb2.Release]) -> dict[str, Private]:
    """Who signed, and by which mandates, as commitments of a ledger entry. The whole notes: they are evidence.

    There is one of the mandates also where nobody acted by one: that somebody did is no news for whoever reads leaves.
    """
    mandates = b"\n".join(one.mandate for one in releases if one.mandate)
    return {"officers": Private(signers(releases)), "mandates": Private(mandates)}


class Branding:
    """Judges each new statement of the peer. What lacks its release is kept, and not shown without the word for it."""

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self._recent: OrderedDict[bytes, tuple[Plane, int]] = OrderedDict()

    def take(self, plane: Plane, statement: content_pb2.Statement, now: Instant, *, repeats: int) -> str:
        """The verdict, recorded and kept. `repeats`: the serial under which this text is known, or 0."""
        ctx = self._ctx
        setup = ctx.setup
        verdict = judge(setup.release, plane, setup.charter, statement, now.wall)
        if not verdict:
            return ""
        draft = statement.draft
        if verdict == RELEASED:
            if self._used(draft) not in (None, (plane, repeats)):
                verdict = "reused"
            elif not repeats or statement.first_serial:  # a repeat is known by the one that came last: as in 12.6
                self._note(plane, statement)
        key: dict[str, str | int] = {"plane": plane.value, "serial": statement.serial}
        ctx.out.changes.append(Put("received_fact", {**key, "stage": "authority", "at": now.wall, "by": verdict}))
        ctx.record(
            "msg.authority",
            acting(statement.release),
            plane=plane.value,
            serial=statement.serial,
            verdict=verdict,
            draft=draft.hex(),
        )
        if verdict != RELEASED:
            text = f"a statement came without the authority that the charter asks for: {LACKS[verdict]}"
            ctx.alarm("unreleased", text, plane=plane.value, serial=statement.serial, verdict=verdict)
        return verdict

    def _used(self, draft: bytes) -> tuple[Plane, int] | None:
        return self._recent.get(draft) or self._ctx.history.received_draft(draft)

    def _note(self, plane: Plane, statement: content_pb2.Statement) -> None:
        # Only what is released uses a draft up: a forged one must not make the true one look like its repeat.
        self._recent[statement.draft] = plane, statement.serial
        while len(self._recent) > _DRAFTS_REMEMBERED:
            self._recent.popitem(last=False)
        row = {"draft": statement.draft, "plane": plane.value, "serial": statement.serial}
        self._ctx.out.changes.append(Put("received_draft", row))


def has_our_authority(ctx: Context, plane: Plane, statement: content_pb2.Statement, peer_has: int) -> bool:
    """Whether a terminal of ours had it released; else nobody but its thief may know what it says for us.

    `peer_has`: the serial through which the peer has everything.
    """
    # At the time that it was written: what is caught up with may be older than the cards of today.
    verdict = judge(ctx.setup.release, plane, ctx.setup.charter, statement, statement.composed_ms)
    if verdict in ("", RELEASED):
        return True
    if statement.serial > peer_has:
        text = "a terminal of ours says something without the authority that the charter asks for: it may be stolen"
        ctx.alarm("unreleased-by-us", text, plane=plane.value, serial=statement.serial, verdict=verdict)
    return False
