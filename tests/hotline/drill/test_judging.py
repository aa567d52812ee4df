"""One judge for each kind of promise: kept, broken, and not measured, each from a journal written by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotline.drill import promises
from hotline.drill.judging import JUDGES, judge
from hotline.drill.outcome import Judged, report_json
from hotline.drill.results import exit_of
from hotline.drill.summary import summary
from tests.hotline.drill.journals import Story, monsoon, told

ROOT = Path(__file__).resolve().parents[3]
KILL = {"fault": "kill", "target": "relay-1", "at": "5s", "for": "5s"}
SHORT = {"fault": "say", "from": "ALPHA", "at": "1s", "text": "only for a moment", "valid_for": "2s"}

Tell = Callable[[Story], object]


def spoken(*tells: Tell) -> Tell:
    def all_of(story: Story) -> None:
        for tell in tells:
            tell(story)

    return all_of


def say(at: float, **fields: Any) -> Tell:
    return lambda story: story.say(at, **fields)


def killed(story: Story) -> Story:
    return story.inject(5_000, 0, 10_000)


def of_last(story: Story, kind: str, **fields: Any) -> Story:
    """An entry about ALPHA's first statement."""
    return story.add(fields.pop("at", 900), kind, id="ALPHA/exercise/1", **fields)


def expired(story: Story) -> Story:
    return of_last(story, "stage", at=9_000, stage="expired", by="ttl")


def shown(at: float, identifier: str = "ALPHA/exercise/1", *, repeat: bool = False, late: bool = False) -> Tell:
    more = {"late": True} if late else {}
    return lambda story: story.add(at, "shown", id=identifier, by="BRAVO", repeat=repeat, **more)


FIXED = [
    {"fault": "say", "from": "ALPHA", "at": "1s", "label": "wrong", "text": "At two."},
    {"fault": "say", "from": "ALPHA", "at": "2s", "label": "fix", "text": "At three.", "corrects": "wrong"},
]
AWAY = [{"fault": "presence", "from": "ALPHA", "at": "2s", "label": "away", "word": "consulting", "until": "4s"}]


def fixed(story: Story) -> None:
    story.say(1_000, label="At two.")
    story.inject(2_000, 1)
    story.say(2_000, label="At three.")


def mark(at: float, by: str = "BRAVO", identifier: str = "ALPHA/exercise/1", correction: int = 2) -> Tell:
    return lambda story: story.add(at, "corrected", id=identifier, by=by, state="corrected", correction=correction)


def away(story: Story) -> None:
    story.inject(2_000, 0)


def word(at: float, said: str = "consulting", by: str = "BRAVO", of: str = "ALPHA") -> Tell:
    return lambda story: story.add(at, "presence", by=by, of=of, word=said)


TAKEN = [{"fault": "takeover", "at": "2s", "label": "taken", "target": "ALPHA-alt"}]


def speaks(*told: tuple[float, str, str]) -> Tell:
    def tell(story: Story) -> None:
        story.inject(2_000, 0)
        for at, by, terminal in told:
            story.add(at, "speaks", by=by, terminal=terminal, term=1)

    return tell


JOURNEY = [{"fault": "travel", "at": "3s", "label": "journey", "target": "ALPHA-alt", "for": "6s"}]
STAYS_OUT = {"promise": "stays-out", "fault": "journey", "limit": "500ms"}


def travelled(*tells: Tell, rests: tuple[int, ...] = (1_000, 12_000), until: float | None = 9_000) -> Tell:
    """A journey in which the terminal hears the other side, and readings at which it rests."""

    def tell(story: Story) -> None:
        story.inject(3_000, 0, until)
        for at in rests:
            story.poll(at, "ALPHA-alt", None, up=0)
        for one in tells:
            one(story)

    return tell


def aboard(at: float, **fields: Any) -> Tell:
    return lambda story: story.poll(at, "ALPHA-alt", 100.0, **fields)


def heard(at: float, *terminals: str) -> Tell:
    return lambda story: story.add(at, "poll", by="BRAVO", heard_ms=9, up=3, waiting=0, hears=list(terminals))


def shown_aboard(at: float, by: str = "ALPHA-alt", *, late: bool = False) -> Tell:
    more = {"late": True} if late else {}
    return lambda story: story.add(at, "shown", id="BRAVO/exercise/1", by=by, repeat=False, **more)


AMENDED = [
    {"fault": "amend", "at": at, "label": label, "leaves": leaves, "joins": joins}
    for at, label, leaves, joins in (("1s", "one", "relay-1", "relay-4"), ("3s", "two", "relay-2", "relay-5"))
]


def charters(*told: tuple[float, str, str, int]) -> Tell:
    def tell(story: Story) -> None:
        story.inject(1_000, 0).inject(3_000, 1)
        for at, by, state, serial in told:
            story.add(at, "charter", by=by, state=state, serial=serial)

    return tell


ASKED = [
    {"fault": "say", "from": "ALPHA", "at": "1s", "label": "request", "text": "Explain."},
    {"fault": "shown", "from": "BRAVO", "at": "2s", "label": "seen", "statement": "request"},
    {"fault": "reply-by", "from": "BRAVO", "at": "3s", "label": "owed", "statement": "request", "within": "2s"},
    {"fault": "say", "from": "BRAVO", "at": "4s", "label": "answer", "text": "It was.", "answers": "request"},
]


DOUBTED = [
    {"fault": "say", "from": "ALPHA", "at": "1s", "label": "word", "text": "Fire."},
    {"fault": "challenge", "from": "BRAVO", "at": "2s", "label": "doubt", "statement": "word"},
]
PERSON_SAYS_NO = {"promise": "answered", "fault": "doubt", "verdict": "no", "by": "officer", "limit": "1s"}


def doubted(*told: tuple[float, int, str, str], by: str = "BRAVO", asked: bool = True) -> Tell:
    """Question 5, and what came of which question."""

    def tell(story: Story) -> None:
        identifier = story.say(1_000, label="Fire.")
        story.add(1_900, "challenge", **{"from": "BRAVO"}, serial=4, id=identifier).inject(2_000, 1)
        story.add(2_000, "challenge", **{"from": "ALPHA"}, serial=6, id=identifier)
        if asked:
            story.add(2_010, "challenge", **{"from": "BRAVO"}, serial=5, id=identifier)
        for at, serial, verdict, whose in told:
            story.add(at, "challenge-answered", by=by, serial=serial, verdict=verdict, whose=whose)

    return tell


PHRASED = [{"fault": "say", "from": "ALPHA", "at": "1s", "label": "no", "text": "No.", "phrase": "B11"}]
UNDERSTOOD = {"promise": "understood", "fault": "no", "limit": "2s"}


def phrased(*opened: tuple[float, str, bool, str]) -> Tell:
    def tell(story: Story) -> None:
        identifier = story.say(1_000, label="No.")
        story.inject(1_000, 0)
        for at, code, agrees, whose in opened:
            story.add(at, "phrase", id=whose or identifier, by="BRAVO", code=code, agrees=agrees, text="why")

    return tell


TALKED = [{"fault": "service", "from": "BRAVO", "at": "1s", "label": "talk", "text": "Do you hear us?"}]


def talked(*shown: tuple[float, str, str], label: str = "Do you hear us?") -> Tell:
    """One word of BRAVO's operators, and where it was shown."""

    def tell(story: Story) -> None:
        story.inject(1_000)
        story.say(1_010, "BRAVO", "routine", shown=False, plane="service", label=label)
        for at, by, identifier in shown:
            story.add(at, "shown", id=identifier, by=by, repeat=False)

    return tell


WATCH = [{"fault": "checklist", "from": "ALPHA", "at": "1s", "label": "watch", "checklist": "handover"}]


def gone_through(*found: tuple[float, str, str]) -> Tell:
    """When which party had which checklist on record."""

    def tell(story: Story) -> None:
        story.inject(1_000)
        for at, party, name in found:
            story.add(at, "checklist", **{"from": party}, name=name, done=7, skipped=1)

    return tell


ALONE = [{"fault": "say", "from": "ALPHA", "at": "1s", "label": "alone", "text": "Fire."}]


def tried(*codes: str, text: str = "Fire.", sender: str = "ALPHA", taken: bool = False) -> Tell:
    """An attempt, and what its terminal answered."""

    def tell(story: Story) -> None:
        story.add(900, "refused-to-say", **{"from": "ALPHA"}, text="no", code="policy", label="Fire.").inject(1_000)
        for code in codes:
            story.add(1_010, "refused-to-say", **{"from": sender}, text="two sign", code=code, label=text)
        if taken:
            story.say(1_020, label="Fire.")

    return tell


def asked(*told: tuple[float, str, dict[str, object]]) -> Tell:
    def tell(story: Story) -> None:
        identifier = story.say(1_000, label="Explain.")
        for number, at in ((1, 2_000), (2, 3_000), (3, 4_000)):
            story.inject(at, number)
        for at, kind, fields in told:
            story.add(at, kind, **{"id": identifier, **fields})

    return tell


def stage_shown(**fields: object) -> dict[str, object]:
    return {"stage": "shown", "by": "duty-2", **fields}


def version(outcome: str, text: str = "") -> Tell:
    return lambda story: story.add(1_000, "version", process="BRAVO", to="0.2.0", outcome=outcome, text=text)


def memory(*readings: tuple[float, float]) -> Tell:
    def tell(story: Story) -> None:
        for at, mib in readings:
            story.add(at, "memory", process="relay-1", mib=mib)
            story.add(at, "memory", process="relay-2", mib=mib * 9)

    return tell


def exits(at: float, code: int, *, asked: bool = False, process: str = "relay-1") -> Tell:
    return lambda story: story.add(at, "exit", process=process, code=code, asked=asked)


def refused(*reasons: str, by: str = "BRAVO") -> Tell:
    def tell(story: Story) -> None:
        for at, reason in enumerate(reasons):
            story.add(100 + at, "refused", by=by, path="relay-2", reason=reason)

    return tell


def paths(*changes: tuple[float, str, str, str]) -> Tell:
    return spoken(*(lambda story, one=one: story.path(*one) for one in changes))  # type: ignore[misc]


def alarms(*raised: tuple[float, str, str]) -> Tell:
    return spoken(*(lambda story, one=one: story.alarm(*one) for one in raised))  # type: ignore[misc]


def polls(story: Story) -> Story:
    return story.polls(12_000)


KILLED = [KILL]
UP_AGAIN: Tell = lambda story: story.add(10_400, "steady-again")  # noqa: E731 - one of many small tellings

CASES: list[tuple[str, dict[str, Any], list[dict[str, Any]], Tell, bool, float | None, str]] = [
    # what it shows, promise, injects, what happens, holds, measured, a word of the detail
    ("kept", {"promise": "none-lost"}, [], say(0), True, 0, ""),
    ("lost", {"promise": "none-lost"}, [], spoken(say(0), say(100, delivered=None)), False, 1, "ALPHA #2 (flash)"),
    ("expiry is no loss", {"promise": "none-lost"}, [], spoken(say(0, delivered=None), expired), True, 0, ""),
    ("nothing said", {"promise": "none-lost"}, [], polls, False, None, "no statement was said"),
    ("one may be lost", {"promise": "none-lost", "limit": 1}, [], say(0, delivered=None), True, 1, "ALPHA #1"),
    ("kept", {"promise": "none-twice"}, [], say(0), True, 0, ""),
    ("twice", {"promise": "none-twice"}, [], spoken(say(0), shown(900)), False, 1, "ALPHA #1"),
    ("marked repeat", {"promise": "none-twice"}, [], spoken(say(0), shown(900, repeat=True)), True, 0, ""),
    ("nothing said", {"promise": "none-twice"}, [], polls, False, None, "no statement"),
    ("kept", {"promise": "in-order"}, [], spoken(say(0), say(100)), True, 0, ""),
    (
        "overtaken",
        {"promise": "in-order"},
        [],
        spoken(say(0, delivered=500), say(100, delivered=20)),
        False,
        1,
        "ALPHA #1 came after a later one",
    ),
    (
        "a higher precedence may overtake",
        {"promise": "in-order"},
        [],
        spoken(say(0, precedence="routine", delivered=500), say(100, delivered=20)),
        True,
        0,
        "",
    ),
    (
        "learned late",
        {"promise": "in-order"},
        [],
        spoken(say(0, shown=False), say(100), shown(5_000, late=True)),
        True,
        0,
        "",
    ),
    ("kept", {"promise": "delivered-within", "limit": "100ms"}, [], say(0, delivered=99), True, 99, "slowest of 1"),
    ("exactly", {"promise": "delivered-within", "limit": "100ms"}, [], say(0, delivered=100), True, 100, ""),
    ("late", {"promise": "delivered-within", "limit": "100ms"}, [], say(0, delivered=100.5), False, 100.5, "ALPHA #1"),
    (
        "never",
        {"promise": "delivered-within", "limit": "100ms"},
        [],
        spoken(say(0), say(9, delivered=None)),
        False,
        None,
        "never delivered: ALPHA #2",
    ),
    (
        "expiry is no delivery",
        {"promise": "delivered-within", "limit": "100ms"},
        [],
        spoken(say(0, delivered=None), expired),
        False,
        None,
        "never delivered",
    ),
    (
        "unless the plan wanted it",
        {"promise": "delivered-within", "limit": "100ms"},
        [SHORT],
        spoken(say(0, delivered=None, label="only for a moment"), expired, say(99)),
        True,
        20,
        "slowest of 1",
    ),
    (
        "of one precedence and sender",
        {"promise": "delivered-within", "limit": "1s", "precedence": "flash", "from": "BRAVO"},
        [],
        spoken(
            say(0, sender="BRAVO", delivered=700),
            say(0, delivered=None),
            say(1, sender="BRAVO", precedence="routine", delivered=5_000),
        ),
        True,
        700,
        "BRAVO #1",
    ),
    (
        "none of that precedence",
        {"promise": "delivered-within", "limit": "1s", "precedence": "immediate"},
        [],
        say(0),
        False,
        None,
        "no such statement was said",
    ),
    (
        "kept",
        {"promise": "extra-delay", "limit": "50ms"},
        KILLED,
        spoken(say(0), say(900, delivered=22), killed, say(6_000, delivered=60)),
        True,
        40,
        "usual before the first fault: 20 ms",
    ),
    (
        "too much",
        {"promise": "extra-delay", "limit": "50ms"},
        KILLED,
        spoken(say(0), killed, say(6_000, delivered=71)),
        False,
        51,
        "ALPHA #2",
    ),
    (
        "nothing to compare with",
        {"promise": "extra-delay", "limit": "50ms"},
        KILLED,
        spoken(killed, say(6_000)),
        False,
        None,
        "nothing to compare",
    ),
    (
        "never delivered",
        {"promise": "extra-delay", "limit": "50ms"},
        KILLED,
        spoken(say(0), killed, say(6_000, delivered=None)),
        False,
        None,
        "never delivered",
    ),
    ("kept", {"promise": "silence", "limit": "1s"}, [], polls, True, 120, "ALPHA at 0.2 s"),
    (
        "silent",
        {"promise": "silence", "limit": "1s"},
        [],
        lambda story: polls(story).poll(13_000, "BRAVO", 1_001),
        False,
        1_001,
        "BRAVO at 13.0 s",
    ),
    (
        "dead",
        {"promise": "silence", "limit": "1s", "by": ["ALPHA"]},
        [],
        lambda story: story.poll(100, "ALPHA", 50).poll(2_000, "ALPHA", None),
        False,
        1_950,
        "ALPHA",
    ),
    (
        "one side only",
        {"promise": "silence", "limit": "1s", "by": ["ALPHA"]},
        [],
        lambda story: polls(story).poll(13_000, "BRAVO", 9_000),
        True,
        120,
        "ALPHA",
    ),
    (
        "not read",
        {"promise": "silence", "limit": "1s"},
        [],
        lambda story: story.poll(9, "ALPHA", 5),
        False,
        None,
        "BRAVO",
    ),
    (
        "kept",
        {"promise": "noticed", "fault": "kill", "limit": "1s"},
        KILLED,
        spoken(killed, paths((5_300, "ALPHA", "relay-1", "down"), (5_700, "BRAVO", "relay-1", "suspect"))),
        True,
        700,
        "BRAVO after 700 ms",
    ),
    (
        "late",
        {"promise": "noticed", "fault": "kill", "limit": "1s"},
        KILLED,
        spoken(killed, paths((5_300, "ALPHA", "relay-1", "down"), (6_700, "BRAVO", "relay-1", "suspect"))),
        False,
        1_700,
        "BRAVO after 1.7 s",
    ),
    (
        "one side never",
        {"promise": "noticed", "fault": "kill", "limit": "1s"},
        KILLED,
        spoken(killed, paths((5_300, "ALPHA", "relay-1", "down"))),
        False,
        None,
        "BRAVO: noticed nothing after kill at 5.0 s",
    ),
    (
        "never injected",
        {"promise": "noticed", "fault": "kill", "limit": "1s"},
        KILLED,
        polls,
        False,
        None,
        "kill was never injected",
    ),
    (
        "the worst of two of one name",
        {"promise": "noticed", "fault": "kill", "limit": "1s", "by": ["ALPHA"]},
        [KILL, KILL | {"target": "relay-2", "at": "6s"}],
        spoken(
            killed,
            lambda story: story.inject(6_000, 1, 9_000),
            paths((5_300, "ALPHA", "relay-1", "down"), (6_900, "ALPHA", "relay-2", "down")),
        ),
        True,
        900,
        "900 ms",
    ),
    (
        "kept",
        {"promise": "alarm", "name": "single-path", "fault": "kill", "limit": "1s"},
        KILLED,
        spoken(killed, alarms((5_200, "ALPHA", "single-path"), (5_300, "BRAVO", "single-path"))),
        True,
        300,
        "BRAVO after 300 ms",
    ),
    (
        "another alarm",
        {"promise": "alarm", "name": "single-path", "fault": "kill", "limit": "1s", "by": ["ALPHA"]},
        KILLED,
        spoken(killed, alarms((4_000, "ALPHA", "single-path"), (5_100, "ALPHA", "no-path"))),
        False,
        None,
        "ALPHA: no such alarm",
    ),
    (
        "late",
        {"promise": "alarm", "name": "single-path", "fault": "kill", "limit": "1s", "by": ["ALPHA"]},
        KILLED,
        spoken(killed, alarms((6_001, "ALPHA", "single-path"))),
        False,
        1_001,
        "ALPHA",
    ),
    ("kept", {"promise": "no-alarm"}, [], polls, True, 0, ""),
    (
        "raised",
        {"promise": "no-alarm"},
        [],
        spoken(polls, alarms((99, "ALPHA", "clock"))),
        False,
        1,
        "ALPHA at 0.1 s: clock",
    ),
    ("another", {"promise": "no-alarm", "name": "gap"}, [], spoken(polls, alarms((99, "ALPHA", "clock"))), True, 0, ""),
    ("before", {"promise": "no-alarm"}, [], spoken(polls, alarms((-99, "ALPHA", "clock"))), True, 0, ""),
    (
        "the other side",
        {"promise": "no-alarm", "by": ["BRAVO"]},
        [],
        spoken(polls, alarms((99, "ALPHA", "clock"))),
        True,
        0,
        "",
    ),
    ("unwatched", {"promise": "no-alarm"}, [], lambda story: None, False, None, "ALPHA and BRAVO"),
    ("kept", {"promise": "steady-paths"}, [], polls, True, 0, ""),
    (
        "flapped",
        {"promise": "steady-paths", "limit": 1},
        [],
        spoken(
            polls,
            paths(
                (10, "ALPHA", "relay-1", "suspect"),
                (20, "ALPHA", "relay-1", "down"),
                (30, "ALPHA", "relay-1", "up"),
                (40, "ALPHA", "relay-1", "suspect"),
            ),
        ),
        False,
        2,
        "ALPHA: relay-1 suspect at 0.0 s",
    ),
    ("unwatched", {"promise": "steady-paths", "by": ["BRAVO"]}, [], lambda story: None, False, None, "BRAVO"),
    (
        "kept",
        {"promise": "resumed", "fault": "kill", "limit": "1s"},
        KILLED,
        spoken(killed, say(7_000, delivered=3_600)),
        True,
        600,
        "ALPHA #1",
    ),
    (
        "late",
        {"promise": "resumed", "fault": "kill", "limit": "1s"},
        KILLED,
        spoken(killed, say(7_000, delivered=4_600)),
        False,
        1_600,
        "ALPHA #1",
    ),
    (
        "what was under way does not count",
        {"promise": "resumed", "fault": "kill", "after": "begin", "limit": "1s"},
        KILLED,
        spoken(killed, say(4_990), say(5_100, delivered=2_000)),
        False,
        2_100,
        "ALPHA #2",
    ),
    (
        "nothing more",
        {"promise": "resumed", "fault": "kill", "limit": "1s"},
        KILLED,
        spoken(killed, say(7_000)),
        False,
        None,
        "nothing was delivered after the end of kill",
    ),
    (
        "no end",
        {"promise": "resumed", "fault": "kill", "limit": "1s"},
        KILLED,
        spoken(lambda story: story.inject(5_000), say(7_000)),
        False,
        None,
        "did not end",
    ),
    (
        "kept",
        {"promise": "recovered", "fault": "kill", "limit": "1s"},
        KILLED,
        spoken(killed, UP_AGAIN),
        True,
        400,
        "10.4 s",
    ),
    (
        "late",
        {"promise": "recovered", "fault": "kill", "limit": "300ms"},
        KILLED,
        spoken(killed, UP_AGAIN),
        False,
        400,
        "steady again at",
    ),
    (
        "never",
        {"promise": "recovered", "fault": "kill", "limit": "1s"},
        KILLED,
        spoken(killed, lambda story: story.add(4_000, "steady-again")),
        False,
        None,
        "no steady state came back",
    ),
    (
        "kept",
        {"promise": "refused", "reasons": ["replayed", "stale"], "by": "BRAVO", "least": 2},
        [],
        refused("replayed", "stale", "odd"),
        True,
        2,
        "replayed on relay-2: 1",
    ),
    (
        "too few",
        {"promise": "refused", "reasons": ["replayed"], "by": "BRAVO", "least": 2},
        [],
        refused("replayed", "odd"),
        False,
        1,
        "replayed on relay-2: 1",
    ),
    (
        "the other side",
        {"promise": "refused", "reasons": ["replayed"], "by": "BRAVO"},
        [],
        refused("replayed", by="ALPHA"),
        False,
        0,
        "",
    ),
    ("kept", {"promise": "told", "state": "expired"}, [], spoken(say(0, delivered=None), expired), True, 1, "ALPHA #1"),
    ("another state", {"promise": "told", "state": "delivered"}, [], say(0, read=50), False, 0, ""),
    ("another sender", {"promise": "told", "state": "read", "from": "BRAVO"}, [], say(0, read=50), False, 0, ""),
    (
        "kept",
        {"promise": "exits", "target": "relay-1", "code": 9, "fault": "kill", "limit": "1s"},
        KILLED,
        spoken(killed, exits(4_000, 9), exits(5_700, 9)),
        True,
        700,
        "at 5.7 s",
    ),
    (
        "another code",
        {"promise": "exits", "target": "relay-1", "code": 9, "fault": "kill", "limit": "1s"},
        KILLED,
        spoken(killed, exits(5_700, 1)),
        False,
        None,
        "ended with 1",
    ),
    (
        "asked",
        {"promise": "exits", "target": "relay-1", "code": 0, "fault": "kill", "limit": "1s"},
        KILLED,
        spoken(killed, exits(5_700, 0, asked=True), exits(5_700, 0, process="relay-2")),
        False,
        None,
        "did not end by itself",
    ),
    (
        "kept",
        {"promise": "corrected", "fault": "fix", "limit": "1s"},
        FIXED,
        spoken(fixed, mark(2_300)),
        True,
        300,
        "#1",
    ),
    (
        "late",
        {"promise": "corrected", "fault": "fix", "limit": "1s"},
        FIXED,
        spoken(fixed, mark(3_100)),
        False,
        1_100,
        "",
    ),
    (
        "only at the side that said it",
        {"promise": "corrected", "fault": "fix", "limit": "1s"},
        FIXED,
        spoken(fixed, mark(2_300, by="ALPHA")),
        False,
        None,
        "nothing is marked",
    ),
    (
        "by another statement",
        {"promise": "corrected", "fault": "fix", "limit": "1s"},
        FIXED,
        spoken(fixed, mark(2_300, correction=9), mark(2_300, identifier="BRAVO/exercise/1")),
        False,
        None,
        "nothing is marked",
    ),
    (
        "kept",
        {"promise": "presence", "fault": "away", "limit": "1s"},
        AWAY,
        spoken(away, word(2_400)),
        True,
        400,
        "BRAVO",
    ),
    (
        "back by itself",
        {"promise": "presence", "fault": "away", "word": "alive", "limit": "4s"},
        AWAY,
        spoken(away, word(1_000, "alive"), word(2_400), word(5_900, "alive")),
        True,
        3_900,
        "alive",
    ),
    (
        "another word, another side, before it was said",
        {"promise": "presence", "fault": "away", "limit": "1s"},
        AWAY,
        spoken(away, word(1_000), word(2_100, "declined"), word(2_200, of="BRAVO"), word(2_300, by="ALPHA")),
        False,
        None,
        "was not told that ALPHA is consulting",
    ),
    (
        "kept",
        {"promise": "speaks", "fault": "taken", "limit": "1s"},
        TAKEN,
        speaks((2_010, "ALPHA-alt", "ALPHA/alt"), (2_600, "BRAVO", "ALPHA/alt"), (6_000, "ALPHA", "ALPHA/alt")),
        True,
        600,
        "BRAVO at",
    ),
    (
        "another terminal, before it took over, one side not at all",
        {"promise": "speaks", "fault": "taken", "limit": "1s"},
        TAKEN,
        speaks((2_010, "ALPHA-alt", "ALPHA/alt"), (1_900, "BRAVO", "ALPHA/alt"), (2_100, "BRAVO", "ALPHA/main")),
        False,
        None,
        "BRAVO not told that ALPHA/alt speaks",
    ),
    *(
        (
            f"by the rule, {name}",
            {"promise": "speaks", "fault": "kill", "terminal": "ALPHA-alt", "by": ["BRAVO"], **bound},
            [KILL],
            spoken(killed, lambda story: story.add(11_000, "speaks", by="BRAVO", terminal="ALPHA/alt", term=1)),
            holds,
            6_000,
            "BRAVO at",
        )
        for name, bound, holds in (
            ("not sooner", {"least": "6s"}, True),
            ("sooner", {"least": "6001ms"}, False),
            ("not later", {"limit": "6s"}, True),
            ("later", {"limit": "5999ms"}, False),
        )
    ),
    (
        "the second amendment is serial 3, and the slower side counts",
        {"promise": "in-force", "fault": "two", "limit": "2s"},
        AMENDED,
        charters(
            (2_000, "ALPHA", "in-force", 2),
            (2_100, "BRAVO", "in-force", 2),
            (3_100, "BRAVO", "ready", 3),
            (4_000, "ALPHA", "in-force", 3),
            (4_300, "BRAVO", "in-force", 3),
        ),
        True,
        1_300,
        "ALPHA at",
    ),
    *(
        (name, STAYS_OUT, JOURNEY, travelled(*tells, **more), holds, measured, words)
        for name, tells, more, holds, measured, words in (
            ("no sign before or after it", (aboard(5_000), shown_aboard(12_000, late=True)), {}, True, 0, ""),
            (
                "another one is heard",
                (aboard(5_000), heard(12_000, "BRAVO/alt"), shown_aboard(12_000, "ALPHA")),
                {},
                True,
                0,
                "",
            ),
            (
                "heard a little after it",
                (heard(5_000, "ALPHA/alt"), heard(9_400, "ALPHA/alt")),
                {},
                True,
                400,
                "BRAVO heard ALPHA-alt at 9.4 s",
            ),
            (
                "shown something later",
                (aboard(5_000), aboard(9_100), shown_aboard(9_501)),
                {},
                False,
                501,
                "ALPHA-alt was shown BRAVO #1 at 9.5 s",
            ),
            ("hears afterwards", (aboard(5_000), aboard(11_000)), {}, False, 2_000, "ALPHA-alt heard the other side"),
            (
                "shown something before it",
                (aboard(5_000), shown_aboard(2_000)),
                {},
                False,
                None,
                "ALPHA-alt was shown BRAVO #1 at 2.0 s, before journey",
            ),
            ("a part of nothing", (), {}, False, None, "was no part of the hotline in journey either"),
            ("not looked at afterwards", (aboard(5_000),), {"rests": (1_000,)}, False, None, "no reading was taken"),
            ("not looked at before", (aboard(5_000),), {"rests": (12_000,)}, False, None, "no reading was taken"),
            (
                "it did not answer afterwards",
                (aboard(5_000), aboard(12_000, up=0, waiting=None)),
                {"rests": (1_000,)},
                False,
                None,
                "no reading was taken",
            ),
            ("without an end", (aboard(5_000),), {"until": None}, False, None, "did not end"),
        )
    ),
    (
        "one side is ready only",
        {"promise": "in-force", "fault": "one", "limit": "2s"},
        AMENDED,
        charters((2_000, "ALPHA", "in-force", 2), (2_100, "BRAVO", "ready", 2), (4_300, "BRAVO", "in-force", 3)),
        False,
        None,
        "BRAVO does not stand under serial 2",
    ),
    (
        "shown",
        {"promise": "rung", "fault": "seen", "limit": "1s"},
        ASKED,
        asked((2_040, "stage", stage_shown(id="ALPHA/exercise/9")), (2_300, "stage", stage_shown())),
        True,
        300,
        "ALPHA at",
    ),
    (
        "promised, as the other side is told and not the own",
        {"promise": "rung", "fault": "owed", "limit": "1s"},
        ASKED,
        asked((3_010, "promise", {"by": "BRAVO"}), (3_200, "promise", {"by": "ALPHA"})),
        True,
        200,
        "ALPHA at",
    ),
    (
        "answered",
        {"promise": "rung", "fault": "answer", "limit": "1s"},
        ASKED,
        asked((4_150, "promise-kept", {"by": "ALPHA", "late": False})),
        True,
        150,
        "ALPHA at",
    ),
    (
        "answered late",
        {"promise": "rung", "fault": "answer", "limit": "1s"},
        ASKED,
        asked(
            (3_900, "promise-kept", {"by": "ALPHA", "late": False}),
            (4_150, "promise-kept", {"by": "ALPHA", "late": True}),
        ),
        False,
        None,
        "was not told of answer",
    ),
    ("opened", UNDERSTOOD, PHRASED, phrased((1_700, "B11", True, "")), True, 700, "BRAVO at 1.7 s: B11"),
    ("of another", UNDERSTOOD, PHRASED, phrased((1_700, "B11", True, "ALPHA/real/1")), False, None, "nobody at BRAVO"),
    ("another code", UNDERSTOOD, PHRASED, phrased((1_700, "B12", True, "")), False, None, "BRAVO has B12"),
    ("another text", UNDERSTOOD, PHRASED, phrased((1_700, "B11", False, "")), False, None, "B11: why"),
    ("late", UNDERSTOOD, PHRASED, phrased((3_500, "B11", True, "")), False, 2_500, "BRAVO at"),
    (
        "the person's, after the record's",
        PERSON_SAYS_NO,
        DOUBTED,
        doubted((2_050, 5, "yes", "record"), (2_300, 4, "no", "officer"), (2_400, 5, "no", "officer")),
        True,
        400,
        "BRAVO at 2.4 s: no",
    ),
    ("the record's only", PERSON_SAYS_NO, DOUBTED, doubted((2_050, 5, "no", "record")), False, None, "told no answer"),
    (
        "taken back",
        PERSON_SAYS_NO,
        DOUBTED,
        doubted((2_100, 5, "yes", "officer"), (2_200, 5, "no", "officer")),
        False,
        None,
        "the officer answered yes",
    ),
    (
        "told to the other side",
        PERSON_SAYS_NO,
        DOUBTED,
        doubted((2_100, 5, "no", "officer"), by="ALPHA"),
        False,
        None,
        "BRAVO was told no answer",
    ),
    (
        "not asked",
        PERSON_SAYS_NO,
        DOUBTED,
        doubted((2_100, 4, "no", "officer"), asked=False),
        False,
        None,
        "did not ask",
    ),
    ("refused", {"promise": "not-taken", "fault": "alone"}, ALONE, tried("policy"), True, 0, "two sign"),
    ("taken", {"promise": "not-taken", "fault": "alone"}, ALONE, tried(taken=True), False, 1, "ALPHA #1"),
    ("no answer", {"promise": "not-taken", "fault": "alone"}, ALONE, tried(""), False, None, "did not say whether"),
    ("never tried", {"promise": "not-taken", "fault": "alone"}, ALONE, tried(), False, None, "did not say whether"),
    (
        "another statement, another side",
        {"promise": "not-taken", "fault": "alone"},
        ALONE,
        tried("policy", sender="BRAVO"),
        False,
        None,
        "did not say whether",
    ),
    (
        "talk, shown at either terminal of the other side",
        {"promise": "rung", "fault": "talk", "limit": "1s"},
        TALKED,
        talked((1_100, "ALPHA", "BRAVO/exercise/1"), (1_200, "ALPHA-alt", "BRAVO/service/1")),
        True,
        200,
        "ALPHA at 1.2 s",
    ),
    (
        "talk that nobody was shown",
        {"promise": "rung", "fault": "talk", "limit": "1s"},
        TALKED,
        talked((1_100, "BRAVO", "BRAVO/service/1")),
        False,
        None,
        "ALPHA was not shown talk",
    ),
    (
        "talk that was not taken",
        {"promise": "rung", "fault": "talk", "limit": "1s"},
        TALKED,
        talked((1_100, "ALPHA", "BRAVO/service/1"), label=""),
        False,
        None,
        "ALPHA was not shown talk",
    ),
    (
        "a checklist on record",
        {"promise": "entered", "fault": "watch", "limit": "1s"},
        WATCH,
        gone_through((900, "ALPHA", "handover"), (1_400, "ALPHA", "handover")),
        True,
        400,
        "7 done, 1 skipped",
    ),
    (
        "another one, or the other side's",
        {"promise": "entered", "fault": "watch", "limit": "1s"},
        WATCH,
        gone_through((1_400, "ALPHA", "line-silent"), (1_500, "BRAVO", "handover")),
        False,
        None,
        "ALPHA has no handover",
    ),
    ("kept", {"promise": "versions"}, [], version("serves"), True, 0, ""),
    (
        "a step back over a schema",
        {"promise": "versions"},
        [],
        spoken(version("serves"), version("refused", "schema 5, this is 4")),
        True,
        0,
        "BRAVO to 0.2.0 refused: schema 5, this is 4",
    ),
    (
        "did not serve",
        {"promise": "versions"},
        [],
        spoken(version("refused", "schema 5, this is 4"), version("failed", "ended with 70"), version("serves")),
        False,
        1,
        "BRAVO to 0.2.0 failed: ended with 70; BRAVO to 0.2.0 refused",
    ),
    ("never", {"promise": "versions"}, [], polls, False, None, "no process changed its version"),
    ("kept", {"promise": "no-plaintext"}, [], polls, True, 0, ""),
    (
        "found",
        {"promise": "no-plaintext"},
        [],
        lambda story: story.add(1, "plaintext", place="relay-1/store").add(2, "plaintext", place="relay-1/store"),
        False,
        1,
        "relay-1/store",
    ),
    (
        "kept",
        {"promise": "growth", "target": "relay-1", "limit": 10},
        [],
        memory((-9, 40.0), (5, 49.5), (9, 45.0)),
        True,
        9.5,
        "from 40.0 MiB to 49.5 MiB",
    ),
    (
        "too much",
        {"promise": "growth", "target": "relay-1", "limit": 10},
        [],
        memory((1, 40.0), (5, 50.5), (9, 41.0)),
        False,
        10.5,
        "50.5 MiB at 0.0 s",
    ),
    (
        "one reading",
        {"promise": "growth", "target": "relay-1", "limit": 9},
        [],
        memory((1, 40.0)),
        False,
        None,
        "fewer",
    ),
    ("kept", {"promise": "not-shown", "plane": "real"}, [], say(0), True, 0, ""),
    (
        "shown",
        {"promise": "not-shown", "plane": "real"},
        [],
        say(0, plane="real"),
        False,
        1,
        "ALPHA #1 (real) to BRAVO",
    ),
]


@pytest.mark.parametrize(
    ("promise", "inject", "tell", "holds", "measured", "word"),
    [pytest.param(*case[1:], id=f"{case[1]['promise']}-{case[0]}") for case in CASES],
)
def test_a_promise(
    promise: dict[str, Any], inject: list[dict[str, Any]], tell: Tell, holds: bool, measured: float | None, word: str
) -> None:
    """A drill would pass on a broken hotline, or fail on a sound one."""
    story = told(promise, inject=inject)
    tell(story)
    judged = story.judged()
    assert (judged.holds, judged.measured) == (holds, measured)
    assert word in judged.detail
    assert judged.text


def ledgers(*tells: Tell) -> Judged:
    story = told({"promise": "ledgers"})
    for tell in tells:
        tell(story)
    return judge(story.finish(ledgers=False)).promises[0]


def test_ledgers() -> None:
    """Two records that contradict each other would be called one."""
    both: Tell = lambda story: story.ledger(1, "ALPHA").ledger(1, "BRAVO")  # noqa: E731
    agree: Tell = lambda story: story.add(2, "agree", holds=True, text="same")  # noqa: E731
    differ: Tell = lambda story: story.add(2, "agree", holds=False, text="differ at 7")  # noqa: E731
    kept = ledgers(both, agree)
    assert (kept.holds, kept.measured, kept.detail) == (True, 0, "ALPHA 412 entries, BRAVO 412 entries")
    broken = ledgers(both, differ)
    assert (broken.holds, broken.measured, broken.detail) == (False, 1, "differ at 7")
    bad = ledgers(both, lambda story: story.ledger(1.5, "BRAVO", False, "entry 3 is wrong"), agree)
    assert (bad.holds, bad.measured, bad.detail) == (False, 1, "BRAVO (log epoch 1): entry 3 is wrong")
    assert ledgers(both).detail == "not examined: the comparison"
    assert ledgers(lambda story: story.ledger(1, "ALPHA"), agree).detail == "not examined: BRAVO"
    assert not ledgers(agree).holds


@pytest.mark.parametrize(
    ("parties", "agree", "measured", "detail"),
    [
        (("ALPHA", "BRAVO", "CHARLIE"), (True, True, True), 0, "CHARLIE 412 entries"),
        (("ALPHA", "BRAVO", "CHARLIE"), (True, False, True), 1, "differ at 7"),
        (("ALPHA", "BRAVO"), (True, True, True), None, "not examined: CHARLIE"),
    ],
)
def test_three_ledgers(parties: tuple[str, ...], agree: tuple[bool, ...], measured: float | None, detail: str) -> None:
    """The third would be looked at by nobody, or the last comparison hide the one before it (protocol 26.13)."""
    story = told({"promise": "ledgers"}, topology={"parties": 3})
    for party in parties:
        story.ledger(1, party)
    for holds in agree:
        story.add(2, "agree", holds=holds, text="same" if holds else "differ at 7")
    judged = judge(story.finish(ledgers=False)).promises[0]
    assert (judged.holds, judged.measured) == (measured == 0, measured)
    assert detail in judged.detail
    assert judged.text == "all ledgers verify and agree"


def test_a_journey_is_an_amendment_of_the_charter_that_knows_it() -> None:
    """The charter before it would be taken for that of the journey (docs/protocol.md 24.14)."""
    topology = {"alternates": ["ALPHA"], "travels": ["ALPHA"]}
    story = told({"promise": "in-force", "fault": "journey", "limit": "4s"}, inject=JOURNEY, topology=topology)
    story.inject(3_000, 0, 9_000)
    for at, by, serial in ((3_100, "ALPHA", 2), (3_200, "BRAVO", 2), (5_000, "ALPHA", 3), (5_300, "BRAVO", 3)):
        story.add(at, "charter", by=by, state="in-force", serial=serial)
    report = story.report()
    assert report.promises[0].measured == 2_300
    assert report.topology["travels"] == "ALPHA-alt"


def test_one_journey_after_another_is_judged_by_itself() -> None:
    """What followed the first would be held against the second, or a terminal stay in between (protocol 24.13)."""
    second = JOURNEY[0] | {"at": "20s", "label": "second"}
    promised = [STAYS_OUT, STAYS_OUT | {"fault": "second"}]
    for sign, measured in ((9_300, [300, 0]), (15_000, [6_000, None])):
        story = told(*promised, inject=[*JOURNEY, second])
        travelled(aboard(5_000), aboard(sign))(story)
        story.inject(20_000, 1, 26_000)
        for at, up in ((22_000, 3), (27_000, 0)):
            story.poll(at, "ALPHA-alt", None, up=up)
        assert [one.measured for one in story.report().promises] == measured


def test_every_kind_of_promise_has_a_judge_and_cases() -> None:
    """A promise that nobody judges would be a traceback at the end of a long drill."""
    models = get_args(get_args(promises.Promise)[0])
    kinds = {get_args(model.model_fields["promise"].annotation)[0] for model in models}
    assert kinds == set(JUDGES)
    for outcome in (True, False):
        assert {case[1]["promise"] for case in CASES if case[4] is outcome} | {"ledgers"} == kinds


# --- verdicts ---------------------------------------------------------------------------------------------------------


def test_verdicts_and_their_sentences() -> None:
    """The first line of the page is all that some will read."""
    story = told()
    story.say(0)
    report = story.report()
    assert (report.verdict, report.outcome) == ("passed", "The promise held.")
    story = told({"promise": "none-lost"}, {"promise": "none-twice"})
    story.say(0, delivered=None)
    report = story.report()
    assert (report.verdict, report.outcome) == ("broken", "1 of 2 promises did not hold: no accepted statement lost.")


def test_a_drill_without_a_steady_state_says_nothing_about_promises() -> None:
    """A hotline that never came up would keep every promise about what it never did."""
    story = Story({"promise": "none-lost"}, {"promise": "no-alarm"}).begin(steady=False)
    story.say(0)
    report = judge(story.finish("aborted"))
    assert report.verdict == "aborted"
    assert all(not one.holds and one.measured is None for one in report.promises)
    assert report.paths == []


@pytest.mark.parametrize("outcome", ["interrupted", "aborted", ""])
def test_a_drill_that_was_not_played_to_its_end_is_aborted(outcome: str) -> None:
    """Half a drill would be passed because the fault had not yet come."""
    story = told()
    story.say(0)
    entries = story.finish(outcome or "ended")
    report = judge(entries if outcome else [entry for entry in entries if entry["kind"] != "end"])
    assert (report.verdict, report.promises[0].holds) == ("aborted", False)
    assert report.promises[0].measured == 0
    assert "not judged" in report.promises[0].detail


def test_a_drill_whose_fault_was_not_brought_about_proves_nothing() -> None:
    """It would be passed for want of its fault, and who reads `passed` believes that the hotline bears it."""
    story = told({"promise": "none-lost"}, {"promise": "alarm", "by": ["ALPHA"], "name": "no-path", "fault": "kill",
                  "limit": "1s"}, inject=[KILL])  # fmt: skip
    story.say(0)
    inject = {"n": 0, "name": "kill", "fault": "kill", "target": "relay-1"}
    report = killed(story).add(5_000, "inject-failed", **inject, text="relay-1 cannot be reached").report()
    why = "kill (relay-1 cannot be reached)"
    assert report.verdict == "aborted"
    assert report.outcome == f"It proves nothing, for not everything was brought about: {why}."
    assert exit_of(report) == 1
    assert [(one.holds, one.decided) for one in report.promises] == [(False, True)] * 2
    assert all(one.detail.startswith("not judged") for one in report.promises)
    assert ("not brought about", "relay-1") in {(moment.kind, moment.who) for moment in report.timeline}
    assert "not judged" in summary(report)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.tuples(st.integers(0, 60_000), st.integers(1, 900)), max_size=12))
def test_more_limit_never_breaks_what_less_kept(limit: int, said: list[tuple[int, int]]) -> None:
    """A planner who relaxes a limit would be told that the drill is worse."""
    verdicts = []
    for spare in (0, 1, 500):
        story = told({"promise": "delivered-within", "limit": f"{limit + spare}ms"})
        for at, took in said:
            story.say(at, delivered=took)
        verdicts.append(story.judged().holds)
    assert verdicts == sorted(verdicts)


def test_one_journal_gives_one_report_whatever_the_hash_seed() -> None:
    """A report could not be checked by whoever has the journal."""
    program = (
        "import sys\n"
        "from tests.hotline.drill.journals import monsoon\n"
        "from hotline.drill.judging import judge\n"
        "from hotline.drill.outcome import report_json\n"
        "from hotline.drill.report import render, summary\n"
        "from hotline.drill.comparison import comparison_page\n"
        "a, b = judge(monsoon(statements=60)), judge(monsoon(2, statements=60, slow=9))\n"
        "sys.stdout.buffer.write((report_json(a) + render(a) + summary(b) + comparison_page(a, b)).encode())\n"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True,
            check=True,
        ).stdout
        for seed, zone in (("0", "UTC"), ("1", "Asia/Karachi"), ("4242", "Asia/Kolkata"))
    }
    assert len(texts) == 1
    assert len(texts.pop()) > 100_000


def test_judging_changes_no_entry() -> None:
    """A journal judged twice would give two reports."""
    entries = monsoon(statements=30)
    before = [dict(entry) for entry in entries]
    assert report_json(judge(entries)) == report_json(judge(entries))
    assert entries == before
