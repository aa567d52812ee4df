"""One seed from storm to verdict. `python -m tests.simulator.run --seeds 2000 --jobs 2`"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

from hotline.crypto.sealing import MessageKey, seal
from hotline.drill.simulator.world import World
from hotline.machine import Plane, Reply
from hotline.protocol.events import MarkRead, Submit
from hotline.wire.v1 import content_pb2
from tests.simulator.adversary import LyingRelay
from tests.simulator.judges import Broken, Judges
from tests.simulator.weather import Storm

STORM_MS = 180_000
RECOVERY_MS = 180_000
CALM_MS = 1_800_000
_PROFILES = ("fibre", "satellite", "satellite", "narrow")


@dataclass(frozen=True)
class Result:
    """What one seed came to."""

    seed: int
    virtual_ms: int
    digest: str
    recovered_ms: int
    accepted: int
    broken: str = ""


class Players:
    """People on both sides: they say things, and read. Until the storm ends in a hurry, in the calm now and then."""

    def __init__(self, world: World, judges: Judges, until: int, *, calm: bool = False) -> None:
        self.world, self.judges, self.until, self.calm = world, judges, until, calm
        self._said = 0
        world.after(500, self._speak)
        world.after(1_000, self._read)

    def _speak(self) -> None:
        world, rng = self.world, self.world.rng
        if world.time >= self.until:
            return
        node = world.endpoints[rng.choice(("ALPHA", "BRAVO"))]
        for _ in range(1 if self.calm else rng.choice((1, 1, 1, 5, 20))):
            if not node.up:
                break
            self._said += 1
            plane = rng.choice((Plane.REAL, Plane.REAL, Plane.EXERCISE))
            text = f"{plane.value} {'answer' if self.calm else 'statement'} {self._said} of {node.name}"
            validity = rng.choice((0, 0, 0, 0, 5_000))
            precedence = rng.choice((1, 2, 3, 4))

            def then(reply: Reply, node_name: str = node.name, text: str = text) -> None:
                if reply.ok:
                    self.judges.on_accepted(node_name, text)

            # The judge must know the text before the peer can show it: durable and told may be the same instant.
            node.ask(
                lambda number, plane=plane, precedence=precedence, text=text, validity=validity: Submit(  # type: ignore[misc]
                    number, plane, precedence, "en", content_pb2.DIRECTION_LTR, text, "duty", validity
                ),
                then,
            )
        world.after(rng.randint(20_000, 200_000) if self.calm else rng.randint(100, 8_000), self._speak)

    def _read(self) -> None:
        world, rng = self.world, self.world.rng
        node = world.endpoints[rng.choice(("ALPHA", "BRAVO"))]
        if node.up and node.machine is not None:
            for plane in Plane:
                for serial in list(node.machine.context.unread[plane])[:5]:
                    node.ask(
                        lambda number, plane=plane, serial=serial: MarkRead(number, plane, serial, "duty"),  # type: ignore[misc]
                        lambda reply: None,
                    )
        if world.time < self.until + RECOVERY_MS // 3:
            world.after(rng.randint(5_000, 60_000) if self.calm else rng.randint(500, 6_000), self._read)


@contextmanager
def spied(judges: Judges) -> Iterator[None]:
    """Every seal of the session passes the judge."""

    def watched(key: MessageKey, header: bytes, plaintext: bytes) -> bytes:
        judges.spy_seal(key.key, key.nonce, header, plaintext)
        return seal(key, header, plaintext)

    with patch("hotline.protocol.session.seal", watched):
        yield


def run_seed(
    seed: int,
    *,
    idle_hour: bool = False,
    storm_ms: int = STORM_MS,
    calm_ms: int = CALM_MS,
    prepare: Callable[[World], None] | None = None,
) -> Result:
    """Storm, clear sky, verdict; then ordinary traffic for a while, and a verdict on that.

    Every fourth has a lying relay, every eighth a thief who rewrites a ledger.
    """
    world = World(seed, relays=2 + seed % 2, profile=_PROFILES[seed % len(_PROFILES)])
    judges = Judges(world)
    storm = Storm(world, 3_000, storm_ms)
    storm.on_restore, storm.on_crash, storm.on_backup = judges.on_restore, judges.on_crash, judges.on_backup
    Players(world, judges, storm_ms)
    if seed % 4 == 1:
        LyingRelay(world, 2_000, storm_ms)
    if prepare is not None:
        prepare(world)
    broken, recovered = "", 0
    slow = next(iter(world.relays.values())).profile.name == "narrow"
    try:
        with spied(judges):
            world.start()
            world.run_until(storm_ms)
            recovered = _verdict(world, judges, storm_ms, RECOVERY_MS * (10 if slow else 1))
            if calm_ms:
                end = world.time + calm_ms
                if seed % 8 == 6:
                    judges.noticed.clear()
                    judges.forge(world.endpoints["ALPHA"])
                Players(world, judges, end, calm=True)
                _verdict(world, judges, end, RECOVERY_MS)
            if idle_hour:
                judges.idle_hour()
    except Broken as error:
        broken = f"at {world.time} ms: {error}"
    return Result(seed, world.time, world.digest(), recovered, len(judges.accepted), broken)


def _verdict(world: World, judges: Judges, since: int, limit: int) -> int:
    """Everything owed must be paid `limit` ms after `since`; then judge. Returns how long it took."""
    world.run_until(since + RECOVERY_MS // 2)
    while not judges.settled() and world.time <= since + limit:
        world.run_until(world.time + 1_000)
    if not judges.settled():
        judges.complain(f"not settled {world.time - since} ms after the sky cleared: {_unsettled(world)}")
    judges.final()
    return world.time - since


def _unsettled(world: World) -> str:
    parts = []
    for node in world.endpoints.values():
        if node.machine is None:
            parts.append(f"{node.name} is down")
            continue
        ctx = node.machine.context
        pending = {plane.value: sorted(outbox.pending) for plane, outbox in ctx.outboxes.items() if outbox.pending}
        ahead = {
            plane.value: (inbox.through, sorted(inbox.ahead)) for plane, inbox in ctx.inboxes.items() if inbox.ahead
        }
        paths = [path.state.value for path in ctx.paths.values()]
        parts.append(f"{node.name} pending {pending} ahead {ahead} unnoted {len(ctx.reads)} paths {paths}")
    mailboxes = [len(relay.disk.tables.get("mailbox", {})) for relay in world.relays.values()]
    return "; ".join([*parts, f"mailboxes {mailboxes}"])


def _guarded(seed: int) -> Result:
    try:
        return run_seed(seed, idle_hour=seed % 50 == 0)
    except Exception as error:  # noqa: BLE001 - an exception out of a step is a finding, not the end of the run
        return Result(seed, 0, "", 0, 0, f"{type(error).__name__}: {error}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulator.run",
        description="Run the very Endpoint and Relay classes through storms in virtual time, each drawn from a seed.",
        epilog="A seed is looked at again with: --start SEED --seeds 1 --verbose",
    )
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds (default 200)")
    parser.add_argument("--start", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)")
    parser.add_argument("--minutes", type=float, help="stop after this time, whatever is left")
    parser.add_argument("--verbose", action="store_true", help="one line per seed")
    return parser.parse_args()


def main() -> int:
    """Run many seeds; exit 1 if a judge complained, 130 if interrupted."""
    arguments = _arguments()
    seeds = range(arguments.start, arguments.start + arguments.seeds)
    begun = time.monotonic()
    end = begun + 60 * arguments.minutes if arguments.minutes else None
    results: list[Result] = []
    interrupted = False
    with multiprocessing.get_context("spawn").Pool(arguments.jobs) as pool:
        try:
            for result in pool.imap_unordered(_guarded, seeds, chunksize=2):
                results.append(result)
                _report(result, len(results), verbose=arguments.verbose)
                if end is not None and time.monotonic() > end:
                    break
        except KeyboardInterrupt:
            interrupted = True
        pool.terminate()
    bad = [result.seed for result in results if result.broken]
    took = time.monotonic() - begun
    virtual = sum(result.virtual_ms for result in results) / 1_000
    statements = sum(result.accepted for result in results)
    print(f"{len(results)} of {len(seeds)} seeds, {statements} statements, {len(bad)} with a complaint {bad or ''}")
    print(
        f"{virtual / 3_600:.1f} virtual hours in {took:.0f} s: {virtual / took:.0f} times faster than real time"
        f" on {arguments.jobs} processes"
    )
    return 130 if interrupted else 1 if bad else 0


def _report(result: Result, done: int, *, verbose: bool) -> None:
    if result.broken:
        print(f"seed {result.seed}: {result.broken}", flush=True)
    elif verbose:
        print(f"seed {result.seed}: {result.accepted} statements, settled {result.recovered_ms} ms after", flush=True)
    if done % 100 == 0:
        print(f"{done} seeds", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
