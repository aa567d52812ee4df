"""A terminal that travels: a part of the hotline for a time that both parties have signed, and not before or after."""

from __future__ import annotations

import pytest

from hotline.machine import Plane, RequestId
from hotline.protocol.events import ExportBundle
from hotline.protocol.status import status
from tests.hotline.protocol.pair import FLASH, WALL, durable
from tests.hotline.protocol.quartet import Quartet, Terminal
from tests.hotline.protocol.test_courier import exported, imported

FROM, UNTIL = 10_000, 30_000
"""Of the journey, in milliseconds of the world."""


class Journey(Quartet):
    """ALPHA's alternate is on a journey, in a charter that activates it from FROM until UNTIL."""

    def __init__(self, after_ms: int = 0) -> None:
        super().__init__()
        for one in self.all:
            one.prepare(travels={2: (WALL + FROM, WALL + UNTIL)}, takeover_after_ms=after_ms)

    @property
    def plane(self) -> Terminal:
        return self.alt

    def until(self, time: int) -> None:
        """Let the world come to this time."""
        self.run(time - self.time)


@pytest.fixture
def four() -> Journey:
    made = Journey()
    made.open(2_000)
    return made


def _word(one: Terminal) -> list[str]:
    """What this terminal recorded of the journey."""
    return [str(record.fields["state"]) for record in one.records if record.kind == "terminal.travels"]


def test_before_its_time_nothing_is_sent_to_it_and_nothing_taken_from_it(four: Journey) -> None:
    """It is certified, and no part of the hotline (docs/protocol.md 24.13)."""
    four.alpha.submit("not for the plane", FLASH)
    four.run(2_000)
    assert four.plane.said() == four.plane.got() == {}
    assert [envelope for name, _, envelope in four.sent if b"\0\2" in (envelope[2:4], envelope[4:6])] == []
    assert four.bravo.got() == four.beside.got() == {1: "not for the plane"}
    assert four.plane.submit("from the plane").code == "standby"
    assert not four.plane.speak()
    assert four.plane.replies[max(four.plane.replies)].code == "travelling"
    assert [one.alarms() for one in four.all] == [[]] * 4
    (shown,) = [row for row in status(four.bravo.endpoint, four.bravo.now())["terminals"] if row["number"] == 2]
    assert shown["travels"]["active"] is False
    assert status(four.plane.endpoint, four.plane.now())["alarms"][0]["name"] == "inactive"
    for one, terminal, told in ((four.plane, "", "now are none"), (four.bravo, "alt", "now are main")):
        request = RequestId(900)
        one.step(ExportBundle(request, "watch", terminal))
        reply = one.replies[request]
        assert (reply.ok, told in reply.text) == (False, True), "no bundle from it or for it (17.8)"


def test_in_its_time_it_is_a_terminal_like_any_other(four: Journey) -> None:
    """It has the whole record within seconds, takes over, and speaks (docs/protocol.md 24.13)."""
    four.alpha.submit("before", FLASH)
    four.bravo.submit("an answer", FLASH)
    four.until(FROM + 5_000)
    assert [_word(one) for one in four.all] == [["active"]] * 4
    assert four.plane.said() == {1: "before"}
    assert four.plane.got() == {1: "an answer"}
    assert four.plane.speak()
    four.run(500)
    assert four.plane.submit("from the plane", FLASH).ok
    four.run(2_000)
    assert four.bravo.got() == four.beside.got() == four.alpha.said() == {1: "before", 2: "from the plane"}
    (shown,) = [row for row in status(four.bravo.endpoint, four.bravo.now())["terminals"] if row["number"] == 2]
    assert (shown["travels"]["active"], shown["speaks"]) == (True, True)


def test_at_its_end_it_stands_down_by_itself(four: Journey) -> None:
    """Both sides do so by their own clocks, a person is told, and a terminal at home goes on
    (docs/protocol.md 24.13)."""
    four.until(FROM + 4_000)
    assert four.plane.speak()
    four.until(UNTIL - 1_000)
    four.plane.submit("the last word", FLASH)
    four.until(UNTIL + 10)
    assert [line.paths_up for line in four.plane.endpoint.context.lines] == [0] * 3, "it is heard on no path at once"
    assert four.bravo.endpoint._lines[2].context.paths_up == 0
    before = len(four.sent)
    assert four.bravo.read(1).ok
    four.until(UNTIL + 3_000)
    assert [_word(one) for one in four.all] == [["active", "inactive"]] * 4
    assert all("activation-ended" in one.alarms() for one in four.all)
    assert "terminal-silent" not in [alarm for one in four.all for alarm in one.alarms()]
    assert four.plane.submit("one more").code == "standby"
    four.run(3_000)
    assert [name for name, _, envelope in four.sent[before:] if b"\0\2" in (envelope[2:4], envelope[4:6])] == []
    assert four.alpha.submit("at home").code == "standby", "an officer decides who speaks now"
    assert four.alpha.speak()
    four.alpha.submit("at home", FLASH)
    four.run(2_000)
    assert four.bravo.got() == four.beside.got() == {1: "the last word", 2: "at home"}


def test_the_end_of_one_journey_says_nothing_of_another(four: Journey) -> None:
    """Two terminals travel, and each is told of at its own bounds, once (docs/protocol.md 24.13)."""
    later = (WALL + UNTIL + 5_000, WALL + UNTIL + 60_000)
    for one in four.all:
        one.prepare(travels={2: (WALL + FROM, WALL + UNTIL), 4: later})
        one.restart()
    four.until(UNTIL + 8_000)
    words = [("ALPHA/alt", "active"), ("ALPHA/alt", "inactive"), ("BRAVO/alt", "active")]
    for one in four.all:
        told = [record.fields for record in one.records if record.kind == "terminal.travels"]
        assert [(fields["other"], fields["state"]) for fields in told] == words
        assert one.alarms().count("activation-ended") == 1


def test_what_was_under_way_at_the_end_is_said_by_its_successor_once(four: Journey) -> None:
    """Its sibling holds it, the peer does not; nothing is lost or shown twice (docs/protocol.md 24.13)."""
    four.until(FROM + 4_000)
    assert four.plane.speak()
    four.until(UNTIL - 1_000)
    four.part((four.plane, four.bravo), (four.plane, four.beside))
    four.plane.submit("under way", FLASH)
    four.until(UNTIL + 1_000)
    four.meet()
    four.run(2_000)
    assert four.bravo.got() == {}
    assert four.alpha.speak()
    four.run(2_000)
    assert four.bravo.got() == four.beside.got() == {1: "under way"}
    assert four.bravo.shown() == [1]
    assert four.alpha.states(1) == ["delivered"]


def test_an_envelope_that_comes_after_the_end_is_refused_and_not_kept(four: Journey) -> None:
    """A relay held it; whoever speaks now says it (docs/protocol.md 24.13)."""
    four.until(FROM + 4_000)
    assert four.plane.speak()
    four.until(UNTIL - 300)
    held: list[tuple[Terminal, str, bytes]] = []

    def hold(sender: Terminal, relay: str, envelope: bytes) -> list[bytes]:
        if sender is four.plane and envelope[2:4] == b"\0\3":
            held.append((sender, relay, envelope))
            return []
        return [envelope]

    four.weather = hold  # type: ignore[assignment]
    four.part((four.plane, four.beside))
    four.plane.submit("late", FLASH)
    four.until(UNTIL + 500)
    taken, before = len(four.taken), len(four.bravo.refusals())
    for sender, relay, envelope in held:
        four.bring(sender, relay, envelope)
    assert {durable(envelope) for _, _, envelope in held} == {True, False}, "a statement, and beats"
    assert four.bravo.refusals()[before:] == ["inactive"] * len(held)
    four.run(500)
    assert four.bravo.got() == {}
    assert len(four.taken) > taken, "its relay need not keep it"
    four.weather = lambda sender, relay, envelope: [envelope]
    assert four.alpha.speak()
    four.run(2_000)
    assert four.bravo.shown() == [1]


def test_a_bundle_from_it_or_for_it_is_refused_outside_of_its_time(four: Journey) -> None:
    """Whoever finds the terminal after its journey would have its key believed by hand (17.8 and 24.13)."""
    four.until(FROM + 4_000)
    made = {four.bravo: exported(four.plane, "main"), four.plane: exported(four.bravo, "alt")}
    for one, data in made.items():
        assert imported(one, data).ok
    four.until(UNTIL + 500)
    for one, data in made.items():
        before, kept = len(one.records), dict(one.memory.tables["peer_courier"])
        one.memory.tables["peer_courier"].clear()
        one.restart()
        answer = imported(one, data)
        assert (answer.ok, answer.code) == (False, "inactive")
        assert answer.text.endswith("nothing was imported")
        assert "courier.import" not in one.kinds()[before:]
        assert (one.memory.tables["peer_courier"], bool(kept)) == ({}, True)


@pytest.mark.parametrize("wrong_ms", [-5_000, 5_000])
def test_a_clock_that_is_wrong_costs_that_time_and_nothing_else(wrong_ms: int) -> None:
    """Whoever believes that the time has not come, or is over, takes nothing: it is said again, or by another
    (docs/protocol.md 24.13)."""
    four = Journey()
    four.bravo.offset = four.beside.offset = wrong_ms
    four.open(2_000)
    four.until(FROM + 4_000)
    assert four.plane.speak()
    four.plane.submit("one", FLASH)
    four.until(FROM + 10_000)
    assert four.bravo.got() == four.beside.got() == {1: "one"}
    four.until(UNTIL - 2_000)
    four.plane.submit("two", FLASH)
    four.until(UNTIL + 8_000)
    assert four.alpha.speak()
    four.run(4_000)
    assert four.bravo.got() == four.beside.got() == {1: "one", 2: "two"}
    assert four.bravo.shown() == [1, 2]
    assert "two-voices" not in four.alpha.alarms()


def test_a_restart_tells_nothing_again(four: Journey) -> None:
    """It looks at the clock and is what it is (docs/protocol.md 24.13)."""
    four.until(FROM + 4_000)
    assert four.plane.speak()
    four.plane.restart()
    four.run(2_000)
    assert four.plane.endpoint.standing.active
    assert _word(four.plane) == ["active"]
    four.until(UNTIL + 1_000)
    four.plane.restart()
    four.bravo.restart()
    assert not four.plane.endpoint.standing.active
    assert four.plane.alarms().count("activation-ended") == 1
    four.run(2_000)
    assert not four.bravo.endpoint._lines[2].context.peer_is_heard


def test_by_the_rule_a_terminal_at_home_follows_it_and_it_follows_nobody_before() -> None:
    """The end of a journey is a silence like any other (docs/protocol.md 23.13 and 24.13)."""
    four = Journey(after_ms=5_000)
    four.open(2_000)
    four.alpha.kill()
    four.until(FROM - 500)
    assert not four.plane.endpoint.standing.active, "it is not activated"
    four.alpha.start()
    four.until(FROM + 4_000)
    assert four.plane.speak()
    four.until(UNTIL + 8_000)
    assert four.alpha.endpoint.standing.active
    assert four.bravo.endpoint.standing.by_rule("ALPHA")
    assert "takeover-by-rule" in four.bravo.alarms()


def test_an_idle_terminal_that_sleeps_does_not_spin(four: Journey) -> None:
    """Beats that are due and never sent would keep it awake (docs/protocol.md 24.13)."""
    deadline = four.plane.endpoint.next_deadline()
    assert deadline is not None
    assert deadline > four.time
    assert four.plane.endpoint.context.outboxes[Plane.REAL].pending == {}


def test_the_clock_is_looked_at_when_a_time_begins_or_ends(four: Journey) -> None:
    """With nobody heard it would be a part of the hotline too long (docs/protocol.md 24.13)."""
    look = four.alpha.endpoint.terminals
    assert look.look_at == FROM
    four.until(FROM)
    assert _word(four.alpha) == ["active"]
    assert look.look_at == UNTIL
    four.until(UNTIL - 1)
    assert _word(four.alpha) == ["active"]
    four.until(UNTIL)
    assert _word(four.alpha) == ["active", "inactive"]
    assert look.look_at == UNTIL + 60_000, "somebody may set the clock"


def test_a_gap_does_not_wait_for_a_terminal_on_no_journey(four: Journey) -> None:
    """It may hold what its party has lost, and says nothing for months (docs/protocol.md 23.4, 24.13)."""
    # docs/protocol.md 23.4
    four.until(UNTIL + 1_000)
    copy = four.alpha.memory.copy()
    four.part((four.alpha, four.beside))
    four.alpha.submit("lost to us", FLASH)
    four.run(2_000)
    four.alpha.restart(copy)
    four.meet()
    four.run(12_000)
    assert (four.bravo.got(), four.beside.got()) == ({1: "lost to us"}, {1: ""})
