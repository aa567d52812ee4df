"""Two runs of a drill side by side: promises, main measures, and whether they are runs of the same drill at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from hotline.drill.findings import named
from hotline.drill.markup import Markup, shown, table, tag
from hotline.drill.measures import PRECEDENCES
from hotline.drill.outcome import Judged, Report
from hotline.drill.page import mark, page, section, verdict
from hotline.drill.summary import columns
from hotline.drill.wording import amount, difference, limit_words, measured_words
from hotline.safetext import SafeText, safe_block, safe_line

MISSING: Final = "not promised"

Change = Literal["kept", "broken", "mended", "still broken", "not decided", ""]


@dataclass(frozen=True, slots=True)
class Row:
    """One promise or measure in both runs, in words."""

    name: str
    limit: str
    first: str
    second: str
    difference: str
    change: Change
    """What became of a promise from the first run to the second; empty for a measure or a promise of one run only."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two reports, row by row."""

    first: Report
    second: Report
    same_drill: bool
    """Whether both ran the very same plan, byte for byte."""
    promises: tuple[Row, ...]
    measures: tuple[Row, ...]


def compare(first: Report, second: Report) -> Comparison:
    """Pair the promises by their words and the measures by their names; what only one run has is shown as such."""
    return Comparison(
        first=first,
        second=second,
        same_drill=first.digest == second.digest,
        promises=tuple(_promises(first, second)),
        measures=tuple(_measures(first, second)),
    )


def _keyed(report: Report) -> dict[tuple[str, str, int], Judged]:
    """Promises by kind, words and the how manieth of those."""
    found: dict[tuple[str, str, int], Judged] = {}
    for one in report.promises:
        number = sum(1 for kind, text, _ in found if (kind, text) == (one.promise, one.text))
        found[one.promise, one.text, number] = one
    return found


def _promises(first: Report, second: Report) -> Iterator[Row]:
    here, there = _keyed(first), _keyed(second)
    for key in dict.fromkeys([*here, *there]):
        one, other = here.get(key), there.get(key)
        limits = dict.fromkeys(limit_words(judged) for judged in (one, other) if judged is not None)
        yield Row(
            name=key[1],
            limit=" → ".join(limits),
            first=MISSING if one is None else measured_words(one, aborted=first.verdict == "aborted"),
            second=MISSING if other is None else measured_words(other, aborted=second.verdict == "aborted"),
            difference=_difference(one, other),
            change=_change(one, other),
        )


def _difference(one: Judged | None, other: Judged | None) -> str:
    if one is None or other is None:
        return ""
    if one.promise == "ledgers":
        return "=" if measured_words(one) == measured_words(other) else "changed"
    return difference(one.measured, other.measured, one.unit)


def _change(one: Judged | None, other: Judged | None) -> Change:
    if one is None or other is None:
        return ""
    if not (one.decided and other.decided):
        return "not decided"
    table_: dict[tuple[bool, bool], Change] = {
        (True, True): "kept",
        (True, False): "broken",
        (False, True): "mended",
        (False, False): "still broken",
    }
    return table_[one.holds, other.holds]


def _measures(first: Report, second: Report) -> Iterator[Row]:
    for name in dict.fromkeys([*first.measures, *second.measures]):
        unit = "ms" if "_ms" in name else "count"
        before, after = first.measures.get(name), second.measures.get(name)
        yield Row(
            name=measure_words(name),
            limit="",
            first=amount(before, unit) if name in first.measures else "–",
            second=amount(after, unit) if name in second.measures else "–",
            difference=difference(before, after, unit) if name in first.measures and name in second.measures else "",
            change="",
        )


def measure_words(name: str) -> str:
    """A measure's name for people: delivery_flash_ms_p99 is `delivery FLASH, 99 % within`."""
    stem, is_time, rank = name.partition("_ms")
    stem = " ".join(part.upper() if part in PRECEDENCES else part for part in stem.split("_"))
    ranks = {"_p50": ", half within", "_p99": ", 99 % within", "_max": ", slowest"}
    return stem + (ranks.get(rank, "") if is_time else "")


def _warning(found: Comparison) -> str:
    if found.same_drill:
        return ""
    return (
        f"These are two different drills: {found.first.name} {found.first.digest[:12]} and "
        f"{found.second.name} {found.second.digest[:12]}. Differences may come from the plans, not from the hotline."
    )


def comparison_text(first: Report, second: Report) -> SafeText:
    """The comparison as lines for a terminal."""
    found = compare(first, second)
    lines: list[str] = [safe_line(f"! {_warning(found)}")] if not found.same_drill else []
    for sign, one in (("A", first), ("B", second)):
        lines.append(safe_line(f"{sign}  {one.name}  {one.verdict.upper()}  started {one.started}  seed {one.seed}"))
    rows = [("PROMISE", "LIMIT", "A", "B", "DIFFERENCE", "")]
    rows += [(row.name, row.limit, row.first, row.second, row.difference, row.change) for row in found.promises]
    lines += ["", *columns(rows), ""]
    measures = [("MEASURE", "A", "B", "DIFFERENCE")]
    measures += [(row.name, row.first, row.second, row.difference) for row in found.measures]
    return safe_block("\n".join([*lines, *columns(measures)]))


def comparison_page(first: Report, second: Report) -> str:
    """The comparison as one self-contained HTML file; the same two reports give the same bytes."""
    found = compare(first, second)
    warning = [verdict("broken", _warning(found), "DIFFERENT DRILLS")] if not found.same_drill else []
    changed = [row for row in found.promises if row.change in ("broken", "mended")]
    words = named([f"{row.name}: {row.change}" for row in changed])
    return page(
        f"Two runs: {first.name} and {second.name}" if first.name != second.name else f"Two runs of {first.name}",
        tag("h1", first.title if first.title == second.title else f"{first.title} / {second.title}"),
        *warning,
        tag("p", f"A {first.verdict}, B {second.verdict}."),
        tag("p", f"Changed from A to B: {words}." if words else "No promise changed from kept to broken or back."),
        section("Runs", _runs(found)),
        section("Promises", _promise_table(found)),
        section("Measures", _measure_table(found)),
    )


def _runs(found: Comparison) -> Markup:
    first, second = found.first, found.second
    pairs = [
        ("drill", first.name, second.name),
        ("verdict", first.verdict.upper(), second.verdict.upper()),
        ("started", first.started, second.started),
        ("seed", str(first.seed), str(second.seed)),
        ("simulated", "yes" if first.simulated else "no", "yes" if second.simulated else "no"),
        ("length", f"{first.seconds:.0f} s", f"{second.seconds:.0f} s"),
    ]
    names = dict.fromkeys([*first.topology, *second.topology, *first.environment, *second.environment])
    here, there = first.topology | first.environment, second.topology | second.environment
    pairs += [(name, here.get(name, "–"), there.get(name, "–")) for name in names]
    rows: list[tuple[str, ...]] = [(*pair, "same" if pair[1] == pair[2] else "differs") for pair in pairs]
    hashes = [tag("span", one.digest, class_="hash") for one in (first, second)]
    rows.insert(1, ("drill's hash", *hashes, "same" if found.same_drill else "differs"))
    return table("What ran, and where", ("Of the run", "A", "B", "Same?"), rows)


def _promise_table(found: Comparison) -> Markup:
    rows = [
        (shown(row.name), _changed(row), row.limit, row.first, row.second, row.difference) for row in found.promises
    ]
    heads = ("Promise", "From A to B", "Limit", "A", "B", "Difference")
    return table("Promises in both runs; a promise is the same if it has the same words", heads, rows, numbers=4)


def _changed(row: Row) -> Markup:
    match row.change:
        case "kept":
            return mark(True)
        case "broken":
            return mark(False)
        case "mended" | "still broken":
            return tag("span", row.change, class_="mark kept" if row.change == "mended" else "mark no")
        case _:
            return shown("in one run only")


def _measure_table(found: Comparison) -> Markup:
    rows = [(row.name, row.first, row.second, row.difference) for row in found.measures]
    return table("Main measures of both runs", ("Measure", "A", "B", "Difference"), rows, numbers=3)
