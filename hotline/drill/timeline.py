"""The timeline of a report: what a reader wants to see in order, repetitions in a row counted instead of repeated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hotline.drill.durations import spoken
from hotline.drill.injects import NOT_A_FAULT, Say, Service, Translate
from hotline.drill.journal import Entry
from hotline.drill.measures import Facts
from hotline.drill.outcome import Moment
from hotline.drill.plan import Plan, speaker
from hotline.drill.spans import where
from hotline.drill.telling import parts_of

_WORDS: Final = {"expired": "expired", "renumbered": "was given another serial"}


def timeline(facts: Facts) -> list[Moment]:
    """Faults, states, alarms, refusals and ends; not every statement."""
    found: list[Moment] = []
    for entry in facts.entries:
        for moment in _moments(entry, facts.plan):
            last = found[-1] if found else None
            if last is not None and _same(last) == _same(moment):
                found[-1] = last.model_copy(update={"times": last.times + 1})
            else:
                found.append(moment)
    return found


def _same(moment: Moment) -> tuple[str, str, str]:
    return moment.kind, moment.who, moment.text


def _moments(entry: Entry, plan: Plan) -> Iterator[Moment]:
    match entry["kind"]:
        case "steady":
            took = entry["within_ms"]
            word = f"every path up both ways, {spoken(took)} after the start" if took is not None else "reached"
            yield _moment(entry, "", word if entry["holds"] else "not reached")
        case "steady-again":
            yield _moment(entry, "", "every path up both ways, nothing waits", "steady again")
        case "inject" | "undo":
            yield _inject(entry, plan)
        case "inject-failed":
            yield _moment(entry, entry["target"], f"{entry['name']}: {entry['text']}", "not brought about")
        case "path":
            yield _moment(entry, entry["by"], f"{entry['path']} {entry['state']}")
        case "alarm":
            yield _moment(entry, entry["by"], f"{entry['name']}: {entry['text']}")
        case "refused":
            yield _moment(entry, entry["by"], f"{entry['path']}: {entry['reason']}")
        case "challenge-answered":
            yield _moment(entry, entry["by"], f"the {entry['whose']} of the other side: {entry['verdict']}", "answered")
        case "checklist":
            done, skipped = entry["done"], entry["skipped"]
            yield _moment(entry, entry["from"], f"{entry['name']} on record: {done} done, {skipped} skipped")
        case "refused-to-say":
            yield _moment(entry, str(entry.get("terminal", entry["from"])), str(entry["text"]), "not accepted")
        case "speaks":
            yield _moment(entry, entry["by"], f"{entry['terminal']}, in term {entry['term']}")
        case "charter":
            yield _moment(entry, entry["by"], f"serial {entry['serial']} {entry['state']}")
        case "stage" if entry["stage"] in _WORDS:
            sender, _, serial = parts_of(entry["id"])
            yield _moment(entry, sender, f"#{serial} {_WORDS[entry['stage']]}", entry["stage"])
        case "standstill":
            yield _moment(entry, "", f"the {entry['what']} of this machine, for {spoken(entry['ms'])}", "stood still")
        case "exit":
            how = "as asked" if entry["asked"] else "by itself"
            yield _moment(entry, entry["process"], f"ended {how} with code {entry['code']}")
        case "plaintext":
            yield _moment(entry, "", f"a text of the drill stands in {entry['place']}")
        case "note" | "end":
            yield _moment(entry, "", str(entry["text"]))


def _moment(entry: Entry, who: str, text: str, kind: str = "", lang: str = "") -> Moment:
    at = float(entry["t"])
    return Moment(at=at, kind=kind or entry["kind"], who=who, text=text, lang=lang, times=1)


def _inject(entry: Entry, plan: Plan) -> Moment:
    number, over = int(entry["n"]), entry["kind"] == "undo"
    inject = plan.inject[number] if 0 <= number < len(plan.inject) else None
    if isinstance(inject, Say):
        return _moment(entry, speaker(inject), inject.text, "say", inject.lang)
    if isinstance(inject, Service):
        return _moment(entry, inject.sender, inject.text, "service", "en")
    if isinstance(inject, Translate):
        return _moment(entry, inject.sender, inject.text, "translate", inject.lang)
    text = str(entry["text"])
    kind = "over" if over else "does" if isinstance(inject, NOT_A_FAULT) else "fault"
    return _moment(entry, str(entry["target"]) or ("" if inject is None else where(inject)), text, kind)
