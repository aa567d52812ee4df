"""Taking over by the charter's rule: when it happens, and everything that must keep it from happening."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from hotline.charter.profiles import PROFILES
from hotline.machine import LinkOpened, Plane
from hotline.protocol.standing import TERM_MAX, Turn
from hotline.protocol.status import status
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import FLASH, Pair, Party
from tests.hotline.protocol.quartet import Quartet, Terminal

AFTER = 5_000
"""The rule of these tests, ms; the paths take a silence of 2 s for ordinary."""
LONG = 2 * AFTER + 2_000


class Ruled(Quartet):
    """The four under a charter with the rule. `more` are further terminals of ALPHA, numbered from 5."""

    def __init__(self, seed: int = 1, *, more: int = 0, after_ms: int = AFTER) -> None:
        self.more = more
        self.after_ms = after_ms
        super().__init__(seed)

    def sides(self) -> tuple[Party, Party]:
        super().sides()
        self.all += [Terminal(self, "ALPHA", number, f"alt-{number}") for number in range(5, 5 + self.more)]
        for one in self.all:
            one.prepare(takeover_after_ms=self.after_ms)
        return self.alpha, self.bravo

    def open(self, settle_ms: int = 2_000) -> Ruled:
        super().open(settle_ms)
        return self

    def speakers(self) -> list[str]:
        """Terminals of ALPHA that take statements."""
        return [one.terminal for one in self.all if one.name == "ALPHA" and one.on and one.endpoint.standing.active]


@pytest.fixture
def four() -> Ruled:
    return _ruled()


def _ruled(*, more: int = 0, after_ms: int = AFTER) -> Ruled:
    return Ruled(more=more, after_ms=after_ms).open()


def is_beat_to(number: int, envelope: bytes) -> bool:
    return envelope[2:4] == number.to_bytes(2, "big") and bool(envelope[1] & 0x02)


# --- it happens -------------------------------------------------------------------------------------------------------


def test_a_lost_terminal_is_followed_by_the_rule(four: Ruled) -> None:
    """Silent for as long as the charter says, there and at the peer, it is followed; nothing is lost or said twice
    (docs/protocol.md 23.13)."""
    four.part((four.alpha, four.bravo), (four.alpha, four.beside))
    four.alpha.submit("held by the sibling", FLASH)
    four.run(500)
    four.alpha.kill()
    four.meet()
    four.run(AFTER - 2_000)
    assert four.speakers() == []
    four.run(4_000)
    assert four.speakers() == ["alt"]
    assert four.alt.submit("what holds now", FLASH).ok
    four.run(2_000)
    assert four.bravo.got() == four.beside.got() == {1: "held by the sibling", 2: "what holds now"}
    assert four.bravo.shown() == [1, 2]
    four.alpha.start()
    four.run(LONG)
    assert four.speakers() == ["alt"], "it does not take speech back"
    assert "taken-over" in four.alpha.alarms()
    assert four.alpha.said() == four.alt.said()


def test_everybody_is_told_that_it_was_the_rule(four: Ruled) -> None:
    """No officer is named where none acted; an officer's act after it is one again (docs/protocol.md 23.15)."""
    four.alpha.kill()
    four.run(AFTER + 2_000)
    for one in (four.alt, four.bravo, four.beside):
        assert one.alarms().count("takeover-by-rule") == 1, one.terminal
        (mine,) = [row for row in status(one.endpoint, one.now())["terminals"] if row["number"] == 2]
        assert (mine["speaks"], mine["term"], mine["by_rule"]) == (True, 1, True), one.terminal
    (entry,) = [record for record in four.alt.records if record.kind == "terminal.ruled"]
    assert entry.fields["other"] == "ALPHA/main"
    assert int(str(entry.fields["silent_ms"])) >= AFTER
    assert "terminal.takeover" not in four.alt.kinds()
    assert four.bravo.endpoint.standing.by_rule("ALPHA")
    four.bravo.restart()
    assert four.bravo.endpoint.standing.by_rule("ALPHA"), "it is kept with the turn"
    four.alpha.start()
    four.run(5_000)
    assert four.alpha.alarms().count("takeover-by-rule") == 1
    assert four.alpha.speak()
    four.run(5_000)
    assert four.speakers() == ["main"]
    assert not four.bravo.endpoint.standing.by_rule("ALPHA")
    assert [one.alarms().count("takeover-by-rule") for one in (four.alt, four.beside)] == [1, 1]


def test_whoever_has_a_key_rings_no_bell_for_ever(four: Ruled) -> None:
    """Words of a stolen terminal cost it nothing: the record has them all (docs/protocol.md 23.15)."""
    standing = four.alt.endpoint.standing
    bravo = four.bravo.endpoint
    out = bravo.begin()
    for _ in range(70):
        bravo.terminals._hear("ALPHA", standing.begin(four.alt.signing, 0, by_rule=True), four.bravo.now())
    kinds = [record.kind for record in out.records]
    assert (kinds.count("alarm"), kinds.count("terminal.speaks")) == (64, 70)


def test_both_sides_follow_a_lost_main_terminal_at_once(four: Ruled) -> None:
    """Who is asked is whoever is heard: two that are lost keep nobody waiting (docs/protocol.md 23.13)."""
    four.alpha.kill()
    four.bravo.kill()
    four.run(AFTER + 3_000)
    assert [one.endpoint.standing.active for one in (four.alt, four.beside)] == [True, True]
    assert four.alt.submit("between alternates", FLASH).ok
    four.run(1_000)
    assert four.beside.got() == {1: "between alternates"}


# --- it does not ------------------------------------------------------------------------------------------------------


def test_without_the_rule_nobody_takes_over() -> None:
    """It is what both parties sign, or it is not (docs/protocol.md 23.13)."""
    four = _ruled(after_ms=0)
    four.alpha.kill()
    four.run(LONG)
    assert four.speakers() == []
    assert four.bravo.endpoint.standing.turns["ALPHA"] == (0, 1)


def test_relays_that_hide_it_from_its_alternate_alone_change_nothing(four: Ruled) -> None:
    """The peer hears it, and does not confirm (docs/protocol.md 23.13)."""
    four.part((four.alpha, four.alt))
    four.run(LONG)
    assert four.speakers() == ["main"]
    assert "takeover-by-rule" not in four.alt.alarms()


def test_one_terminal_of_the_peer_that_hears_it_is_enough(four: Ruled) -> None:
    """Every one that can be asked has to hear nothing (docs/protocol.md 23.13)."""
    four.part((four.alpha, four.alt), (four.alpha, four.bravo))
    four.run(LONG)
    assert four.speakers() == ["main"]
    four.part((four.alpha, four.beside))
    four.run(2 * AFTER)
    assert four.speakers() == ["main", "alt"], "now it is hidden from all, and cannot know"


def test_an_alternate_that_is_cut_off_stays_silent(four: Ruled) -> None:
    """What hears nobody proves nothing, however long; the silence of that time is its own (docs/protocol.md 23.14)."""
    four.part(*((four.alt, other) for other in four.all if other is not four.alt))
    four.run(LONG)
    assert four.speakers() == ["main"]
    four.blocked.remove(frozenset((four.alt.number, four.bravo.number)))
    four.blocked.remove(frozenset((four.alt.number, four.beside.number)))
    four.run(LONG)
    assert four.speakers() == ["main"]


def test_after_an_outage_of_all_relays_nobody_is_quicker_than_the_one_that_speaks(four: Ruled) -> None:
    """It comes back some seconds after the others: that was no silence of its own (docs/protocol.md 23.14)."""
    four.cut()
    four.run(LONG)
    for one in (four.alt, four.bravo, four.beside):
        one.step(LinkOpened("relay-1"))
    four.run(AFTER - 2_000)
    four.alpha.step(LinkOpened("relay-1"))
    four.run(AFTER)
    assert four.speakers() == ["main"]
    four.weather = lambda sender, relay, envelope: []  # it lets everybody in, and passes nothing on
    four.run(LONG)
    four.weather = lambda sender, relay, envelope: [] if sender is four.alpha else [envelope]
    four.run(AFTER - 2_000)
    four.weather = lambda sender, relay, envelope: [envelope]
    four.run(AFTER)
    assert four.speakers() == ["main"]
    assert four.alt.endpoint.standing.turn.term == 0


def test_a_restart_begins_to_count_anew(four: Ruled) -> None:
    """A terminal that starts has heard nobody for ever: that is no silence (docs/protocol.md 23.14)."""
    four.alpha.kill()
    four.run(AFTER - 2_000)
    four.alt.restart()
    four.run(AFTER - 1_000)
    assert four.speakers() == []
    four.run(4_000)
    assert four.speakers() == ["alt"]
    four.alt.restart()
    four.run(1_000)
    assert four.speakers() == ["alt"]
    assert four.alt.endpoint.standing.by_rule("ALPHA")


def test_a_restart_of_the_peer_begins_to_count_anew(four: Ruled) -> None:
    """Its word is about what it could have heard (docs/protocol.md 23.14)."""
    four.beside.kill()
    four.alpha.kill()
    four.run(AFTER - 2_000)
    four.bravo.restart()
    four.run(AFTER - 1_000)
    assert four.speakers() == []
    four.run(5_000)
    assert four.speakers() == ["alt"]


@pytest.mark.parametrize("jump", [-86_400_000, 86_400_000])
def test_no_clock_that_jumps_makes_or_keeps_a_terminal_from_taking_over(four: Ruled, jump: int) -> None:
    """Only the monotonic clock counts (docs/protocol.md 23.14)."""
    for one in (four.alt, four.bravo):
        one.offset += jump
    four.run(2 * AFTER)
    assert four.speakers() == ["main"]
    four.alpha.kill()
    four.alt.offset -= jump
    four.run(AFTER + 2_000)
    assert four.speakers() == ["alt"]


def test_what_did_not_run_heard_nothing(four: Ruled) -> None:
    """Alternate and peer were stopped for an hour and wake to the frames of then (docs/protocol.md 23.14)."""
    four.part((four.alpha, four.alt))
    stopped = {four.alt.number, four.bravo.number, four.beside.number}
    kept = four.running
    waiting: list[tuple[Party, str, bytes]] = []

    def hold(sender: Party, relay: str, envelope: bytes) -> Iterable[bytes]:
        if int.from_bytes(envelope[2:4], "big") in stopped:
            waiting.append((sender, relay, envelope))
            return []
        return [envelope]

    four.running = kept  # type: ignore[method-assign]
    four.weather = hold
    four.run(700)
    four.running = lambda: tuple(one for one in kept() if one.number not in stopped)  # type: ignore[method-assign]
    waiting = [one for one in waiting if one[0] is not four.alpha]
    assert {sender.number for sender, _, _ in waiting} == stopped
    four.run(LONG)
    four.weather = lambda sender, relay, envelope: [envelope]
    four.part((four.alpha, four.bravo), (four.alpha, four.beside))
    for sender, relay, envelope in waiting:
        four.bring(sender, relay, envelope)
    four.running = kept  # type: ignore[method-assign]
    four.run(AFTER - 1_500)
    assert four.speakers() == ["main"]


def test_an_answer_from_before_the_silence_was_long_enough_is_none(four: Ruled) -> None:
    """It may have been under way while the other was heard again (docs/protocol.md 23.13)."""
    four.beside.kill()
    four.run(AFTER)
    rule = four.alt.endpoint.terminals._rule
    four.part((four.alpha, four.bravo))
    four.run(AFTER + 1_500)
    four.part((four.alpha, four.alt))
    four.run(AFTER - 1_000)

    def hold(sender: Party, relay: str, envelope: bytes) -> Iterable[bytes]:
        if sender is four.bravo and is_beat_to(four.alt.number, envelope) and rule._asked_at is not None:
            return []
        return [envelope]

    four.weather = hold
    while rule._asked_at is None:
        four.run(10)
    four.run(520)
    assert four.speakers() == ["main"], "nothing was answered since it asked"
    assert four.alt.endpoint.context.peer_is_heard
    four.weather = lambda sender, relay, envelope: [envelope]
    four.run(1_000)
    assert four.speakers() == ["main", "alt"]


def test_a_word_about_another_turn_confirms_nothing(four: Ruled) -> None:
    """The peer may still speak of the terminal that spoke before (docs/protocol.md 23.13)."""
    rule = four.alt.endpoint.terminals._rule
    four.alpha.kill()
    four.run(AFTER + 100)
    beat = content_pb2.Heartbeat(silent_ms=10 * AFTER, peer_turn=(7 << 16) + 1)
    rule._asked_at = 0
    rule.heard(beat, four.alt.endpoint.context, four.time)
    assert not rule._confirms(four.alt.endpoint.context, AFTER, 0)
    beat.peer_turn = 0
    rule.heard(beat, four.alt.endpoint.context, four.time)
    assert rule._confirms(four.alt.endpoint.context, AFTER, 0)


def test_whom_an_officer_made_stand_by_waits_for_an_officer(four: Ruled) -> None:
    """A person's word goes before the rule (docs/protocol.md 23.13)."""
    assert four.alpha.speak(speak=False)
    four.run(LONG)
    assert four.speakers() == [], "it is heard, so it is not followed"
    assert four.alt.speak()
    assert four.alt.speak(speak=False)
    four.run(1_000)
    assert four.alpha.speak()
    four.run(1_000)
    four.alpha.kill()
    four.run(LONG)
    assert four.speakers() == []


def test_after_the_last_term_nobody_takes_over_by_the_rule(four: Ruled) -> None:
    """There is no term after it (docs/protocol.md 23.2 and 23.13)."""
    four.alpha.endpoint.standing.turns["ALPHA"] = Turn(TERM_MAX - 1, 1)
    assert four.alpha.speak(speak=False)
    assert four.alpha.speak()
    four.run(1_000)
    assert four.alt.endpoint.standing.turn == (TERM_MAX, 1)
    four.alpha.kill()
    four.run(LONG)
    assert four.speakers() == []


def test_silence_is_said_once_it_is_as_long_as_the_rule(four: Ruled) -> None:
    """A hotline that is well says nothing of it (docs/protocol.md 23.14)."""
    rule = four.bravo.endpoint.terminals._rule
    to_alt = next(line for line in four.bravo.endpoint.context.lines if line.setup.remote.number == four.alt.number)

    def said() -> int:
        heartbeat = content_pb2.Heartbeat()
        rule.write(heartbeat, to_alt, four.bravo.now())
        return heartbeat.silent_ms

    four.alt.prepare()  # it stands under a charter without the rule, and will not take over
    four.alt.restart()
    four.run(2_000)
    four.alpha.kill()
    four.run(AFTER - 1_000)
    assert said() == 0
    four.run(2_000)
    assert said() >= AFTER


# --- two of them ------------------------------------------------------------------------------------------------------


def test_of_two_alternates_the_first_by_number_goes_first() -> None:
    """The second waits twice as long, and hears of it (docs/protocol.md 23.13)."""
    five = _ruled(more=1)
    five.alpha.kill()
    five.run(LONG)
    assert five.speakers() == ["alt"]
    assert five.bravo.endpoint.standing.turns["ALPHA"] == (1, 2)
    five.alt.kill()
    five.run(2 * AFTER + 3_000)
    assert five.speakers() == ["alt-5"], "main is second now, by number, and it is off"
    assert five.bravo.endpoint.standing.turns["ALPHA"] == (2, 5)


def test_where_the_first_alternate_is_lost_too_the_second_follows() -> None:
    """Its place is by number, not by who is alive (docs/protocol.md 23.13)."""
    five = _ruled(more=1)
    five.alpha.kill()
    five.alt.kill()
    five.run(2 * AFTER - 2_000)
    assert five.speakers() == []
    five.run(4_000)
    assert five.speakers() == ["alt-5"]


def test_what_the_second_waits_for_the_peer_has_waited_for_too() -> None:
    """Twice the time of the rule, on both sides (docs/protocol.md 23.13)."""
    five = _ruled(more=1)
    five.alt.kill()
    five.part((five.alpha, five.all[4]))
    five.run(LONG)
    five.alpha.kill()
    five.run(AFTER + 2_000)
    assert five.speakers() == []
    five.run(AFTER)
    assert five.speakers() == ["alt-5"]


def test_a_sibling_that_hears_it_prevents_it_too() -> None:
    """Hidden from one alternate and the whole peer, it lives for the other alternate (docs/protocol.md 23.13)."""
    five = _ruled(more=1)
    five.part((five.alpha, five.alt), (five.alpha, five.bravo), (five.alpha, five.beside))
    five.run(LONG)
    assert five.speakers() == ["main"]


# --- relays that hide it from everybody -------------------------------------------------------------------------------


def test_one_that_was_hidden_and_lives_stands_down_as_soon_as_a_path_joins_them(four: Ruled) -> None:
    """Then the term decides: nothing is lost, nothing shown twice, its operator is told (docs/protocol.md 23.13)."""
    four.part(*((four.alpha, other) for other in four.all if other is not four.alpha))
    four.alpha.submit("into the void", FLASH)
    four.run(AFTER + 3_000)
    assert four.speakers() == ["main", "alt"]
    assert not four.alpha.endpoint.context.may_speak, "with siblings it speaks to whom it hears"
    four.alt.submit("what holds", FLASH)
    four.run(2_000)
    four.meet()
    four.run(10_000)
    assert four.speakers() == ["alt"]
    assert {"taken-over", "takeover-by-rule", "not-said"} <= set(four.alpha.alarms())
    assert four.bravo.got() == four.beside.got() == {1: "what holds"}
    assert four.bravo.shown() == [1]
    assert not four.alpha.endpoint.context.outboxes[Plane.REAL].pending


def test_a_turn_reaches_a_terminal_by_its_sibling(four: Ruled) -> None:
    """Each terminal of the peer hears another of ours: the one tells the other who speaks (docs/protocol.md 23.16)."""
    four.part((four.alpha, four.alt), (four.alpha, four.beside), (four.alt, four.bravo))
    four.run(3_000)
    assert four.alt.speak()
    four.run(4_000)
    assert four.bravo.endpoint.standing.turns["ALPHA"] == (1, 2)
    assert four.speakers() == ["alt"], "the peer's main terminal has shown it what its sibling signed"


def test_the_rule_says_nothing_on_a_hotline_of_two() -> None:
    """Nobody could take over: the wire is as it was (docs/protocol.md 23.13)."""
    pair = Pair()
    for one in (pair.alpha, pair.bravo):
        one.prepare(takeover_after_ms=AFTER)
    pair.open()
    pair.cut()
    pair.run(LONG)
    assert pair.alpha.endpoint.standing.active
    assert "takeover-by-rule" not in pair.alpha.alarms()
    assert PROFILES["fibre"].silent_ceiling_ms * 2 < AFTER
