"""Judges of promises about statements, and about what a drill leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from hotline.drill import promises
from hotline.drill.durations import spoken
from hotline.drill.findings import Finding, clock, named, number_of, sides, who
from hotline.drill.injects import Say
from hotline.drill.journal import Entry
from hotline.drill.measures import Facts, delivered, lost, percentile, taken
from hotline.drill.outcome import Message
from hotline.drill.patterns import PARTIES
from hotline.drill.telling import parts_of


def _kind_of(precedence: str | None, sender: str | None) -> str:
    words = f"{precedence.upper()} statement" if precedence else "statement"
    return f"{words} of {sender}" if sender else words


def _none_lost(promise: promises.NoneLost, facts: Facts) -> Finding:
    del promise
    missing = lost(facts.messages)
    return _counted("no accepted statement lost", len(missing), [who(message) for message in missing], facts)


def _none_twice(promise: promises.NoneTwice, facts: Facts) -> Finding:
    del promise
    shown = [who(message) for message in facts.messages if message.times_shown > 1]
    return _counted("no statement shown twice", facts.twice, shown, facts)


def _in_order(promise: promises.InOrder, facts: Facts) -> Finding:
    del promise
    late = [f"{number_of(identifier)} came after a later one" for identifier in facts.disordered]
    return _counted("shown in the order in which they were said", len(late), late, facts)


def _counted(text: str, count: int, words: Sequence[str], facts: Facts) -> Finding:
    said = len(facts.messages)
    if not said:
        return Finding(text, None, "no statement was said")
    return Finding(text, float(count), named(words), said)


def _waited_for(facts: Facts, precedence: str | None, sender: str | None = None) -> list[Message]:
    """The statements of a promise about delivery, without those that expired as the plan meant them to."""
    brief = {(one.sender, one.text) for one in facts.plan.inject if isinstance(one, Say) and one.valid_for}
    return [
        message
        for message in facts.messages
        if precedence in (None, message.precedence)
        and sender in (None, message.sender)
        and (message.expired is None or message.delivered is not None or (message.sender, message.label) not in brief)
    ]


def _slowest(messages: Sequence[Message], text: str) -> tuple[Message | None, Finding]:
    """The slowest delivery; none and a finding without a measure if there is none or one never came."""
    if not messages:
        return None, Finding(text, None, "no such statement was said")
    missing = [message for message in messages if message.delivered is None]
    if missing:
        return None, Finding(text, None, "never delivered: " + named([who(message) for message in missing]))
    slowest = max(messages, key=lambda message: (message.delivered or 0.0) - message.said)
    took = taken([slowest], delivered)[0]
    return slowest, Finding(text, took, f"slowest of {len(messages)}: {who(slowest)}")


def _delivered_within(promise: promises.DeliveredWithin, facts: Facts) -> Finding:
    text = f"every {_kind_of(promise.precedence, promise.sender)} delivered in time"
    return _slowest(_waited_for(facts, promise.precedence, promise.sender), text)[1]


def _extra_delay(promise: promises.ExtraDelay, facts: Facts) -> Finding:
    text = f"no {_kind_of(promise.precedence, None)} delayed beyond the usual"
    messages = _waited_for(facts, promise.precedence)
    slowest, found = _slowest(messages, text)
    if slowest is None or found.measured is None:
        return found
    first = min((fault.begin for fault in facts.faults if fault.is_fault), default=None)
    early = [one for one in messages if first is None or (one.delivered is not None and one.delivered < first)]
    usual = percentile(taken(early, delivered), 50)
    if usual is None:
        return Finding(text, None, "no statement was delivered before the first fault: nothing to compare with")
    detail = f"{who(slowest)} took {spoken(found.measured)}; usual before the first fault: {spoken(usual)}"
    return Finding(text, found.measured - usual, detail)


def _told(promise: promises.Told, facts: Facts) -> Finding:
    whose = f"{promise.sender} is" if promise.sender else "senders are"
    within = promise.within
    text = f'{whose} told "{promise.state}" {"in the end" if within is None else f"within {spoken(within)}"}'
    mine = [message for message in facts.messages if promise.sender in (None, message.sender)]
    told = [message for message in mine if _was_told(message, promise.state, within)]
    return Finding(text, float(len(told)), named([who(message) for message in told]), len(mine))


def _was_told(message: Message, state: str, within: int | None) -> bool:
    at: float | None = getattr(message, state)
    return message.told == state if within is None else at is not None and at - message.said <= within


def _not_shown(promise: promises.NotShown, facts: Facts) -> Finding:
    text = f"no statement of the {promise.plane} plane shown to anybody"
    shown = {(entry["id"], entry["by"]) for entry in facts.of("shown") if parts_of(entry["id"])[1] == promise.plane}
    words = [f"{number_of(identifier)} to {party}" for identifier, party in sorted(shown)]
    return Finding(text, float(len({identifier for identifier, _ in shown})), named(words))


# --- what is left behind ----------------------------------------------------------------------------------------------


def _ledgers(promise: promises.Ledgers, facts: Facts) -> Finding:
    del promise
    parties = facts.plan.topology.capitals
    text = f"{'both' if len(parties) == len(PARTIES) else 'all'} ledgers verify and agree"
    missing = set(parties) - {one.party for one in facts.ledgers}
    if missing or facts.agree is None:
        return Finding(text, None, f"not examined: {sides(sorted(missing)) or 'the comparison'}")
    wrong = [f"{one.party} (log epoch {one.log_epoch}): {one.text}" for one in facts.ledgers if not one.verified]
    if not facts.agree:
        wrong += [str(entry["text"]) or "they do not agree" for entry in facts.of("agree") if not entry["holds"]]
    sizes = ", ".join(f"{one.party} {one.size} entries" for one in facts.ledgers)
    return Finding(text, float(len(wrong)), named(wrong) or sizes)


def _no_plaintext(promise: promises.NoPlaintext, facts: Facts) -> Finding:
    del promise
    places = sorted({str(entry["place"]) for entry in facts.of("plaintext")})
    return Finding("no text in the clear on a relay or in a log", float(len(places)), named(places))


def _growth(promise: promises.Growth, facts: Facts) -> Finding:
    text = f"memory that {promise.target} gains"
    mine = [(float(one["t"]), float(one["mib"])) for one in facts.entries if _memory_of(one, promise.target)]
    before, after = [mib for at, mib in mine if at <= 0], [(mib, at) for at, mib in mine if at > 0]
    base = before[-1] if before else after.pop(0)[0] if after else None
    if base is None or not after:
        return Finding(text, None, f"fewer than two readings of the memory of {promise.target}")
    most, at = max(after)
    return Finding(text, max(0.0, most - base), f"from {base:.1f} MiB to {most:.1f} MiB at {clock(at)}")


def _memory_of(entry: Entry, process: str) -> bool:
    return bool(entry["kind"] == "memory" and entry["process"] == process)


JUDGES: Final[dict[str, Callable[[Any, Facts], Finding]]] = {
    "none-lost": _none_lost,
    "none-twice": _none_twice,
    "in-order": _in_order,
    "delivered-within": _delivered_within,
    "extra-delay": _extra_delay,
    "told": _told,
    "not-shown": _not_shown,
    "ledgers": _ledgers,
    "no-plaintext": _no_plaintext,
    "growth": _growth,
}
"""Kind of promise to its judge."""
