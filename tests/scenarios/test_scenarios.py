"""Transcripts that a person can read: commands, and below the line exactly what happens then.

    HOTLINE_REWRITE=1 pytest tests/scenarios      writes what happens now; read the difference before you keep it

`#` begins a comment. Commands stand between the last expected line and `----`, one per line:

    world relays=2 profile=fibre seed=1 [tests=10min]     first line of the file
    alpha says "..." [flash] [exercise] [within 20s]      alpha reads #1 [exercise] as NAME
    cut NODE RELAY / join NODE RELAY                      withhold RELAY / release RELAY (durable envelopes)
    crash NODE / start NODE                               backup NODE / restore NODE
    alpha tests the line                                  wait 5s

With `weather=drawn` in the first line the world is that of a seed of the simulator (tests/simulator/shrink.py writes
such files), and the commands of its weather, adversaries and people are understood too.

A transcript has statements (`envelope #1`), receipts, custody, paths, alarms and what people are told; not heartbeats.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from pathlib import Path
from typing import Any

import pytest

from hotline.charter.profiles import PROFILES
from hotline.drill.simulator.cables import Cable
from hotline.drill.simulator.disk import Disk
from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.world import World
from hotline.machine import Delivery, Plane, Reply, RequestId
from hotline.protocol.events import MarkRead, SendTest
from hotline.wire.codec import decode_frame
from hotline.wire.v1 import frame_pb2
from tests.simulator.adversary import Hostile
from tests.simulator.charters import Charters
from tests.simulator.officers import Officers
from tests.simulator.people import said, speaking
from tests.simulator.stored import statement_of
from tests.simulator.timers import read
from tests.simulator.weather import milliseconds

HERE = Path(__file__).resolve().parent
SCENARIOS = sorted(HERE.glob("*.txt"))
RULE = "----"


class Stage:
    """A world, and the transcript of what happens in it."""

    def __init__(
        self,
        relays: str = "2",
        profile: str = "fibre",
        seed: str = "1",
        tests: str = "0s",
        weather: str = "still",
        narrow: str = "0",
        ratchets: str = "no",
        release: str = "",
        amendments: str = "0",
        alternates: str = "",
        timers: str = "",
        kinds: str = "",
    ) -> None:
        named = kinds.split(",") if kinds else ["narrow"] * int(narrow)
        self.world = World(
            int(seed),
            int(relays),
            profile,
            profiles={f"relay-{number}": kind for number, kind in enumerate(named, 1)},
            timers=read(timers) if timers else PROFILES,
            channel_test_ms=milliseconds(tests),
            ratchets=ratchets == "yes",
            alternates=alternates.split(",") if alternates else (),
        )
        self.drawn = weather == "drawn"
        charters = Charters(self.world, release=release == "two", amendments=int(amendments)) if self.drawn else None
        self.officers = Officers(self.world, charters=charters)
        if not self.drawn:
            self.world.weather.delay_min = self.world.weather.delay_max = 3
            self.world.weather.disk_max = 0
        self.world.on_delivery = self.told
        self.started = False
        self.due = 0
        self.storm = Hostile(self.world)
        if not self.drawn:
            self.storm.be_honest()
        self.lines: list[str] = []
        self.names: dict[bytes, str] = {}
        self.withheld: set[str] = set()
        self.backups: dict[str, Disk] = {}
        for cable in self.world.cables.values():
            self.listen(cable)

    # --- what is written down ----------------------------------------------------------------------------------------

    def listen(self, cable: Cable) -> None:
        up, down = cable.to_relay, cable.to_endpoint
        endpoint, relay = cable.endpoint.name.lower(), cable.relay.name

        def to_relay(frame: bytes) -> None:
            self.note(endpoint, relay, frame, cable)
            up(frame)

        def to_endpoint(frame: bytes, link: str) -> None:
            parsed = decode_frame(frame)
            if relay in self.withheld and parsed.WhichOneof("body") == "envelope" and not parsed.envelope[1] & 0x02:
                return
            self.note(relay, endpoint, frame, cable)
            down(frame, link)

        cable.to_relay, cable.to_endpoint = to_relay, to_endpoint  # type: ignore[method-assign]

    def note(self, sender: str, recipient: str, data: bytes, cable: Cable) -> None:
        if not cable.link:
            return
        frame = decode_frame(data)
        match frame.WhichOneof("body"):
            case "envelope" if not frame.envelope[1] & 0x02:
                what = self.name(frame.envelope, cable.endpoint if sender == cable.endpoint.name.lower() else None)
            case "custody":
                body = frame_pb2.CustodyBody.FromString(frame.custody.body)
                held = sorted({self.names.get(name, "?") for name in body.envelope})
                what = f"custody of {', '.join(held)}"
            case "refusal":
                what = f"refusal {frame_pb2.RefusalReason.Name(frame.refusal.reason).rpartition('REASON_')[2]}"
            case _:
                return
        self.lines.append(f"{sender} -> {recipient}  {what}")

    def name(self, envelope: bytes, sender: EndpointNode | None) -> str:
        """Envelopes that carry a statement are known by its serial: only their sender can say so."""
        digest = hashlib.sha256(envelope).digest()
        if digest not in self.names and sender is None:
            return "what a thief sent"  # over cables of his own
        if digest not in self.names:
            assert sender is not None
            assert sender.machine is not None
            self.names[digest] = "receipt"
            for plane, outbox in sender.machine.context.outboxes.items():
                for item in outbox.pending.values():
                    if item.name == digest:
                        mark = "" if plane is Plane.REAL else " exercise"
                        self.names[digest] = f"envelope #{item.serial}{mark}{' void' if item.is_void else ''}"
        return self.names[digest]

    def told(self, node: EndpointNode, delivery: Delivery) -> None:
        who, fields = node.name.lower(), delivery.fields
        mark = " exercise" if fields.get("plane") == Plane.EXERCISE.value else " TEST" if fields.get("test") else ""
        match delivery.kind:
            case "received":
                row = node.disk.tables["received"][fields["plane"], fields["serial"]]
                text = statement_of(node, "received", row).text
                text = text if len(text) <= 120 else f"{text[:120]}..."
                what = f"shows #{fields['serial']}{mark}  " + (f'"{text}"' if text else "(void)")
            case "sent":
                what = f"learns #{fields['serial']}{mark} {fields['state']}: {fields['by']}"
            case "renumbered":
                what = f"learns #{fields['serial']}{mark} is now #{fields['new']}"
            case "path":
                what = f"sees {fields['path']} {fields['state']}"
            case "alarm":
                what = f"alarm {fields['name']}: {fields['meaning']}"
            case "test-resumed":
                what = f"test #{fields['serial']} {fields['way']}: tests are well again, {fields['missed']} missed"
            case "gap-closed":
                what = f"gap closed{mark}, has everything through #{fields['through']}"
            case "refused":
                what = f"refuses {fields['reason']} from {fields['path']}"
            case _:
                return
        self.lines.append(f"{who} {what}")

    # --- commands ----------------------------------------------------------------------------------------------------

    def perform(self, commands: list[str]) -> None:
        """Commands one after the other; those of a drawn world each at its time, as in the simulator."""
        if self.drawn:
            for command in commands:
                if command.startswith("wait "):
                    self.due += milliseconds(command.removeprefix("wait "))
                else:
                    self.world.at(self.due, lambda command=command: self.obey(command))  # type: ignore[misc]
        if not self.started:
            self.started = True
            self.world.start()
        if self.drawn:
            self.world.run_until(self.due)
        else:
            for command in commands:
                self.obey(command)

    def obey(self, command: str) -> None:
        words = shlex.split(command)
        match words:
            case ["wait", time]:
                self.world.run_until(self.world.time + milliseconds(time))
            case [node, "reads", "all"]:
                self.reads_all(self.world.endpoints[node.upper()])
            case [_, verb, *_] if self.drawn and verb != "says" and self.officers.obeys(command):
                pass
            case [_, _, *_] if self.drawn and words[1] != "says":
                self.storm.obey(command)
            case ["clear"]:
                self.storm.obey(command)
            case ["cut" | "join" as verb, node, relay]:
                cable = self.world.cables[node.upper(), relay]
                cable.cut = verb == "cut"
                cable.break_now("cut") if cable.cut else cable.wake()
            case ["withhold", relay]:
                self.withheld.add(self.world.relays[relay].name)
            case ["release", relay]:
                self.withheld.remove(relay)
            case ["crash", node]:
                self.node(node).crash()
            case ["start", node]:
                self.node(node).start()
            case ["backup", node]:
                self.backups[node] = self.node(node).disk.copy()
            case ["restore", node]:
                self.node(node).crash()
                self.node(node).disk = self.backups[node].copy()
                self.node(node).start()
            case [node, "tests", "the", "line"]:
                self.ask(node.upper(), lambda request: SendTest(RequestId(request), "watch"))
            case [node, "says", text, *how]:
                self.says(self.world.endpoints[node.upper()], text, how)
            case [node, "reads", serial, *how]:
                plane = Plane.EXERCISE if how[0] == "exercise" else Plane.REAL
                number, officer = int(serial.removeprefix("#")), how[-1]
                self.ask(node.upper(), lambda request: MarkRead(RequestId(request), plane, number, officer))
            case _:
                pytest.fail(f"no such command: {command}")

    def node(self, name: str) -> Any:
        return self.world.relays.get(name) or self.world.endpoints[name.upper()]

    def says(self, node: EndpointNode, text: str, how: list[str]) -> None:
        node = speaking(self.world, node)
        if node.up:
            what = said(text, how)
            self.ask(node.name, lambda request: what.event(RequestId(request), "watch"))

    def reads_all(self, node: EndpointNode) -> None:
        if node.machine is None:
            return
        for plane, unread in node.machine.context.unread.items():
            for number in list(unread)[:5]:
                self.ask(node.name, lambda r, plane=plane, n=number: MarkRead(RequestId(r), plane, n, "watch"))  # type: ignore[misc]

    def ask(self, name: str, make: Any) -> None:
        def answered(reply: Reply) -> None:
            self.lines.append(f"{name.lower()} is told: {reply.text}")

        self.world.endpoints[name].ask(make, answered)


def play(script: str) -> str:
    """The script with everything below its rules replaced by what happens."""
    out: list[str] = []
    stage: Stage | None = None
    commands: list[str] = []
    below = False
    for line in script.splitlines():
        if line == RULE:
            assert stage is not None, "the first command is world"
            stage.perform(commands)
            out += [RULE, *stage.lines, ""]
            commands, stage.lines, below = [], [], True
        elif below and line:
            continue
        elif not line:
            below = False
            if out and out[-1]:
                out.append("")
        elif line.startswith("#"):
            out.append(line)
        else:
            out.append(line)
            if stage is None:
                verb, *settings = line.split()
                assert verb == "world"
                stage = Stage(**dict(setting.split("=") for setting in settings))
            else:
                commands.append(line)
    assert not commands, f"commands after the last rule: {commands}"
    return "\n".join(out).rstrip() + "\n"


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_what_happens_is_what_is_written(path: Path) -> None:
    """The hotline would behave otherwise than its own description, and nobody would have decided so."""
    script = path.read_text()
    happened = play(script)
    if os.environ.get("HOTLINE_REWRITE"):
        path.write_text(happened)
    assert happened.splitlines() == script.splitlines(), "read it; if it is right: HOTLINE_REWRITE=1"


def test_there_are_scenarios_and_all_of_them_end_in_something() -> None:
    """An empty folder would pass."""
    assert len(SCENARIOS) >= 6
    assert all("shows #" in path.read_text() for path in SCENARIOS)


def test_a_wrong_transcript_is_noticed() -> None:
    """The runner could agree with anything."""
    script = SCENARIOS[0].read_text()
    assert play(script.replace("shows #1", "shows #9")) == play(script) != script.replace("shows #1", "shows #9")
