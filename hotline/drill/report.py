"""The report of a drill as one HTML file: verdict, promises, charts, tables, and how to run it again.

Made from the report alone, and from nothing else: no clock, no version of the renderer, no file. One report, one page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final

from hotline.drill.charts import delivery_chart, path_chart, silence_chart
from hotline.drill.durations import spoken
from hotline.drill.markup import Markup, join, shown, table, tag, words
from hotline.drill.measures import PRECEDENCES, delivered, percentile, taken
from hotline.drill.outcome import FaultSpan, Message, Moment, Report
from hotline.drill.page import facts, mark, not_judged, page, section, verdict
from hotline.drill.patterns import PARTIES
from hotline.drill.summary import summary
from hotline.drill.wording import limit_words, measured_words, numbered, when

__all__ = ["TIMELINE_MAX", "WORDS_MAX", "render", "summary"]

TIMELINE_MAX: Final = 300
"""Lines of the timeline on the page; the report's JSON has all."""
WORDS_MAX: Final = 40
"""Statements whose text the plan gave, shown with it."""


def render(report: Report) -> str:
    """The whole page: self-contained, no script, nothing fetched. The same report gives the same bytes."""
    kind = "simulated drill" if report.simulated else "drill on real processes"
    length = f"{report.seconds:.0f} s from its steady state" if report.paths else "without a steady state"
    lead = tag("p", f"{kind}, {length}, started {report.started}", class_="soft")
    return page(
        f"Drill {report.name}: {report.verdict}",
        tag("h1", report.title),
        lead,
        verdict(report.verdict, report.outcome),
        tag("p", report.story),
        section("Promises", _promises(report)),
        section("Delivery", *_delivery(report)),
        section("Paths", *((path_chart(report), _path_use(report)) if report.paths else (_nothing("path"),))),
        section("Silence", silence_chart(report) if report.gaps else _nothing("reading")),
        section("Faults", _faults(report)),
        section("Timeline", _timeline(report.timeline)),
        section("Ledgers", _ledgers(report)),
        section("Where, what and with which", _origin(report)),
        section("Run it again", *_again(report)),
    )


def _small(text: str) -> Markup:
    return tag("span", text, class_="small")


def _below(text: str) -> Markup:
    return tag("span", text, class_="small below") if text else Markup("")


def _nothing(what: str) -> Markup:
    return tag("p", f"No {what} was recorded.")


def _promises(report: Report) -> Markup:
    promises = report.promises
    rows = [
        (
            join([shown(one.text), _below(one.why)]),
            not_judged() if report.verdict == "aborted" else mark(one.holds if one.decided else None),
            _small(one.detail),
            limit_words(one),
            measured_words(one, aborted=report.verdict == "aborted"),
        )
        for one in promises
    ]
    kept = sum(1 for one in promises if one.holds)
    caption = f"{kept} of {len(promises)} promises kept. What could not be measured counts as broken."
    if report.verdict == "aborted":
        caption = f"{len(promises)} promises, none of which can be judged. {report.outcome}"
    return table(caption, ("Promise", "Kept?", "Decided by", "Limit", "Measured"), rows, numbers=2)


# --- statements -------------------------------------------------------------------------------------------------------

_STAGES: Final[tuple[tuple[str, Callable[[Message], float | None]], ...]] = (
    ("relayed", lambda message: message.relayed),
    ("delivered", lambda message: message.delivered),
    ("read", lambda message: message.read),
)


def _delivery(report: Report) -> tuple[Markup, ...]:
    if not report.messages:
        return (_nothing("statement"),)
    return *_charts(report), _acknowledgements(report), _words(report)


def _charts(report: Report) -> Iterator[Markup]:
    """Of three parties one for each two, of what each of them said to the other."""
    pairs = sorted({tuple(sorted(one.sender.split(":"))) for one in report.messages if ":" in one.sender})
    if not pairs:
        yield delivery_chart(report)
        return
    for pair in pairs:
        mine = [one for one in report.messages if set(pair) == {*one.sender.split(":")}]
        times = taken(mine, delivered)
        measures = {"delivery_ms_p50": percentile(times, 50), "delivery_ms_max": max(times, default=None)}
        of_two = report.model_copy(update={"messages": mine, "measures": measures})
        yield delivery_chart(of_two, f" between {' and '.join(pair)}")


def _acknowledgements(report: Report) -> Markup:
    heads = ["Precedence", "Said"]
    for stage, _ in _STAGES:
        heads += [f"{stage}: half", "99 %", "slowest"]
    rows = []
    for precedence in PRECEDENCES:
        mine = [message for message in report.messages if message.precedence == precedence]
        if not mine:
            continue
        row = [precedence.upper(), str(len(mine))]
        for _, reached in _STAGES:
            times = taken(mine, reached)
            row += [_time(percentile(times, 50)), _time(percentile(times, 99)), _time(max(times, default=None))]
        rows.append(row)
    if not rows:
        return Markup("")
    caption = (
        "Acknowledgements, from acceptance: relayed (a relay holds it), delivered (the other terminal has verified and "
        "recorded it), read (an officer opened it). Of those that got so far."
    )
    return table(caption, heads, rows, numbers=len(heads) - 1)


def _time(value: float | None) -> str:
    return "–" if value is None else spoken(value)


def _words(report: Report) -> Markup:
    said = [message for message in report.messages if message.label]
    if not said:
        return Markup("")
    rows = [
        (
            f"{message.sender} #{message.serial}",
            message.precedence.upper(),
            words(message.label, message.lang),
            when(message.said),
            _after(message, message.delivered, "not delivered"),
            _after(message, message.read, "not read"),
        )
        for message in said[:WORDS_MAX]
    ]
    caption = "Statements whose words the plan gives"
    if len(said) > WORDS_MAX:
        caption += f": the first {WORDS_MAX} of {len(said)}"
    return table(caption, ("Statement", "Precedence", "Words", "Said", "Delivered", "Read"), rows, numbers=3, wide=2)


def _after(message: Message, at: float | None, otherwise: str) -> str:
    if at is None:
        return "expired" if message.expired is not None else otherwise
    return f"after {spoken(at - message.said)}"


# --- paths and faults -------------------------------------------------------------------------------------------------


def _path_use(report: Report) -> Markup:
    keys = sorted({(span.party, span.path) for span in report.paths})
    rows = []
    for party, path in keys:
        spans = [span for span in report.paths if (span.party, span.path) == (party, path)]
        spells: dict[bool, list[float]] = {True: [], False: []}
        for is_up, run in groupby(spans, key=lambda span: span.state == "up"):
            spells[is_up].append(sum(span.end - span.begin for span in run))
        up, length = sum(spells[True]), sum(spells[True]) + sum(spells[False])
        first = sum(1 for one in report.messages if one.sender == party and one.relayed_by == path)
        share = f"{100 * up / length:.1f} %" if length else "–"
        longest = _time(max(spells[False], default=None))
        rows.append((f"{party} {path}", share, str(len(spells[False])), longest, str(first)))
    caption = "Every statement goes over every path. Carried first: the relay whose promise of custody came first."
    return table(caption, ("Path", "Up", "Spells not up", "Longest one", "Carried first"), rows, numbers=4)


def _faults(report: Report) -> Markup:
    rows = [
        (
            sign,
            when(fault.begin),
            "to the end" if fault.end is None else spoken(fault.end - fault.begin),
            _what(fault),
            *(_time(fault.noticed_ms.get(party)) for party in PARTIES),
            _time(fault.next_delivery_ms),
            _time(fault.recovered_ms),
        )
        for sign, fault in numbered(report.faults)
    ]
    if not rows:
        return tag("p", "No fault was injected.")
    heads = ("No.", "At", "For", "What", *(f"{party} noticed" for party in PARTIES), "Next delivery", "Steady again")
    caption = (
        "Noticed: until the first path that the fault touches is no longer up, or the first alarm. Next delivery: the "
        "first receipt for a statement said after the begin. Steady again: after the end of the fault. –: it did not "
        "happen."
    )
    return table(caption, heads, rows, numbers=4, wide=3)


def _what(fault: FaultSpan) -> Markup:
    name = fault.name if fault.name == fault.fault else f"{fault.name} ({fault.fault})"
    plain = f"{fault.fault} {fault.target}"
    return join([shown(f"{name}: {fault.target}"), _below(fault.text if fault.text != plain else "")])


def _timeline(moments: list[Moment]) -> Markup:
    shown_, left = moments[:TIMELINE_MAX], len(moments) - TIMELINE_MAX
    rows = [(when(one.at), one.kind, one.who, _moment_words(one)) for one in shown_]
    caption = "Faults, states, alarms and refusals, in order of time"
    if left > 0:
        caption += f": the first {TIMELINE_MAX} of {len(moments)}; the JSON of this report has all"
    return table(caption, ("At", "What", "Who", "In words"), rows, wide=3)


def _moment_words(one: Moment) -> Markup:
    text = words(one.text, one.lang) if one.lang else shown(one.text)
    return join([text, _below(f"{one.times} times in a row")]) if one.times > 1 else text


# --- what is left behind ----------------------------------------------------------------------------------------------


def _ledgers(report: Report) -> Markup:
    if not report.ledgers:
        return tag("p", "The ledgers were not examined.")
    rows = [
        (
            one.party,
            str(one.log_epoch),
            str(one.size),
            tag("span", one.root, class_="hash"),
            mark(one.verified, "yes", "NO"),
            one.text,
        )
        for one in report.ledgers
    ]
    heads = ("Ledger", "Log epoch", "Entries", "Root", "Verified", "What the verifier says")
    said = {True: "Both ledgers agree.", False: "The ledgers do not agree.", None: "They were not compared."}
    return join([table("Both ledgers at the end", heads, rows), tag("p", said[report.agree])])


def _origin(report: Report) -> Markup:
    pairs = {"incident": report.incident} if report.incident else {}
    pairs |= {
        "source": report.source,
        "drill": report.name,
        "drill's hash": report.digest,
        "seed": str(report.seed),
        "started": report.started,
    }
    return facts(pairs | report.topology | report.environment)


def _again(report: Report) -> Iterator[Markup]:
    simulate = " --simulate" if report.simulated else ""
    command = f"hotline drill run {report.name} --seed {report.seed}{simulate}"
    yield tag("pre", tag("code", command), tabindex=0, role="group", aria_label="Command")
    yield tag(
        "p",
        "It is the same drill if its hash is the same. The seed fixes what the drill chooses; "
        + ("in simulated time that is everything." if report.simulated else "the machine's own timing is its own."),
    )
    yield tag("p", "The journal beside this page holds every fact of it; the same journal gives the same page.")
