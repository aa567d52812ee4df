"""What can be wrong with a hotline: each weakness takes one protection out of the daemon that it is applied to.

The names are those that drills give under [[sabotage]]. A weakness changes the program in memory, never its files.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hotline import endpointd
from hotline.machine import Instant, Plane
from hotline.protocol import branding, composing, drafts, receiving, sending, statements, travelling
from hotline.protocol.answers import Answers
from hotline.protocol.challenges import Challenges
from hotline.protocol.charters import Charters
from hotline.protocol.context import Context
from hotline.protocol.gaps import Gaps
from hotline.protocol.inbox import Ahead, Inbox, Verdict
from hotline.protocol.mirror import Mirror
from hotline.protocol.outbox import Outbox
from hotline.protocol.ownlog import OwnLog
from hotline.protocol.paths import Detector, Path
from hotline.protocol.presence import Presence
from hotline.protocol.promises import Promises
from hotline.protocol.receiving import Receiving
from hotline.protocol.sending import Sending
from hotline.protocol.takeover import TakeoverRule
from hotline.protocol.terminals import Terminals
from hotline.runtime import dialer, driver, operators, requests
from hotline.runtime.ratchet import Ratchet
from hotline.runtime.store import EndpointStore
from hotline.wire.v1 import content_pb2

_LATE_SECONDS = 20.0
_COMMITS_OF_A_START = 12
"""Written at once, so that the daemon comes up."""


def one_path_only() -> None:
    """The load is spread: each envelope goes over one open path, in turn."""
    usable, turn = Context.routes, itertools.count()

    def spread(self: Context, *, urgent: bool) -> list[Path]:
        found = usable(self, urgent=urgent)
        return [found[next(turn) % len(found)]] if found else []

    Context.routes = spread  # type: ignore[method-assign]


def no_silence() -> None:
    """A path is up as long as its stream is."""
    Path.silent_at = lambda self: None  # type: ignore[method-assign]


def no_repetition() -> None:
    """What was sent once is never sent again."""
    Outbox.due_retries = lambda self, now: iter(())  # type: ignore[method-assign]
    Sending.path_opened = lambda self, path, now: self.pump(now)  # type: ignore[method-assign]
    Sending.reseal = lambda self, epoch, now: None  # type: ignore[method-assign]


def slow_redial() -> None:
    """A relay that was lost is tried again after a long while."""
    dialer._BACKOFF_FIRST = _LATE_SECONDS  # type: ignore[misc]


def no_gap_watch() -> None:
    """What the heartbeats say of statements under way is not looked at."""
    Gaps.look = lambda self, now: None  # type: ignore[method-assign]


def not_durable() -> None:
    """The disk is written later: what is acknowledged lives in memory for some seconds."""
    commit, count = EndpointStore.commit, itertools.count()
    held: list[tuple[Any, Instant]] = []

    def later(self: EndpointStore, batch: Any, now: Instant) -> None:
        held.append((batch, now))
        if next(count) < _COMMITS_OF_A_START or now.mono - held[0][1].mono > _LATE_SECONDS * 1_000:
            for one, at in held:
                commit(self, one, at)
            held.clear()

    EndpointStore.commit = later  # type: ignore[method-assign]


def impatient() -> None:
    """Three beats, on every link, in the place of a limit that learns its rhythm."""
    Detector._expected = lambda self: 3 * self._profile.heartbeat_ms  # type: ignore[method-assign]


def repeats_shown() -> None:
    """A repeat is taken for news."""
    judge = Inbox.judge

    def careless(self: Inbox, serial: int, statement: bytes) -> Verdict:
        found = judge(self, serial, statement)
        return Verdict.NEW if found is Verdict.REPEAT else found

    Inbox.judge = careless  # type: ignore[method-assign]


def order_of_arrival() -> None:
    """What comes first is shown first."""
    accept = Inbox.accept
    Inbox.accept = lambda self, serial, ahead: accept(self, serial, _without_predecessor(ahead))  # type: ignore[method-assign]


def _without_predecessor(ahead: Ahead) -> Ahead:
    return replace(ahead, previous=0)


def no_ratchet() -> None:
    """Nobody remembers how large the ledger was, and what others say of it is not heard."""
    Ratchet.load = lambda self, log: None  # type: ignore[method-assign]
    OwnLog.seen = lambda self, note, now: None  # type: ignore[method-assign]
    Answers.skip_to = lambda self, plane, serial, now, *, hearsay=False: True  # type: ignore[method-assign]


def waits_for_witnesses() -> None:
    """Statements wait for a quorum."""
    pump = Sending.pump
    Sending.pump = lambda self, now: None if self._own_log.quorum_lost else pump(self, now)  # type: ignore[method-assign]


def no_expiry() -> None:
    """The sender is never told that a statement came too late."""
    Outbox.due_expiries = lambda self, now: iter(())  # type: ignore[method-assign]


def one_plane() -> None:
    """The exercise button is another name for the real one, and one person may press it."""
    operators.plane_of = requests.plane_of = lambda exercise, service=False: Plane.REAL  # type: ignore[attr-defined]
    one_is_enough()


def one_is_enough() -> None:
    """What is said needs nobody's signature at the terminal that says it, whatever the charter says."""
    sending.check_authority = lambda *asked, **known: None  # type: ignore[attr-defined]
    drafts.judge = lambda *asked: ""  # type: ignore[attr-defined]


def no_precedence() -> None:
    """First come, first served."""

    def in_line(self: Outbox, window_messages: int, window_bytes: int, since: int) -> Any:
        self._waiting.sort(key=lambda entry: entry[1])
        while self._waiting:
            item = self.pending.get(self._waiting[0][1])
            if item is None or item.envelope is not None:
                self._waiting.pop(0)
                continue
            if self.window_messages and self.window_messages >= window_messages:
                return None
            return self.pending[self._waiting.pop(0)[1]]
        return None

    def add_in_line(self: Outbox, item: Any) -> None:
        add(self, replace(item, precedence=1))
        heapq.heapify(self._waiting)

    add = Outbox.add
    Outbox.add = add_in_line  # type: ignore[method-assign]
    Outbox.next_to_send = in_line  # type: ignore[method-assign]


def wall_clock_timers() -> None:
    """Timers run by the wall clock."""

    def one_clock() -> Instant:
        wall = time.time_ns() // 1_000_000
        return Instant(wall, wall)

    driver.system_clock = one_clock
    driver.Driver.__init__.__defaults__ = (one_clock,)  # type: ignore[misc]
    endpointd.system_clock = one_clock


def correction_unmarked() -> None:
    """What was corrected or taken back is shown as it was."""
    Receiving._correct = lambda self, plane, statement, now: None  # type: ignore[method-assign]


def presence_unsaid() -> None:
    """What the officer says of this side is kept and told to nobody."""
    write = Presence.write

    def always_alive(self: Presence, heartbeat: content_pb2.Heartbeat, line: Context, *, closing: bool) -> None:
        write(self, heartbeat, line, closing=closing)
        heartbeat.presence, heartbeat.presence_until_ms = content_pb2.PRESENCE_ALIVE, 0

    Presence.write = always_alive  # type: ignore[method-assign]


def word_without_end() -> None:
    """Consulting until a time is consulting for ever."""
    Presence.due = lambda self, now: None  # type: ignore[method-assign]
    Presence.next_deadline = lambda self: None  # type: ignore[method-assign]


def deaf_to_questions() -> None:
    """The question whether anybody is there rings at nobody's desk."""
    read = Presence.read

    def deaf(self: Presence, heartbeat: content_pb2.Heartbeat, line: Context, now: Instant) -> None:
        heard = content_pb2.Heartbeat()
        heard.CopyFrom(heartbeat)
        heard.presence_asked = 0
        read(self, heard, line, now)

    Presence.read = deaf  # type: ignore[method-assign]


def never_ready() -> None:
    """What the peer says of the next charter is not heard, and it comes into force nowhere."""
    Charters._enforce = lambda self, now: None  # type: ignore[method-assign]


def code_unsaid() -> None:
    """What is said by a code of the phrasebook goes as its text alone."""
    write = composing.add_fields
    composing.add_fields = lambda statement, *_: write(statement, "", b"", ())


def takes_anything() -> None:
    """Whatever the peer's terminal has signed is taken, whoever it says that it is for."""
    receiving.read_statement = lambda content, *_: statements.decode_statement(content)


def unbranded() -> None:
    """Whatever the peer's terminal has signed is taken for released."""
    judge = branding.judge
    branding.judge = lambda *asked: judge(*asked) and branding.RELEASED


def never_overdue() -> None:
    """Nobody looks at the clock of an answer that was promised."""
    Promises.due = lambda self, now: None  # type: ignore[method-assign]
    Promises.next_deadline = lambda self: None  # type: ignore[method-assign]


def shown_untold() -> None:
    """That a statement was shown to the principal is noted and told to nobody."""
    Answers._shown = lambda self, plane, serial, receipt, name, now: None  # type: ignore[method-assign]


def deaf_to_turns() -> None:
    """The signed word that another terminal of a party speaks is heard by nobody."""
    Terminals._hear = lambda self, party, signed, now: None  # type: ignore[method-assign]


def deaf_siblings() -> None:
    """What another terminal of the party has said is entered nowhere."""
    Mirror.statement = lambda self, line, opened, now: True  # type: ignore[method-assign]


def always_active() -> None:
    """A terminal that travels is a part of the hotline, whatever both parties have signed and the clock says."""
    travelling._holds = lambda span, wall: True


def hasty_rule() -> None:
    """An alternate takes over after two thirds of the silence that the charter's rule asks for."""
    TakeoverRule.after_ms = property(lambda self: self._ctx.setup.takeover_after_ms * 2 // 3)  # type: ignore[assignment, method-assign]


def deaf_to_answers() -> None:
    """What the peer's record or officer answers to a challenge is told to nobody."""
    Challenges.answered = lambda self, statement, now: None  # type: ignore[method-assign]


def courier_without_receipts() -> None:
    """A bundle brings statements and says nothing of those that have come."""
    Receiving.courier_receipts = lambda self, plane, ladder, now: iter(())  # type: ignore[method-assign]


WEAKNESSES: dict[str, Callable[[], None]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        one_path_only,
        no_silence,
        no_repetition,
        slow_redial,
        no_gap_watch,
        not_durable,
        impatient,
        repeats_shown,
        order_of_arrival,
        no_ratchet,
        waits_for_witnesses,
        no_expiry,
        one_plane,
        one_is_enough,
        no_precedence,
        wall_clock_timers,
        correction_unmarked,
        presence_unsaid,
        word_without_end,
        deaf_to_questions,
        courier_without_receipts,
        deaf_to_turns,
        deaf_siblings,
        always_active,
        hasty_rule,
        deaf_to_answers,
        never_ready,
        never_overdue,
        unbranded,
        takes_anything,
        code_unsaid,
        shown_untold,
    )
}
