"""What terminals and relays of the simulator share: a disk, clocks and a power switch under a machine.

A node performs an Output as the real driver does: express frames at once, then one commit shared by everything that
waits, then frames, deliveries and replies in order. A crash loses everything that was not committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeVar

from hotline.drill.simulator.disk import Disk
from hotline.machine import Delivery, Instant, Output, Reply, Tick, Transmission

if TYPE_CHECKING:  # a world is made of nodes, and a node stands in its world
    from hotline.drill.simulator.world import World

EPOCH_WALL: Final = 1_795_000_000_000
"""Unix milliseconds at which every world begins."""

SUPERVISOR_MS: Final = 3_000
"""RestartSec of the unit files: how long a supervisor waits before it starts a daemon that stopped by itself."""

DiskFault = Literal["", "full", "unsure"]
"""A commit raises. On a full disk nothing of it is there; otherwise it may be or not (docs/protocol.md 3.4)."""

EventT = TypeVar("EventT")


class Node(Generic[EventT]):
    """A machine with a disk, a clock offset and a power switch."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.disk = Disk()
        self.up = False
        self.run = 0
        self.clock_offset = 0
        self.clock_drift = 0
        """Parts per thousand by which the wall clock runs too fast; `set_drift` changes it."""
        self._drifts_since = 0
        self.disk_delay = 0
        """Milliseconds that each commit takes longer."""
        self.disk_fault: DiskFault = ""
        self.failed_commits = 0
        self.cut_after: int | None = None
        """The power goes after the next commit, when so many of its frames have left."""
        self.torn = 0
        """How often it went in the middle of an output."""
        self.frozen = False
        self._asleep: list[Callable[[], None]] = []
        self._waiting: list[Output] = []
        self._committing = False
        self._armed: int | None = None
        self._due: int | None = None
        """What the machine asked for after its last step."""
        self.frames_out = 0

    def now(self) -> Instant:
        """Both clocks of this node."""
        time = self.world.time
        drifted = (time - self._drifts_since) * self.clock_drift // 1_000
        return Instant(time, EPOCH_WALL + time + self.clock_offset + drifted)

    def set_drift(self, per_thousand: int) -> None:
        """From now on the wall clock runs that much too fast; what it has drifted so far stays."""
        self.clock_offset += (self.world.time - self._drifts_since) * self.clock_drift // 1_000
        self.clock_drift, self._drifts_since = per_thousand, self.world.time

    def post(self, event: EventT | Tick) -> None:
        """Step with an event, if there is power; the clocks are read at this moment."""
        if not self.up:
            return
        if self.frozen:
            self._asleep.append(lambda: self.post(event))
            return
        self.world.decided += 1
        output = self.step(event)
        self.transmit(output.express)
        if output.durable or self._waiting or self._committing:
            self._waiting.append(output)
            self._begin_commit()
        else:
            self._perform([output])
        self._arm()

    # What a terminal and a relay do each in its way.

    def start(self) -> None:
        """Power on: the machine is made from what the disk holds."""
        raise NotImplementedError

    def closing(self) -> EventT:
        """The event that says that the daemon is about to stop."""
        raise NotImplementedError

    def step(self, event: EventT | Tick) -> Output:
        """Give the machine one event."""
        raise NotImplementedError

    def deadline(self) -> int | None:
        """When the machine wants its next tick."""
        raise NotImplementedError

    def commit(self, batch: list[Output]) -> None:
        """Put records and changes on the disk."""
        raise NotImplementedError

    def transmit(self, transmissions: Iterable[Transmission]) -> None:
        """Put frames on cables."""
        raise NotImplementedError

    def deliver(self, delivery: Delivery) -> None:
        """Tell people, or the process."""
        raise NotImplementedError

    def reply(self, reply: Reply) -> None:
        """Relays answer nobody."""

    def _begin_commit(self) -> None:
        if self._committing or not self._waiting:
            return
        batch, self._waiting = self._waiting, []
        self._committing = True
        run = self.run
        takes = self.world.rng.randint(0, self.world.weather.disk_max) + self.disk_delay
        self.world.after(takes, lambda: self._end_commit(batch, run))

    def _end_commit(self, batch: list[Output], run: int) -> None:
        if run != self.run or not self.up:
            return
        if self.frozen:
            self._asleep.append(lambda: self._end_commit(batch, run))
            return
        if self.disk_fault:
            self._fail(batch)
            return
        self.commit(batch)
        self._committing = False
        if self.cut_after is not None:
            self._tear(batch, self.cut_after)
            return
        self._perform(batch)
        self._begin_commit()

    def _fail(self, batch: list[Output]) -> None:
        """The commit raised: the daemon stops, performs nothing, and is started again by its supervisor."""
        if self.disk_fault == "unsure" and self.world.rng.random() < 0.5:
            self.commit(batch)
        self.failed_commits += 1
        self.crash()
        self.world.after(SUPERVISOR_MS, self.bring_back)

    def _tear(self, batch: list[Output], left: int) -> None:
        """The power goes between a commit and its effects."""
        self.cut_after = None
        self.torn += 1
        self.transmit([item for output in batch for item in output.transmit][:left])
        self.crash()
        self.world.after(SUPERVISOR_MS, self.bring_back)

    def bring_back(self) -> None:
        """Power on, unless it is on."""
        if not self.up:
            self.start()

    def _perform(self, batch: list[Output]) -> None:
        for output in batch:
            self.transmit(output.transmit)
        for output in batch:
            for delivery in output.deliver:
                self.world.trace(
                    self.name, delivery.kind, delivery.fields.get("serial", ""), delivery.fields.get("state", "")
                )
                self.deliver(delivery)
            for reply in output.replies:
                self.reply(reply)

    def _arm(self) -> None:
        self._due = deadline = self.deadline()
        if deadline is None:
            return
        run, at = self.run, max(deadline, self.world.time)  # for what is overdue too, one tick is enough
        if self._armed is None or self._armed > at:
            self._armed = at
            self.world.at(at, lambda: self._tick(run, at))

    def _tick(self, run: int, at: int) -> None:
        if run != self.run or self._armed != at:
            return
        self._armed = None
        if self.frozen:
            return  # `thaw` arms it again
        if self._due is not None and self._due <= self.world.time:
            self.post(Tick())
        else:
            self._arm()

    def crash(self) -> None:
        """Power off: everything that was not committed is gone."""
        self.up = False
        self.run += 1
        self._waiting = []
        self._committing = False
        self._armed = None
        self.frozen = False
        self._asleep = []
        for cable in self.world.cables_of(self.name):
            cable.gone(self.name)

    def freeze(self) -> None:
        """As by SIGSTOP: nothing is done, what arrives waits, and the clocks go on."""
        self.frozen = True

    def thaw(self) -> None:
        """What has waited is done now, in order."""
        if not self.frozen:
            return
        self.frozen = False
        asleep, self._asleep = self._asleep, []
        for action in asleep:
            action()
        if self.up:
            self._arm()

    def stop(self) -> None:
        """Power off in good order: the machine says that it closes, and everything decided becomes durable."""
        self.post(self.closing())
        self._stop_when_idle(self.run)

    def _stop_when_idle(self, run: int) -> None:
        if run != self.run or not self.up:
            return
        if self.frozen or self._waiting or self._committing:
            self.world.after(1, lambda: self._stop_when_idle(run))
        else:
            self.crash()
