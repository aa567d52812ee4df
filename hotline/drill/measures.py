"""From a drill's journal to facts: statements and their ways, readings, ledgers, and the numbers that sum them up.

Pure functions of the entries. What only the planner can know (what an inject touches, what was promised) comes from the
plan that stands in the journal's first entry.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from hotline.drill.journal import Entry, of_kind, problem_of
from hotline.drill.outcome import FaultSpan, Gap, LedgerEnd, Message, PathSpan
from hotline.drill.plan import Plan
from hotline.drill.spans import fault_spans, path_spans
from hotline.drill.standstills import EVERY_MS
from hotline.drill.telling import parts_of
from hotline.errors import Malformed

PRECEDENCES: Final = ("flash", "immediate", "priority", "routine")
_LADDER: Final = ("relayed", "expired", "delivered", "read")
"""Stages, each telling more than the ones before."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a journal says, put in order. Times are milliseconds since the steady state."""

    plan: Plan
    head: Entry
    """The entry `drill`."""
    entries: tuple[Entry, ...]
    """All others, in order of time."""
    steady: bool
    """Whether the steady state was reached before the first fault."""
    outcome: str
    """What the entry `end` says; `cut short` if there is none."""
    end_text: str
    end: float
    """When the last reading was taken: what comes after it is the verification of what was left behind."""
    messages: tuple[Message, ...]
    faults: tuple[FaultSpan, ...]
    paths: tuple[PathSpan, ...]
    gaps: tuple[Gap, ...]
    ledgers: tuple[LedgerEnd, ...]
    agree: bool | None
    disordered: tuple[str, ...]
    """Ids of statements shown after one that was said later, with the same sender, plane and precedence."""
    twice: int
    stood_still: float
    """For how long this machine stood still in all, at most."""

    def of(self, *kinds: str, by: str | None = None) -> list[Entry]:
        """Entries of these kinds since the steady state, of one side if it is named."""
        found = of_kind(self.entries, *kinds)
        return [entry for entry in found if entry["t"] >= 0 and (by is None or entry.get("by") == by)]

    @property
    def whole(self) -> bool:
        """Whether the drill was played from its steady state to its end, and everything in it was brought about.

        If not, no promise can be judged.
        """
        return self.steady and self.outcome == "ended" and not self.failed

    @property
    def failed(self) -> list[Entry]:
        """Injects that could not be brought about."""
        return self.of("inject-failed")


def facts_of(entries: Sequence[Entry]) -> Facts:
    """Put the entries of a journal in order. Raises Malformed for what is no journal of a drill."""
    for number, entry in enumerate(entries, 1):
        problem = problem_of(entry)
        if problem:
            raise Malformed("journal", f"entry {number}: {problem}")
    if not entries or entries[0]["kind"] != "drill":
        raise Malformed("journal", "does not begin with the entry `drill`")
    head, plan = entries[0], _plan_of(entries[0])
    rest = tuple(sorted(entries[1:], key=lambda entry: float(entry["t"])))
    readings = [float(entry["t"]) for entry in of_kind(rest, "poll") if entry["t"] >= 0]
    end = max(readings, default=max((float(entry["t"]) for entry in rest), default=0.0))
    ends, steadies, agreed = of_kind(rest, "end"), of_kind(rest, "steady"), of_kind(rest, "agree")
    steady = bool(steadies) and bool(steadies[-1]["holds"])
    messages, strangers = _messages(rest)
    return Facts(
        plan=plan,
        head=head,
        entries=rest,
        steady=steady,
        outcome=str(ends[-1]["outcome"]) if ends else "cut short",
        end_text=str(ends[-1]["text"]) if ends else "the journal has no end: whoever ran the drill was stopped",
        end=max(end, 0.0),
        messages=tuple(messages),
        faults=fault_spans(plan, rest, messages),
        paths=path_spans(plan, rest, end) if steady else (),
        gaps=tuple(_gaps(rest)),
        ledgers=tuple(_ledgers(rest)),
        agree=all(one["holds"] for one in agreed) if agreed else None,
        disordered=tuple(_disordered(rest, messages)),
        twice=sum(max(0, message.times_shown - 1) for message in messages) + strangers,
        stood_still=sum(entry["ms"] + EVERY_MS for entry in of_kind(rest, "standstill") if entry["t"] >= 0),
    )


def _plan_of(head: Entry) -> Plan:
    try:
        return Plan.model_validate(head["plan"])
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Malformed("journal", f"its plan is none: {place}: {first['msg']}") from error


# --- statements -------------------------------------------------------------------------------------------------------


class _Way:
    """One accepted statement on its way: mutable while the journal is read."""

    def __init__(self, said: Entry) -> None:
        self.said = said
        self.id = str(said["id"])
        self.serial = int(said["serial"])
        self.at: dict[str, float] = {}
        self.relayed_by = ""
        self.told = ""
        self.terminal = str(said.get("terminal", said["from"]))
        self.shown_at: dict[str, int] = {}
        """How often each terminal of the other side showed it, unmarked: each of them holds it."""
        self.forgotten = False

    def stage(self, entry: Entry) -> None:
        stage = str(entry["stage"])
        if stage not in _LADDER:
            return
        self.at.setdefault(stage, float(entry["t"]))
        if stage == "relayed":
            self.relayed_by = self.relayed_by or str(entry["by"])
        # Custody signed after the receipt, or a receipt learned after the reading, tells nothing new. What has expired
        # may still turn out to have arrived.
        if not self.told or _LADDER.index(stage) > _LADDER.index(self.told):
            self.told = stage

    def shown(self, entry: Entry) -> None:
        self.at.setdefault("shown", float(entry["t"]))
        by = str(entry["by"])
        self.shown_at[by] = self.shown_at.get(by, 0) + (not entry["repeat"])

    def message(self) -> Message:
        said, at = self.said, self.at
        return Message(
            id=self.id,
            sender=said["from"],
            serial=self.serial,
            plane=said["plane"],
            precedence=said["precedence"],
            lang=said["lang"],
            size=said["bytes"],
            label=said["label"],
            said=float(said["t"]),
            relayed=at.get("relayed"),
            relayed_by=self.relayed_by,
            delivered=at.get("delivered", at.get("read")),
            read=at.get("read"),
            shown=at.get("shown"),
            expired=at.get("expired"),
            told=self.told,
            times_shown=max(self.shown_at.values(), default=0),
            forgotten=self.forgotten,
        )


def _messages(entries: Iterable[Entry]) -> tuple[list[Message], int]:
    """Every accepted statement, and how many unmarked repetitions there were of statements that nobody is known to
    have said (a terminal that did not answer may have taken them all the same).

    A terminal that has lost its state may give out a serial anew: an id is its last holder's until that is renumbered.
    A new serial that is learned late was given before the first that is told of it.
    """
    ways: list[_Way] = []
    holders: dict[str, list[_Way]] = {}
    strangers: dict[tuple[str, str], int] = {}
    entries = list(entries)
    learned = {_renumbered(one["id"], one["by"])[0]: one for one in entries if _is_renumbering(one) and one.get("late")}
    for entry in entries:
        identifier = str(entry.get("id", ""))
        if identifier in learned and identifier not in holders:
            _renumber(holders, learned.pop(identifier))
        held = holders.get(identifier)
        match entry["kind"]:
            case "said":
                ways.append(_Way(entry))
                holders.setdefault(identifier, []).append(ways[-1])
            case "inject" if entry["fault"] == "restore":
                for way in ways:
                    way.forgotten = way.forgotten or way.terminal == entry["target"]
            case "stage" if _is_renumbering(entry):
                if not entry.get("late") or learned.pop(_renumbered(identifier, entry["by"])[0], None) is entry:
                    _renumber(holders, entry)
            case "stage" if held:
                _holder(held, entry).stage(entry)
            case "shown" if held:
                held[-1].shown(entry)
            case "shown" if not entry["repeat"]:
                key = (identifier, str(entry["by"]))
                strangers[key] = strangers.get(key, 0) + 1
    return [way.message() for way in ways], sum(count - 1 for count in strangers.values())


def _is_renumbering(entry: Entry) -> bool:
    return bool(entry["kind"] == "stage" and entry["stage"] == "renumbered")


def _renumber(holders: dict[str, list[_Way]], entry: Entry) -> None:
    held = holders.get(entry["id"])
    if held:
        way = _holder(held, entry)
        held.remove(way)
        way.id, way.serial = _renumbered(entry["id"], str(entry["by"]))
        holders.setdefault(way.id, []).append(way)


def _holder(held: Sequence[_Way], entry: Entry) -> _Way:
    """Whose stage it is, where an id has several holders: two terminals of a party may have given out one serial, and
    each tells of its own. The newest that it can be."""
    terminal = entry.get("terminal", parts_of(entry["id"])[0])
    return next((way for way in reversed(held) if way.terminal == terminal), held[-1])


def _renumbered(identifier: str, serial: str) -> tuple[str, int]:
    sender, plane, old = parts_of(identifier)
    new = int(serial) if serial.isascii() and serial.isdecimal() and len(serial) <= len(str(2**64)) else old
    return f"{sender}/{plane}/{new}", new


def _disordered(entries: Sequence[Entry], messages: Iterable[Message]) -> list[str]:
    """Serials ascend in the order in which statements were accepted. Showings learned late have no known order; a
    second showing is another offence.
    """
    precedence = {message.id: message.precedence for message in messages}
    highest: dict[tuple[str, str, str, str], int] = {}
    seen: set[tuple[str, str]] = set()
    found = []
    for entry in of_kind(entries, "shown"):
        again = (entry["by"], entry["id"]) in seen
        if entry["id"] not in precedence or again or entry["repeat"] or entry.get("late"):
            continue
        seen.add((entry["by"], entry["id"]))
        sender, plane, serial = parts_of(entry["id"])
        group = (entry["by"], sender, plane, precedence[entry["id"]])
        if serial < highest.get(group, 0):
            found.append(str(entry["id"]))
        highest[group] = max(serial, highest.get(group, 0))
    return found


# --- readings ---------------------------------------------------------------------------------------------------------


def _gaps(entries: Iterable[Entry]) -> list[Gap]:
    return [
        Gap(party=entry["by"], at=float(entry["t"]), heard_ms=None if entry["heard_ms"] is None else entry["heard_ms"])
        for entry in of_kind(entries, "poll")
        if entry["t"] >= 0
    ]


def silence(facts: Facts, party: str) -> tuple[float, float] | None:
    """The longest time for which `party` had not heard its peer, and when that was read. None without a reading.

    A terminal that does not answer, or has heard nothing since it was started, has been silent since its last word.
    """
    last, worst = 0.0, None
    for gap in facts.gaps:
        if gap.party != party:
            continue
        if gap.heard_ms is not None:
            last = max(last, gap.at - gap.heard_ms)
        length = gap.at - last if gap.heard_ms is None else gap.heard_ms
        if worst is None or length > worst[0]:
            worst = (length, gap.at)
    return worst


def _ledgers(entries: Iterable[Entry]) -> list[LedgerEnd]:
    last = {(str(entry["by"]), int(entry["log_epoch"])): entry for entry in of_kind(entries, "ledger")}
    return [
        LedgerEnd(
            party=party,
            size=entry["size"],
            log_epoch=epoch,
            root=entry["root"],
            verified=entry["verified"],
            text=entry["text"],
        )
        for (party, epoch), entry in sorted(last.items())
    ]


# --- numbers ----------------------------------------------------------------------------------------------------------


def percentile(values: Iterable[float], percent: float) -> float | None:
    """The smallest of `values` that at least `percent` of them do not exceed (nearest rank); None without any."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)] if ordered else None


def taken(messages: Iterable[Message], stage: Callable[[Message], float | None]) -> list[float]:
    """How long each statement took from its acceptance to `stage`, without those that never got there."""
    return [at - message.said for message in messages if (at := stage(message)) is not None]


def delivered(message: Message) -> float | None:
    """When the verified receipt came."""
    return message.delivered


def lost(messages: Iterable[Message]) -> list[Message]:
    """Accepted, neither delivered nor told to their sender as expired. Of what a restored sender cannot know the other
    side's record tells.
    """
    unknown = (message for message in messages if message.delivered is None and message.expired is None)
    return [message for message in unknown if message.shown is None or not message.forgotten]


def numbers(facts: Facts) -> dict[str, float | None]:
    """The measures of a report, by name."""
    messages = facts.messages
    readings = [reading[0] for party in facts.plan.topology.capitals if (reading := silence(facts, party)) is not None]
    found: dict[str, float | None] = {
        "said": float(len(messages)),
        "refused_to_say": float(len(facts.of("refused-to-say"))),
        "delivered": float(sum(1 for message in messages if message.delivered is not None)),
        "lost": float(len(lost(messages))),
        "twice": float(facts.twice),
        "disordered": float(len(facts.disordered)),
        "expired": float(sum(1 for message in messages if message.expired is not None)),
        "silence_ms": max(readings, default=None),
        "alarms": float(len(facts.of("alarm"))),
        "stood_still_ms": float(facts.stood_still),
    }
    for name in ("", *PRECEDENCES):
        times = taken((message for message in messages if name in ("", message.precedence)), delivered)
        prefix = f"delivery_{name}_ms" if name else "delivery_ms"
        if times or not name:
            found |= {f"{prefix}_p50": percentile(times, 50), f"{prefix}_p99": percentile(times, 99)}
            found[f"{prefix}_max"] = max(times, default=None)
    return {name: None if value is None else round(value, 3) for name, value in found.items()}
