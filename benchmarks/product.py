"""The product as it is shipped, measured from inside one terminal: real daemons, real TLS, real stores."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from hotline.charter.body import ReleaseEntry
from hotline.config import load_endpoint_config
from hotline.drill.stage import Stage
from hotline.endpointd import EndpointDaemon
from hotline.machine import Instant, Output, Plane, RequestId
from hotline.materials import load_materials
from hotline.protocol.events import EndpointEvent, Submit
from hotline.protocol.paths import PathState
from hotline.runtime.driver import settle_memory
from hotline.runtime.logs import set_up_logs
from hotline.runtime.store import connect
from hotline.wire.v1 import content_pb2

TEXT = "x" * 1_024
_WAIT_SECONDS = 20.0


class Product:
    """ALPHA's daemon in this process, BRAVO's and the relays' as processes. Use as an async context."""

    def __init__(self, folder: Path, relays: int, release: Sequence[ReleaseEntry] = ()) -> None:
        self.stage = Stage(folder, relays, release=release)
        self.relays = relays
        self._waiting: dict[int, asyncio.Future[float]] = {}

    async def __aenter__(self) -> Product:
        self.prepare()
        for relay in self.stage.relays:
            self.stage.start_relay(relay)
        self.stage.start_endpoint(self.stage.bravo)
        config = load_endpoint_config(self.stage.alpha.config)
        # As the daemon logs: into a file, in JSON.
        self._log = (self.stage.alpha.folder / "bench.log").open("w")
        with contextlib.redirect_stderr(self._log):
            set_up_logs(config.log.level, "json")
        self.daemon = EndpointDaemon(config, load_materials(config))
        step = self.daemon.endpoint.step

        def watched(event: EndpointEvent, now: Instant) -> Output:
            out = step(event, now)
            for delivery in out.deliver:
                if delivery.kind == "sent" and delivery.fields["state"] == "delivered":
                    waiting = self._waiting.pop(int(str(delivery.fields["serial"])), None)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(time.perf_counter())
            return out

        self.daemon.endpoint.step = watched  # type: ignore[method-assign]
        await self.daemon.start()
        await self.until(lambda: self.paths_up() == self.relays)
        settle_memory()  # as the daemon does
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.daemon.stop()
        self.stage.stop_all()
        self.stage.belongings.close()
        self._log.close()

    def prepare(self) -> None:
        """Before anything starts."""

    def paths_up(self) -> int:
        """Paths on which the peer answers."""
        return sum(1 for path in self.daemon.endpoint.context.paths.values() if path.state is PathState.UP)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for a condition of this process."""
        end = time.monotonic() + _WAIT_SECONDS
        while not holds():
            assert time.monotonic() < end, "the product did not come up"
            await asyncio.sleep(0.02)

    def submit(self, precedence: content_pb2.Precedence = content_pb2.PRECEDENCE_ROUTINE) -> asyncio.Future[float]:
        """Hand one statement to the terminal; the future gives the time at which its receipt is verified."""
        waiting = self.expect()
        ltr = content_pb2.DIRECTION_LTR
        self.daemon.driver.post(Submit(RequestId(0), Plane.REAL, precedence, "en", ltr, TEXT, "duty-1"))
        return waiting

    def expect(self) -> asyncio.Future[float]:
        """The time at which the receipt of the next statement is verified."""
        serial = self.daemon.endpoint.context.outboxes[Plane.REAL].last_serial + 1
        waiting: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting[serial] = waiting
        return waiting

    async def latency(
        self, count: int, precedence: content_pb2.Precedence = content_pb2.PRECEDENCE_ROUTINE, pause: float = 0.0
    ) -> list[float]:
        """Milliseconds from hand-over to DELIVERED, one at a time, `pause` seconds apart."""
        taken = []
        for _ in range(count):
            begun = time.perf_counter()
            taken.append((await asyncio.wait_for(self.submit(precedence), _WAIT_SECONDS) - begun) * 1_000)
            await asyncio.sleep(pause)
        return taken

    async def throughput(self, count: int, window: int) -> float:
        """Delivered statements per second with `window` under way."""
        gate = asyncio.Semaphore(window)

        async def one() -> None:
            async with gate:
                await asyncio.wait_for(self.submit(), _WAIT_SECONDS)

        begun = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(count)))
        return count / (time.perf_counter() - begun)

    async def failover(self, relay: str) -> tuple[float, float]:
        """Kill one relay among a flow of statements.

        Milliseconds from the kill to the next DELIVERED, and the worst extra milliseconds that any statement took.
        """
        usual = statistics.median(await self.latency(20))
        taken: list[float] = []
        delivered: list[float] = []

        async def one() -> None:
            begun = time.perf_counter()
            delivered.append(await asyncio.wait_for(self.submit(), _WAIT_SECONDS))
            taken.append((delivered[-1] - begun) * 1_000)

        tasks = []
        killed = 0.0
        for number in range(40):
            if number == 15:
                self.stage.kill(relay)
                killed = time.perf_counter()
            tasks.append(asyncio.create_task(one()))
            await asyncio.sleep(0.005)
        await asyncio.gather(*tasks)
        return (min(at for at in delivered if at > killed) - killed) * 1_000, max(0.0, max(taken) - usual)

    def received(self) -> Sequence[int]:
        """Serials in BRAVO's store."""
        database = connect(self.stage.bravo.folder / "store" / "ledger.db", read_only=True)
        try:
            rows = database.execute("SELECT serial FROM received WHERE plane='real' ORDER BY serial").fetchall()
        finally:
            database.close()
        return [int(row[0]) for row in rows]

    def shown_twice(self) -> int:
        """Statements that BRAVO's ledger says it took more than once."""
        database = connect(self.stage.bravo.folder / "store" / "ledger.db", read_only=True)
        try:
            sql = 'SELECT COUNT(*) FROM entry WHERE instr(CAST(leaf AS TEXT), \'"type":"msg.recv"\') > 0'
            taken = int(database.execute(sql).fetchone()[0])
        finally:
            database.close()
        return taken - len(self.received())


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
