"""The only loop: steps a machine, commits what it decided, then performs the rest in the declared order.

Outputs are performed strictly in the order in which they were decided. While one commit is under way further steps
go on in memory and share the next transaction (group commit); nothing that follows a durable output leaves before it
is durable. A failed commit means "unknown": the driver stops for good and the daemon must be started anew.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

from hotline.errors import StorageError
from hotline.limits import DRIVER_QUEUE_MAX
from hotline.machine import Delivery, Instant, Machine, Output, Reply, RequestId, Tick, Transmission

EventT = TypeVar("EventT")

_SLOW_COMMIT_SECONDS = 0.005
_COLLECT_AFTER = (20_000, 20, 50)


def system_clock() -> Instant:
    """Both clocks of this computer."""
    return Instant(time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000)


def settle_memory() -> None:
    """Call once, when a daemon is ready: what is alive now stays, and is not looked through for cycles ever again.

    The collector cost each statement a twentieth of its delay, for a daemon makes hardly any cycles.
    """
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


class World(Protocol):
    """What a driver acts upon. `commit` may run in the writer thread, everything else runs on the event loop."""

    def commit(self, batch: Sequence[Output], now: Instant) -> None:
        """Make the records and changes of `batch` durable in one transaction. Raises StorageError: unknown outcome."""

    def transmit(self, transmissions: Sequence[Transmission]) -> None:
        """Put frames onto links; a link that is gone swallows them."""

    def deliver(self, delivery: Delivery) -> None:
        """Hand something to people or to the process."""


class Driver(Generic[EventT]):
    """Runs one machine. Use on one event loop only."""

    def __init__(
        self, machine: Machine[EventT | Tick], world: World, clock: Callable[[], Instant] = system_clock
    ) -> None:
        self._machine = machine
        self._world = world
        self._clock = clock
        self._waiting: list[Output] = []
        self._committing = False
        self._slow = True
        self._telling = 0
        self._closed = False
        self._requests: dict[RequestId, asyncio.Future[Reply]] = {}
        self._next_request = 0
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = 0
        self._arming = False
        self._room = asyncio.Event()
        self._room.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._loop = asyncio.get_running_loop()
        self.failed: asyncio.Future[BaseException] = self._loop.create_future()
        """Resolves with the error when the daemon must stop: a commit failed, or `step` raised (a bug)."""

    def post(self, event: EventT | Tick) -> None:
        """Step the machine with `event` now. Events posted after a failure are dropped."""
        if self.failed.done():
            return
        try:
            output = self._machine.step(event, self._clock())
        except Exception as error:  # noqa: BLE001 - any exception out of step is a bug, and a bug stops the daemon
            self.fail(error)
            return
        if output.express:
            self._perform((Output(transmit=output.express),))
            if self.failed.done():
                return
        if output.durable or (output.says and (self._waiting or self._committing)):
            self._waiting.append(output)
            if len(self._waiting) >= DRIVER_QUEUE_MAX:
                self._room.clear()
            self._start_commit()
        elif output.says:
            self._perform((output,))
        self._arm_soon()

    async def ask(self, make_event: Callable[[RequestId], EventT]) -> Reply:
        """Step with a request and wait for its Reply, which comes only after what it says is durable."""
        self._next_request += 1
        request = RequestId(self._next_request)
        future: asyncio.Future[Reply] = self._loop.create_future()
        self._requests[request] = future
        self.post(make_event(request))
        try:
            done, _ = await asyncio.wait((future, self.failed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._requests.pop(request, None)
        if future in done:
            return future.result()
        raise StorageError(
            "the daemon is stopping: whether the request was stored is unknown; look again after restart"
        )

    async def room(self) -> None:
        """Wait until fewer than DRIVER_QUEUE_MAX outputs wait for the disk; readers of streams call this first."""
        await self._room.wait()

    async def settled(self) -> None:
        """Wait until everything decided so far is durable and performed."""
        waiter = asyncio.ensure_future(self._idle.wait())
        try:
            await asyncio.wait((waiter, self.failed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()

    def close(self) -> None:
        """Stop the timer and the writer thread. What is not durable yet is forgotten; call `settled` first."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._writer.shutdown(wait=True)

    def _start_commit(self) -> None:
        self._idle.clear()
        if self._committing or not self._waiting or self._closed:
            return
        self._committing = True
        # One turn of the loop: what arrives together becomes durable together.
        self._loop.call_soon(self._commit)

    def _commit(self) -> None:
        if self._closed:
            return
        batch, self._waiting = self._waiting, []
        self._room.set()
        now = self._clock()
        if self._slow:
            future = self._loop.run_in_executor(self._writer, self._write, batch, now)
            future.add_done_callback(lambda done: self._committed(batch, done.exception()))
            return
        error: BaseException | None = None
        try:
            self._write(batch, now)
        except Exception as raised:  # noqa: BLE001 - as the writer thread would hand it over
            error = raised
        self._committed(batch, error)

    def _write(self, batch: Sequence[Output], now: Instant) -> None:
        """A disk counts as slow until a commit was quick.

        The loop itself waits for a quick disk, for a thread's turn costs more; from a slow one it must stay free.
        """
        begun = time.perf_counter()
        try:
            self._world.commit(batch, now)
        finally:
            self._slow = time.perf_counter() - begun > _SLOW_COMMIT_SECONDS

    def _committed(self, batch: Sequence[Output], error: BaseException | None) -> None:
        self._committing = False
        if error is not None:
            self.fail(error)
            return
        if self.failed.done():
            return
        self._perform(batch)
        self._start_commit()
        self._look_idle()

    def _perform(self, batch: Sequence[Output]) -> None:
        """Frames at once, people after the turn in which the frames are written."""
        transmissions = [item for output in batch for item in output.transmit]
        if transmissions:
            try:
                self._world.transmit(transmissions)
            except Exception as error:  # noqa: BLE001 - in a callback it would only be printed
                self.fail(error)
                return
        if any(output.deliver or output.replies for output in batch):
            self._telling += 1
            self._idle.clear()
            self._loop.call_soon(self._tell, batch)

    def _tell(self, batch: Sequence[Output]) -> None:
        self._telling -= 1
        try:
            for output in batch:
                for delivery in output.deliver:
                    self._world.deliver(delivery)
        except Exception as error:  # noqa: BLE001 - in a callback it would only be printed, and half an output lost
            self.fail(error)
            return
        for output in batch:
            for reply in output.replies:
                future = self._requests.get(reply.request)
                if future is not None and not future.done():
                    future.set_result(reply)
        self._look_idle()

    def _look_idle(self) -> None:
        if not (self._committing or self._waiting or self._telling):
            self._idle.set()

    def _arm_soon(self) -> None:
        """Look at the machine's deadline in the next turn: once for all that this one brings, and behind its frames."""
        if not self._arming:
            self._arming = True
            self._loop.call_soon(self._arm)

    def _arm(self) -> None:
        """A timer that is early stays: it looks again. Deadlines move with every event, and mostly away."""
        self._arming = False
        if self._closed:
            return
        deadline = self._machine.next_deadline()
        if deadline is None or (self._timer is not None and self._armed_for <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = deadline
        delay = max(0, deadline - self._clock().mono) / 1000
        self._timer = self._loop.call_later(delay, self._tick)

    def _tick(self) -> None:
        self._timer = None
        deadline = self._machine.next_deadline()
        if deadline is not None and deadline <= self._clock().mono:
            self.post(Tick())
        else:
            self._arm_soon()

    def fail(self, error: BaseException) -> None:
        """Stop for good, for what has failed here or beside the machine."""
        if not self.failed.done():
            self.failed.set_result(error)
        self._idle.set()
        self._room.set()
