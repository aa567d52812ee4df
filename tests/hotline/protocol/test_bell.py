"""What a peer can raise at will rings only so often, and nothing of it is lost (docs/protocol.md 11.5)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from hotline.limits import ALARM_INTERVAL
from hotline.machine import Plane
from hotline.protocol.events import Closing
from hotline.protocol.release import ReleasePolicy
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2

from .liars import sealed, statement
from .pair import ROUTINE, WALL, Pair
from .quartet import Quartet

SEVERAL = 40


@pytest.fixture
def pair() -> Pair:
    return Pair().open()


def told(pair: Pair, name: str) -> list[str]:
    found = [one.fields for one in pair.alpha.told if one.kind == "alarm" and one.fields["name"] == name]
    assert len(found) == pair.alpha.alarms().count(name), "what is told is entered, and nothing else"
    return [str(fields["meaning"]) for fields in found]


def beats(pair: Pair, fields: Callable[[int], dict[str, int]], every: int = 0) -> None:
    """What a peer of ill will makes of one echo: SEVERAL beats, each of them fresh."""
    session = pair.bravo.endpoint.context.session
    echo = pair.alpha.endpoint.context.paths["relay-1"]._beat
    for number in range(1, SEVERAL + 1):
        said = {"beat": 7 + number, "path": 1, "echo": echo, "presence": 1, "time_ms": WALL + pair.time}
        content = encode(content_pb2.Heartbeat(**{**said, **fields(number)}))
        inner = session.sign(ContentType.HEARTBEAT, Plane.REAL, content)
        pair.alpha.hear("relay-1", envelope_frame(session.seal(Plane.REAL, inner, transient=True)))
        pair.run(every)


def challenges(pair: Pair, first: int, last: int) -> None:
    session = pair.bravo.endpoint.context.session
    for serial in range(first, last + 1):
        asked = content_pb2.Challenge(named=content_pb2.Reference(serial=1, statement=bytes(32)))
        kind = content_pb2.STATEMENT_KIND_CHALLENGE
        said = statement(pair.bravo, serial, "?", previous_in_precedence=serial - 1, kind=kind, challenge=asked)
        pair.alpha.hear("relay-1", sealed(session, said, Plane.SERVICE))


def test_questions_ring_once_and_are_counted(pair: Pair) -> None:
    """One echo makes any number of beats fresh, and each would ring for the duty officer (docs/protocol.md 11.5)."""
    beats(pair, lambda number: {"presence_asked": number})
    assert len(told(pair, "presence-asked")) == 1
    pair.run(ALARM_INTERVAL)
    assert [words.partition("(")[2] for words in told(pair, "presence-asked")] == [
        "",
        f"and {SEVERAL - 2} more like it before)",
    ]
    pair.run(3 * ALARM_INTERVAL)
    assert len(told(pair, "presence-asked")) == 2, "what was told is not told again"


def test_challenges_ring_once_and_the_newest_is_named(pair: Pair) -> None:
    """Two hundred would hide the one alarm that is none of the peer's (docs/protocol.md 11.5)."""
    challenges(pair, 1, 1)
    pair.run(ALARM_INTERVAL - 1_000)
    challenges(pair, 2, 2)
    assert len(told(pair, "challenged")) == 1
    pair.run(2_000)
    assert told(pair, "challenged") == [told(pair, "challenged")[0]] * 2, "held back alone: told as it is, only later"
    challenges(pair, 3, 5)
    pair.run(ALARM_INTERVAL)
    serials = [one.fields["serial"] for one in pair.alpha.told if one.fields.get("name") == "challenged"]
    assert serials == [1, 2, 5]
    assert told(pair, "challenged")[2].endswith("(and 2 more like it before)")
    pair.run(ALARM_INTERVAL)
    challenges(pair, 6, 6)
    assert len(told(pair, "challenged")) == 4, "and at once again"


def test_what_is_held_back_is_told_at_the_stop(pair: Pair) -> None:
    """A terminal that is stopped would take it along (docs/protocol.md 11.5)."""
    challenges(pair, 1, 3)
    pair.alpha.step(Closing())
    assert [words.partition("(")[2] for words in told(pair, "challenged")] == ["", "and 1 more like it before)"]


def test_planes_do_not_hide_each_other(pair: Pair) -> None:
    """docs/protocol.md 11.5."""
    context = pair.alpha.endpoint.context
    for plane in ("real", "exercise", "real", "exercise"):
        context.alarm("unreleased", "lacks", plane=plane, serial=1, verdict="missing")
    for _ in range(3):
        context.alarm("no-path", "not heard", up=0)
    rung = Counter((record.fields["name"], record.fields.get("plane")) for record in context.out.records)
    assert rung == {("unreleased", "real"): 1, ("unreleased", "exercise"): 1, ("no-path", None): 3}


def test_a_clock_that_flickers_rings_once_and_then_by_what_holds(pair: Pair) -> None:
    """A clock that is right in every second beat would ring in every other (docs/protocol.md 11.5)."""
    beats(pair, lambda number: {"time_ms": 1 if number % 2 else WALL + pair.time})
    assert len(told(pair, "clock")) == 1
    pair.run(ALARM_INTERVAL + 2_000)
    assert len(told(pair, "clock")) == 1, "it agrees now"
    pair.bravo.offset = 3_600_000
    pair.run(2_000)
    assert len(told(pair, "clock")) == 2
    pair.bravo.offset = 0
    pair.run(2_000)
    pair.bravo.offset = 3_600_000
    pair.run(2_000)
    assert len(told(pair, "clock")) == 2
    pair.run(ALARM_INTERVAL)
    assert len(told(pair, "clock")) == 3, "it still differs"


def test_a_gap_that_grows_rings_once_and_then_as_it_is(pair: Pair) -> None:
    """A peer that claims one statement more in each beat would ring in each (docs/protocol.md 10.6 and 11.5)."""
    pair.weather = lambda sender, relay, envelope: []
    beats(pair, lambda number: {"sent_through": number}, every=300)
    assert SEVERAL * 300 > ALARM_INTERVAL
    assert len(told(pair, "gap")) == 2
    assert told(pair, "gap")[0].startswith("the peer has sent #1 to #")
    assert pair.alpha.endpoint.next_deadline() is not None


def test_a_watch_can_be_signed_over_while_the_peer_rings(pair: Pair) -> None:
    """The count would change under the oncoming officer's hand (docs/protocol.md 11.5 and 25.9)."""
    challenges(pair, 1, 1)
    before = json.loads(pair.alpha.endpoint.handovers.listed())["alarms"]
    challenges(pair, 2, 9)
    assert json.loads(pair.alpha.endpoint.handovers.listed())["alarms"] == before == {"challenged": 1}


def test_promises_of_the_peer_that_it_does_not_keep_ring_as_one(pair: Pair) -> None:
    """An answer to each statement, until a minute ago: nothing else would be heard (docs/protocol.md 11.5, 20.5)."""
    for number in range(1, SEVERAL + 1):
        pair.alpha.submit(f"statement {number}")
    pair.bravo.submit("a question")
    pair.run(10_000)
    session = pair.bravo.endpoint.context.session
    assert pair.alpha.read(1).ok
    assert pair.alpha.promise(1, WALL + pair.time + 1_000).ok
    for number in range(1, SEVERAL + 1):
        name = pair.alpha.memory.sent_hash(Plane.REAL, number) or b""
        content = encode(
            content_pb2.Receipt(
                stage=content_pb2.STAGE_REPLY_BY,
                item=[content_pb2.ReceiptItem(serial=number, statement=name)],
                officer="watch",
                time_ms=WALL + pair.time,
                reply_by_ms=WALL,
            )
        )
        inner = session.sign(ContentType.RECEIPT, Plane.REAL, content)
        pair.alpha.hear("relay-1", envelope_frame(session.seal(Plane.REAL, inner, transient=False)))
    pair.bravo.lies = True
    pair.run(2_000)
    first, own = told(pair, "promise-overdue")
    assert "our #1" in first
    assert "that we promised" in own, "ours is hidden by none of them"
    pair.run(ALARM_INTERVAL)
    what, more = f"the answer to our #{SEVERAL} that the peer promised has not come in time", SEVERAL - 2
    assert told(pair, "promise-overdue")[2:] == [f"{what} (and {more} more like it before)"]
    assert sum(promise.overdue for promise in pair.alpha.endpoint.promises.open.values()) == SEVERAL + 1


@pytest.mark.parametrize(("name", "given_out"), [("unreleased-by-us", 0), ("two-voices", SEVERAL)])
def test_what_a_thief_says_for_us_rings_as_one(name: str, given_out: int) -> None:
    """A stolen terminal that stands by would drown every other alarm of the one that speaks (docs/protocol.md 11.5)."""
    four = Quartet().open()
    for number in range(given_out):
        four.alpha.submit(f"statement {number}")
    policy = ReleasePolicy(rules={(Plane.REAL, ROUTINE): ("releaser",)})
    context = four.alpha.endpoint.context
    for line in context.lines:
        line.setup = replace(line.setup, release=policy)
    session = four.alt.endpoint.context.siblings[0].session
    for serial in range(1, SEVERAL + 1):
        said = statement(four.alt, serial, "nobody has released this", previous_in_precedence=serial - 1)
        four.alpha.hear("relay-1", sealed(session, said))
    assert len(four.alpha.said()) == SEVERAL
    assert four.alpha.alarms().count(name) == 1
