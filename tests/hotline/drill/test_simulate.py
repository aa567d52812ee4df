"""Drills in virtual time: each mapping shown by its effect, the same bytes for a seed, refusals with reasons."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from hotline.drill.counterparts import cannot_simulate
from hotline.drill.injects import Fault, Say
from hotline.drill.journal import Entry, Journal, of_kind, read_journal, spell
from hotline.drill.judging import judge
from hotline.drill.outcome import Report
from hotline.drill.phrases import said
from hotline.drill.plan import Drill, Plan, find_plan, library, load_plan
from hotline.drill.simulate import Simulation, simulate
from hotline.drill.simulator import lines
from hotline.drill.simulator.faults import FAULTS
from hotline.drill.simulator.ways import Way
from hotline.drill.simulator.world import World
from hotline.drill.telling import Telling
from hotline.drill.weather import Air, Weather
from hotline.errors import LocalError
from hotline.machine import FramesReceived, Output, Put
from hotline.phrasebook import book
from hotline.protocol import composing
from hotline.protocol.fields import NUMBER, Typed
from hotline.protocol.sending import Sending
from hotline.runtime import credentials, dialer

RELAYS = ("relay-1", "relay-2", "relay-3")
SHORT_MS = 60_000
TRUTH = {"none-lost", "none-twice", "in-order", "ledgers", "no-plaintext", "not-shown"}
"""Promises that hold whatever the weather: all others have a span or a count for a limit."""


def plan(*inject: dict[str, Any], say: int = 200, until: str = "6s", **more: Any) -> Plan:
    """A plan with one flow of FLASH from ALPHA every `say` milliseconds; 0: nobody speaks."""
    flow = {"from": "ALPHA", "precedence": "flash", "every": f"{say}ms", "until": until}
    promise = {"promise": "ledgers"}
    if not say:  # a length that the plan would have otherwise
        inject = (*inject, {"at": until, "fault": "read", "target": "BRAVO"})
    head = {"drill": 1, "name": "made-up", "title": "t", "story": "s", "source": "s", "tags": ["link"]}
    rest = {"traffic": [flow] if say else [], "inject": list(inject), "promise": [promise]} | more
    return Plan.model_validate(head | rest)


def play(made: Plan, seed: int = 7) -> list[Entry]:
    """The journal of a plan."""
    journal = Journal()
    simulate(Drill(made, "0" * 64, Path("made-up.toml")), seed, journal)
    assert journal.entries[-1]["kind"] == "end"
    assert journal.entries[-1]["outcome"] == "ended", journal.entries[-1]["text"]
    return journal.entries


def fault(what: str, at: str = "2s", **fields: Any) -> dict[str, Any]:
    """One inject."""
    return {"at": at, "fault": what} | fields


def paths(entries: list[Entry], by: str, *states: str) -> list[tuple[str, float]]:
    """When which path came into one of these states, after the steady state."""
    return [(entry["path"], entry["t"]) for entry in of_kind(entries, "path") if (entry["by"], entry["state"]) in
            {(by, state) for state in states}]  # fmt: skip


def delays(entries: list[Entry], since: float = 0, until: float = 1e9) -> list[float]:
    """Milliseconds from saying to delivery, of what was said in this time."""
    said = {entry["id"]: entry["t"] for entry in of_kind(entries, "said") if since <= entry["t"] < until}
    done = [entry for entry in of_kind(entries, "stage") if entry["stage"] == "delivered" and entry["id"] in said]
    return [entry["t"] - said[entry["id"]] for entry in done]


def alarms(entries: list[Entry], by: str) -> dict[str, float]:
    """Name of an alarm to its first time."""
    found: dict[str, float] = {}
    for entry in of_kind(entries, "alarm"):
        if entry["by"] == by:
            found.setdefault(entry["name"], entry["t"])
    return found


def shown(entries: list[Entry], by: str = "BRAVO") -> list[str]:
    return [entry["id"] for entry in of_kind(entries, "shown") if entry["by"] == by]


# --- the same bytes ---------------------------------------------------------------------------------------------------


def test_the_same_drill_and_seed_give_the_same_bytes_whatever_hashes_a_process_has() -> None:
    """A journal could not be made again, and nobody could check what a report says."""
    program = (
        "import hashlib; from hotline.drill.journal import Journal, spell; from hotline.drill.plan import find_plan\n"
        "from hotline.drill.simulate import simulate\n"
        "for name, seed in (('swizzle-clog', 7), ('swizzle-clog', 8), ('selective-drop', 7)):\n"
        "    j = Journal(); simulate(find_plan(name), seed, j)\n"
        "    print(hashlib.sha256(''.join(map(spell, j.entries)).encode()).hexdigest())"
    )
    outputs = set()
    for hash_seed in ("0", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        assert not done.returncode, done.stderr
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert len(set(outputs.pop().split())) == 3


def test_a_journal_names_its_seed_and_nothing_of_the_machine(tmp_path: Path) -> None:
    """It would differ from machine to machine, or a reader would take it for a real run."""
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    simulate(find_plan("relay-killed"), 11, journal)
    head = read_journal(path)[0]
    assert head["simulated"] is True
    assert head["seed"] == 11
    assert head["started"] == "2026-11-18T11:06:40Z"
    assert set(head["environment"]) == {"hotline", "simulator"}
    assert path.read_text() == "".join(map(spell, journal.entries))


# --- machines ---------------------------------------------------------------------------------------------------------


def test_a_killed_relay_is_gone_at_once_and_back_after_its_time() -> None:
    """Statements would go on over a relay that is dead, or the drill would never be whole again."""
    entries = play(plan(fault("kill", target="relay-2", **{"for": "2s"})))
    for party in ("ALPHA", "BRAVO"):
        assert [name for name, at in paths(entries, party, "down")] == ["relay-2"]
        assert 2_000 <= paths(entries, party, "down")[0][1] < 2_100
        assert 4_000 <= paths(entries, party, "up")[-1][1] < 6_000
    assert max(delays(entries)) < 100


def test_a_stopped_terminal_says_goodbye_and_a_killed_one_does_not() -> None:
    """An orderly stop would look like a loss of power."""
    heard = {}
    for kind in ("stop", "kill"):
        entries = play(plan(fault(kind, target="BRAVO", **{"for": "2s"})))
        words = of_kind(entries, "presence")
        heard[kind] = [e["word"] for e in words if e["by"] == "ALPHA" and e["t"] < 3_000]
        assert len(shown(entries)) == len(of_kind(entries, "said")) == 30
        assert max(delays(entries)) > 1_500
    assert heard["stop"][:1] == ["closing"]
    assert not heard["kill"]


def test_what_was_killed_for_good_is_started_by_an_inject_or_at_the_end() -> None:
    """The roll-back would leave a hotline behind that lacks a relay."""
    killed = fault("kill", target="relay-1")
    started = play(plan(killed, fault("start", at="3s", target="relay-1")))
    assert any(3_000 <= at < 5_000 for _, at in paths(started, "ALPHA", "up"))
    rolled = play(plan(killed))
    assert [entry["t"] for entry in of_kind(rolled, "undo")] >= [6_000]
    assert all(at > 6_000 for name, at in paths(rolled, "ALPHA", "up") if name == "relay-1" and at > 2_000)


def test_a_frozen_relay_keeps_its_streams_and_hands_out_late_what_it_took() -> None:
    """A freeze would be a kill: only heartbeats may tell it, and old copies must come at the thaw."""
    entries = play(plan(fault("freeze", target="relay-2", **{"for": "3s"}), until="8s"))
    assert [name for name, at in paths(entries, "ALPHA", "suspect", "down")][:1] == ["relay-2"]
    first = next(e for e in of_kind(entries, "path") if e["path"] == "relay-2" and e["t"] > 0)
    assert first["state"] == "suspect"
    assert len(shown(entries)) == len(set(shown(entries))) == 40


def test_a_frozen_terminal_answers_nothing_and_finds_everything_at_its_thaw() -> None:
    """Officers would be served by a process that stands still."""
    spoken = fault("say", at="3s", **{"from": "BRAVO"}, text="Is anybody there?")
    entries = play(plan(fault("freeze", target="BRAVO", **{"for": "4s"}), spoken, until="8s"))
    frozen = [e for e in of_kind(entries, "poll") if e["by"] == "BRAVO" and 2_000 < e["t"] < 6_000]
    assert frozen
    assert all((e["heard_ms"], e["up"], e["waiting"]) == (None, 0, None) for e in frozen)
    assert "deadline_exceeded" in of_kind(entries, "refused-to-say")[0]["text"]
    assert len(shown(entries)) == len(set(shown(entries))) == 40


def test_what_a_frozen_terminal_was_sent_is_there_at_its_thaw() -> None:
    """It would be lost, and only the sender's repetition after a second or more would bring it."""
    entries = play(plan(fault("freeze", target="BRAVO", **{"for": "500ms"})))
    assert 400 < max(delays(entries)) < 600


def test_whatever_waits_for_a_frozen_terminal_costs_one_tick_at_its_thaw() -> None:
    """A long freeze would look as if a machine asked for ever for a moment that has passed."""
    world = World(1)
    world.start()
    alpha = world.endpoints["ALPHA"]
    world.run_until(5_000)
    alpha.freeze()
    for _ in range(1_000):
        alpha.post(FramesReceived("relay-1", ()))
    world.run_until(60_000)  # its next beat is overdue
    before = world.steps
    alpha.thaw()
    world.run_until(world.time)
    assert world.steps - before == 1


def test_a_statement_that_was_under_way_to_the_disk_at_a_kill_is_told() -> None:
    """Its officer would wait for ever, and the journal would not know that it was tried."""
    said = fault("say", **{"from": "ALPHA"}, text="The last word before the light goes out.")
    entries = play(plan(said, fault("kill", target="ALPHA", **{"for": "1s"}), say=0))
    (refused,) = of_kind(entries, "refused-to-say")
    assert (refused["t"], "unknown" in refused["text"], refused["code"]) == (2_000, True, "")
    assert refused["label"] == said["text"]
    assert not of_kind(entries, "said")


def test_an_officer_whose_terminal_is_away_is_told_so() -> None:
    """A statement would count as accepted that no disk holds."""
    entries = play(plan(fault("kill", target="ALPHA", **{"for": "2s"})))
    refused = of_kind(entries, "refused-to-say")
    assert len(refused) >= 9
    assert len(of_kind(entries, "said")) + len(refused) == 30


def test_a_wrong_clock_is_told_and_goes_back() -> None:
    """Clock faults would do nothing."""
    entries = play(plan(fault("clock", target="ALPHA", step="+2h", **{"for": "2s"})))
    assert {party: alarms(entries, party)["clock"] < 3_000 for party in ("ALPHA", "BRAVO")} == {
        "ALPHA": True,
        "BRAVO": True,
    }
    wrong = Simulation(plan(topology={"clock_step": {"BRAVO": "-1h"}}), 7, Journal(), lambda *_: None)
    alpha, bravo = (node.now() for node in wrong.world.endpoints.values())
    assert alpha.wall - bravo.wall == 3_600_000


def test_a_drifting_clock_runs_off_and_is_put_right() -> None:
    """Drift would be a step, or none."""
    offsets = {}

    def look(simulation: Simulation, at: int) -> None:
        node = simulation.world.endpoints["ALPHA"]
        offsets[at] = node.now().wall - node.now().mono - (simulation.world.nodes[1].now().wall - node.now().mono)

    made = plan(fault("clock", target="ALPHA", drift=50, at="0s", **{"for": "4s"}), say=0)
    simulation = Simulation(made, 7, Journal(), lambda *_: None)
    for at in (3_000, 4_000, 6_000):
        simulation.world.at(at, lambda at=at: look(simulation, at))  # type: ignore[misc]
    simulation.play()
    assert offsets[4_000] - offsets[3_000] == 50
    assert offsets[6_000] == 0


# --- disks ------------------------------------------------------------------------------------------------------------


def test_a_relay_whose_disk_is_wiped_has_forgotten_what_it_held() -> None:
    """The disk would survive its loss."""
    away = fault("kill", target="BRAVO", at="1s", **{"for": "5s"})
    made = plan(away, fault("wipe", at="3500ms", target="relay-1"), until="3s", topology={"relays": 1})
    simulation = Simulation(made, 7, journal := Journal(), lambda *_: None)
    relay, held = simulation.world.relays["relay-1"], []
    start = relay.start

    def watched() -> None:
        held.append(len(relay.disk.tables.get("mailbox", {})))
        start()

    crash = relay.crash

    def dying() -> None:
        held.append(len(relay.disk.tables.get("mailbox", {})))
        crash()

    relay.start, relay.crash = watched, dying  # type: ignore[method-assign]
    simulation.play()
    assert held[1] >= 9, "what BRAVO has not fetched"
    assert (held[0], held[2]) == (0, 0)
    assert len(set(shown(journal.entries))) == 15


def test_a_terminal_restored_from_a_backup_knows_it_and_its_peer_is_told() -> None:
    """It would sign its old log again. The ratchet, which is in no backup, tells it."""
    backup, restore = fault("backup", at="1s", target="ALPHA"), fault("restore", at="4s", target="ALPHA")
    entries = play(plan(backup, restore, until="8s"))
    assert alarms(entries, "ALPHA")["log-epoch"] < 4_100
    assert alarms(entries, "BRAVO")["peer-log"] < 10_000
    assert of_kind(entries, "ledger")[0]["log_epoch"] == 2
    assert of_kind(entries, "agree")[0]["holds"]


def test_a_restore_without_a_backup_has_failed_and_is_no_crash() -> None:
    """A planner's mistake would end the drill with a stack trace."""
    entries = play(plan(fault("restore", target="ALPHA")))
    assert "there is no backup of ALPHA" in of_kind(entries, "inject-failed")[0]["text"]


def test_a_slow_disk_delays_what_must_be_durable_and_no_heartbeat() -> None:
    """Nothing would wait for the disk."""
    entries = play(plan(fault("disk", target="BRAVO", how="slow", delay="400ms", **{"for": "3s"}), say=500))
    assert min(delays(entries, 2_000, 4_500)) >= 400 > max(delays(entries, 0, 1_900))
    assert not paths(entries, "ALPHA", "suspect", "down")


# --- links ------------------------------------------------------------------------------------------------------------


def _link(**fields: Any) -> dict[str, Any]:
    return fault("link", links=["*/*"], **{"for": "3s"}) | fields


def test_latency_is_paid_on_each_of_four_hops() -> None:
    """Satellite drills would measure a cable."""
    entries = play(plan(_link(latency="100ms"), until="8s"))
    assert 400 <= min(delays(entries, 2_000, 4_500)) <= max(delays(entries, 2_000, 4_500)) < 450
    assert max(delays(entries, 0, 1_900)) < 50


def test_loss_is_waiting_and_never_a_lost_or_overtaken_frame() -> None:
    """TCP repeats: a simulation that loses frames would be another network."""
    calm, lossy = (play(plan(_link(latency="20ms", loss=loss), topology={"relays": 1})) for loss in (0, 30))
    assert max(delays(lossy, 2_000, 4_500)) > 4 * max(delays(calm, 2_000, 4_500))
    assert shown(lossy) == [entry["id"] for entry in of_kind(lossy, "said")]


def test_a_narrow_line_serialises_frames() -> None:
    """500 bytes at 2,400 bit/s take 2 s and more on each of two hops."""
    narrow = {"topology": {"relays": 1, "profile": "narrow"}, "settle": "60s", "steady": {"within": "60s"}}
    entries = play(plan(_link(rate=2_400) | {"at": "0s", "for": "60s"}, say=30_000, until="40s", **narrow))
    assert min(delays(entries)) > 4_000


def test_what_flies_into_a_black_hole_arrives_after_the_heal_with_the_next_repetition() -> None:
    """It would arrive in the dark, or never."""
    simulation = Simulation(plan(say=0), 7, Journal(), lambda *_: None)
    world, air, back = simulation.world, Air(random.Random(1)), Air(random.Random(2))
    way = Way(world, air, back)
    arrived: list[int] = []

    def turn(weather: Weather) -> None:
        air.weather = weather
        way.adjust()

    air.weather = Weather(latency_ms=100)
    way.send(100, lambda: arrived.append(world.time))
    world.at(50, lambda: turn(Weather(mode="blackhole")))
    world.at(60, lambda: way.send(100, lambda: arrived.append(world.time)))
    world.at(2_000, lambda: turn(Weather()))
    world.run_until(1_999)
    assert not arrived
    assert way.takes() is None
    world.run_until(10_000)
    assert len(arrived) == 2
    assert 2_000 < arrived[0] == arrived[1] < 4_000
    assert way.takes() == 1


def test_nothing_overtakes_on_one_way_of_a_stream() -> None:
    """A receiver would be tested against a network that TCP never is, and its own sorting would hide it."""
    simulation = Simulation(plan(say=0), 7, Journal(), lambda *_: None)
    world, line = simulation.world, simulation.world.cables["ALPHA", "relay-1"]
    assert isinstance(line, lines.Line)
    line.change(("up",), Weather(latency_ms=50, jitter_ms=50, loss_percent=20))
    way, arrived = Way(world, line.airs["up"], line.airs["down"]), []
    for number in range(100):
        world.at(number, lambda number=number: way.send(100, lambda: arrived.append(number)))  # type: ignore[misc]
    world.at(60, lambda: line.change(("up",), Weather()))
    world.run_until(60_000)
    assert arrived == list(range(100))
    assert way.waiting == 0


def test_a_one_way_black_hole_deafens_one_side_and_breaks_nothing_at_first() -> None:
    """`way` would be ignored."""
    both = plan(_link(links=["ALPHA/*"], way="down", mode="blackhole"), until="8s")
    entries = play(both)
    assert {name for name, _ in paths(entries, "ALPHA", "suspect")} == set(RELAYS)
    assert all(3_000 < at < 4_500 for _, at in paths(entries, "ALPHA", "suspect"))
    heard = [e["t"] for e in of_kind(entries, "shown") if 1_950 < e["t"] < 4_900]
    assert heard, "what ALPHA says arrives until its kernel misses the acknowledgements"
    assert max(heard) < 2_600
    assert min(delays(entries, 2_000, 4_500)) > 400, "no receipt comes"


@pytest.mark.parametrize("mode", ["refuse", "reset", "half-open"])
def test_connections_are_refused_reset_or_half_open(mode: str) -> None:
    """Three faults would be one."""
    entries = play(plan(_link(links=["ALPHA/relay-1"], mode=mode, **{"for": "6s"}), until="10s"))
    states = [(e["state"], e["t"]) for e in of_kind(entries, "path") if e["by"] == "ALPHA" and e["t"] >= 2_000]
    state, at = states[0]
    back = next(t for name, t in states if name == "up")
    if mode == "half-open":
        assert state == "suspect", "the terminal was not told"
        assert at > 3_000
    else:
        assert state == "down"
        assert at < 2_010
    assert back > 8_000 if mode == "refuse" else back < 8_000, states
    assert max(delays(entries)) < 100, "the others carry it"


def test_a_partition_darkens_what_lies_between_and_nothing_else() -> None:
    """Both capitals would be cut off, or neither."""
    entries = play(plan(fault("partition", between=[["ALPHA"], ["relay-1", "relay-2"]], **{"for": "3s"})))
    for party in ("ALPHA", "BRAVO"):
        assert {name for name, _ in paths(entries, party, "suspect", "down")} == {"relay-1", "relay-2"}
    assert max(delays(entries)) < 100


def test_a_swizzle_clogs_every_link_one_by_one() -> None:
    """Links would be clogged together, or not mended."""
    entries = play(plan(fault("swizzle", links=["*/*"], each="1s", **{"for": "14s"}), until="16s"))
    times = sorted(at for party in ("ALPHA", "BRAVO") for _, at in paths(entries, party, "suspect", "down"))
    assert len([at for at in times if at < 4_500]) < 6, "one by one"
    assert len(set(shown(entries))) == 80
    assert of_kind(entries, "steady-again")


def test_an_interface_that_is_down_leaves_no_path() -> None:
    """The fault would not reach every stream of the party."""
    entries = play(plan(fault("interface", target="ALPHA", **{"for": "3s"})))
    assert {party for party in ("ALPHA", "BRAVO") if "no-path" in alarms(entries, party)} == {"ALPHA", "BRAVO"}


def test_faults_on_one_link_lie_upon_each_other() -> None:
    """The end of one would end the other too."""
    under, above = _link(latency="100ms") | {"for": "6s"}, _link(latency="300ms", at="4s") | {"for": "2s"}
    entries = play(plan(under, above, until="9s"))
    assert min(delays(entries, 2_000, 3_400)) >= 400
    assert min(delays(entries, 4_000, 5_000)) >= 1_200
    assert 400 <= min(delays(entries, 6_700, 7_400)) < 1_200


# --- relays that lie, people, tests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["drop", "replay", "reorder", "alter", "forge-custody", "withhold-last", "delay"])
def test_lies_are_told_and_cost_no_truth(how: str) -> None:
    """The lying relay would be honest in simulation."""
    liars = [fault("lie", target=name, how=how, share=2, **{"for": "3s"}) for name in RELAYS]
    entries = play(plan(*liars, until="8s"))
    told = [e["text"] for e in of_kind(entries, "note") if f"lied ({how}) about" in e["text"]]
    assert len(told) == 3
    assert not any("about 0 envelopes" in text for text in told)
    assert shown(entries) == [entry["id"] for entry in of_kind(entries, "said")]
    reasons = {entry["reason"] for entry in of_kind(entries, "refused")}
    assert {"alter": "not-opened", "forge-custody": "signature"}.get(how, "") in {*reasons, ""}


def test_a_lie_that_meets_no_envelope_has_failed() -> None:
    """A drill of lies would pass because nobody lied."""
    quiet = fault("lie", target="relay-1", how="withhold-last", **{"for": "2s"})
    entries = play(plan(quiet, say=0))
    (failed,) = of_kind(entries, "inject-failed")
    assert (failed["fault"], failed["text"]) == ("lie", "it met no envelope to lie about")
    assert not of_kind(play(plan(quiet)), "inject-failed")


def test_officers_read_at_once_or_after_their_time() -> None:
    """`read` and `read_after` would be ignored."""
    once = fault("say", at="1s", **{"from": "ALPHA"}, text="One word.", plane="real")
    entries = play(plan(once, fault("read", at="3s", target="BRAVO"), say=0))
    (read,) = [entry for entry in of_kind(entries, "stage") if entry["stage"] == "read"]
    assert read["id"] == "ALPHA/real/1"
    assert read["by"] == "duty-2"
    assert 3_000 <= read["t"] < 3_100
    flow = {"from": "BRAVO", "every": "1s", "until": "3s", "read_after": "700ms"}
    entries = play(plan(traffic=[flow]))
    spans = [e["t"] for e in of_kind(entries, "stage") if e["stage"] == "read"]
    assert len(spans) == 3
    assert 700 <= spans[0] < 800


def test_a_statement_expires_when_its_time_is_over() -> None:
    """`valid_for` would be ignored."""
    away = fault("link", links=["ALPHA/*"], mode="refuse", **{"for": "5s"})
    late = fault("say", at="3s", **{"from": "ALPHA"}, text="Now or never.", valid_for="1s")
    entries = play(plan(away, late, say=0, until="9s"))
    assert next(e["stage"] for e in of_kind(entries, "stage")) == "expired"


def test_channel_tests_come_by_schedule() -> None:
    """The topology's interval would be ignored."""
    entries = play(plan(say=0, until="20s", topology={"channel_test": "4s"}))
    assert len(shown(entries, "ALPHA")) >= 1
    assert len(shown(entries, "BRAVO")) >= 1


def test_a_relay_has_the_profile_that_the_plan_gives_it() -> None:
    """A narrow path would carry what only wide ones may."""
    made = plan(say=0, topology={"relay_profiles": {"relay-2": "narrow"}})
    world = Simulation(made, 1, Journal(), lambda *_: None).world
    assert [relay.profile.name for relay in world.relays.values()] == ["fibre", "narrow", "fibre"]


def test_a_repeat_is_marked_and_a_renumbering_is_told_once() -> None:
    """A statement would count as shown twice, or an older holder of a serial would be renumbered with the newer."""
    entries: list[tuple[str, dict[str, Any]]] = []
    delivered: list[str] = []
    telling = Telling(lambda kind, **fields: entries.append((kind, fields)), delivered.append)
    named = {"plane": "real", "serial": 7}
    telling.event("ALPHA", "sent", named | {"state": "renumbered", "by": "9"})
    telling.event("ALPHA", "renumbered", named | {"new": 9})
    telling.event("ALPHA", "sent", named | {"state": "delivered", "by": "main"})
    telling.event("BRAVO", "repeat", named)
    telling.event("BRAVO", "received", named | {"void": 0})
    telling.event("BRAVO", "received", {"plane": "real", "serial": 8, "void": 1})
    telling.event("BRAVO", "received", {"plane": "real", "serial": 9, "void": 0})
    assert [(kind, fields.get("stage", fields.get("repeat"))) for kind, fields in entries] == [
        ("stage", "renumbered"),
        ("stage", "delivered"),
        ("shown", True),
        ("shown", False),
    ]
    assert delivered == ["ALPHA/real/7"]


def test_officers_correct_retract_and_say_what_their_side_is() -> None:
    """A drill would pass in virtual time without the words that it is about."""
    say = {"fault": "say", "from": "ALPHA"}
    entries = play(
        plan(
            {**say, "at": "1s", "label": "wrong", "text": "At two."},
            {**say, "at": "2s", "label": "fix", "text": "At three.", "corrects": "wrong"},
            {**say, "at": "3s", "label": "gone", "text": "Not at all.", "retracts": "fix"},
            {"fault": "presence", "at": "2s", "from": "BRAVO", "word": "consulting", "until": "3s"},
            {"fault": "presence", "at": "6s", "from": "BRAVO", "word": "declined"},
            {"fault": "ask", "at": "7s", "from": "ALPHA"},
            say=0,
            until="9s",
        )
    )
    marks = {(e["id"], e["by"], e["state"], e["correction"]) for e in of_kind(entries, "corrected")}
    assert marks == {
        (f"ALPHA/exercise/{serial}", by, state, by_serial)
        for serial, state, by_serial in ((1, "corrected", 2), (2, "retracted", 3))
        for by in ("ALPHA", "BRAVO")
    }
    told = [
        (e["word"], e["t"] // 1_000) for e in of_kind(entries, "presence") if (e["by"], e["of"]) == ("ALPHA", "BRAVO")
    ]
    assert told == [("consulting", 2), ("alive", 5), ("declined", 6), ("alive", 9)]
    assert [(e["by"], e["name"]) for e in of_kind(entries, "alarm")] == [("BRAVO", "presence-asked")]


def test_a_challenge_is_answered_by_the_record_and_by_a_person() -> None:
    """A doubt would be played to nobody, or a person's word would be taken for that of the record."""
    entries = play(
        plan(
            {"fault": "say", "from": "ALPHA", "at": "1s", "label": "word", "text": "Withdraw."},
            {"fault": "challenge", "from": "BRAVO", "at": "2s", "label": "doubt", "statement": "word"},
            {"fault": "challenge", "from": "ALPHA", "at": "3s", "label": "received", "statement": "word"},
            {"fault": "confirm", "from": "ALPHA", "at": "4s", "answer": "no"},
            promise=[
                {"promise": "answered", "fault": "doubt", "verdict": "yes", "by": "record", "limit": "1s"},
                {"promise": "answered", "fault": "doubt", "verdict": "no", "by": "officer", "limit": "3s"},
                {"promise": "answered", "fault": "received", "verdict": "yes", "by": "record", "limit": "1s"},
                {"promise": "answered", "fault": "received", "verdict": "yes", "by": "officer", "limit": "1s"},
            ],
            say=0,
            until="6s",
        )
    )
    assert [one.holds for one in judge(entries).promises] == [True, True, True, False]
    assert [(e["from"], e["id"]) for e in of_kind(entries, "challenge")] == [
        ("BRAVO", "ALPHA/exercise/1"),
        ("ALPHA", "ALPHA/exercise/1"),
    ]


def test_talk_and_translations_reach_the_other_side() -> None:
    """Operators would talk in statements, or a translation would stay with whoever made it."""
    word = {"fault": "say", "from": "ALPHA", "at": "1s", "label": "word", "lang": "hi", "text": "हम यहाँ हैं।"}
    rough = {"grade": "rough", "translator": "Watch", "text": "We are there.", "statement": "word", "lang": "en"}
    entries = play(
        plan(
            word,
            {"fault": "translate", "from": "BRAVO", "at": "2s", "label": "unread", **rough},
            {"fault": "service", "from": "BRAVO", "at": "2s", "text": "Do you hear us?"},
            {"fault": "read", "target": "BRAVO", "at": "3s"},
            {"fault": "read", "target": "ALPHA", "at": "3s"},
            {"fault": "translate", "from": "BRAVO", "at": "4s", "label": "rough", **rough},
            {"fault": "translate", "from": "ALPHA", "at": "5s", **rough, "grade": "courtesy", "text": "We are here."},
            promise=[
                *({"promise": "rung", "fault": name, "limit": "1s"} for name in ("service", "rough", "translate")),
                {"promise": "told", "state": "read", "from": "BRAVO"},
            ],
            say=0,
            until="6s",
        )
    )
    assert [one.holds for one in judge(entries).promises] == [True, True, True, True]
    (refused,) = of_kind(entries, "refused-to-say")
    assert (refused["from"], refused["label"], refused["t"]) == ("BRAVO", "We are there.", 2_000)
    said = [(e["from"], e["plane"], e["serial"]) for e in of_kind(entries, "said")]
    assert said == [
        ("ALPHA", "exercise", 1),
        ("BRAVO", "service", 1),
        ("BRAVO", "exercise", 1),
        ("ALPHA", "exercise", 2),
    ]


def test_a_phrase_goes_with_its_code() -> None:
    """In virtual time it would go as its text alone."""
    word = Say.model_validate(
        {"fault": "say", "from": "ALPHA", "at": "1s", "phrase": "B01", "fill": {"number": "17"}, "lang": "ur"}
    )
    made = plan(said(word).model_dump(mode="json", by_alias=True), say=0, until="2s")
    simulation = Simulation(made, 7, Journal(), lambda *_: None)
    with patch.object(composing, "add_fields", side_effect=composing.add_fields) as written:
        simulation.play()
    assert written.call_args.args[1:] == ("B01", book().name, (Typed("number", NUMBER, "17"),))


def test_a_word_that_no_terminal_takes_has_failed() -> None:
    """The drill would wait for what was never said, or pass for want of it."""
    say = {"fault": "say", "from": "ALPHA"}
    entries = play(
        plan(
            fault("kill", target="ALPHA", at="1s", **{"for": "3s"}),
            {**say, "at": "2s", "label": "unheard", "text": "At two."},
            {**say, "at": "5s", "label": "fix", "text": "At three.", "corrects": "unheard"},
            {"fault": "presence", "at": "2s", "from": "ALPHA", "word": "declined"},
            {"fault": "presence", "at": "6s", "from": "ALPHA", "word": "declined", "until": "1s"},
            {"fault": "confirm", "at": "7s", "from": "ALPHA", "answer": "yes"},
            say=0,
            until="8s",
        )
    )
    failed = [(e["name"], e["text"]) for e in of_kind(entries, "inject-failed")]
    assert failed == [
        ("presence", "the terminal of ALPHA did not answer"),
        ("fix", "unheard was not said, so that nothing corrects or retracts it"),
        ("presence", "ALPHA: declined has no end: leave the time away; nothing was said"),
        ("confirm", "ALPHA: no challenge waits for a person's answer"),
    ]


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (plan(fault("flood", target="relay-1", kind="garbage")), "flood"),
        (plan(fault("disk", target="ALPHA", how="full")), "disk full"),
        (plan(fault("disk", target="ALPHA", how="failing")), "disk failing"),
        (plan(fault("disk", target="ALPHA", how="read-only")), "disk read-only"),
        (plan(fault("thief", target="ALPHA")), "thief"),
        (plan(fault("roster", target="ALPHA")), "roster"),
        (plan(fault("upgrade", target="ALPHA")), "upgrade"),
        (plan(promise=[{"promise": "versions"}]), "versions"),
        (plan(topology={"witnesses": 1}), "witnesses"),
        (plan(topology={"alternates": ["ALPHA"]}), "alternates"),
        (plan(topology={"parties": 3}), "parties"),
        (plan(promise=[{"promise": "understood", "fault": "no", "limit": "1s"}]), "understood"),
        (plan(topology={"release": True}), "release"),
        (plan(fault("say", text="One.", unreleased=True, **{"from": "ALPHA"})), "unreleased"),
        (plan(fault("say", text="One.", odd=True, **{"from": "ALPHA"})), "odd"),
        (plan(fault("say", text="One.", released=True, **{"from": "ALPHA"})), "released"),
        (plan(fault("checklist", checklist="handover", **{"from": "ALPHA"})), "checklist"),
        (plan(fault("takeover", target="ALPHA")), "takeover"),
        (plan(fault("amend", leaves="relay-1", joins="relay-4")), "amend"),
        (plan(fault("travel", target="ALPHA-alt", **{"for": "5s"})), "travel"),
        (plan(fault("partition", between=[["ALPHA"], ["BRAVO"]])), "nothing runs between"),
        (plan(promise=[{"promise": "growth", "target": "ALPHA", "limit": 5}]), "growth"),
        (
            plan(
                fault("kill", target="ALPHA"),
                promise=[{"promise": "exits", "target": "ALPHA", "code": 9, "fault": "kill", "limit": "1s"}],
            ),
            "exits",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_has_no_counterpart_is_refused_with_a_reason(made: Plan, reason: str) -> None:
    """A drill would pass because nothing happened in it."""
    (text,) = cannot_simulate(made)
    assert reason in text


def test_every_kind_of_fault_is_mapped_or_refused() -> None:
    """A new kind would be forgotten, and end a drill in its middle."""
    kinds = {one.model_fields["fault"].annotation.__args__[0] for one in Fault.__origin__.__args__}  # type: ignore[attr-defined]
    assert kinds - set(FAULTS) == {
        "say",
        "read",
        "flood",
        "thief",
        "roster",
        "courier",
        "upgrade",
        "presence",
        "ask",
        "takeover",
        "amend",
        "travel",
        "shown",
        "reply-by",
        "challenge",
        "confirm",
        "service",
        "translate",
        "checklist",
    }
    assert not cannot_simulate(plan(fault("disk", target="ALPHA", how="slow")))


def test_the_approximation_of_streams_has_the_daemons_own_numbers() -> None:
    """The dialer would be made faster or slower, and the simulator would not follow."""
    assert lines.PAUSE_FIRST == 1_000 * dialer._BACKOFF_FIRST
    assert (lines.PAUSE_GROWTH, lines.PAUSE_SPREAD) == (dialer._BACKOFF_GROWTH, dialer._BACKOFF_SPREAD)
    assert lines.LIVED_MS == 1_000 * dialer._LIVED_SECONDS
    for slow, patience in lines.RELAY_KEEPALIVE.items():
        options = dict(credentials.server_options(slow))
        assert options["grpc.keepalive_time_ms"] == options["grpc.keepalive_timeout_ms"] == patience


# --- verdicts ---------------------------------------------------------------------------------------------------------


def judged(entries: list[Entry]) -> dict[str, bool]:
    return {one.promise: one.holds for one in judge(entries).promises}


def test_a_promise_that_cannot_hold_breaks() -> None:
    """A drill that cannot fail is not counted."""
    promises = [{"promise": "delivered-within", "limit": "1ms"}, {"promise": "none-lost"}]
    entries = play(plan(promise=promises))
    assert judged(entries) == {"delivered-within": False, "none-lost": True}


def test_a_weakened_terminal_loses_statements_and_the_drill_says_so() -> None:
    """The simulated drill would pass whatever the program does."""
    liars = [fault("lie", target=name, how="drop", **{"for": "3s"}) for name in RELAYS]
    made = plan(*liars, promise=[{"promise": "none-lost"}])
    with patch.object(Sending, "_repeat", lambda *_: None):
        assert judged(play(made)) == {"none-lost": False}
    assert judged(play(made)) == {"none-lost": True}


def test_a_text_on_a_relays_disk_is_found() -> None:
    """`no-plaintext` would hold because nobody looks."""
    made = plan(fault("kill", target="BRAVO", **{"for": "1s"}), promise=[{"promise": "no-plaintext"}])
    assert judged(play(made)) == {"no-plaintext": True}
    simulation = Simulation(made, 7, journal := Journal(), lambda *_: None)
    simulation.world.start()
    row = {
        "charter": b"",
        "terminal": 1,
        "envelope_id": b"",
        "frame": b"EXERCISE: The visibility at the border post is",
    }
    simulation.world.relays["relay-1"].commit([Output(changes=[Put("mailbox", row)])])
    assert simulation._search.found == {"relay-1/store"}
    assert not journal.entries


@pytest.mark.parametrize("digits", ["0" * 32, "none"], ids=["another lawful entry", "no entry at all"])
def test_a_ledger_that_was_altered_is_seen(digits: str) -> None:
    """`ledgers` would hold because nobody checks them."""
    made = plan(say=1_000, until="3s", promise=[{"promise": "ledgers"}])
    simulation = Simulation(made, 7, journal := Journal(), lambda *_: None)
    leaves = simulation.world.endpoints["BRAVO"].disk.log.current.leaves

    def thief() -> None:
        leaves[4] = json.dumps(json.loads(leaves[4]) | {"rnd": digits}, separators=(",", ":"), sort_keys=True).encode()

    simulation.world.at(3_500, thief)
    simulation.play()
    (alpha, bravo), (agree,) = of_kind(journal.entries, "ledger"), of_kind(journal.entries, "agree")
    assert (alpha["verified"], bravo["verified"], agree["holds"]) == (True, False, False)


def test_a_steady_state_that_is_not_reached_aborts_the_drill() -> None:
    """Faults would be injected into a hotline that does not work yet."""
    journal = Journal()
    made = plan(steady={"within": "50ms", "quiet": "1s"})
    simulate(Drill(made, "0" * 64, Path("made-up.toml")), 7, journal)
    assert judge(journal.entries).verdict == "aborted"


@pytest.mark.parametrize("name", ["clock-drift", "disk-slow", "swizzle-clog"])
def test_a_drill_whose_fault_cannot_be_brought_about_is_aborted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its promises hold, since nothing happened."""

    def broken(inject: object, ground: object) -> None:
        raise LocalError("there is no tool for it")

    for kind in FAULTS:
        monkeypatch.setitem(FAULTS, kind, broken)
    journal = Journal()
    simulate(find_plan(name), 1, journal)
    assert {entry["text"] for entry in of_kind(journal.entries, "inject-failed")} == {"there is no tool for it"}
    assert judge(journal.entries).verdict == "aborted"


@pytest.mark.parametrize("late", [False, True], ids=["refused", "its terminal dies"])
def test_an_act_that_a_terminal_does_not_take_has_failed(late: bool) -> None:
    """The drill would pass though nobody had said what it is about; real terminals are asked in the same words."""
    words = {"label": "word", "from": "ALPHA", "text": "At two."}
    doubt = fault("challenge", "1s", **{"from": "BRAVO", "statement": "word"})
    if late:  # what is not on the disk when a terminal dies is not answered
        made = plan(
            fault("say", "500ms", **words),
            fault("disk", "900ms", target="BRAVO", how="slow", delay="2s"),
            doubt,
            fault("kill", "1500ms", target="BRAVO", **{"for": "1s"}),
            say=0,
        )
    else:
        made = plan(
            fault("say", "500ms", **words),
            fault("shown", "1s", **{"from": "BRAVO", "statement": "word", "principal": "the PM"}),
            say=0,
        )
    entries = play(made)
    (failed,) = of_kind(entries, "inject-failed")
    assert (failed["fault"], failed["target"]) == (("challenge" if late else "shown"), "BRAVO")
    assert ("did not answer" in failed["text"]) is late
    assert judge(entries).verdict == "aborted"


def test_a_word_that_cannot_be_taken_back_is_a_note() -> None:
    """It was said, and what followed from it can be judged."""
    away = fault("presence", "1s", **{"from": "ALPHA", "word": "consulting", "for": "1s"})
    entries = play(plan(away, fault("kill", "1500ms", target="ALPHA", **{"for": "2s"})))
    assert not of_kind(entries, "inject-failed")
    assert any("did not answer" in entry["text"] for entry in of_kind(entries, "note"))


def test_an_interrupted_drill_says_so() -> None:
    """Ctrl-C would leave a journal without an end."""
    journal = Journal()

    def impatient(at_ms: float, text: str) -> None:
        if at_ms > 1_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(find_plan("relay-killed"), 7, journal, impatient)
    assert journal.entries[-1]["outcome"] == "interrupted"


def test_a_long_drill_keeps_its_longest_silences_and_not_every_reading() -> None:
    """A day would fill the journal with a million readings, or the one that matters would be left out."""
    narrow = {"relays": 1, "profile": "narrow"}
    cut = fault("link", at="30m", links=["*/*"], mode="blackhole", **{"for": "7m"})
    made = plan(cut, say=0, until="2h", topology=narrow, steady={"within": "2m"}, settle="5m")
    entries = play(made)
    polls = [entry for entry in of_kind(entries, "poll") if entry["by"] == "ALPHA"]
    assert 2_000 < len(polls) < 4_200
    longest = max(entry["heard_ms"] for entry in polls if entry["heard_ms"] is not None)
    assert 7 * 60_000 - 1_000 <= longest < 8 * 60_000


# --- the library ------------------------------------------------------------------------------------------------------

PLAYABLE = [
    drill for drill in map(load_plan, library()) if not cannot_simulate(drill.plan) and drill.plan.length_ms <= SHORT_MS
]


def test_a_drill_with_one_relay_killed_passes() -> None:
    """The simplest drill of all."""
    journal = Journal()
    simulate(find_plan("relay-killed"), 7, journal)
    report = judge(journal.entries)
    assert report.verdict == "passed", report.outcome
    assert report.simulated
    assert report.agree


@pytest.mark.parametrize("drill", PLAYABLE, ids=lambda drill: drill.plan.name)
def test_a_drill_of_the_library_can_be_played_in_virtual_time(drill: Drill) -> None:
    """Nothing is lost, doubled or forged in any of them. Spans are another matter: computing takes no time here."""
    journal = Journal()
    simulate(drill, 7, journal)
    report: Report = judge(journal.entries)
    assert report.verdict != "aborted", report.outcome
    assert [(one.text, one.detail) for one in report.promises if one.promise in TRUTH and not one.holds] == []
    assert not of_kind(journal.entries, "inject-failed")
    assert not any("a step of the drill failed" in entry["text"] for entry in of_kind(journal.entries, "note"))


def test_most_of_the_library_can_be_played() -> None:
    """Every drill could be refused, and the tests above would hold for nothing."""
    assert len(PLAYABLE) >= 40
