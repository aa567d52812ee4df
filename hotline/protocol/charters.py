"""The charter in force, the next one, and the switch between them (docs/protocol.md section 24).

A terminal that is given the next charter says so in its beats and takes up the relays that it adds. It stands under it
once the peer is heard, over a relay of the next charter, to be ready for the same or to stand under it or a later one.
Relays that it retires are kept until the peer is heard under it. No key and no name changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from hotline.charter.parts import Charter, RelayEntry
from hotline.charter.profiles import Profile
from hotline.charter.succession import read_next
from hotline.errors import HotlineError, Untrusted
from hotline.limits import CHARTER_PATIENCE
from hotline.machine import Delete, Instant, Private, Put, Reply
from hotline.protocol.channeltests import ChannelTests
from hotline.protocol.context import Context
from hotline.protocol.events import ActivateCharter
from hotline.protocol.paths import Path, PathInput, PathSetup, PathState
from hotline.protocol.release import policy_of
from hotline.protocol.statements import PRECEDENCES
from hotline.protocol.tables import Row, Saved
from hotline.wire.v1 import content_pb2

_TOLD_MAX: Final = 64
"""Contradictions told in one run: what a peer says in its beats, another thing in each, must not ring for ever."""
IN_FORCE: Final = "charter"
NOTE: Final = "charter.note"
NEXT: Final = "charter.next"
"""Names of facts: hash (hex) and whole text of the charter in force, and of the next one."""


def kept_charter(facts: Iterable[Row]) -> bytes | None:
    """The charter in force as a store holds it, both parties' signatures with it."""
    notes = [row["value"] for row in facts if row["name"] == NOTE]
    return notes[0] if notes and isinstance(notes[0], bytes) else None


def terms_of(charter: Charter, note: bytes) -> dict[str, Any]:
    """What of an endpoint's setup follows from the charter in force, and changes with it; paths apart."""
    return {
        "standing": charter,
        "note": note,
        "policy": charter.witnesses,
        "validity_ms": dict(zip(PRECEDENCES, charter.validity_ms, strict=True)),
        "text_bytes_max": charter.text_bytes_max,
        "channel_test_ms": charter.channel_test_ms,
        "takeover_after_ms": charter.takeover_after_ms,
        "travels": {one.number: one.travels for one in charter.terminals if one.travels is not None},
        "objective_ms": dict(zip(PRECEDENCES, charter.objective_ms, strict=True)),
        "release": policy_of(charter),
    }


def path_of(relay: RelayEntry, profiles: Mapping[str, Profile]) -> PathSetup:
    """A relay as a path; `profiles` are those of this machine's configuration."""
    return PathSetup(relay.name, relay.number, relay.signing, profiles.get(relay.name, relay.profile))


class Charters:
    """Which charter a terminal stands under, and which it is ready for."""

    def __init__(self, context: Context, tests: ChannelTests) -> None:
        self._ctx = context
        self._tests = tests
        self.contexts: list[Context] = []
        """Those of all lines; they stand under one charter."""
        self.next: Charter | None = None
        self._next_note = b""
        self._known: bytes | None = None
        self._stale = False
        self.peer_serial = 0
        """What the peer last said that it stands under; 0: not heard in this run."""
        self._agreed = False
        self._told_at: dict[int, int] = {}
        """By terminal: when it was last told the hash of the charter in force."""
        self._said: dict[int, tuple[int, bytes]] = {}
        """By terminal of the peer: serial and hash in its last fresh beat."""
        self._differ_since: int | None = None
        self._alarmed: set[tuple[str, bytes]] = set()

    # --- what is known ------------------------------------------------------------------------------------------------

    @property
    def hash(self) -> bytes:
        """Hash of the charter in force."""
        setup = self._ctx.setup
        return setup.charter if setup.standing is None else setup.standing.hash

    @property
    def serial(self) -> int:
        """Its serial; 1 for a founding one."""
        standing = self._ctx.setup.standing
        return 1 if standing is None else standing.serial

    @property
    def note(self) -> bytes:
        """The charter in force as both parties signed it."""
        return self._ctx.setup.note

    @property
    def next_note(self) -> bytes:
        """The next charter, if this terminal is ready for one."""
        return self._next_note

    @property
    def relays(self) -> dict[str, RelayEntry]:
        """Relays that are dialled, by name: those of the charter in force, and what the next one adds."""
        charters = [one for one in (self._ctx.setup.standing, self.next) if one is not None]
        found: dict[str, RelayEntry] = {}
        for charter in charters:
            found = {relay.name: relay for relay in charter.relays} | found
        return found

    def restore(self, saved: Saved) -> None:
        """What was in force, and what was next, when the last run ended."""
        facts = {row["name"]: row["value"] for row in saved.rows("fact")}
        known, note = facts.get(IN_FORCE), facts.get(NEXT)
        self._known = known if isinstance(known, bytes) else None
        if isinstance(note, bytes):
            try:
                self.next, self._next_note = read_next(note, self._ctx.setup.standing), note
            except HotlineError:
                self._stale = True  # it came into force by a restart, or another did
        self._lay()

    def started(self) -> None:
        """Another charter than at the last start is told once, and kept."""
        value = self.hash.hex().encode()
        if self._known is not None and self._known != value:
            self._changed(self._known.decode())
        self._keep()
        if self._stale:
            self._ctx.out.changes.append(Delete("fact", {"name": NEXT}))

    def _changed(self, old: str) -> None:
        self._ctx.record("charter.changed", old=old, new=self.hash.hex(), serial=self.serial)
        self._ctx.tell("charter", state="in-force", serial=self.serial, hash=self.hash.hex())

    def _keep(self) -> None:
        self._known = self.hash.hex().encode()
        self._ctx.out.changes.append(Put("fact", {"name": IN_FORCE, "value": self._known}))
        if self.note:
            self._ctx.out.changes.append(Put("fact", {"name": NOTE, "value": self.note}))

    # --- getting ready ------------------------------------------------------------------------------------------------

    def activate(self, event: ActivateCharter, now: Instant) -> None:
        """Take the next charter from an officer, or say why not."""
        ctx = self._ctx
        try:
            charter = read_next(event.note, ctx.setup.standing)
        except Untrusted as error:
            text = "somebody tried to put a charter in force that does not hold: it was refused"
            ctx.alarm("charter-refused", text, reason=error.reason)
            ctx.out.replies.append(Reply(event.request, False, "untrusted", str(error)))
            return
        except HotlineError as error:
            ctx.out.replies.append(Reply(event.request, False, "charter", str(error)))
            return
        if self.next is not None and self.next.hash != charter.hash:
            self._conflict(charter.hash)
            text = "both parties have signed two charters of this serial: settle which one holds"
            ctx.out.replies.append(Reply(event.request, False, "untrusted", text))
            return
        if self.next is None:
            self.next, self._next_note = charter, event.note
            officer = {"officer": Private(event.officer.encode())}
            ctx.record("charter.ready", officer, serial=charter.serial, hash=charter.hash.hex())
            ctx.out.changes.append(Put("fact", {"name": NEXT, "value": event.note}))
            self._lay()
            ctx.tell("charter", state="ready", serial=charter.serial, hash=charter.hash.hex())
            self._beat_soon(now)
        text = f"ready for serial {charter.serial}: in force as soon as the peer is heard to be ready too"
        ctx.out.replies.append(Reply(event.request, True, "ready", text))

    def _beat_soon(self, now: Instant) -> None:
        for context in self.contexts:
            for path in context.paths.values():
                path.beat_soon(now)

    # --- heartbeats ---------------------------------------------------------------------------------------------------

    def write(self, heartbeat: content_pb2.Heartbeat, line: Context, path: Path, now: Instant) -> None:
        """What a beat over `line` says of charters: nothing on a hotline that was never amended."""
        if self.next is not None:
            heartbeat.charter_next = self.next.hash
        if self.serial == 1:
            return
        heartbeat.charter_serial = self.serial
        number = line.setup.remote.number
        due = path.is_due(self._told_at.get(number), now)
        if due or not self._is_known(line):
            heartbeat.charter = self.hash
            if due:
                self._told_at[number] = now.mono

    def _is_known(self, line: Context) -> bool:
        """Whether the other end knows that we stand under the same charter, or does not listen to us (24.9)."""
        if line is self._ctx:
            return self._agreed
        local, remote = line.setup.local, line.setup.remote
        listened_to = not line.sibling and local.number == min(line.standing.terminals(local.party))
        return not listened_to or self._said.get(remote.number) == (self.serial, b"")

    def heard(self, context: Context, heartbeat: content_pb2.Heartbeat, path: Path, now: Instant) -> None:
        """What a fresh beat of the peer says of charters."""
        serial = heartbeat.charter_serial or 1
        self._said[context.setup.remote.number] = serial, heartbeat.charter
        if context is not self._ctx or self._ctx.setup.standing is None:
            return
        if serial != self.peer_serial:
            self.peer_serial = serial
            if serial > 1:
                self._ctx.record("peer.charter", serial=serial)
        if self.next is not None and path.setup.name in {relay.name for relay in self.next.relays}:
            # What a peer elsewhere is ready for is a charter of another serial, and contradicts nothing.
            said = {self.next.serial: heartbeat.charter, self.serial: heartbeat.charter_next}
            told = said.get(serial, b"")
            # A peer further on has been here. Only a terminal that was put back is so far behind, and it would stay.
            if told == self.next.hash or serial > self.next.serial:
                self._enforce(now)
            elif told:
                self._conflict(told)
        self._compare(serial, heartbeat, now)

    def _compare(self, serial: int, heartbeat: content_pb2.Heartbeat, now: Instant) -> None:
        """Whether the peer stands under the same charter, and for how long it has not."""
        coming = self.next is not None and serial == self.next.serial
        following = heartbeat.charter_next == self.hash and serial == self.serial - 1
        if serial == self.serial or coming or following:
            self._differ_since = None
        elif self._differ_since is None:
            self._differ_since = now.mono
        elif self.differ(now):
            text = (
                "the peer stands under a later charter than this terminal: it was restored, or not told; activate it"
                if serial > self.serial
                else "the peer stands under an older charter than this terminal: ask it to activate the one in force"
            )
            if self._is_news("charter-differs", serial.to_bytes(8, "big")):
                self._ctx.alarm("charter-differs", text, standing=self.serial, peers=serial)
        if serial != self.serial:
            self._agreed = False
        elif heartbeat.charter and heartbeat.charter != self.hash:
            self._conflict(heartbeat.charter)
        elif not self._agreed and (serial == 1 or heartbeat.charter):
            self._agreed = True
            self._lay(now)

    def _conflict(self, other: bytes) -> None:
        text = "both parties have signed two charters of one serial: it must be settled which of them holds"
        if self._is_news("charter-conflict", other):
            self._ctx.alarm("charter-conflict", text, hash=other.hex())

    def _is_news(self, name: str, what: bytes) -> bool:
        known = (name, what) in self._alarmed or len(self._alarmed) >= _TOLD_MAX
        if not known:
            self._alarmed.add((name, what))
        return not known

    def differ(self, now: Instant) -> bool:
        """Whether peer and terminal have said long enough that they stand under different charters."""
        return self._differ_since is not None and now.mono - self._differ_since >= CHARTER_PATIENCE

    # --- the switch ---------------------------------------------------------------------------------------------------

    def _enforce(self, now: Instant) -> None:
        """The next charter comes into force here: the peer is ready for it, or stands under it."""
        assert self.next is not None
        old, charter, note = self.hash.hex(), self.next, self._next_note
        self.next, self._next_note, self._agreed = None, b"", False
        for context in self.contexts:
            context.setup = replace(context.setup, **terms_of(charter, note))
        self._changed(old)
        self._keep()
        self._ctx.out.changes.append(Delete("fact", {"name": NEXT}))
        self._drive_anew()
        self._tests.amended(now)
        self._beat_soon(now)

    def _drive_anew(self) -> None:
        """Relays that stay, by the timers that hold now."""
        relays = self.relays
        for context in self.contexts:
            for name, path in context.paths.items():
                made = path_of(relays[name], context.setup.profiles) if name in relays else path.setup
                if made != path.setup:
                    path.retime(made)

    def _lay(self, now: Instant | None = None) -> None:
        """Paths for the relays that are to be dialled; with `now` also none for those that are gone."""
        relays = self.relays
        if not relays:
            return
        changed = False
        for context in self.contexts:
            for name, relay in relays.items():
                if name not in context.paths:
                    changed = True
                    context.paths[name] = Path(path_of(relay, context.setup.profiles), context.entropy)
            for name in [name for name in context.paths if name not in relays] if now is not None else ():
                assert now is not None
                changed = True
                if context.paths.pop(name).apply(PathInput.CLOSED, now):
                    context.record("path.state", path=name, state=PathState.DOWN.value)
        if changed and now is not None:
            self._ctx.tell("charter", state="agreed", serial=self.serial, hash=self.hash.hex())
