"""From what two desks see to journal entries: every event, the status several times a second, exits and memory."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from hotline.drill.desk import PLANES, Desk, facts_of, paths_up, rests, travellers_heard, waiting
from hotline.drill.journal import Journal, of_kind
from hotline.drill.patterns import PARTIES
from hotline.drill.rehearsal import RehearsedTerminal
from hotline.drill.stage import Stage
from hotline.drill.telling import PEER, Telling, at_terminal, party_of, statement_id
from hotline.errors import LocalError

POLL_SECONDS: Final = 0.25
_MEMORY_EVERY: Final = 4
_LOOK_SECONDS: Final = 0.05


class Recorder:
    """Writes the journal of a running drill. Thread-safe: desks, poller and runner all write."""

    def __init__(self, journal: Journal, stage: Stage, expected_paths: int, parties: Sequence[str] = PARTIES) -> None:
        self.journal = journal
        self.desks: dict[str, Desk] = {
            name: Desk(terminal.process, socket, self._heard(terminal.process))
            for terminal in stage.terminals
            for name, socket in windows(terminal, parties)
        }
        """By the name of the process; among several parties each of its windows, as PROCESS.PARTY."""
        self.on_delivered: Callable[[str], None] = lambda identifier: None  # noqa: ARG005 - nobody waits for it
        self._telling = Telling(self.add, self._delivered, several=len(parties) > len(PARTIES))
        self.pictures: dict[str, tuple[float, dict[str, Any] | None]] = {}
        self._stage = stage
        self._expected = expected_paths
        self._zero = time.monotonic()
        self._lock = threading.Lock()
        self._exited: set[int] = set()
        self._ended_at: float | None = None
        self._closing = threading.Event()
        self._poller = threading.Thread(target=self._poll_for_ever, name="poller", daemon=True)

    # --- time and entries --------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The steady state is reached: time counts from now, and everything is written down."""
        self._zero = time.monotonic()
        for desk in self.desks.values():
            desk.open()
        self._poller.start()

    def now(self) -> float:
        """Milliseconds since `begin`."""
        return (time.monotonic() - self._zero) * 1_000

    def add(self, kind: str, at: float | None = None, **fields: object) -> None:
        """One journal entry, now or `at`."""
        with self._lock:
            self.journal.add(self.now() if at is None else at, kind, **fields)

    def close(self) -> None:
        """No more polls and events."""
        self._closing.set()
        if self._poller.ident is not None:
            self._poller.join(3)
        for desk in self.desks.values():
            desk.close()

    def at(self, process: str) -> list[Desk]:
        """Every desk of a terminal: what is said at one is said to all other parties."""
        return [desk for desk in self.desks.values() if desk.party == process]

    # --- events ------------------------------------------------------------------------------------------------------

    def _heard(self, terminal: str) -> Callable[[str, dict[str, Any]], None]:
        return lambda kind, fields: self._telling.event(terminal, kind, fields)

    def _delivered(self, identifier: str) -> None:
        self.on_delivered(identifier)

    # --- status ------------------------------------------------------------------------------------------------------

    def steady(self) -> bool:
        """Whether both sides, as last seen, have every path up and nothing waits; but for who rests."""
        return len(self.pictures) == len(self.desks) and all(
            picture is not None and (rests(picture) or (paths_up(picture) == self._expected and not waiting(picture)))
            for _, picture in self.pictures.values()
        )

    def reach_steady(self, within_ms: int, quiet_ms: int) -> float | None:
        """Milliseconds until every path was up on both sides and stayed so for `quiet_ms`, or None. Before `begin`.

        Raises LocalError if a process ends meanwhile.
        """
        begun = time.monotonic()
        since: float | None = None
        while time.monotonic() - begun < within_ms / 1_000:
            for party, desk in self.desks.items():
                self.pictures[party] = (0.0, desk.status())
            self._stage.all_alive()
            now = time.monotonic()
            since = (since or now) if self.steady() else None
            if since is not None and now - since >= quiet_ms / 1_000:
                return round((since - begun) * 1_000, 1)
            time.sleep(_LOOK_SECONDS)
        return None

    def unsteady(self) -> str:
        """What the steady state lacked when it was last looked at, terminal by terminal."""
        told = []
        for name, (_, picture) in self.pictures.items():
            if picture is None:
                told.append(f"{name} does not answer")
            if picture is None or rests(picture):
                continue
            paths = [f"{path['name']} {path['state']}" for path in picture["paths"] if path["state"] != "up"]
            left = waiting(picture)
            told += [f"{name} has {', '.join(paths)}"] * bool(paths) + [f"{left} wait at {name}"] * bool(left)
        return "; ".join(told) or "everything was up, but not for long enough"

    def settled(self) -> bool:
        """Whether the steady state was seen on both sides since the last fault ended."""
        return self._ended_at is None and self.steady()

    def fault_ended(self) -> None:
        """From now on the steady state is waited for anew."""
        self._ended_at = self.now()

    def _poll_for_ever(self) -> None:
        turn = 0
        while not self._closing.wait(POLL_SECONDS):
            for party, desk in self.desks.items():
                if self._closing.is_set():
                    return
                self._poll(party, desk)
            self._look_at_processes(with_memory=turn % _MEMORY_EVERY == 0)
            turn += 1
            ended = self._ended_at
            if ended is not None and self.steady() and min(at for at, _ in self.pictures.values()) > ended:
                self._ended_at = None
                self.add("steady-again")

    def _poll(self, party: str, desk: Desk) -> None:
        at = self.now()
        picture = desk.status()
        self.pictures[party] = (at, picture)
        heard = None if picture is None else picture["peer"]["heard_ms_ago"]
        left = None if picture is None else waiting(picture)
        travellers = travellers_heard(picture)
        more = {"hears": travellers} if travellers else {}
        self.add("poll", at=at, by=desk.party, heard_ms=heard, up=paths_up(picture), waiting=left, **more)

    def _look_at_processes(self, *, with_memory: bool) -> None:
        for name in self._stage.names():
            code = self._stage.ended(name)
            if code is not None:
                self.exited(name, code)
            elif with_memory:
                # Another thread may have ended it in this very moment.
                with contextlib.suppress(LocalError):
                    mib = resident_mib(self._stage.pid(name))
                    if mib:
                        self.add("memory", process=name, mib=round(mib, 1))

    def exited(self, name: str, code: int) -> None:
        """A process ended by itself; told once, unless it is gone from the stage."""
        try:
            pid = self._stage.pid(name)
        except LocalError:
            return
        if pid not in self._exited:
            self._exited.add(pid)
            self.add("exit", process=name, code=code if code >= 0 else 128 - code, asked=False)

    # --- what the desks missed ---------------------------------------------------------------------------------------

    def reconcile(self) -> None:
        """Ask every terminal what they know: a desk sees nothing while its daemon is away.

        Stages and showings that no event told get the time of this question, which is late, never early.
        """
        for name, desk in self.desks.items():
            for plane in PLANES:
                for view in desk.statements(plane, sent=True):
                    self._reconcile_sent(name, plane, view)
                for view in desk.statements(plane, sent=False):
                    process, _, other = name.partition(".")
                    peer = f"{other}:{process}" if other else PEER[party_of(process)]
                    identifier, terminal = statement_id(peer, plane, view.serial), process
                    known = {(e["id"], e["by"]) for e in of_kind(self.journal.entries, "shown")}
                    if view.state in ("unread", "read") and view.drafter and (identifier, terminal) not in known:
                        self.add("shown", id=identifier, by=terminal, repeat=bool(view.repeats), late=True)

    def _reconcile_sent(self, name: str, plane: str, view: Any) -> None:
        told: dict[str, Any] = at_terminal(name)
        sender = name.replace(".", ":") if "." in name else party_of(name)
        identifier = statement_id(sender, plane, view.serial)
        entries = of_kind(self.journal.entries, "stage")
        mine = [one for one in entries if one.get("terminal") == told.get("terminal")]
        known = {entry["stage"] for entry in mine if entry["id"] == identifier}
        for stage, _, by in facts_of(view):
            if stage not in known:
                self.add("stage", id=identifier, stage=stage, by=by, late=True, **told)


def windows(terminal: RehearsedTerminal, parties: Sequence[str]) -> list[tuple[str, Path]]:
    """Names and sockets of a terminal's desks: one, or one for each of several others (docs/protocol.md 26.8)."""
    name, socket = terminal.process, terminal.socket
    if len(parties) == len(PARTIES):
        return [(name, socket)]
    return [(f"{name}.{one}", socket.with_name(f"{socket.name}.{one}")) for one in parties if one != terminal.party]


def resident_mib(pid: int) -> float:
    """Resident memory of a process; 0 for one that is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(text.split()[1]) / 1_024 for text in lines if text.startswith("VmRSS:")), 0.0)
