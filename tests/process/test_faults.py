"""Every fault that a drill can make, on a real hotline: it does what it says, and its undo mends it."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from hotline.charter.model import load_charter
from hotline.drill import faults
from hotline.drill.desk import Desk
from hotline.drill.plan import Plan
from hotline.drill.processes import stands_still
from hotline.drill.scene import PERFORMERS, PREPARERS, Scene, Undo, lacking
from hotline.drill.stage import Stage, operator, short_folder, status_of, wait_until
from hotline.errors import HotlineError
from hotline.wire.v1 import operator_pb2

pytestmark = pytest.mark.process
faults.register()
LONG = 30.0


class NoProxy:
    """These drills have no links to disturb."""

    def set(self, links: Sequence[str], way: str, **weather: int | str | None) -> None:
        raise AssertionError(links)

    def clear(self, links: Sequence[str]) -> None:
        raise AssertionError(links)


class Site:
    """A running hotline and what a drill would do to it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.stage = scene.stage
        self.notes: list[str] = []
        scene.note = self.notes.append

    def does(self, number: int = 0) -> Undo | None:
        """Perform one inject of the plan, as the runner does."""
        inject = self.scene.plan.inject[number]
        return PERFORMERS[inject.fault](inject, self.scene)

    def undone(self, number: int = 0) -> Undo:
        """The same for an inject that can be undone."""
        undo = self.does(number)
        assert undo is not None
        return undo

    def up(self, count: int | None = None) -> bool:
        """Whether both sides hear each other on `count` paths (every one)."""
        wanted = len(self.stage.relays) if count is None else count
        for terminal in self.stage.rehearsal.terminals:
            states = [path["state"] for path in status_of(terminal)["paths"]]
            if states.count("up") != wanted:
                return False
        return True

    def mended(self) -> None:
        """Both sides have every path up, and a statement passes."""
        wait_until(self.up, "every path to be up", LONG)
        self.delivers("said when all was well again")

    def status(self, party: str) -> dict[str, Any]:
        return status_of(self.stage.alpha if party == "ALPHA" else self.stage.bravo)

    def say(self, text: str, party: str = "ALPHA") -> int:
        """A FLASH; its serial."""
        terminal = self.stage.alpha if party == "ALPHA" else self.stage.bravo
        with operator(terminal) as stub:
            answer = stub.Submit(operator_pb2.SubmitRequest(precedence=4, language="en", direction=1, text=text))
        assert answer.accepted, answer.text
        return int(answer.serial)

    def sent(self, serial: int, party: str = "ALPHA") -> operator_pb2.StatementView:
        terminal = self.stage.alpha if party == "ALPHA" else self.stage.bravo
        with operator(terminal) as stub:
            views = stub.ListStatements(operator_pb2.ListStatementsRequest(serial=serial, sent=True)).statement
        return views[0]  # type: ignore[no-any-return]

    def delivers(self, text: str, party: str = "ALPHA", seconds: float = LONG) -> float:
        """Seconds until the peer's receipt."""
        begun = time.monotonic()
        serial = self.say(text, party)
        wait_until(lambda: self.sent(serial, party).delivered_ms > 0, f"{text!r} to be delivered", seconds)
        return time.monotonic() - begun

    def log(self, name: str) -> str:
        return self.stage.log_of(name).read_text(errors="replace")


MakeSite = Callable[..., Site]


@pytest.fixture
def site() -> Iterator[MakeSite]:
    """`site(inject, ..., relays=2)` stages a hotline for these injects and starts it."""
    with ExitStack() as stack:

        def make(*injects: dict[str, object], relays: int = 2, witnesses: int = 0, **topology: object) -> Site:
            plan = Plan.model_validate(
                {
                    "drill": 1,
                    "name": "faults",
                    "title": "t",
                    "story": "s",
                    "source": "s",
                    "tags": ["quick"],
                    "topology": {"relays": relays, "witnesses": witnesses, **topology},
                    "inject": [{"at": "0s", **inject} for inject in injects],
                    "promise": [{"promise": "none-lost"}],
                }
            )
            reasons = lacking(plan)
            if reasons:
                pytest.skip("; ".join(reasons))
            folder = short_folder()
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            stage = Stage(folder, relays=relays, witnesses=witnesses)
            stack.enter_context(stage)
            scene = Scene(plan, stage, NoProxy(), random.Random(1), folder)
            for prepare in PREPARERS:
                prepare(scene)
            for name in (*(one.name for one in (*stage.relays, *stage.witnesses)), "ALPHA", "BRAVO"):
                stage.start(name)
            made = Site(scene)
            wait_until(made.up, "every path to be up", LONG)
            return made

        yield make


# --- processes and stores ---------------------------------------------------------------------------------------------


def test_kill_and_stop_are_undone_by_a_start(site: MakeSite) -> None:
    """A relay that was killed would stay dead, and every later fault of the drill would hit a weaker hotline."""
    here = site({"fault": "kill", "target": "relay-1"}, {"fault": "stop", "target": "BRAVO"})
    dead = here.undone(0)
    assert not here.stage.started("relay-1")
    wait_until(lambda: here.up(1), "the path to be missed", LONG)
    here.delivers("over the other relay")
    gone = here.undone(1)
    assert not here.stage.started("BRAVO")
    assert here.notes == ["BRAVO stopped with exit code 0"]
    for undo in (dead, gone, dead, gone):
        undo()
    here.mended()


def test_a_killed_terminal_answers_when_its_start_returns(site: MakeSite) -> None:
    """The socket that a killed daemon left behind would be taken for a new one."""
    here = site({"fault": "kill", "target": "ALPHA"}, {"fault": "start", "target": "ALPHA"})
    undo = here.undone(0)
    assert here.stage.alpha.socket.exists()
    assert here.does(1) is None
    assert here.status("ALPHA")["paths"]
    undo()
    here.mended()


def test_freeze_stops_a_process_and_thaws_it(site: MakeSite) -> None:
    """A frozen relay that nobody misses was not frozen."""
    here = site({"fault": "freeze", "target": "relay-1", "for": "5s"})
    undo = here.undone()
    assert stands_still(here.stage.pid("relay-1"))
    wait_until(lambda: here.up(1), "the path to be missed", LONG)
    undo()
    undo()
    here.mended()
    here.stage.kill("relay-1")
    undo()


def test_a_wiped_relay_has_lost_what_it_held(site: MakeSite) -> None:
    """It would be a restart and no lost disk."""
    here = site({"fault": "stop", "target": "BRAVO"}, {"fault": "wipe", "target": "relay-1"})
    undo = here.undone(0)
    serial = here.say("waits at both relays")
    wait_until(lambda: min(stored(here, "relay-1"), stored(here, "relay-2")) > 0, "both relays to hold it", LONG)
    for number in (1, 2):
        here.stage.kill(f"relay-{number}")
    here.stage.start("relay-2")
    here.stage.start("relay-1")
    assert held_at_start(here, "relay-1") > 0
    here.does(1)
    assert held_at_start(here, "relay-1") == 0
    undo()
    wait_until(lambda: here.sent(serial).delivered_ms > 0, "the statement to arrive all the same", LONG)
    here.mended()


def stored(here: Site, relay: str) -> int:
    """How many envelopes for BRAVO a running relay has on its disk; what ALPHA is there to take goes at any moment."""
    (bravo,) = load_charter(here.stage.rehearsal.charter.read_bytes()).terminals_of("BRAVO")
    with closing(sqlite3.connect(here.stage.folder_of(relay) / "store" / "mailbox.db")) as database:
        return int(database.execute("SELECT count(*) FROM mailbox WHERE terminal = ?", (bravo.number,)).fetchone()[0])


def held_at_start(here: Site, relay: str) -> int:
    """How many envelopes a relay had when it was started last."""
    lines = [json.loads(line) for line in here.log(relay).splitlines()]
    return int([line for line in lines if line["event"] == "ready"][-1]["held"])


def test_a_restored_terminal_is_as_old_as_its_backup_and_begins_a_new_log(site: MakeSite) -> None:
    """A backup torn in the middle of a write would test SQLite and not the hotline."""
    here = site({"fault": "backup", "target": "ALPHA"}, {"fault": "restore", "target": "ALPHA"})
    here.delivers("before the backup")
    assert here.does(0) is None
    assert not stands_still(here.stage.pid("ALPHA"))
    backup = here.scene.folder / "backups" / "ALPHA"
    assert sorted(path.name for path in backup.iterdir() if "ledger.db" not in path.name) == ["keys"]
    here.delivers("after the backup")
    before = here.status("ALPHA")["ledger"]
    # The ratchet follows the log by a second; before it does, nobody has seen what the backup lacks.
    wait_until(lambda: ratchet_size(here) >= before["size"], "the ratchet to follow", LONG)
    assert here.does(1) is None
    wait_until(lambda: here.status("ALPHA")["ledger"]["log_epoch"] > before["log_epoch"], "a new log", LONG)
    here.mended()


def ratchet_size(here: Site) -> int:
    """The size of ALPHA's log as its ratchet file has it."""
    path = here.stage.alpha.folder / "store.ratchet"
    return int(path.read_bytes().split(b"\n")[1]) if path.exists() else 0


def test_a_backup_leaves_a_frozen_process_frozen(site: MakeSite) -> None:
    """The backup would quietly end another fault."""
    here = site({"fault": "freeze", "target": "relay-1", "for": "5s"}, {"fault": "backup", "target": "relay-1"})
    undo = here.undone(0)
    here.does(1)
    assert stands_still(here.stage.pid("relay-1"))
    undo()
    here.mended()


# --- relays that lie --------------------------------------------------------------------------------------------------


def lying(how: str, share: int = 1) -> dict[str, object]:
    return {"fault": "lie", "target": "relay-1", "how": how, "share": share}


def events(here: Site, party: str, name: str) -> list[dict[str, Any]]:
    """What a terminal has written into its log under this name."""
    lines = [json.loads(line) for line in here.log(party).splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == name]


def test_a_lying_relay_costs_no_statement(site: MakeSite) -> None:
    """Every lie in turn, while the other relay is honest: all arrives, once, in order, and the lie was really told."""
    # docs/protocol.md 1.1 and 1.3
    kinds = ("drop", "replay", "reorder", "alter", "forge-custody", "delay")
    here = site(*(lying(how) for how in kinds), lying("withhold-last"))
    failed: list[str] = []
    here.scene.failed = lambda inject, why: failed.append(f"{inject.name}: {why}")
    said = []
    for number, how in enumerate(kinds):
        undo = here.undone(number)
        said += [f"said under {how}, {turn}" for turn in range(3)]
        for text in said[-3:]:
            here.delivers(text)
        time.sleep(1.0)
        undo()
        undo()
        assert f"lied ({how}) about" in here.notes[-1]
        assert " 0 envelopes" not in here.notes[-1]
    assert failed == []
    here.undone(len(kinds))()  # nobody says anything meanwhile
    assert failed == ["lie: it met no envelope to lie about"]
    here.mended()
    with operator(here.stage.bravo) as stub:
        arrived = stub.ListStatements(operator_pb2.ListStatementsRequest(limit=100)).statement
    assert sorted(view.serial for view in arrived) == list(range(1, len(said) + 2))
    refused = {line["reason"] for line in events(here, "ALPHA", "refused")}
    assert {"custody-address", "signature"} <= refused


def test_a_withheld_last_statement_is_exposed_by_the_heartbeat(site: MakeSite) -> None:
    """The only relay signs for a statement and keeps it to itself: both sides would believe that nothing was said."""
    # docs/protocol.md 1.4
    here = site(lying("withhold-last"), relays=1)
    undo = here.undone()
    serial = here.say("the last word")
    wait_until(lambda: here.sent(serial).relayed_ms > 0, "the lying custody", LONG)
    wait_until(lambda: bool(events(here, "BRAVO", "alarm")), "BRAVO to notice the gap", LONG)
    assert events(here, "BRAVO", "alarm")[0]["name"] == "gap"
    assert here.up(), "the relay looks alive"
    undo()
    wait_until(lambda: here.sent(serial).delivered_ms > 0, "the statement to arrive at last", LONG)
    here.mended()


def test_a_liar_that_was_killed_is_started_honest(site: MakeSite) -> None:
    """The undo of a lie would fail because its relay has gone."""
    here = site(lying("drop"), {"fault": "kill", "target": "relay-1"})
    lie, dead = here.undone(0), here.undone(1)
    lie()
    dead()
    here.mended()


# --- disks ------------------------------------------------------------------------------------------------------------

STORE_UNUSABLE = 9


@pytest.mark.parametrize("how", ["full", "failing", "read-only"])
def test_a_terminal_whose_disk_fails_stops_as_it_promises(site: MakeSite, how: str) -> None:
    """A daemon that goes on without its disk would promise what it cannot keep."""
    here = site({"fault": "disk", "target": "ALPHA", "how": how})
    accepted = [here.say("before")]
    undo = here.undone()
    end = time.monotonic() + LONG
    while here.stage.ended("ALPHA") is None and time.monotonic() < end:
        with contextlib.suppress(HotlineError, grpc.RpcError):
            accepted.append(here.say("x" * 400))
        time.sleep(0.02)
    assert here.stage.ended("ALPHA") == STORE_UNUSABLE
    assert "whether it was stored is unknown" in here.log("ALPHA").splitlines()[-1]
    undo()
    undo()
    here.mended()
    for serial in accepted:
        assert here.sent(serial).delivered_ms > 0, "what was accepted is kept"


def test_a_relay_whose_disk_is_full_stops_and_costs_no_statement(site: MakeSite) -> None:
    """It would sign for what it cannot hold."""
    here = site({"fault": "stop", "target": "BRAVO"}, {"fault": "disk", "target": "relay-1", "how": "full"})
    away, undo = here.undone(0), here.undone(1)
    for turn in range(40):
        here.say("y" * 400 + str(turn))
    wait_until(lambda: here.stage.ended("relay-1") == STORE_UNUSABLE, "relay-1 to stop", LONG)
    away()
    here.delivers("over relay-2")
    undo()
    here.mended()


def test_a_slow_disk_makes_acceptance_slow_and_loses_nothing(site: MakeSite) -> None:
    """Waiting for the disk is the price of an accepted statement; a quick answer would be a lie."""
    here = site({"fault": "disk", "target": "ALPHA", "how": "slow", "delay": "400ms"})
    undo = here.undone()
    begun = time.monotonic()
    here.say("waits for the disk")
    assert time.monotonic() - begun >= 0.4
    undo()
    undo()
    assert here.stage.ended("ALPHA") is None
    begun = time.monotonic()
    here.say("does not")
    assert time.monotonic() - begun < 0.4
    here.mended()


# --- clocks -----------------------------------------------------------------------------------------------------------


def wrong_by(here: Site) -> float:
    """Seconds by which ALPHA's clock is ahead, as it shows it itself."""
    shown = datetime.fromisoformat(here.status("ALPHA")["time"])
    return (shown - datetime.now(UTC)).total_seconds()


def shows(here: Site, seconds: float, within: float = 5) -> None:
    """Its clock comes to be wrong by so much."""
    wait_until(lambda: abs(wrong_by(here) - seconds) < within, f"a clock that is wrong by {seconds} s", LONG)


@pytest.mark.parametrize("step", ["+1h", "-2h", "+1d"])
def test_a_clock_steps_and_no_timer_with_it(site: MakeSite, step: str) -> None:
    """Timers that hang on the wall clock would fire all at once, or not for hours."""
    here = site({"fault": "clock", "target": "ALPHA", "step": step})
    seconds = {"+1h": 3_600, "-2h": -7_200, "+1d": 86_400}[step]
    shows(here, 0)
    undo = here.undone()
    shows(here, seconds)
    here.delivers("from the wrong time")
    here.delivers("to the wrong time", "BRAVO")
    wait_until(lambda: any(e["name"] == "clock" for e in events(here, "BRAVO", "alarm")), "the clock alarm", LONG)
    assert here.up()
    undo()
    undo()
    shows(here, 0)
    here.mended()


def test_a_clock_runs_off(site: MakeSite) -> None:
    """A drift that is not seen was none."""
    here = site({"fault": "clock", "target": "ALPHA", "drift": 100})
    undo = here.undone()
    begun = time.monotonic()
    wait_until(lambda: wrong_by(here) > 0.4, "the clock to be ahead", LONG)
    assert wrong_by(here) < (time.monotonic() - begun) / 10 + 0.1
    undo()
    undo()
    shows(here, 0, 0.1)
    here.mended()


def test_a_clock_may_be_wrong_from_the_start_and_step_on(site: MakeSite) -> None:
    """The undo of a step would also mend what the topology says."""
    here = site({"fault": "clock", "target": "ALPHA", "step": "+1h"}, clock_step={"ALPHA": "-2h"})
    shows(here, -7_200)
    undo = here.undone()
    shows(here, -3_600)
    undo()
    shows(here, -7_200)
    here.mended()


# --- thieves and charters ---------------------------------------------------------------------------------------------


def names(here: Site, party: str, event: str, field: str) -> set[str]:
    """Which alarms or refusals a terminal has told."""
    return {str(line[field]) for line in events(here, party, event)}


def test_a_thief_is_seen_by_the_robbed_and_by_the_peer(site: MakeSite) -> None:
    """Two terminals with one key would speak as one, and nobody would ask why."""
    here = site({"fault": "thief", "target": "ALPHA"})
    here.delivers("before the thief")
    # A peer that has never seen the log vouches for a thief's as well (13.5), and finds out a good deal later.
    wait_until(lambda: bool(here.status("BRAVO")["ledger"]["peer_size"]), "BRAVO to have linked ALPHA's log", LONG)
    undo = here.undone()
    stolen = here.scene.kept["thief of ALPHA"]
    assert stolen.socket != here.stage.alpha.socket
    wait_until(
        lambda: "relay-replaced" in names(here, "ALPHA", "refused", "reason"), "ALPHA to be pushed off a relay", LONG
    )
    wait_until(lambda: "key-elsewhere" in names(here, "ALPHA", "alarm", "name"), "the alarm that names it", LONG)
    wait_until(lambda: bool({"single-path", "no-path"} & names(here, "ALPHA", "alarm", "name")), "its alarm", LONG)
    wait_until(
        lambda: bool({"peer-restored", "peer-log"} & names(here, "BRAVO", "alarm", "name")), "BRAVO's alarm", LONG
    )
    undo()
    undo()
    assert here.notes == ["thief-ALPHA stopped with exit code 0"]
    assert "ready" in here.log("thief-ALPHA")
    here.mended()


def test_a_charter_that_one_party_has_signed_starts_nothing(site: MakeSite) -> None:
    """Whoever can write one file could name himself an officer, or a relay."""
    here = site({"fault": "roster", "target": "ALPHA"})
    desk = Desk("ALPHA", here.stage.alpha.socket, lambda *_: None)
    here.scene.desks = {"ALPHA": desk}
    undo = here.undone()
    desk.close()
    assert here.notes[0].startswith("the charter that only ALPHA has signed was handed in: ")
    assert here.stage.ended("ALPHA") == 4
    assert "ALPHA ended with 4: " in here.notes[-1]
    assert here.notes[-1].endswith("the charter is not signed by BRAVO: it is not in force")
    undo()
    undo()
    assert here.stage.ended("ALPHA") is None
    here.mended()


# --- floods -----------------------------------------------------------------------------------------------------------


@pytest.mark.alone  # who floods takes only what others leave of the processors
@pytest.mark.parametrize(
    ("kind", "count"), [("silent-tcp", 300), ("silent-tls", 300), ("garbage", 100), ("streams", 40), ("statements", 2)]
)
def test_a_flood_on_one_relay_stops_no_statement(site: MakeSite, kind: str, count: int) -> None:
    """Whoever can reach a relay could silence a head of government."""
    here = site({"fault": "flood", "target": "relay-1", "kind": kind, "count": count})
    undo = here.undone()
    time.sleep(1)
    for turn in range(3):
        here.delivers(f"through the flood, {turn}")
        here.delivers(f"and back, {turn}", "BRAVO")
    undo()
    undo()
    assert here.notes[-1].startswith(f"flood on relay-1: {kind}: ")
    assert int(here.notes[-1].split(": ")[2].split()[0]) >= count, "as many as were promised"
    assert here.stage.ended("relay-1") is None
    here.mended()


# --- interfaces -------------------------------------------------------------------------------------------------------


def test_an_interface_goes_down_and_comes_up(site: MakeSite) -> None:
    """A terminal that is cut off must know it, and say so, and find back by itself."""
    before = namespaces_here()
    here = site({"fault": "interface", "target": "ALPHA"}, witnesses=1)
    assert len(namespaces_here()) == len(before) + 2
    here.delivers("over the line")
    wait_until(lambda: here.status("ALPHA")["ledger"]["witnessed"] > 0, "a witness beyond the line", LONG)
    undo = here.undone()
    for party in ("ALPHA", "BRAVO"):
        wait_until(lambda party=party: "no-path" in names(here, party, "alarm", "name"), f"{party}'s alarm", LONG)  # type: ignore[misc]
    serial = here.say("queued meanwhile")
    assert here.sent(serial).delivered_ms == 0
    undo()
    undo()
    wait_until(lambda: here.sent(serial).delivered_ms > 0, "what was queued to arrive", LONG)
    here.mended()
    here.stage.__exit__(None, None, None)
    assert namespaces_here() == before


def namespaces_here() -> set[str]:
    place = Path("/run/netns")
    return {path.name for path in place.iterdir()} if place.is_dir() else set()
