"""What must hold of time: how long a state may last, an alarm may be owed, a lie may go unsaid.

| judge | promise |
|---|---|
| path | no path is UP over which nothing has come for the ceiling of its detector, or whose peer is dead (11.1) |
| path-alarm | no path UP, and one path UP out of several, are alarms when a path is lost, once while they hold (11.3) |
| alarm-late | what a terminal decides is told after at most two commits (3.2) |
| gap | a statement that is withheld while the peer is heard is an alarm (1.4, 10.6) |
| expired | a sender is told within the validity, and never before its time whatever the clock does (8.4) |
| clock-step | a jump of the wall clock enters the record (13.9 rests on it) |
| test-missed | a channel test that does not come is an alarm in time, and none is raised before (10.8) |
| restored | a terminal that is put back behind what its peer has seen is noticed by one of them (10.5, 13.5) |
| restart | a machine made from a disk believes what is on it (3.5), and the ledger there is whole (13.3) |
| refused | what is altered on its way to a terminal is refused, and the refusal enters the record (15.1) |
"""

from __future__ import annotations

from typing import Final

from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.world import World
from hotline.limits import ALARM_INTERVAL, CLOCK_STEP_RECORD, FRESH_ECHO_BEATS, SERVICE_BEATS, SERVICE_GAP_PATIENCE
from hotline.machine import Delivery, FramesReceived, Output, Plane, Put
from hotline.protocol.paths import PathState
from tests.simulator.audit import caches_are_bounded, leaves_are_whole
from tests.simulator.judges import Broken, Judges
from tests.simulator.timers import every_ms

PATIENCE: Final = 6_000
"""Two commits on the slowest disk that a storm has, and the delay of its slowest cable."""
_ALTERED_ENOUGH: Final = 40
"""So many altered frames cannot all have been repeats under used keys, which are not refused but dropped."""


class Watch:
    """What is known from outside of one terminal."""

    def __init__(self) -> None:
        self.started = 0
        self.disturbed = 0
        """When it last crashed, froze, thawed, or its disk failed."""
        self.heard: dict[str, int] = {}
        self.told: dict[str, str] = {}
        """Path states as people know them."""
        self.reach = ""
        """The alarm that rang of them all together, while it holds."""
        self.alarms: dict[str, int] = {}
        self.gaps: set[tuple[str, int]] = set()
        self.gap_rung: dict[str, int] = {}
        """When the last gap of a plane was told: another one is held back for ALARM_INTERVAL (11.5)."""
        self.deciding: list[tuple[int, Output]] = []
        self.lacking: dict[Plane, tuple[int, int]] = {}
        self.step_owed = False
        self.test_base = 0
        self.met = False
        self.restored_at: int | None = None
        self.refused = 0
        self.asked: dict[tuple[str, int], tuple[int, int]] = {}
        """Statement to when it was accepted and its validity, if that is short."""


class Promises:
    """Watches the same world as `judges`; `on_clock`, `on_restore`, `on_valid` are to be called by who plays."""

    def __init__(self, world: World, judges: Judges) -> None:
        self.world, self.judges = world, judges
        self.watches = {name: Watch() for name in world.endpoints}
        self.every = every_ms(relay.profile for relay in world.relays.values())
        self._looks = 0
        self._told = world.on_delivery
        world.on_delivery = self._on_delivery
        for node in world.endpoints.values():
            self._hook(node)
        world.after(self.every, self._look)

    def _hook(self, node: EndpointNode) -> None:
        start, crash, step, post, thaw, commit = node.start, node.crash, node.step, node.post, node.thaw, node.commit
        watch = self.watches[node.name]

        def started() -> None:
            start()
            self._on_start(node, watch)

        def crashed() -> None:
            crash()
            watch.disturbed = self.world.time
            watch.step_owed = False  # it has not looked at its clock since: the next run knows no other
            watch.deciding.clear()
            watch.lacking.clear()

        def stepped(event: object) -> Output:
            output = step(event)  # type: ignore[arg-type]
            self._on_step(node, watch, output)
            return output

        def posted(event: object) -> None:
            if isinstance(event, FramesReceived):
                watch.heard[event.link] = self.world.time
            post(event)  # type: ignore[arg-type]

        def thawed() -> None:
            watch.disturbed = self.world.time
            thaw()

        def committed(batch: list[Output]) -> None:
            commit(batch)
            self._on_commit(watch, batch)

        node.start, node.crash, node.step = started, crashed, stepped  # type: ignore[method-assign,assignment]
        node.post, node.thaw, node.commit = posted, thawed, committed  # type: ignore[method-assign,assignment]

    # --- what happens at a terminal ----------------------------------------------------------------------------------

    def _on_start(self, node: EndpointNode, watch: Watch) -> None:
        watch.started = watch.test_base = watch.disturbed = self.world.time
        watch.met = watch.step_owed = False
        watch.told, watch.reach = dict.fromkeys(self.world.relays, "down"), ""
        wrong = _unlike_disk(node) or (node.run % 4 == 1 and leaves_are_whole(node))
        if wrong:
            raise Broken("restart", f"{node.name} after a restart: {wrong}")

    def _on_step(self, node: EndpointNode, watch: Watch, output: Output) -> None:
        if watch.step_owed:
            watch.step_owed = False
            if not any(record.kind == "clock.step" for record in output.records):
                raise Broken("clock-step", f"the clock of {node.name} was set and its record does not say so")
        if any(delivery.kind == "alarm" for delivery in output.deliver):
            watch.deciding.append((self.world.time, output))

    def _on_commit(self, watch: Watch, batch: list[Output]) -> None:
        for output in batch:
            for record in output.records:
                if record.kind == "refused":
                    watch.refused += 1
                elif record.kind == "alarm" and record.fields["name"] in ("restored", "log-epoch"):
                    watch.restored_at = None
                elif record.kind == "alarm" and record.fields["name"] in ("peer-restored", "peer-log"):
                    for other in self.watches.values():
                        if other is not watch:
                            other.restored_at = None
            for change in output.changes:
                if isinstance(change, Put) and change.table == "channel_test" and change.row["way"] == "received":
                    watch.test_base = self.world.time

    def _on_delivery(self, node: EndpointNode, delivery: Delivery) -> None:
        watch, fields = self.watches[node.name], delivery.fields
        if delivery.kind == "alarm":
            self._alarm(node, watch, str(fields["name"]), fields)
        elif delivery.kind == "charter":
            paths = node.machine.context.paths if node.machine is not None else {}
            watch.told = {name: state for name, state in watch.told.items() if name in paths or state == "down"}
        elif delivery.kind == "path":
            self._path(node, watch, str(fields["path"]), str(fields["state"]))
        elif delivery.kind == "sent":
            self._sent(node, watch, (str(fields["plane"]), int(str(fields["serial"]))), str(fields["state"]))
        self._told(node, delivery)

    def _alarm(self, node: EndpointNode, watch: Watch, name: str, fields: object) -> None:
        now = self.world.time
        watch.alarms[name] = now
        if name in ("no-path", "single-path"):
            if name == watch.reach:
                raise Broken("path-alarm", f"{node.name} rang {name} again")
            watch.reach = name
        while watch.deciding and watch.deciding[0][0] < now and len(watch.deciding) > 64:
            watch.deciding.pop(0)
        watch.deciding = [item for item in watch.deciding if not any(one.fields is fields for one in item[1].deliver)]
        if name == "gap":
            assert isinstance(fields, dict)
            watch.gaps.add((str(fields["plane"]), int(str(fields["first"]))))
            watch.gap_rung[str(fields["plane"])] = now
        if name == "test-missed":
            quiet = now - watch.test_base
            if quiet < 2 * self.world.channel_test_ms - PATIENCE:
                raise Broken("test-missed", f"{node.name} misses a test {quiet} ms after the last one")
            watch.test_base = now

    def _path(self, node: EndpointNode, watch: Watch, path: str, state: str) -> None:
        watch.told[path] = state
        up = sum(one == "up" for one in watch.told.values())
        if state == "up" and not watch.met:
            watch.met, watch.test_base = True, self.world.time
        name = "" if up > 1 or (up and len(watch.told) == 1) else "single-path" if up else "no-path"
        if name == watch.reach:
            return
        watch.reach, at, run = "", self.world.time, node.run
        if not name or state not in ("down", "suspect"):
            return

        def look() -> None:
            if watch.alarms.get(name, -1) < at and node.run == run:
                raise Broken("path-alarm", f"{node.name} told {path} {state} with {up} paths up and no alarm {name}")

        self.world.at(at + 1, look)

    # --- statements of short validity --------------------------------------------------------------------------------

    def on_valid(self, node: EndpointNode, place: tuple[str, int], validity: int) -> None:
        """A statement was accepted that is valid for so long."""
        watch, at = self.watches[node.name], self.world.time
        watch.asked[place] = (at, validity)
        due = at + validity + PATIENCE

        def look() -> None:
            if place in watch.asked and watch.disturbed < at and not node.frozen and node.up:
                raise Broken("expired", f"{node.name} was told nothing of #{place[1]} {validity + PATIENCE} ms after")

        self.world.at(due, look)

    def _sent(self, node: EndpointNode, watch: Watch, place: tuple[str, int], state: str) -> None:
        if place not in watch.asked or state == "relayed":
            return
        at, validity = watch.asked.pop(place)
        began = max(at, watch.started)  # the validity begins anew with a restart
        # It was accepted a commit before it was answered for.
        if state == "expired" and self.world.time < began + validity - PATIENCE:
            raise Broken("expired", f"{node.name} was told expired {self.world.time - began} ms after")

    # --- what is played on a terminal --------------------------------------------------------------------------------

    def on_clock(self, node: EndpointNode, by: int) -> None:
        """A wall clock was set."""
        watch = self.watches[node.name]
        watch.step_owed = node.up and not node.frozen and abs(by) > 2 * CLOCK_STEP_RECORD

    def on_restore(self, node: EndpointNode) -> None:
        """A disk was put back, and the machine is not started yet."""
        watch, peer = self.watches[node.name], self.world.endpoints[node.peer]
        counters = {name: row["value"] for (name,), row in node.disk.tables.get("counter", {}).items()}
        known = {name: row["value"] for (name,), row in peer.disk.tables.get("counter", {}).items()}
        behind = any(
            int(str(known.get(f"through:{plane}", 0))) > int(str(counters.get(f"sent:{plane}", 0))) for plane in Plane
        )
        watch.restored_at = self.world.time if behind else None
        self.watches[peer.name].restored_at = None  # who could have noticed it has lost its memory too
        watch.asked.clear()

    # --- again and again ----------------------------------------------------------------------------------------------

    def _look(self) -> None:
        self._looks += 1
        for node in self.world.endpoints.values():
            watch = self.watches[node.name]
            if node.machine is None or not node.up or node.frozen:
                continue
            if node.name not in self.judges.perjured:
                self._look_at_paths(node, watch)
                self._look_at_alarms(node, watch)
                self._look_for_gaps(node, watch)
                self._look_for_tests(node, watch)
            if self._looks % 10 == 0:
                wrong = caches_are_bounded(node)
                if wrong:
                    raise Broken("bounds", f"{node.name}: {wrong}")
        self.world.after(self.every, self._look)

    def _look_at_paths(self, node: EndpointNode, watch: Watch) -> None:
        assert node.machine is not None
        now, peer = self.world.time, self.world.endpoints[node.peer]
        slack = min(self.every, 1_000)
        for name, path in node.machine.context.paths.items():
            if path.state is not PathState.UP or watch.disturbed > now - slack:
                continue
            profile = path.setup.profile
            ceiling = profile.silent_ceiling_ms
            silent = now - watch.heard.get(name, 0)
            if silent > ceiling + slack:
                raise Broken("path", f"{node.name} believes in {name}, where nothing came for {silent} ms")
            dead = now - self.watches[peer.name].disturbed
            hostile = self.judges.cloned or self.judges.perjured
            # What was held up on its way is heard as fresh for so many beats (docs/protocol.md 10.3).
            held_up = max(2 * PATIENCE, FRESH_ECHO_BEATS * profile.heartbeat_ms)
            if not peer.up and dead > ceiling + held_up and not hostile:
                raise Broken("path", f"{node.name} hears over {name} a peer that is dead for {dead} ms")

    def _look_at_alarms(self, node: EndpointNode, watch: Watch) -> None:
        if watch.deciding and watch.disturbed < watch.deciding[0][0] < self.world.time - PATIENCE:
            raise Broken("alarm-late", f"{node.name} decided on an alarm {PATIENCE} ms ago and told nobody")

    def _look_for_gaps(self, node: EndpointNode, watch: Watch) -> None:
        """From outside: a serial that the peer gave out and that this terminal still lacks."""
        assert node.machine is not None
        peer, ctx, now = self.world.endpoints[node.peer], node.machine.context, self.world.time
        up = [path for path in ctx.paths.values() if path.state is PathState.UP]
        hostile = self.judges.cloned or self.judges.perjured
        if peer.machine is None or not peer.up or peer.frozen or not up or hostile:
            watch.lacking.clear()
            return
        for plane, inbox in ctx.inboxes.items():
            first = inbox.through + 1
            if peer.machine.context.outboxes[plane].last_serial < first:
                watch.lacking.pop(plane, None)
                continue
            known, since = watch.lacking.setdefault(plane, (first, now))
            if known != first:
                watch.lacking[plane] = (first, now)
                continue
            patience = 3 * min(path.setup.profile.silent_ceiling_ms for path in up) + 2 * PATIENCE
            if plane is Plane.SERVICE:
                beat = min(path.setup.profile.heartbeat_ms for path in up)
                patience += 2 * SERVICE_GAP_PATIENCE + 2 * SERVICE_BEATS * beat
            held_back = watch.gap_rung.get(plane.value, -ALARM_INTERVAL) + ALARM_INTERVAL + 2 * PATIENCE > now
            if now - since > patience and not held_back and (plane.value, first) not in watch.gaps:
                raise Broken(
                    "gap", f"{node.name} lacks #{first} for {now - since} ms, hears the peer, and says nothing"
                )

    def _look_for_tests(self, node: EndpointNode, watch: Watch) -> None:
        interval = self.world.channel_test_ms
        assert node.machine is not None
        limit = 2 * interval + node.machine.tests.grace + PATIENCE
        if interval and self.world.time - max(watch.test_base, watch.disturbed) > limit:
            raise Broken("test-missed", f"{node.name} has had no test for {limit} ms and no alarm")

    # --- in the end --------------------------------------------------------------------------------------------------

    def final(self, lied_to: dict[str, int]) -> None:
        """What was to be noticed by now."""
        for name, watch in self.watches.items():
            if watch.restored_at is not None and not self.judges.perjured:
                raise Broken("restored", f"{name} was put back at {watch.restored_at} ms and nobody noticed")
            if lied_to[name] > _ALTERED_ENOUGH and not watch.refused:
                raise Broken("refused", f"{name} was given {lied_to[name]} altered frames and refused none")


def _unlike_disk(node: EndpointNode) -> str:
    """What a machine that was just made believes, and its disk does not say."""
    assert node.machine is not None
    ctx, tables = node.machine.context, node.disk.tables
    for plane in Plane:
        rows = {serial for (where, serial) in tables.get("outbox", {}) if where == plane}
        if rows != set(ctx.outboxes[plane].pending):
            return f"{len(rows)} statements are pending on disk, {len(ctx.outboxes[plane].pending)} in memory"
        unread = {serial for (where, serial) in tables.get("unread", {}) if where == plane}
        if unread != set(ctx.unread[plane]):
            return f"{len(unread)} unread on disk, {len(ctx.unread[plane])} in memory"
    if len(tables.get("unnoted", {})) != len(ctx.reads):
        return "READ receipts under way are not those on disk"
    return ""
