"""`make abuse`: FLASH statements while somebody floods a relay, beside the same without; writes build/abuse.json.

Every flood is real and runs in a process of its own on this machine. It takes what the others leave of the processors,
for a stranger would bring his own; what it makes the relay do is done beside the terminals, as it would not be there.
One relay, so that no other path can help. Admitted terminals that flood are of another hotline at the same relay:
those of one's own hotline can always silence themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.product import Product
from hotline.drill import floods
from hotline.drill.desk import Desk
from hotline.drill.recorder import resident_mib
from hotline.drill.rehearsal import rehearse
from hotline.runtime.logs import set_up_logs
from hotline.wire.v1 import content_pb2

ROUNDS: Final = 3
FLASHES: Final = 40
PAUSE: Final = 0.02
SETTLE_SECONDS: Final = 1.0


class Abuse(NamedTuple):
    """One kind of flood; `count` is 0 for the peer's own lawful traffic."""

    name: str
    kind: str
    count: int


ABUSES: Final = (
    Abuse("10,000 silent connections", "silent-tcp", 10_000),
    Abuse("1,000 half-open TLS handshakes", "silent-tls", 1_000),
    Abuse("200 connections of noise", "garbage", 200),
    Abuse("500 streams of another hotline's terminal", "streams", 500),
    Abuse("envelopes of another hotline's terminal", "statements", 4),
    Abuse("ROUTINE of the peer as fast as it is taken", "lawful", 0),
)


class SharedRelay(Product):
    """A product whose relay serves another hotline too."""

    def prepare(self) -> None:
        """The other hotline's ceremony."""
        stage = self.stage
        relay = stage.relays[0]
        self.other = rehearse(stage.folder / "other", [(relay.name, relay.address)], sharing=stage.rehearsal)
        text = relay.config.read_text().replace('"../charter.note"', '"../charter.note", "../other/charter.note"')
        relay.config.write_text(text)


@contextlib.contextmanager
def _stranger(product: SharedRelay, abuse: Abuse) -> Iterator[None]:
    relay = product.stage.relays[0]
    command = [sys.executable, "-m", floods.MODULE, "--kind", abuse.kind, "--address", relay.address]
    command += ["--count", str(abuse.count), "--charter", str(product.other.charter), "--relay", relay.name]
    command += ["--key", str(product.other.terminals[1].folder / "terminal.key")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline().decode().strip() == floods.READY
        yield
    finally:
        process.stdin.close()
        process.stdout.read()
        process.wait(20)
        process.stdout.close()


@contextlib.contextmanager
def _peer(product: SharedRelay) -> Iterator[None]:
    """BRAVO says ROUTINE statements, one after the other."""
    ended = threading.Event()

    def talk() -> None:
        desk = Desk("BRAVO", product.stage.bravo.socket, lambda _kind, _fields: None)
        while not ended.is_set():
            desk.say("The exercise at the northern sector ends on Friday.", "en", "routine", "real")
        desk.close()

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextlib.asynccontextmanager
async def _under(product: SharedRelay, abuse: Abuse) -> AsyncIterator[None]:
    flood = _stranger(product, abuse) if abuse.count else _peer(product)
    await asyncio.to_thread(flood.__enter__)
    try:
        await asyncio.sleep(SETTLE_SECONDS)
        yield
    finally:
        await asyncio.to_thread(flood.__exit__, None, None, None)


async def _restart(product: SharedRelay) -> float:
    """Seconds from a kill of the peer until it answers again on some path."""
    stage = product.stage
    begun = time.monotonic()
    await asyncio.to_thread(stage.kill, "BRAVO")
    await product.until(lambda: product.paths_up() == 0)
    await asyncio.to_thread(stage.start_endpoint, stage.bravo)
    await product.until(lambda: product.paths_up() > 0)
    return time.monotonic() - begun


async def _measure(abuse: Abuse, folder: Path) -> dict[str, Any]:
    flash = content_pb2.PRECEDENCE_FLASH
    quiet: list[float] = []
    flooded: list[float] = []
    async with SharedRelay(folder, 1) as product:
        pid = product.stage.pid(product.stage.relays[0].name)
        before = resident_mib(pid)
        highest = before
        back = [await _restart(product)]
        for _ in range(ROUNDS):
            quiet += await product.latency(FLASHES, flash, PAUSE)
            async with _under(product, abuse):
                flooded += await product.latency(FLASHES, flash, PAUSE)
                highest = max(highest, resident_mib(pid))
                if len(back) == 1 and abuse.count:
                    back.append(await _restart(product))
            await asyncio.sleep(SETTLE_SECONDS)
    return {
        "quiet_ms_p50": round(statistics.median(quiet), 2),
        "flooded_ms_p50": round(statistics.median(flooded), 2),
        "flooded_ms_max": round(max(flooded), 1),
        "ratio": round(statistics.median(flooded) / statistics.median(quiet), 2),
        "relay_mb": [round(before), round(highest)],
        "peer_back_s": [round(seconds, 2) for seconds in back],
    }


def main() -> int:
    """Measure, print, write."""
    set_up_logs("error", "json")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    result = {}
    print(f"{'flood':56}{'quiet':>8}{'flooded':>9}{'max':>8}{'ratio':>7}  relay MB   peer back s")
    for number, abuse in enumerate(ABUSES):
        if sys.argv[1:] and abuse.kind not in sys.argv[1:]:
            continue
        with tempfile.TemporaryDirectory(prefix="hotline-abuse-") as name:
            one = asyncio.run(_measure(abuse, Path(name) / str(number)))
        result[abuse.name] = one
        numbers = f"{one['quiet_ms_p50']:>8}{one['flooded_ms_p50']:>9}{one['flooded_ms_max']:>8}{one['ratio']:>7}"
        print(f"{abuse.name:56}{numbers}  {one['relay_mb']}  {one['peer_back_s']}", flush=True)
    Path("build").mkdir(exist_ok=True)
    (Path("build") / "abuse.json").write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
