"""The charts of a drill report: inline SVG, one time axis for all, faults shaded in each.

Dense series are thinned to what a chart of this width can show, always keeping the worst of each column; the caption
says so. Colours never carry a meaning alone: precedences differ in shape, states in pattern.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hotline.drill.durations import spoken
from hotline.drill.markup import Markup, join, scrolled, short, tag
from hotline.drill.measures import PRECEDENCES
from hotline.drill.outcome import Gap, Message, PathSpan, Report
from hotline.drill.patterns import CAPITALS, PARTIES
from hotline.drill.wording import numbered, when

WIDTH: Final = 960
LEFT: Final = 118
RIGHT: Final = 14
PLOT: Final = WIDTH - LEFT - RIGHT
_TOP: Final = 26
_STEPS_S: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 86_400)
_TICKS_MAX: Final = 10
_LABEL_ROOM: Final = 26
POINTS_MAX: Final = 1_200
"""Statements drawn one by one; more are thinned."""
READINGS_MAX: Final = 600
"""Readings of one side drawn one by one."""
SPANS_MAX: Final = 800
STATES: Final = ("up", "attached", "suspect", "down", "not-running")
"""From the best to the worst."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Time from left to right, milliseconds."""

    end: float

    def x(self, at: float) -> float:
        """Where a moment stands; what lies outside stands at the edge."""
        return LEFT + PLOT * min(max(at / self.end, 0.0), 1.0)

    def column(self, at: float) -> int:
        """The pixel column of a moment."""
        return int(self.x(at))


def axis_of(report: Report) -> Axis:
    """The one axis of all charts of a report."""
    return Axis(max(report.seconds * 1_000, 1.0))


def _chart(name: str, title: str, description: str, height: float, *content: str) -> Markup:
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", description, id=f"{name}-desc"),
        *content,
        class_="chart",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        viewBox=f"0 0 {WIDTH} {short(height)}",
    )


def figure(chart: str, label: str, caption: str, legend: str = "") -> Markup:
    """A chart with its legend and what it says in words."""
    return tag("figure", scrolled(chart, label), legend, tag("figcaption", caption))


def _text(x: float, y: float, words: str, anchor: str | None = None, kind: str | None = None) -> Markup:
    return tag("text", words, x=x, y=y, text_anchor=anchor, class_=kind)


def _time_axis(axis: Axis, top: float, bottom: float) -> Markup:
    step = next((one for one in _STEPS_S if axis.end / 1_000 / one <= _TICKS_MAX), _STEPS_S[-1]) * 1_000
    ticks = [number * step for number in range(int(axis.end / step) + 1)]
    lines = "".join(f"M{short(axis.x(at))} {short(top)}V{short(bottom)}" for at in ticks)
    labels = [_text(axis.x(at), bottom + 17, _tick(at, step), "middle", "t") for at in ticks]
    edge = f"M{LEFT} {short(bottom)}H{WIDTH - RIGHT}"
    return join([tag("path", d=lines, class_="grid"), tag("path", d=edge, class_="axis"), *labels])


def _tick(at: float, step: float) -> str:
    for unit, size in (("h", 3_600_000), ("min", 60_000)):
        if step >= size:
            return f"{at / size:g} {unit}"
    return f"{at / 1_000:g} s"


def _faults(report: Report, axis: Axis, bottom: float) -> Markup:
    """Shaded windows, those that overlap made one, and their signs above."""
    windows: list[tuple[float, float]] = []
    for _, fault in numbered(report.faults):
        begin, end = fault.begin, axis.end if fault.end is None else fault.end
        if windows and begin <= windows[-1][1]:
            begin, end = windows[-1][0], max(windows.pop()[1], end)
        windows.append((begin, end))
    shades = [
        tag("rect", x=axis.x(a), y=_TOP, width=max(axis.x(b) - axis.x(a), 1.5), height=bottom - _TOP, class_="fault")
        for a, b in windows
    ]
    begins = [fault.begin for _, fault in numbered(report.faults)]
    return join([*shades, _edges(begins, axis, bottom), *_signs(report, axis)])


def _edges(moments: Iterable[float], axis: Axis, bottom: float) -> Markup:
    places = dict.fromkeys(short(axis.x(at)) for at in moments)
    d = "".join(f"M{x} {_TOP - 4}V{short(bottom)}" for x in places)
    return tag("path", d=d, class_="fault-edge") if d else Markup("")


def _signs(report: Report, axis: Axis) -> Iterator[Markup]:
    """The signs of the faults where they begin; those too near to each other as one: F1-F3."""
    near: list[tuple[float, str]] = []
    for sign, fault in numbered(report.faults):
        x = axis.x(fault.begin)
        if near and x - near[0][0] >= _LABEL_ROOM * (1 if len(near) == 1 else 2):
            yield _sign(near)
            near = []
        near.append((x, sign))
    if near:
        yield _sign(near)


def _sign(near: Sequence[tuple[float, str]]) -> Markup:
    first, last = near[0], near[-1]
    words = first[1] if len(near) == 1 else f"{first[1]}–{last[1]}"
    at_the_edge = first[0] > WIDTH - RIGHT - 2 * _LABEL_ROOM
    return _text(first[0] + (-3 if at_the_edge else 3), _TOP - 8, words, "end" if at_the_edge else None, "fault-label")


# --- delivery ---------------------------------------------------------------------------------------------------------

_MARKS: Final[dict[str, Callable[[str, str], str]]] = {
    "flash": lambda x, y: f"M{x} {y}m0-4l4 7h-8z",
    "immediate": lambda x, y: f"M{x} {y}m0-4l4 4-4 4-4-4z",
    "priority": lambda x, y: f"M{x} {y}m-3-3h6v6h-6z",
    "routine": lambda x, y: f"M{x} {y}m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0",
}


def delivery_chart(report: Report, between: str = "") -> Markup:
    """Delivery time of each statement, logarithmic, faults shaded, limits dashed; `between` says whose, if not all."""
    axis, bottom = axis_of(report), 300.0
    top = _TOP + 32
    points = [(one, one.delivered - one.said) for one in report.messages if one.delivered is not None]
    never = [one for one in report.messages if one.delivered is None]
    limits = [one for one in report.promises if one.promise == "delivered-within"]
    values = [value for _, value in points] + [one.limit for one in limits]
    low = math.floor(math.log10(max(min(values, default=1.0), 0.1)))
    high = max(math.ceil(math.log10(max(max(values, default=1.0), 1.0))), low + 1)

    def y(value: float) -> float:
        return bottom - (bottom - top) * (math.log10(max(value, 10.0**low)) - low) / (high - low)

    drawn = _thinned(points, axis) if len(points) > POINTS_MAX else points
    grid = "".join(f"M{LEFT} {short(y(10.0**power))}H{WIDTH - RIGHT}" for power in range(low, high + 1))
    parts = [
        _time_axis(axis, _TOP, bottom),
        tag("path", d=grid, class_="grid"),
        *(_text(LEFT - 8, y(10.0**power) + 4, _decade(power), "end", "t") for power in range(low, high + 1)),
        _text(LEFT - 8, _TOP + 14, "never", "end", "t"),
        _faults(report, axis, bottom),
        *(_limit(one.limit, y(one.limit)) for one in limits),
        *_marks(drawn, axis, y),
        tag("path", d="".join(_cross(axis.x(one.said), _TOP + 10) for one in never), class_="lost") if never else "",
    ]
    title = f"Delivery time of each statement{between}"
    name = "delivery" + between.replace(" ", "-")
    chart = _chart(name, title, _delivery_words(report, points, never), bottom + 26, *parts)
    caption = "From acceptance to the receipt signed by the other side, by the moment at which it was said."
    if len(drawn) < len(points):
        caption += (
            f" {len(drawn)} of {len(points)} are drawn: the fastest and the slowest of each column and precedence."
        )
    present = {one.precedence for one in report.messages}
    return figure(chart, title, caption, _legend(present, never=bool(never)))


def _decade(power: int) -> str:
    value = 10.0**power
    return f"{value:g} ms" if value < 1_000 else f"{value / 1_000:g} s"


def _limit(limit: float, y: float) -> Markup:
    line = tag("path", d=f"M{LEFT} {short(y)}H{WIDTH - RIGHT}", class_="limit")
    return join([line, _text(WIDTH - RIGHT - 4, y - 5, f"limit {spoken(limit)}", "end", "limit-label")])


def _cross(x: float, y: float) -> str:
    return f"M{short(x - 4)} {short(y - 4)}l8 8m0-8l-8 8"


def _marks(points: Sequence[tuple[Message, float]], axis: Axis, y: Callable[[float], float]) -> Iterator[Markup]:
    # The most urgent last, so that nothing lies over it.
    for precedence in reversed(PRECEDENCES):
        mark = _MARKS[precedence]
        d = "".join(
            mark(short(axis.x(one.said)), short(y(value))) for one, value in points if one.precedence == precedence
        )
        if d:
            yield tag("path", d=d, class_=precedence)


def _thinned(points: Iterable[tuple[Message, float]], axis: Axis) -> list[tuple[Message, float]]:
    columns: dict[tuple[int, str], list[tuple[Message, float]]] = {}
    for one in points:
        columns.setdefault((axis.column(one[0].said), one[0].precedence), []).append(one)
    kept: list[tuple[Message, float]] = []
    for column in columns.values():
        ordered = sorted(column, key=lambda one: one[1])
        kept += [ordered[-1]] if len(ordered) == 1 else [ordered[0], ordered[-1]]
    return kept


def _delivery_words(report: Report, points: Sequence[tuple[Message, float]], never: Sequence[Message]) -> str:
    if not report.messages:
        return "No statement was said."
    middle, most = report.measures.get("delivery_ms_p50"), report.measures.get("delivery_ms_max")
    words = f"{len(report.messages)} statements. "
    if points:
        words += f"Half arrived within {spoken(middle)}, the slowest after {spoken(most)}. "
    return words + (f"{len(never)} were never delivered." if never else "All were delivered.")


def _legend(present: set[str], *, never: bool) -> Markup:
    items = [(precedence.upper(), precedence, _MARKS[precedence]("8", "6")) for precedence in PRECEDENCES]
    items = [item for item in items if item[1] in present]
    if never:
        items.append(("never delivered", "lost", _cross(8, 6)))
    entries = [(text, tag("path", d=d, class_=kind)) for text, kind, d in items]
    entries.append(("a fault lasts (F1, F2: see the table of faults)", _sample("fault")))
    return _legend_of(entries)


def _sample(kind: str) -> Markup:
    return tag("rect", x=0, y=0, width=16, height=12, class_=kind)


def _legend_of(entries: Iterable[tuple[str, str]]) -> Markup:
    icon = [(text, tag("svg", shape, viewBox="0 0 16 12", aria_hidden="true")) for text, shape in entries]
    return tag("ul", *(tag("li", shape, text) for text, shape in icon), class_="legend")


# --- paths ------------------------------------------------------------------------------------------------------------


def path_chart(report: Report) -> Markup:
    """State of each path, as each side saw it, as bars over time."""
    axis, height, title = axis_of(report), 18, "State of each path, as each side saw it"
    rows: dict[tuple[str, str], list[PathSpan]] = {}
    for span in report.paths:
        rows.setdefault((span.party, span.path), []).append(span)
    bottom = _TOP + 8 + len(rows) * (height + 7) + 10 * max(len({party for party, _ in rows}) - 1, 0)
    thin = len(report.paths) > SPANS_MAX
    parts: list[str] = [_time_axis(axis, _TOP, bottom)]
    y, last = float(_TOP + 6), ""
    for (party, path), spans in rows.items():
        y += 10 if last and party != last else 0
        last = party
        parts.append(_text(LEFT - 8, y + 13, f"{party} {path}", "end"))
        parts += [_bar(axis, span, y, height) for span in (_columns(spans, axis) if thin else spans)]
        y += height + 7
    # The faults lie over the bars as edges only: a pattern on a pattern says nothing.
    moments = [at for _, one in numbered(report.faults) for at in (one.begin, one.end) if at is not None]
    edges = join([_edges(moments, axis, bottom), *_signs(report, axis)])
    words = "; ".join(
        f"{span.party} saw {span.path} {span.state} at {when(span.begin)}" for span in _worse(report)[:12]
    )
    chart = _chart("paths", title, words or "Every path was up all the time.", bottom + 26, *parts, edges)
    caption = "A path is up while signed heartbeats of the other side arrive over it. Lines: begin and end of a fault."
    if thin:
        caption += " States shorter than a column are joined: the worst one of each column is drawn."
    used = [state for state in STATES if any(span.state == state for span in report.paths)]
    legend = _legend_of((state.replace("-", " "), _state(state, 0, 16, 0, 12)) for state in used)
    return figure(chart, title, caption, legend)


def _worse(report: Report) -> list[PathSpan]:
    return [span for span in report.paths if span.state != "up"]


def _bar(axis: Axis, span: PathSpan, y: float, height: float) -> Markup:
    left = axis.x(span.begin)
    return _state(span.state, left, max(axis.x(span.end) - left, 0.8), y, height)


def _state(state: str, x: float, width: float, y: float, height: float) -> Markup:
    kind = state if state in STATES else "attached"
    # Down is lower as well as darker: half a bar.
    top, tall = (y + height * 0.55, height * 0.45) if kind == "down" else (y, height)
    return tag("rect", x=x, y=top, width=width, height=tall, class_=kind)


def _columns(spans: Iterable[PathSpan], axis: Axis) -> list[PathSpan]:
    worst: dict[int, PathSpan] = {}
    for span in spans:
        for column in range(axis.column(span.begin), axis.column(span.end) + 1):
            held = worst.get(column)
            if held is None or _rank(span.state) > _rank(held.state):
                worst[column] = span
    joined: list[PathSpan] = []
    width = axis.end / PLOT
    for column, span in sorted(worst.items()):
        begin = (column - LEFT) * width
        if joined and joined[-1].state == span.state:
            joined[-1] = joined[-1].model_copy(update={"end": begin + width})
        else:
            joined.append(span.model_copy(update={"begin": begin, "end": begin + width}))
    return joined


def _rank(state: str) -> int:
    return STATES.index(state) if state in STATES else 1


# --- silence ----------------------------------------------------------------------------------------------------------


def silence_chart(report: Report) -> Markup:
    """How long each side had not heard the other, read several times a second."""
    axis, tall, title = axis_of(report), 104.0, "Time since each side last heard the other"
    limits = [one.limit for one in report.promises if one.promise == "silence"]
    most = max((gap.heard_ms for gap in report.gaps if gap.heard_ms is not None), default=0.0)
    near = [limit for limit in limits if limit <= 2.5 * max(most, 1.0)]
    ceiling = _ceiling(max([most, *near, 1.0]))
    parts: list[str] = []
    bottom, thinned = float(_TOP), False
    for party in [one for one in CAPITALS if one in PARTIES or any(gap.party == one for gap in report.gaps)]:
        top, bottom = bottom + (30 if parts else 4), bottom + (30 if parts else 4) + tall
        mine = [gap for gap in report.gaps if gap.party == party]
        drawn = _worst(mine, axis) if len(mine) > READINGS_MAX else mine
        thinned = thinned or len(drawn) < len(mine)
        parts.append(_panel(party, drawn, axis, top, bottom, ceiling, near))
    axis_below = _time_axis(axis, _TOP, bottom)
    words = f"The longest silence that was read is {spoken(most)}." if report.gaps else "No reading was taken."
    chart = _chart("silence", title, words, bottom + 26, axis_below, _faults(report, axis, bottom), *parts)
    caption = "A heartbeat brings the line down. Hatched grey: the terminal did not answer, or had heard nothing yet."
    if limits and not near:
        caption += f" The limit, {spoken(min(limits))}, lies far above what is drawn."
    if thinned:
        caption += " Of several readings in one column the longest is drawn."
    return figure(chart, title, caption)


def _ceiling(value: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= value)


def _worst(gaps: Iterable[Gap], axis: Axis) -> list[Gap]:
    columns: dict[int, Gap] = {}
    for gap in gaps:
        held = columns.get(axis.column(gap.at))
        # No answer is worse than any silence.
        if held is None or gap.heard_ms is None or (held.heard_ms is not None and gap.heard_ms > held.heard_ms):
            columns[axis.column(gap.at)] = gap
    return list(columns.values())


def _panel(
    party: str, gaps: Sequence[Gap], axis: Axis, top: float, bottom: float, ceiling: float, limits: Sequence[float]
) -> Markup:
    def y(value: float) -> float:
        return bottom - (bottom - top) * min(value / ceiling, 1.0)

    marks = (0.0, ceiling / 2, ceiling)
    grid = "".join(f"M{LEFT} {short(y(value))}H{WIDTH - RIGHT}" for value in marks)
    d, pen = [], "M"
    deaf: list[tuple[float, float]] = []
    for before, gap in zip((None, *gaps), gaps, strict=False):
        if gap.heard_ms is None:
            since = gap.at if before is None else before.at
            deaf = [*deaf[:-1], (deaf[-1][0], gap.at)] if pen == "M" and deaf else [*deaf, (since, gap.at)]
            pen = "M"
            continue
        d.append(f"{pen}{short(axis.x(gap.at))} {short(y(gap.heard_ms))}")
        pen = "L"
    return join(
        [
            tag("path", d=grid, class_="grid"),
            *(_state("not-running", axis.x(a), axis.x(b) - axis.x(a), top, bottom - top) for a, b in deaf),
            _text(8, (top + bottom) / 2 + 4, party),
            *(_text(LEFT - 8, y(value) + 4, spoken(value), "end", "t") for value in marks),
            *(_limit(limit, y(limit)) for limit in limits),
            tag("path", d="".join(d), class_="gap") if d else "",
        ]
    )
