"""The order in which decisions are performed: nothing is said before it is durable, and nothing after a failure."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from hotline.errors import StorageError
from hotline.limits import DRIVER_QUEUE_MAX
from hotline.machine import Delivery, Instant, Output, Record, Reply, RequestId, Tick, Transmission
from hotline.runtime.driver import Driver

SECONDS = 5.0


@dataclass(frozen=True)
class Do:
    """An event that says what the machine shall decide."""

    output: Output
    error: Exception | None = None


class Script:
    """A machine that decides what the event says."""

    def __init__(self) -> None:
        self.deadline: int | None = None
        self.ticks: list[Instant] = []

    def step(self, event: Do | Tick, now: Instant) -> Output:
        if isinstance(event, Tick):
            self.ticks.append(now)
            self.deadline = None
            return Output()
        if event.error is not None:
            raise event.error
        return event.output

    def next_deadline(self) -> int | None:
        return self.deadline


@dataclass
class Stage:
    """A world that writes down what happens to it, and whose disk moves only when told."""

    told: list[str] = field(default_factory=list)
    commits: list[int] = field(default_factory=list)
    disk: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    on_deliver: Callable[[], None] = lambda: None

    def commit(self, batch: Sequence[Output], now: Instant) -> None:
        assert self.disk.wait(SECONDS)
        if self.error is not None:
            raise self.error
        self.commits.append(len(batch))
        self.told.append("commit " + " ".join(record.kind for output in batch for record in output.records))

    def transmit(self, transmissions: Sequence[Transmission]) -> None:
        self.told += [f"frame {item.frame.decode()}" for item in transmissions]

    def deliver(self, delivery: Delivery) -> None:
        self.told.append(f"deliver {delivery.kind}")
        self.on_deliver()


@dataclass
class Rig:
    """A driver with its machine and world."""

    driver: Driver[Do]
    script: Script
    stage: Stage


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    """A driver whose disk is stopped until `rig.stage.disk` is set."""
    script, stage = Script(), Stage()
    driver: Driver[Do] = Driver(script, stage)
    yield Rig(driver, script, stage)
    stage.disk.set()
    driver.close()


def _output(name: str, *, durable: bool = True, express: bool = False, request: RequestId | None = None) -> Output:
    return Output(
        express=[Transmission("l", f"express-{name}".encode())] if express else [],
        records=[Record(name)] if durable else [],
        transmit=[Transmission("l", name.encode())],
        deliver=[Delivery(name, {})],
        replies=[] if request is None else [Reply(request, True, "", name)],
    )


async def _turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def _settled(rig: Rig) -> None:
    await asyncio.wait_for(rig.driver.settled(), SECONDS)


async def test_nothing_is_performed_before_its_commit(rig: Rig) -> None:
    """A receipt or custody that leaves before the commit is a lie after a power cut: the statement is gone."""
    # docs/protocol.md 3.2
    asking = asyncio.ensure_future(rig.driver.ask(lambda request: Do(_output("a", request=request))))
    await _turns()
    assert rig.stage.told == []
    assert not asking.done()
    rig.stage.disk.set()
    reply = await asyncio.wait_for(asking, SECONDS)
    assert reply.text == "a"
    assert rig.stage.told == ["commit a", "frame a", "deliver a"]


async def test_express_does_not_wait_for_the_disk(rig: Rig) -> None:
    """If forwarding waited for fsync, a relay with a slow disk would delay every FLASH (docs/protocol.md 3.2)."""
    rig.driver.post(Do(_output("a", express=True)))
    assert rig.stage.told == ["frame express-a"]
    rig.stage.disk.set()
    await _settled(rig)
    assert rig.stage.told == ["frame express-a", "commit a", "frame a", "deliver a"]


async def test_what_needs_no_commit_still_keeps_its_place(rig: Rig) -> None:
    """If a later answer overtook an earlier durable one, the peer would learn of what a power cut can undo."""
    rig.driver.post(Do(_output("a")))
    rig.driver.post(Do(_output("b", durable=False)))
    await _turns()
    assert rig.stage.told == []
    rig.stage.disk.set()
    await _settled(rig)
    frames = [line for line in rig.stage.told if line.startswith(("commit a", "frame"))]
    assert frames == ["commit a", "frame a", "frame b"]


async def test_without_records_nothing_waits(rig: Rig) -> None:
    """If a heartbeat waited for an idle disk, a full disk would look like a dead capital."""
    rig.driver.post(Do(_output("beat", durable=False)))
    assert rig.stage.told == ["frame beat"]
    await _turns()
    assert rig.stage.told == ["frame beat", "deliver beat"]
    assert rig.stage.commits == []


async def test_steps_during_a_commit_share_the_next(rig: Rig) -> None:
    """If each statement had its own fsync, a burst would take longer than FLASH allows."""
    for number in range(50):
        rig.driver.post(Do(_output(f"{number}")))
        if number in (4, 9):
            await _turns()
    rig.stage.disk.set()
    await _settled(rig)
    assert rig.stage.commits == [5, 45]
    assert [line for line in rig.stage.told if line.startswith("frame")] == [f"frame {n}" for n in range(50)]


async def test_a_step_that_decided_nothing_costs_no_commit(rig: Rig) -> None:
    """Of three copies of a statement two bring nothing: each would take a turn at the disk."""
    rig.driver.post(Do(_output("a")))
    await _turns()
    for _ in range(3):
        rig.driver.post(Do(Output()))
    rig.stage.disk.set()
    await _settled(rig)
    assert rig.stage.commits == [1]


async def test_a_stuck_disk_stops_no_heartbeat(rig: Rig) -> None:
    """If the loop waited for a disk that hangs, a living capital would look dead until the disk comes back."""
    rig.driver.post(Do(_output("a")))
    await _turns()
    rig.driver.post(Do(_output("beat", durable=False, express=True)))
    assert rig.stage.told == ["frame express-beat"]


async def test_a_quick_disk_needs_no_thread(rig: Rig) -> None:
    """A thread's turn for each commit would delay every statement more than the disk does."""
    threads: list[int] = []
    commit = rig.stage.commit

    def watched(batch: Sequence[Output], now: Instant) -> None:
        threads.append(threading.get_ident())
        commit(batch, now)

    rig.stage.commit = watched  # type: ignore[method-assign]
    rig.stage.disk.set()
    for name in ("a", "b", "c"):
        rig.driver.post(Do(_output(name)))
        await _settled(rig)
    own = threading.get_ident()
    assert [thread == own for thread in threads] == [False, True, True]


async def test_a_disk_that_became_slow_gets_its_thread_back(rig: Rig) -> None:
    """A disk that was quick at the start and ails later must cost one wait of the loop, not each one."""
    rig.stage.disk.set()
    rig.driver.post(Do(_output("a")))
    await _settled(rig)
    rig.stage.disk.clear()
    opener = threading.Timer(0.05, rig.stage.disk.set)
    opener.start()
    rig.driver.post(Do(_output("b")))
    await _settled(rig)
    opener.join()
    rig.stage.disk.clear()
    rig.driver.post(Do(_output("c")))
    await _turns()
    rig.driver.post(Do(_output("beat", durable=False, express=True)))
    assert rig.stage.told[-1] == "frame express-beat"
    rig.stage.disk.set()
    await _settled(rig)


async def test_failed_commit_stops_everything_after_it(rig: Rig) -> None:
    """After a failed commit the store's state is unknown: any frame sent then may vouch for what is not there."""
    # docs/protocol.md 3.4
    rig.stage.error = StorageError("disk full")
    first = asyncio.ensure_future(rig.driver.ask(lambda request: Do(_output("a", request=request))))
    second = asyncio.ensure_future(rig.driver.ask(lambda request: Do(_output("b", request=request))))
    await _turns()
    rig.stage.disk.set()
    for asking in (first, second):
        with pytest.raises(StorageError, match="unknown"):
            await asyncio.wait_for(asking, SECONDS)
    assert isinstance(rig.driver.failed.result(), StorageError)
    rig.driver.post(Do(_output("c", durable=False, express=True)))
    await _settled(rig)
    await _turns()
    assert rig.stage.told == []
    with pytest.raises(StorageError):
        await asyncio.wait_for(rig.driver.ask(lambda request: Do(_output("d", request=request))), SECONDS)


async def test_commit_under_way_when_a_step_fails_is_not_answered(rig: Rig) -> None:
    """After a bug in the machine its memory cannot be trusted, and so nothing more may be said in its name."""
    asking = asyncio.ensure_future(rig.driver.ask(lambda request: Do(_output("a", request=request))))
    await _turns()
    rig.driver.post(Do(Output(), ValueError("bug")))
    rig.stage.disk.set()
    with pytest.raises(StorageError):
        await asyncio.wait_for(asking, SECONDS)
    await _settled(rig)
    rig.driver.close()
    await _turns()
    assert not [line for line in rig.stage.told if not line.startswith("commit")]


async def test_exception_out_of_step_stops_the_daemon(rig: Rig) -> None:
    """A machine that has thrown is in an unknown state; going on could send what it never decided."""
    # docs/protocol.md 3.3
    bug = ZeroDivisionError("bug")
    rig.driver.post(Do(Output(), bug))
    assert rig.driver.failed.result() is bug
    rig.driver.post(Do(_output("later", durable=False)))
    assert rig.stage.told == []


async def test_reader_of_streams_waits_while_the_disk_is_behind(rig: Rig) -> None:
    """Without this a fast peer and a slow disk fill the memory until the daemon is killed."""
    small = Do(Output(records=[Record("r")]))
    rig.driver.post(small)
    await _turns()
    for _ in range(DRIVER_QUEUE_MAX):
        rig.driver.post(small)
    reading = asyncio.ensure_future(rig.driver.room())
    await _turns()
    assert not reading.done()
    rig.stage.disk.set()
    await asyncio.wait_for(reading, SECONDS)
    await _settled(rig)
    assert sum(rig.stage.commits) == DRIVER_QUEUE_MAX + 1


async def test_reader_of_streams_is_let_go_after_a_failure(rig: Rig) -> None:
    """Otherwise a reader waits for a disk that never comes back, and the daemon cannot end."""
    rig.stage.error = StorageError("disk full")
    small = Do(Output(records=[Record("r")]))
    rig.driver.post(small)
    await _turns()  # its commit is under way: what comes now waits behind it
    for _ in range(DRIVER_QUEUE_MAX):
        rig.driver.post(small)
    reading = asyncio.ensure_future(rig.driver.room())
    await _turns()
    assert not reading.done()
    rig.stage.disk.set()
    await asyncio.wait_for(reading, SECONDS)
    assert rig.driver.failed.done()


@pytest.mark.parametrize("durable", [True, False])
async def test_world_that_throws_stops_the_daemon(rig: Rig, durable: bool) -> None:
    """Otherwise the error is printed somewhere, half of what was decided is lost, and the daemon looks healthy."""
    rig.stage.disk.set()

    def throw() -> None:
        raise RuntimeError("bug")

    rig.stage.on_deliver = throw
    rig.driver.post(Do(_output("a", durable=durable)))
    await asyncio.wait_for(asyncio.shield(rig.driver.failed), SECONDS)
    assert isinstance(rig.driver.failed.result(), RuntimeError)


async def test_closing_over_a_slow_disk_starts_nothing_new(rig: Rig) -> None:
    """Otherwise a stop during a commit ends in a traceback, and an operator reads it as a crash."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    rig.driver.post(Do(_output("a")))
    await _turns()
    rig.driver.post(Do(_output("b")))
    await _turns()
    asyncio.get_running_loop().call_soon(rig.stage.disk.set)
    closing = asyncio.ensure_future(asyncio.to_thread(rig.driver.close))
    await asyncio.wait_for(closing, SECONDS)
    await _turns()
    assert [line for line in rig.stage.told if line.startswith("commit")] == ["commit a"]
    assert complaints == []


async def test_what_a_delivery_causes_comes_after_it(rig: Rig) -> None:
    """If a watcher's reaction overtook what it reacts to, people would read effects before causes."""
    reactions = [Do(_output("b"))]
    rig.stage.on_deliver = lambda: rig.driver.post(reactions.pop()) if reactions else None
    rig.stage.disk.set()
    rig.driver.post(Do(_output("a")))
    await _settled(rig)
    assert rig.stage.told == ["commit a", "frame a", "deliver a", "commit b", "frame b", "deliver b"]


async def test_deadline_becomes_a_tick() -> None:
    """Without ticks there is no heartbeat: the peer would take a living capital for a silent one."""
    script, stage = Script(), Stage()
    clock = Instant(1_000, 5_000_000)
    driver: Driver[Do] = Driver(script, stage, lambda: clock)
    try:
        script.deadline = 1_000
        driver.post(Do(Output()))
        await _turns()
        assert script.ticks == [clock]
    finally:
        driver.close()


async def test_a_stuck_disk_stops_no_timer(rig: Rig) -> None:
    """A living capital would look dead until the disk comes back: its beats are ticks."""
    rig.driver.post(Do(_output("a")))
    await _turns()
    rig.script.deadline = 0
    rig.driver.post(Do(Output()))
    await _turns()
    assert len(rig.script.ticks) == 1


async def test_a_timer_that_became_too_early_is_no_tick() -> None:
    """Deadlines move away with every event: each tick in vain costs a step in the middle of others."""
    script, stage = Script(), Stage()
    now = Instant(1_000, 5_000_000)
    driver: Driver[Do] = Driver(script, stage, lambda: now)
    try:
        script.deadline = 1_010
        driver.post(Do(Output()))
        await _turns()
        script.deadline = 1_020
        driver.post(Do(Output()))
        await asyncio.sleep(0.03)
        assert script.ticks == []
        now = Instant(1_020, 5_000_020)
        await asyncio.sleep(0.03)
        assert script.ticks == [now]
    finally:
        driver.close()


async def test_frames_leave_before_the_deadline_is_looked_at(rig: Rig) -> None:
    """Whatever needs not be done before a frame leaves is delay of a statement."""
    rig.stage.disk.set()
    rig.driver.post(Do(_output("a")))
    await _settled(rig)
    looked: list[int] = []

    def look() -> int | None:
        looked.append(len(rig.stage.told))
        return None

    rig.script.next_deadline = look  # type: ignore[method-assign]
    rig.driver.post(Do(_output("b")))
    await _settled(rig)
    await _turns()
    assert looked
    assert looked[0] >= rig.stage.told.index("frame b") + 1


async def test_later_deadline_replaces_the_earlier(rig: Rig) -> None:
    """If old timers stayed armed, every event would add one more tick until nothing else is done."""
    rig.script.deadline = 0
    rig.driver.post(Do(Output()))
    rig.script.deadline = 2**40
    rig.driver.post(Do(Output()))
    await _turns()
    assert rig.script.ticks == []
    rig.script.deadline = 0
    rig.driver.post(Do(Output()))
    await _turns()
    assert len(rig.script.ticks) == 1


async def test_abandoned_request_leaves_nothing_behind(rig: Rig) -> None:
    """A client that hangs up while it waits must not stop or slow the daemon for the others."""
    asking = asyncio.ensure_future(rig.driver.ask(lambda request: Do(_output("a", request=request))))
    await _turns()
    asking.cancel()
    rig.stage.disk.set()
    await _settled(rig)
    assert rig.stage.told == ["commit a", "frame a", "deliver a"]
    assert (await rig.driver.ask(lambda request: Do(_output("b", request=request)))).text == "b"
    assert not rig.driver.failed.done()
