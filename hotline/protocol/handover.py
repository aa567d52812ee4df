"""One watch takes over from another, and signs for what it was shown; checklists that were run.

docs/protocol.md 25.9 to 25.12.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hotline.crypto.signing import verify
from hotline.errors import TextError, Untrusted
from hotline.limits import CHECKLIST_REASON_MAX, CHECKLIST_STEPS_MAX, HANDOVER_LIST_HOLDS, HANDOVER_NOTES_MAX
from hotline.machine import Delete, Delivery, Instant, Output, Plane, Private, Put, Reply
from hotline.protocol.challenges import Challenges
from hotline.protocol.channeltests import ChannelTests
from hotline.protocol.context import Context
from hotline.protocol.events import RecordChecklist, ShowHandover, SignHandover
from hotline.protocol.presence import Presence, presence_word
from hotline.protocol.promises import Promises
from hotline.protocol.statements import check_text
from hotline.protocol.tables import Saved

LABEL: Final = "hotline/v1/handover"
OUTCOMES: Final = ("done", "skipped", "open")
_NUMBER: Final = "handover"
_NAME_MAX: Final = 64
_LISTS_KEPT: Final = 64


def spell(picture: dict[str, Any]) -> bytes:
    """The list as it is hashed and signed: canonical JSON."""
    return json.dumps(picture, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def signed_parts(charter: bytes, terminal: int, listed: bytes, outgoing: str, notes: str) -> tuple[bytes, ...]:
    """What an oncoming officer signs, under LABEL."""
    return charter, terminal.to_bytes(2, "big"), listed, outgoing.encode(), notes.encode()


class Handovers:
    """The number of the next one, the alarms since the last, and the rules for taking one."""

    def __init__(
        self, context: Context, challenges: Challenges, promises: Promises, presence: Presence, tests: ChannelTests
    ) -> None:
        self._ctx = context
        self._challenges, self._promises, self._presence, self._tests = challenges, promises, presence, tests
        self.number = 1
        """Of the next handover."""
        self.raised: dict[str, tuple[int, int]] = {}
        """Alarm to how often it was raised since the last handover, and when last."""
        self._shown: dict[bytes, tuple[bytes, int]] = {}
        """Hash to list, and when it was shown: of this run and for the next handover, the newest last."""

    def restore(self, saved: Saved) -> None:
        """Take up what has happened since the last handover."""
        for row in saved.rows("counter"):
            if row["name"] == _NUMBER and isinstance(row["value"], int):
                self.number = row["value"] + 1
        for row in saved.rows("raised"):
            self.raised[str(row["name"])] = (int(str(row["times"])), int(str(row["last"])))

    def note(self, out: Output, now: Instant, shared: Sequence[Delivery] = ()) -> None:
        """Count the alarms of a step, on whatever line they were raised, and those of all windows (26.8)."""
        for alarm in [str(told.fields["name"]) for told in (*out.deliver, *shared) if told.kind == "alarm"]:
            times = self.raised.get(alarm, (0, 0))[0] + 1
            self.raised[alarm] = (times, now.wall)
            out.changes.append(Put("raised", {"name": alarm, "times": times, "last": now.wall}))

    def hear(self, event: ShowHandover | SignHandover | RecordChecklist, now: Instant) -> None:
        """An officer looks at what there is to take over, takes over the watch, or has gone through a checklist."""
        match event:
            case ShowHandover():
                self._show(event, now)
            case SignHandover():
                self.sign(event, now)
            case RecordChecklist():
                record_checklist(self._ctx, event)

    def _show(self, event: ShowHandover, now: Instant) -> None:
        listed = self.listed()
        name = hashlib.sha256(listed).digest()
        self._shown.pop(name, None)
        self._shown[name] = listed, now.mono
        while len(self._shown) > _LISTS_KEPT:
            del self._shown[next(iter(self._shown))]
        self._ctx.out.replies.append(Reply(event.request, True, "list", listed.decode()))

    def _signable(self, name: bytes, current: bytes, now: Instant) -> bytes | None:
        """The list of this hash, if it is the `current` one or was shown a moment ago."""
        if hashlib.sha256(current).digest() == name:
            return current
        shown, at = self._shown.get(name, (None, 0))
        return shown if now.mono - at <= HANDOVER_LIST_HOLDS else None

    def listed(self) -> bytes:
        """What the next watch takes over, as it is signed. It holds no age: it changes only when a matter does."""
        ctx, peer = self._ctx, self._ctx.peer
        planes: dict[str, Any] = {}
        for plane, outbox in ctx.outboxes.items():
            gap = ctx.gap(plane)
            unread, more = ctx.oldest_unread(plane)
            planes[plane.value] = {
                "sent_through": outbox.last_serial,
                "received_through": ctx.inboxes[plane].through,
                "unread": unread,
                "unread_more": more,
                "waiting": [[item.serial, item.state.value] for item in ctx.owed(plane) if not item.is_filler],
                "missing": list(gap) if gap is not None else [],
            }
        owed = sorted(
            [way, plane.value, serial, promise.until, promise.overdue]
            for (way, plane, serial), promise in self._promises.open.items()
        )
        return spell(
            {
                **({"party": ctx.setup.remote.party} if ctx.setup.everyone else {}),
                "number": self.number,
                "planes": planes,
                "alarms": {name: times for name, (times, _) in self.raised.items()},
                "challenges": self._challenges.open_ones(),
                "promises": owed,
                "presence": [presence_word(self._presence.word), self._presence.until],
                "peer_presence": [presence_word(peer.presence), peer.presence_until],
                "paths": {name: path.state.value for name, path in ctx.front.paths.items()},
                "tests": {"missed": self._tests.kept.missed, "undelivered": self._tests.kept.undelivered},
            }
        )

    def sign(self, event: SignHandover, now: Instant) -> None:
        """Enter a handover whose oncoming officer has signed the list as it is now, or was shown; else refuse it."""
        ctx, current = self._ctx, self.listed()
        listed = self._signable(event.list_hash, current, now)
        wrong = self._wrong(event, listed)
        if wrong is not None:
            ctx.out.replies.append(Reply(event.request, False, *wrong))
            return
        assert listed is not None  # else it is `changed`
        number = self.number
        content = spell(
            {
                "list": listed.decode(),
                "outgoing": event.outgoing,
                "oncoming": event.oncoming,
                "notes": event.notes,
            }
        )
        ctx.out.changes += [
            Put(
                "handover",
                {
                    "plane": Plane.SERVICE.value,
                    "serial": number,
                    "content": content,
                    "signature": event.signature,
                    "at": now.wall,
                },
            ),
            Put("counter", {"name": _NUMBER, "value": number}),
        ]
        self._count_anew(json.loads(listed)["alarms"])
        self.number = number + 1
        self._shown.clear()
        ctx.record(
            "watch.handover",
            {
                "outgoing": Private(event.outgoing.encode()),
                "oncoming": Private(event.oncoming.encode()),
                "notes": Private(event.notes.encode()),
            },
            number=number,
            list=event.list_hash.hex(),
            signature=event.signature.hex(),
        )
        ctx.tell("handover", number=number, outgoing=event.outgoing, oncoming=event.oncoming, at=now.wall)
        text = f"handover {number} is on record"
        if listed != current:
            text += (
                "; something has changed since its list was shown, which is the new watch's: `hotline handover show`"
            )
        ctx.out.replies.append(Reply(event.request, True, "signed", text, {"number": number}))

    def _count_anew(self, listed: Mapping[str, int]) -> None:
        """Alarms that were raised since the list was shown stay for the next one."""
        for name, (times, last) in list(self.raised.items()):
            left = times - listed.get(name, 0)
            if left:
                self.raised[name] = left, last
                self._ctx.out.changes.append(Put("raised", {"name": name, "times": left, "last": last}))
            else:
                del self.raised[name]
                self._ctx.out.changes.append(Delete("raised", {"name": name}))

    def _wrong(self, event: SignHandover, listed: bytes | None) -> tuple[str, str] | None:
        """Code and sentence of what is wrong with it."""
        setup = self._ctx.setup
        if event.outgoing == event.oncoming:
            return (
                "same",
                "nobody hands the watch over to themselves: the key is the oncoming officer's; nothing was signed",
            )
        if len(event.notes.encode()) > HANDOVER_NOTES_MAX or "\0" in event.notes:
            return "text", f"the notes have more than {HANDOVER_NOTES_MAX} bytes, or a NUL; nothing was signed"
        if listed is None:
            return "changed", "something has changed since the list was shown: look at it again; nothing was signed"
        officers = setup.standing.officers if setup.standing is not None else ()
        keys = [one.signing for one in officers if (one.party, one.name) == (setup.local.party, event.oncoming)]
        if not keys:
            return (
                "officer",
                f"{event.oncoming} is no officer of {setup.local.party} in the charter; nothing was signed",
            )
        parts = signed_parts(setup.charter, setup.local.number, listed, event.outgoing, event.notes)
        try:
            verify(keys[0], event.signature, LABEL, *parts)
        except Untrusted:
            return "signature", f"not signed by the key of {event.oncoming} in the charter; nothing was entered"
        return None


def record_checklist(ctx: Context, event: RecordChecklist) -> None:
    """Enter what an officer did of a checklist; refused with a sentence if it is none."""
    wrong = _no_checklist(event)
    if wrong:
        ctx.out.replies.append(Reply(event.request, False, "checklist", wrong))
        return
    counts = {outcome: sum(1 for found, _ in event.steps if found == outcome) for outcome in OUTCOMES}
    steps = spell({"steps": [list(step) for step in event.steps]})
    ctx.record(
        "watch.checklist",
        {"officer": Private(event.officer.encode()), "steps": Private(steps)},
        name=event.name,
        file=event.file.hex(),
        done=counts["done"],
        skipped=counts["skipped"],
        open=counts["open"],
    )
    ctx.out.replies.append(Reply(event.request, True, "recorded", f"{event.name} is on record"))


def _no_checklist(event: RecordChecklist) -> str:
    if not 1 <= len(event.name) <= _NAME_MAX or not event.name.isascii() or len(event.file) != 32:
        return "a checklist has a name and a file; nothing was recorded"
    if not 1 <= len(event.steps) <= CHECKLIST_STEPS_MAX:
        return f"a checklist has 1 to {CHECKLIST_STEPS_MAX} steps; nothing was recorded"
    for outcome, reason in event.steps:
        if outcome not in OUTCOMES or (outcome == "skipped") != bool(reason.strip()):
            return "a step is done, open, or skipped for a reason; nothing was recorded"
        try:
            check_text(reason or "-", CHECKLIST_REASON_MAX)
        except TextError:
            return f"a reason has at most {CHECKLIST_REASON_MAX} bytes and no NUL; nothing was recorded"
    if all(outcome == "open" for outcome, _ in event.steps):
        return "nobody has answered a step; nothing was recorded"
    return ""
