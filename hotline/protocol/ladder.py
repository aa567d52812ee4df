"""What officers of this side do with a statement, and the receipts that tell the peer (docs/protocol.md 9 and 20)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hotline.limits import TIME_MAX
from hotline.machine import Delete, Instant, Plane, Private, Put, Reply, RequestId
from hotline.protocol.context import Context
from hotline.protocol.events import MarkRead, MarkShown, PromiseReply
from hotline.protocol.neutral import SPOKEN, kind_of
from hotline.protocol.nonpapers import Name
from hotline.protocol.promises import RECEIVED, Promises
from hotline.protocol.receipts import WORDS, Stage, Unnoted, note, rung
from hotline.protocol.statements import NAME_MAX, decode_statement
from hotline.protocol.tables import Saved
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2


class Ladder:
    """The rungs above DELIVERED, as this side climbs them."""

    def __init__(self, context: Context, promises: Promises) -> None:
        self._ctx = context
        self._promises = promises

    def restore(self, saved: Saved, now: Instant) -> None:
        """Take up what was not yet noted when the last run ended."""
        for row in saved.rows("unnoted"):
            serial, name, at, until = (row[column] for column in ("serial", "hash", "at", "until"))
            assert isinstance(serial, int)
            assert isinstance(name, bytes)
            assert isinstance(at, int)
            assert isinstance(until, int)
            stage = _STAGES[str(row["stage"])]
            unnoted = Unnoted(Plane(str(row["plane"])), serial, name, str(row["officer"]), at, stage)
            unnoted.principal, unnoted.until, unnoted.retry_at = str(row["principal"]), until, now.mono
            if stage == content_pb2.STAGE_REPLY_BY:
                newest = self._ctx.history.rung(RECEIVED, unnoted.plane, serial, "reply-by")
                # Where the times differ, the row is of an earlier program and names no answer.
                unnoted.answered = newest.answer if newest.said == at else 0
            self._ctx.reads.add(unnoted)

    # --- what officers say -------------------------------------------------------------------------------------------

    def hear(self, event: MarkRead | MarkShown | PromiseReply, now: Instant) -> None:
        """An officer of ours did something with a statement; answered with a sentence, and the peer is told."""
        match event:
            case MarkRead():
                self._read(event, now)
            case MarkShown():
                self._shown(event, now)
            case PromiseReply():
                self._promise(event, now)
        self.due(now)

    def _read(self, event: MarkRead, now: Instant) -> None:
        ctx = self._ctx
        name = ctx.unread[event.plane].get(event.serial)
        if name is None:
            known = ctx.inboxes[event.plane].known_hash(event.serial)
            text = f"there is no statement #{event.serial} to read"
            if known:
                text = f"#{event.serial} was read before, or is one that nobody need read"
            ctx.out.replies.append(Reply(event.request, known is not None, "again" if known else "unknown", text))
            return
        self._opened(event.plane, event.serial, event.officer, now)
        self._owe(Unnoted(event.plane, event.serial, name, event.officer, now.wall), now)
        ctx.out.replies.append(Reply(event.request, True, "read", f"#{event.serial} read by {event.officer}"))

    def _opened(self, plane: Plane, serial: int, by: str, now: Instant) -> None:
        ctx = self._ctx
        del ctx.unread[plane][serial]
        ctx.objectives.end("received", plane, serial)
        ctx.out.changes += ctx.nonpapers.finish(Name("received", plane, serial), now)
        key: dict[str, str | int] = {"plane": plane.value, "serial": serial}
        ctx.out.changes += [
            Delete("unread", key),
            Put("received_fact", {**key, "stage": "read", "at": now.wall, "by": by}),
        ]
        ctx.record("msg.opened", {"officer": Private(by.encode())}, plane=plane.value, serial=serial)
        mode = ctx.history.mode(Name("received", plane, serial))
        ctx.tell("read", plane=plane.value, serial=serial, officer=by, at=now.wall, mode=mode)

    def _shown(self, event: MarkShown, now: Instant) -> None:
        """Said once."""
        ctx, plane, serial = self._ctx, event.plane, event.serial
        name = self._readable(event.request, plane, serial)
        if name is None:
            return
        if len(event.principal) > NAME_MAX:
            text = f"a name has at most {NAME_MAX} characters: nothing was said"
            ctx.out.replies.append(Reply(event.request, False, "name", text))
            return
        under_way = ctx.reads.holds(plane, serial, content_pb2.STAGE_SHOWN)
        if under_way or ctx.history.rung(RECEIVED, plane, serial, "shown").said:
            text = f"that #{serial} was shown to the principal has been said before"
            ctx.out.replies.append(Reply(event.request, True, "again", text))
            return
        self._presented(plane, serial, event.officer, event.principal, now)
        said = Unnoted(plane, serial, name, event.officer, now.wall, content_pb2.STAGE_SHOWN, event.principal)
        self._owe(said, now)
        ctx.out.replies.append(Reply(event.request, True, "shown", f"the peer is told that #{serial} was shown"))

    def _presented(self, plane: Plane, serial: int, by: str, to: str, now: Instant) -> None:
        ctx = self._ctx
        said = content_pb2.Receipt(time_ms=now.wall, officer=by, principal=to)
        ctx.out.changes.append(rung(RECEIVED, plane, serial, "shown", said, now))
        shown_to = {"officer": Private(by.encode()), "principal": Private(to.encode())}
        ctx.record("msg.presented", shown_to, plane=plane.value, serial=serial)
        ctx.tell("presented", plane=plane.value, serial=serial, officer=by, principal=to, at=now.wall)

    def _promise(self, event: PromiseReply, now: Instant) -> None:
        """Both sides watch the time; a newer promise takes the place of an older one."""
        ctx, plane, serial, until = self._ctx, event.plane, event.serial, event.until
        name = self._readable(event.request, plane, serial)
        if name is None:
            return
        if not now.wall < until <= TIME_MAX:
            text = "an answer is promised until a time to come: nothing was promised"
            ctx.out.replies.append(Reply(event.request, False, "time", text))
            return
        said, stage = self._promises.later(plane, serial, now), content_pb2.STAGE_REPLY_BY
        if said > TIME_MAX:
            text = f"another terminal has promised an answer to #{serial} at the end of all time: nothing was promised"
            ctx.out.replies.append(Reply(event.request, False, "time", text))
            return
        item = Unnoted(plane, serial, name, event.officer, said, stage, until=until)
        item.answered = self._promises.answered(plane, serial)
        self._promised(plane, serial, item.receipt(), now)
        self._owe(item, now)
        ctx.out.replies.append(Reply(event.request, True, "promised", f"the peer is promised an answer to #{serial}"))

    def _promised(self, plane: Plane, serial: int, receipt: content_pb2.Receipt, now: Instant) -> None:
        ctx, by, until = self._ctx, receipt.officer, receipt.reply_by_ms
        ctx.out.changes.append(rung(RECEIVED, plane, serial, "reply-by", receipt, now))
        ctx.record("msg.promised", {"officer": Private(by.encode())}, plane=plane.value, serial=serial, until=until)
        self._promises.take(RECEIVED, plane, serial, receipt, now)
        ctx.tell("promise", way=RECEIVED, plane=plane.value, serial=serial, officer=by, until=until)

    def _readable(self, request: RequestId, plane: Plane, serial: int) -> bytes | None:
        """Name of a statement that an officer has opened; None, and a sentence, if there is nothing to say of it."""
        ctx = self._ctx
        name = ctx.inboxes[plane].known_hash(serial)
        if plane is Plane.SERVICE:
            text = f"#{serial} is operators' talk, which is neither shown nor promised an answer: nothing was said"
        elif name is None:
            text = f"there is no statement #{serial} of the peer: nothing was said"
        elif serial in ctx.unread[plane] or self._held(plane, serial):
            text = f"#{serial} has not been opened: read it first; nothing was said"
        else:
            content = ctx.history.received(plane, serial)
            kind = None if content is None else kind_of(decode_statement(content))
            quiet = ctx.history.is_nonpaper("received", plane, serial)
            if not quiet and (kind is None or kind in SPOKEN):
                return name
            text = f"#{serial} says nothing that could be shown or answered: nothing was said"
            if quiet:
                text = f"#{serial} was said without prejudice: nothing was said"
        ctx.out.replies.append(Reply(request, False, "unknown", text))
        return None

    def _held(self, plane: Plane, serial: int) -> bool:
        item = self._ctx.inboxes[plane].ahead.get(serial)
        return item is not None and not item.shown

    # --- the receipts ------------------------------------------------------------------------------------------------

    def _owe(self, item: Unnoted, now: Instant) -> None:
        """The peer is told until it has noted it."""
        item.retry_at = now.mono
        self._ctx.out.changes.append(Put("unnoted", _row(item)))
        for line in self._ctx.lines[1:]:
            line.reads.add(replace(item))
        for key in self._ctx.reads.add(item):
            self._ctx.out.changes.append(Delete("unnoted", _key(*key)))

    def _overtaken(self, plane: Plane, serial: int, newest: content_pb2.Receipt, now: Instant) -> None:
        """Who has yet to note an older promise of ours is told the newest: the older one counts nowhere."""
        stage, name, at = newest.stage, newest.item[0].statement, newest.time_ms
        item = Unnoted(plane, serial, name, newest.officer, at, stage, until=newest.reply_by_ms)
        item.answered, item.retry_at = newest.answered, now.mono
        owed = [line for line in self._ctx.lines if line.reads.holds(plane, serial, stage)]
        if owed:
            self._ctx.out.changes.append(Put("unnoted", _row(item)))
        for line in owed:
            line.reads.add(replace(item))

    def due(self, now: Instant) -> None:
        """Repeat what officers said until it is noted."""
        for item in self._ctx.reads.due(now.mono):
            routes = self._ctx.routes(urgent=False)
            profile = (routes or list(self._ctx.paths.values()))[0].setup.profile
            sent = self._ctx.send_content(
                item.plane, ContentType.RECEIPT, item.encoded(), now, transient=False, urgent=False
            )
            item.attempts += 1 if sent else 0
            delay = min(profile.retransmit_ms << min(item.attempts, 16), profile.retransmit_max_ms)
            item.retry_at = now.mono + (delay if self._ctx.peer_is_heard else 6 * profile.retransmit_max_ms)

    def noted(self, plane: Plane, receipt: content_pb2.Receipt, now: Instant) -> None:
        """A terminal has noted what an officer of ours said: the others are told it still, after a restart too."""
        stage = receipt.noted or content_pb2.STAGE_READ
        for item in receipt.item:
            until, at = receipt.reply_by_ms, receipt.time_ms
            noted = self._ctx.reads.noted(plane, item.serial, item.statement, stage, until, at)
            if noted and not any(line.reads.holds(plane, item.serial, stage) for line in self._ctx.lines):
                self._ctx.out.changes.append(Delete("unnoted", _key(plane, item.serial, stage)))
        self.due(now)

    def told(self, plane: Plane, receipt: content_pb2.Receipt, now: Instant) -> None:
        """A sibling tells what an officer did there: so it is here. What we have not shown it repeats to us."""
        ctx = self._ctx
        known = [item for item in receipt.item if ctx.inboxes[plane].known_hash(item.serial) == item.statement]
        news = [item.serial for item in known if self._is_news(plane, item.serial, receipt)]
        if news and not self._is_ours(receipt.officer):
            return  # nobody of ours, or named by a charter that is not in force here yet: then we are told again
        for serial in news:
            match receipt.stage:
                case content_pb2.STAGE_READ:
                    self._opened(plane, serial, receipt.officer, now)
                case content_pb2.STAGE_SHOWN:
                    self._presented(plane, serial, receipt.officer, receipt.principal, now)
                case _:
                    self._promised(plane, serial, receipt, now)
                    self._overtaken(plane, serial, receipt, now)
        # Under a number that two terminals of the peer gave out we may hold the other statement, and hold it for good.
        here = [item for item in receipt.item if ctx.inboxes[plane].known_hash(item.serial) is not None]
        noted = [item for item in here if not self._held(plane, item.serial)]
        if noted:
            content = note(receipt, noted, now.wall)
            ctx.send_content(plane, ContentType.RECEIPT, content, now, transient=True, urgent=False)

    def _is_news(self, plane: Plane, serial: int, receipt: content_pb2.Receipt) -> bool:
        """Whether what a sibling's officer did with a statement is more than is known here."""
        match receipt.stage:
            case content_pb2.STAGE_READ:
                return serial in self._ctx.unread[plane]
            case content_pb2.STAGE_SHOWN:
                return not self._ctx.history.rung(RECEIVED, plane, serial, "shown").said
            case _:
                return self._promises.is_newest(RECEIVED, plane, serial, receipt)

    def _is_ours(self, officer: str) -> bool:
        """Whether the charter in force names this officer for our party, where it names any."""
        setup = self._ctx.setup
        named = {name for party, name in setup.release.officers if party == setup.local.party}
        return not named or officer in named

    def receipts(self, plane: Plane) -> Iterator[bytes]:
        """For a bundle: what the peer has not noted."""
        return (item.encoded() for item in self._ctx.reads.of(plane))


_STAGES = {word: stage for stage, word in WORDS.items()}


def _row(item: Unnoted) -> dict[str, str | int | bytes | None]:
    row: dict[str, str | int | bytes | None] = {**_key(item.plane, item.serial, item.stage), "hash": item.hash}
    return row | {"officer": item.officer, "at": item.at, "principal": item.principal, "until": item.until}


def _key(plane: Plane, serial: int, stage: Stage) -> dict[str, str | int]:
    return {"plane": plane.value, "serial": serial, "stage": WORDS[stage]}
