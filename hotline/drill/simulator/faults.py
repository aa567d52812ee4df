"""What a drill does to a simulated hotline. Each fault does what its performer does to real processes.

| inject | in virtual time |
|---|---|
| kill, stop, start, freeze | the power switch of a node, its orderly end, its sleep; nothing takes time to start |
| wipe, backup, restore | its disk of memory; the ratchet of a terminal is in no backup |
| link, partition, swizzle | the weather of the fault proxy on the streams (lines.py) |
| interface | a black hole on every stream of the party: nobody is told that it is unreachable |
| lie | the very lying relay of real drills (hotline/drill/lies.py) |
| clock | the wall clock of a node |
| disk slow | each commit takes longer; full, failing and read-only disks are not simulated |
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Final

from hotline.drill import injects
from hotline.drill.fronts import cover, uncover
from hotline.drill.lies import UNTOLD, Lie, LyingRelay
from hotline.drill.patterns import expand, links_between
from hotline.drill.scene import Links, Undo
from hotline.drill.simulator.disk import Disk
from hotline.drill.simulator.lines import Line
from hotline.drill.simulator.nodes import EndpointNode, RelayNode
from hotline.drill.simulator.world import World
from hotline.drill.weather import UNDISTURBED, Weather, parse_weather
from hotline.errors import LocalError


class Sky:
    """The weather of every stream of a world, as the fault proxy keeps it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def set(self, links: Sequence[str], way: str, **weather: int | str | None) -> None:
        """Weather on these links; what is not named is undisturbed. Raises LocalError."""
        self._change(links, ("up", "down") if way == "both" else (way,), parse_weather(weather))

    def clear(self, links: Sequence[str]) -> None:
        """No weather on them any more."""
        self._change(links, ("up", "down"), UNDISTURBED)

    def _change(self, links: Sequence[str], ways: tuple[str, ...], weather: Weather) -> None:
        for name in links:
            party, _, relay = name.partition("/")
            line = self._world.cables[party, relay]
            assert isinstance(line, Line)
            line.change(ways, weather)


class Grounds:
    """A world and what the faults of one drill remember of it.

    `note` writes into the journal, `failed` also that a fault was none, and why.
    """

    def __init__(
        self,
        world: World,
        rng: random.Random,
        note: Callable[[str], None],
        failed: Callable[[injects.Fault, str], None],
    ) -> None:
        self.world = world
        self.rng = rng
        self.note = note
        self.failed = failed
        self.links: Links = Sky(world)
        self.kept: dict[str, Any] = {}
        self.backups: dict[str, Disk] = {}

    def node(self, name: str) -> EndpointNode | RelayNode:
        """A terminal or a relay."""
        return self.world.endpoints[name] if name in self.world.endpoints else self.world.relays[name]

    def expand(self, patterns: Sequence[str]) -> list[str]:
        """The links that the patterns mean, sorted."""
        return expand(patterns, list(self.world.relays))

    def bring_back(self, name: str) -> None:
        """Start a node unless it runs."""
        if not self.node(name).up:
            self.node(name).start()

    def disturb(self, links: Sequence[str], way: str, **weather: int | str | None) -> Undo:
        """Put weather on links. Raises LocalError."""
        mark = cover(self, links, way, **weather)
        return lambda: uncover(self, mark)


# --- machines ---------------------------------------------------------------------------------------------------------


def _kill(inject: injects.Kill, ground: Grounds) -> Undo:
    node = ground.node(inject.target)
    if node.up:
        node.crash()
    return lambda: ground.bring_back(inject.target)


def _stop(inject: injects.Stop, ground: Grounds) -> Undo:
    node = ground.node(inject.target)
    if node.up:
        node.stop()
        ground.note(f"{inject.target} stopped with exit code 0")
    return lambda: ground.bring_back(inject.target)


def _start(inject: injects.Start, ground: Grounds) -> None:
    ground.bring_back(inject.target)


def _freeze(inject: injects.Freeze, ground: Grounds) -> Undo:
    node = ground.node(inject.target)
    if not node.up:
        raise LocalError(f"{inject.target} does not run and cannot be frozen")
    node.freeze()
    return node.thaw


def _clock(inject: injects.Clock, ground: Grounds) -> Undo:
    node = ground.node(inject.target)
    before = ground.kept.setdefault(f"clock of {inject.target}", node.clock_offset)
    node.clock_offset += inject.step
    node.set_drift(node.clock_drift + inject.drift)

    def undo() -> None:
        node.set_drift(0)
        node.clock_offset = before

    return undo


# --- disks ------------------------------------------------------------------------------------------------------------


def _wipe(inject: injects.Wipe, ground: Grounds) -> None:
    _put_disk(ground.node(inject.target), Disk())


def _backup(inject: injects.Backup, ground: Grounds) -> None:
    ground.backups[inject.target] = ground.node(inject.target).disk.copy()


def _restore(inject: injects.Restore, ground: Grounds) -> None:
    if inject.target not in ground.backups:
        raise LocalError(f"there is no backup of {inject.target}: put an inject `backup` before `restore`")
    _put_disk(ground.node(inject.target), ground.backups[inject.target].copy())


def _put_disk(node: EndpointNode | RelayNode, disk: Disk) -> None:
    if node.up:
        node.crash()
    node.disk = disk
    node.start()


def _disk(inject: injects.DiskFault, ground: Grounds) -> Undo:
    node = ground.node(inject.target)
    node.disk_delay += inject.delay

    def undo() -> None:
        node.disk_delay -= inject.delay

    return undo


# --- links ------------------------------------------------------------------------------------------------------------


def _link(inject: injects.LinkFault, ground: Grounds) -> Undo:
    return ground.disturb(
        ground.expand(inject.links),
        inject.way,
        latency_ms=inject.latency,
        jitter_ms=inject.jitter,
        loss_percent=inject.loss,
        rate_bps=inject.rate,
        mode=inject.mode,
    )


def _partition(inject: injects.Partition, ground: Grounds) -> Undo:
    return ground.disturb(links_between(*inject.between), "both", mode="blackhole")


def _interface(inject: injects.Interface, ground: Grounds) -> Undo:
    return ground.disturb(ground.expand([f"{inject.target}/*"]), "both", mode="blackhole")


def _swizzle(inject: injects.Swizzle, ground: Grounds) -> Undo:
    """Links are clogged one by one and mended in another order; the last one when the fault is over."""
    clog, mend = (ground.expand(inject.links) for _ in range(2))
    ground.rng.shuffle(clog)
    ground.rng.shuffle(mend)
    between = max(0, (inject.lasting or 0) - inject.each * (2 * len(clog) - 1))
    undos: dict[str, Undo] = {}
    over = False

    def clog_one(name: str) -> None:
        if not over:
            undos[name] = ground.disturb([name], "both", mode="blackhole")

    def mend_one(name: str) -> None:
        undos.pop(name, lambda: None)()

    def undo() -> None:
        nonlocal over
        over = True
        for name in list(undos):
            mend_one(name)

    world, begin = ground.world, ground.world.time
    for number, name in enumerate(clog):
        world.at(begin + number * inject.each, lambda name=name: clog_one(name))  # type: ignore[misc]
    mending = begin + len(clog) * inject.each + between
    for number, name in enumerate(mend):
        world.at(mending + number * inject.each, lambda name=name: mend_one(name))  # type: ignore[misc]
    return undo


# --- lies -------------------------------------------------------------------------------------------------------------


def _lie(inject: injects.Lie, ground: Grounds) -> Undo:
    """The relay lies from now on, whatever it lied about before; undone, or started again, it is honest."""
    liar = _liar(ground, inject.target)
    if liar is None:
        raise LocalError(f"{inject.target} does not run and cannot be told what to lie about")
    before = liar.told[inject.how]
    liar.tell(Lie(inject.how, inject.share))
    ground.kept[f"lie of {inject.target}"] = inject

    def undo() -> None:
        if ground.kept.get(f"lie of {inject.target}") is not inject:
            return
        del ground.kept[f"lie of {inject.target}"]
        if _liar(ground, inject.target) is liar:
            liar.tell(Lie())
            lies = liar.told[inject.how] - before
            ground.note(f"{inject.target} lied ({inject.how}) about {lies} envelopes")
            if not lies:
                ground.failed(inject, UNTOLD)

    return undo


def _liar(ground: Grounds, name: str) -> LyingRelay | None:
    machine = ground.world.relays[name].machine
    assert machine is None or isinstance(machine, LyingRelay)
    return machine


FAULTS: Final[dict[str, Callable[[Any, Grounds], Undo | None]]] = {
    "kill": _kill,
    "stop": _stop,
    "start": _start,
    "freeze": _freeze,
    "wipe": _wipe,
    "backup": _backup,
    "restore": _restore,
    "link": _link,
    "partition": _partition,
    "interface": _interface,
    "swizzle": _swizzle,
    "lie": _lie,
    "clock": _clock,
    "disk": _disk,
}
"""Kind of fault to what performs it in virtual time; what it returns undoes it. Each raises LocalError if it cannot."""
