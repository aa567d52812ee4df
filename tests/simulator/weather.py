"""What goes wrong, each by its name: commands of the language of the scenarios (tests/scenarios), played on a world.

Times are written 300ms, 4s or 2min. `for TIME` ends by itself; everything ends with `clear`.

    gust loss=10 duplicate=5 delay=300 disk=100   percent, percent, milliseconds, milliseconds
    cut NODE RELAY for TIME                       mute NODE RELAY up|down for TIME
    part NODE NODE for TIME                       no relay passes anything on between two terminals
    swizzle NUMBER                                narrow NODE RELAY 2400 for TIME       bits per second
    crash NODE for TIME                           stop NODE for TIME
    freeze NODE for TIME                          torn NODE FRAMES
    slow-disk NODE TIME for TIME                  full-disk NODE for TIME
    unsure-disk NODE for TIME                     wipe RELAY
    backup NODE                                   restore NODE
    clock NODE MILLISECONDS                       drift NODE PERMILLE
    clear
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from typing import Final

from hotline.drill.simulator.cables import Cable
from hotline.drill.simulator.disk import Disk
from hotline.drill.simulator.nodes import EndpointNode, RelayNode
from hotline.drill.simulator.world import Weather, World
from hotline.limits import CLOCK_STEP_RECORD
from hotline.wire.codec import decode_frame
from hotline.wire.envelope import decode_header

WEATHERS: Final = (
    "loss", "duplicate", "reorder", "cut", "mute-up", "mute-down", "swizzle", "narrow", "crash", "relay-crash", "stop",
    "freeze", "relay-freeze", "torn", "relay-torn", "slow-disk", "full-disk", "relay-full-disk", "unsure-disk",
    "amnesia", "restore", "relay-restore", "clock", "drift", "part",
)  # fmt: skip
"""Every ingredient that is counted; one that never happens in a campaign is a failure of the campaign."""


def milliseconds(text: str) -> int:
    """Raises ValueError unless `text` is a number with ms, s, min or h."""
    found = re.fullmatch(r"(\d+)(ms|s|min|h)", text)
    if found is None:
        raise ValueError(f"no such time: {text}")
    return int(found[1]) * {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000}[found[2]]


class Storm:
    """Plays commands on a world. `played` counts what really happened, not what was asked for."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.played: Counter[str] = Counter()
        self.backups: dict[str, Disk] = {}
        self.on_restore: Callable[[EndpointNode], None] = lambda node: None
        self.on_clock: Callable[[EndpointNode, int], None] = lambda node, by: None
        self._parted: set[frozenset[int]] = set()
        self._listening = False
        self._cleared = 0
        """How often everything has ended."""

    def obey(self, command: str) -> None:
        """Raises ValueError if there is no such command."""
        verb, *words = command.split()
        act = getattr(self, "_" + verb.replace("-", "_"), None)
        if act is None:
            raise ValueError(f"no such command: {command}")
        lasting = None
        if len(words) > 1 and words[-2] == "for":
            lasting = milliseconds(words[-1])
            del words[-2:]
        undo = act(*words)
        if undo is not None and lasting is not None:
            self.world.after(lasting, undo)

    def node(self, name: str) -> EndpointNode | RelayNode:
        """A terminal or a relay, in whatever case it is written."""
        return self.world.relays.get(name) or self.world.endpoints[name.upper()]

    def _is_relay(self, node: EndpointNode | RelayNode) -> bool:
        return node.name in self.world.relays

    def _count(self, node: EndpointNode | RelayNode, what: str) -> None:
        self.played[f"relay-{what}" if self._is_relay(node) else what] += 1

    def _cable(self, node: str, relay: str) -> Cable:
        return self.world.cables[node.upper(), relay]

    # --- cables ------------------------------------------------------------------------------------------------------

    def _gust(self, *settings: str) -> None:
        """Loss, repetition and reordering on every cable, and disks that are less than quick."""
        numbers = {name: int(value) for name, value in (setting.split("=") for setting in settings)}
        weather = self.world.weather = Weather(
            loss=numbers.get("loss", 0) / 100,
            duplicate=numbers.get("duplicate", 0) / 100,
            delay_min=1,
            delay_max=numbers.get("delay", 5),
            disk_max=numbers.get("disk", 3),
        )
        self.played["loss"] += weather.loss > 0
        self.played["duplicate"] += weather.duplicate > 0
        self.played["reorder"] += weather.delay_max >= 50

    def _cut(self, node: str, relay: str) -> Callable[[], None]:
        """A cable is cut."""
        cable = self._cable(node, relay)
        self.played["cut"] += bool(cable.link)
        cable.cut = True
        cable.break_now("cut")
        return lambda: setattr(cable, "cut", False)

    def _mute(self, node: str, relay: str, way: str) -> Callable[[], None]:
        """A stream stays open but swallows everything in one direction: a zombie."""
        cable, before = self._cable(node, relay), self._cable(node, relay).swallowed
        setattr(cable, f"mute_{way}", True)

        def undo() -> None:
            setattr(cable, f"mute_{way}", False)
            self.played[f"mute-{way}"] += cable.swallowed > before

        return undo

    def _part(self, node: str, other: str) -> Callable[[], None]:
        """Every relay passes on what either says to others, and nothing between the two."""
        pair = frozenset(self.world.endpoints[name.upper()].number for name in (node, other))
        self._parted.add(pair)
        if not self._listening:
            self._listening = True
            for cable in self.world.cables.values():
                self._listen(cable)
        return lambda: self._parted.discard(pair)

    def _listen(self, cable: Cable) -> None:
        to_relay = cable.to_relay

        def heard(frame: bytes) -> None:
            envelope = decode_frame(frame).envelope if self._parted else b""
            header = decode_header(envelope) if envelope else None
            if header is not None and frozenset((header.sender, header.recipient)) in self._parted:
                self.played["part"] += 1
            else:
                to_relay(frame)

        cable.to_relay = heard  # type: ignore[method-assign]

    def _swizzle(self, number: str) -> None:
        """Cut all cables one by one, mend them in another order; the number says when and in which."""
        rng = random.Random(int(number))
        cables, cleared = list(self.world.cables.values()), self._cleared

        def cut(cable: Cable) -> None:
            if self._cleared == cleared:  # else the storm ended before it came to this one
                cable.cut = True
                cable.break_now("swizzle")

        for cable in rng.sample(cables, len(cables)):
            at = self.world.time + rng.randint(0, 3_000)
            self.world.at(at, lambda cable=cable: cut(cable))  # type: ignore[misc]
            self.world.at(at + rng.randint(100, 10_000), lambda cable=cable: setattr(cable, "cut", False))  # type: ignore[misc]
        self.played["swizzle"] += sum(bool(cable.link) for cable in cables) > 1

    def _narrow(self, node: str, relay: str, rate: str) -> Callable[[], None]:
        """A cable carries so few bits per second that frames queue."""
        cable, before = self._cable(node, relay), self._cable(node, relay).queued
        cable.rate = int(rate)

        def undo() -> None:
            if cable.rate:
                cable.widen()
                self.played["narrow"] += cable.queued > before

        return undo

    # --- machines ----------------------------------------------------------------------------------------------------

    def _crash(self, name: str) -> Callable[[], None]:
        """The power goes; everything that was not committed is gone."""
        node = self.node(name)
        if node.up:
            self._count(node, "crash")
            node.crash()
        return node.bring_back

    def _start(self, name: str) -> None:
        self.node(name).bring_back()

    def _stop(self, name: str) -> Callable[[], None]:
        """A daemon is stopped in good order."""
        node = self.node(name)
        if node.up and not node.frozen:
            self.played["stop"] += 1
            node.stop()
        return node.bring_back

    def _freeze(self, name: str) -> Callable[[], None]:
        """A process stands still; what arrives waits, the clocks go on."""
        node = self.node(name)
        if node.up:
            self._count(node, "freeze")
            node.freeze()
        return node.thaw

    def _torn(self, name: str, frames: str) -> None:
        """The power goes after the next commit, between two of its effects."""
        self.node(name).cut_after = int(frames)

    # --- disks -------------------------------------------------------------------------------------------------------

    def _slow_disk(self, name: str, delay: str) -> Callable[[], None]:
        """Each commit takes that much longer."""
        node = self.node(name)
        node.disk_delay = milliseconds(delay)
        self.played["slow-disk"] += 1
        return lambda: setattr(node, "disk_delay", 0)

    def _full_disk(self, name: str) -> Callable[[], None]:
        """Each commit raises; nothing of it is on the disk."""
        node = self.node(name)
        node.disk_fault = "full"
        return lambda: self._well_again(node)

    def _unsure_disk(self, name: str) -> Callable[[], None]:
        """Each commit raises; some of them are on the disk."""
        node = self.node(name)
        node.disk_fault = "unsure"
        return lambda: self._well_again(node)

    def _well_again(self, node: EndpointNode | RelayNode) -> None:
        if node.disk_fault and node.failed_commits:
            self.played["unsure-disk"] += node.disk_fault == "unsure"
            if node.disk_fault == "full":
                self._count(node, "full-disk")
        node.disk_fault, node.failed_commits = "", 0

    def _wipe(self, name: str) -> None:
        """A relay comes back with an empty disk."""
        node = self.world.relays[name]
        self.played["amnesia"] += bool(node.disk.tables.get("mailbox"))
        self._put_disk(node, Disk())

    def _backup(self, name: str) -> None:
        """Somebody copies a disk."""
        node = self.node(name)
        self.backups[node.name] = node.disk.copy()

    def _restore(self, name: str) -> None:
        """An old disk is put back, if there is one."""
        node = self.node(name)
        if node.name in self.backups and node.up:
            self._count(node, "restore")
            self._put_disk(node, self.backups[node.name].copy())

    def _put_disk(self, node: EndpointNode | RelayNode, disk: Disk) -> None:
        if node.up:
            node.crash()
        node.disk = disk
        if isinstance(node, EndpointNode):
            self.on_restore(node)
        node.start()

    # --- clocks ------------------------------------------------------------------------------------------------------

    def _clock(self, name: str, by: str) -> None:
        """A wall clock is set wrong."""
        node = self.node(name)
        self.played["clock"] += node.up and not self._is_relay(node) and abs(int(by)) > CLOCK_STEP_RECORD
        node.clock_offset += int(by)
        if isinstance(node, EndpointNode):
            self.on_clock(node, int(by))

    def _drift(self, name: str, per_thousand: str) -> None:
        """A wall clock runs too fast or too slow from now on."""
        node = self.node(name)
        node.set_drift(int(per_thousand))
        self.played["drift"] += bool(int(per_thousand))

    # --- the end -----------------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        """Everything works again; what was lost stays lost, and clocks stay wrong."""
        self._cleared += 1
        self.world.weather = Weather()
        self._parted.clear()
        for cable in self.world.cables.values():
            machine = cable.endpoint.machine
            path = machine.context.paths.get(cable.relay.name) if machine is not None else None
            unwelcome = path is not None and not path.open
            zombie = cable.mute_up or cable.mute_down or unwelcome  # its Hello was lost, which TCP would not have done
            cable.cut = cable.mute_up = cable.mute_down = False
            if zombie or cable.rate:
                cable.widen()  # TCP gives it up in the end; the others live on, with what was lost on them
        for node in self.world.nodes:
            self.played["relay-torn" if self._is_relay(node) else "torn"] += node.torn
            node.torn, node.cut_after, node.disk_delay = 0, None, 0
            self._well_again(node)
            node.thaw()
            node.bring_back()
