"""What goes wrong, drawn from a seed: a storm until a known time, then a clear sky."""

from __future__ import annotations

from collections.abc import Callable

from hotline.drill.simulator.cables import Cable
from hotline.drill.simulator.nodes import DAY, EndpointNode, RelayNode
from hotline.drill.simulator.world import Weather, World

CALM = Weather()


class Storm:
    """Schedules faults on a world's agenda until `end`; at `end` everything is whole again."""

    def __init__(self, world: World, begin: int, end: int) -> None:
        self.world, self.end = world, end
        self.restored: dict[str, int] = {}
        """Endpoint -> number of restores from an old backup."""
        self.on_restore: Callable[[EndpointNode], None] = lambda node: None
        self.on_crash: Callable[[EndpointNode], None] = lambda node: None
        self.on_backup: Callable[[EndpointNode], None] = lambda node: None
        self._backups: dict[str, object] = {}
        rng = world.rng
        menu = [self.gust, self.cut, self.mute, self.relay_crash, self.endpoint_crash, self.relay_wipe, self.backup]
        menu += [self.restore, self.clock_jump, self.swizzle, self.relay_rollback, self.slow_disk]
        self._menu: list[Callable[[], None]] = rng.sample(menu, rng.randint(3, len(menu)))
        world.at(begin, self._next)
        world.at(end, self.clear)

    def _next(self) -> None:
        world = self.world
        if world.time >= self.end:
            return
        world.rng.choice(self._menu)()
        world.after(world.rng.randint(200, 15_000), self._next)

    def _for_a_while(self, undo: Callable[[], None], longest: int = 30_000) -> None:
        self.world.after(self.world.rng.randint(100, longest), undo)

    # --- faults ------------------------------------------------------------------------------------------------------

    def gust(self) -> None:
        """Loss, repetition and reordering on every cable."""
        rng = self.world.rng
        self.world.weather = Weather(
            loss=rng.choice((0.0, 0.01, 0.1, 0.3)),
            duplicate=rng.choice((0.0, 0.05, 0.2)),
            delay_min=1,
            delay_max=rng.choice((5, 50, 300, 2_000)),
            disk_max=rng.choice((1, 5, 100)),
        )

    def slow_disk(self) -> None:
        """Commits take up to two seconds."""
        self.world.weather.disk_max = 2_000

    def _cable(self) -> Cable:
        return self.world.rng.choice(list(self.world.cables.values()))

    def cut(self) -> None:
        """A cable is cut for a while."""
        cable = self._cable()
        cable.cut = True
        cable.break_now("cut")
        self._for_a_while(lambda: setattr(cable, "cut", False))

    def mute(self) -> None:
        """A stream stays open but swallows everything in one direction: a zombie."""
        cable = self._cable()
        way = self.world.rng.choice(("mute_up", "mute_down"))
        setattr(cable, way, True)
        self._for_a_while(lambda: setattr(cable, way, False))

    def swizzle(self) -> None:
        """Cut all cables one by one, mend them in another order."""
        rng = self.world.rng
        cables = list(self.world.cables.values())
        for cable in rng.sample(cables, len(cables)):
            at = self.world.time + rng.randint(0, 3_000)
            self.world.at(at, lambda cable=cable: (setattr(cable, "cut", True), cable.break_now("swizzle")))  # type: ignore[misc]
            self.world.at(at + rng.randint(100, 10_000), lambda cable=cable: setattr(cable, "cut", False))  # type: ignore[misc]

    def _relay(self) -> RelayNode:
        return self.world.rng.choice(list(self.world.relays.values()))

    def relay_crash(self) -> None:
        """A relay loses power for a while."""
        relay = self._relay()
        if relay.up:
            relay.crash()
            self._for_a_while(lambda: None if relay.up else relay.start())

    def relay_wipe(self) -> None:
        """A relay comes back with an empty disk."""
        relay = self._relay()
        if relay.up:
            relay.crash()
            relay.disk.tables.clear()
            relay.start()

    def relay_rollback(self) -> None:
        """A relay comes back with an old disk."""
        relay = self._relay()
        old = self._backups.get(relay.name)
        self._backups[relay.name] = relay.disk.copy()
        if relay.up and old is not None:
            relay.crash()
            relay.disk = old.copy()  # type: ignore[attr-defined]
            relay.start()

    def _endpoint(self) -> EndpointNode:
        return self.world.rng.choice(list(self.world.endpoints.values()))

    def endpoint_crash(self) -> None:
        """A terminal loses power; everything that was not committed is gone."""
        node = self._endpoint()
        if node.up:
            node.crash()
            self.on_crash(node)
            self._for_a_while(lambda: None if node.up else node.start(), 10_000)

    def backup(self) -> None:
        """Somebody copies a terminal's disk."""
        node = self._endpoint()
        self._backups[node.name] = node.disk.copy()
        self.on_backup(node)

    def restore(self) -> None:
        """A terminal is restored from an old backup."""
        node = self._endpoint()
        old = self._backups.get(node.name)
        if old is None or not node.up:
            return
        node.crash()
        node.disk = old.copy()  # type: ignore[attr-defined]
        self.restored[node.name] = self.restored.get(node.name, 0) + 1
        self.on_restore(node)
        node.start()

    def clock_jump(self) -> None:
        """A wall clock is wrong by up to a day."""
        node = self.world.rng.choice(self.world.nodes)
        node.clock_offset = self.world.rng.randint(-DAY, DAY)

    def clear(self) -> None:
        """Everything works again; what was lost stays lost."""
        self.world.weather = Weather()
        for cable in self.world.cables.values():
            cable.cut = cable.mute_up = cable.mute_down = False
            cable.break_now("the sky clears")  # a stream that was muted may be a zombie: TCP gives it up in the end
        for node in self.world.nodes:
            if not node.up:
                node.start()
