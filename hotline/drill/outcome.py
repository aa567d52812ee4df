"""What came of a drill: schema hotline.drill-report/1. Made from the journal alone: one journal, one report.

All times are milliseconds since the steady state was reached, by the drill's own monotonic clock.
"""

from __future__ import annotations

import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hotline.errors import Malformed

Verdict = Literal["passed", "broken", "undecided", "aborted"]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        populate_by_name=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class Judged(_Part):
    """One promise against what was measured."""

    promise: str
    text: str
    """The promise in words."""
    limit: float
    bound: Literal["most", "least"]
    """Whether the limit is the most that may be measured, or the least that must be."""
    measured: float | None
    """None: it never happened, or it could not be measured."""
    out_of: int | None
    """Of how many, for a count of statements."""
    unit: Literal["ms", "count", "MiB", "percent"]
    holds: bool
    decided: bool
    """False if it does not hold, and this machine stood still for so long meanwhile that it may be why."""
    detail: str
    """Which statement, fault or side decided it; empty if there is nothing to say."""
    why: str


class Message(_Part):
    """One statement and its way. Times are milliseconds of the drill, None where it did not happen."""

    id: str
    """The last one, if the sender had to give it another serial."""
    sender: str
    serial: int
    plane: str
    precedence: str
    lang: str
    size: int
    """Bytes of text."""
    label: str
    """The text, if the plan gave it."""
    said: float
    relayed: float | None
    relayed_by: str
    """Whose promise of custody came first."""
    delivered: float | None
    read: float | None
    shown: float | None
    expired: float | None
    told: str
    """The last stage that its sender was told; empty if none."""
    times_shown: int
    """Without those that were marked as repeats."""
    forgotten: bool
    """Its sender's record was put back since, and cannot tell what became of it."""


class FaultSpan(_Part):
    """One inject: when, what, and how the hotline took it. Spans are milliseconds from its begin or end."""

    n: int
    name: str
    fault: str
    target: str
    text: str
    begin: float
    end: float | None
    until: float | None
    """What happens from then on belongs to a later fault: everything had become steady again between the two."""
    is_fault: bool
    """False for what breaks nothing: a statement, a reading, a backup, a start."""
    noticed_ms: dict[str, float | None]
    """Party to the span from the begin to the first path not up, or alarm."""
    next_delivery_ms: float | None
    """From the begin to the first receipt for a statement that was said after it."""
    recovered_ms: float | None
    """From the end to the steady state."""


class PathSpan(_Part):
    """A path in one state, as one party saw it."""

    party: str
    path: str
    state: str
    begin: float
    end: float


class Gap(_Part):
    """One reading of how long a party had not heard its peer."""

    party: str
    at: float
    heard_ms: float | None


class Moment(_Part):
    """One line of the timeline."""

    at: float
    kind: str
    who: str
    text: str
    lang: str
    """Of the text; empty for our own words."""
    times: int
    """How often the same came in a row."""


class LedgerEnd(_Part):
    """One ledger at the end."""

    party: str
    size: int
    log_epoch: int
    root: str
    verified: bool
    text: str


class Report(_Part):
    """Schema hotline.drill-report/1."""

    schema_: Literal["hotline.drill-report/1"] = Field(alias="schema", default="hotline.drill-report/1")
    verdict: Verdict
    outcome: str
    """One sentence."""
    name: str
    title: str
    story: str
    incident: str
    source: str
    digest: str
    seed: int
    started: str
    simulated: bool
    seconds: float
    environment: dict[str, str]
    topology: dict[str, str]
    promises: list[Judged]
    measures: dict[str, float | None]
    """said, refused_to_say, delivered, lost, twice, disordered, expired; delivery_ms_{p50,p99,max} and the same for
    each precedence as delivery_flash_ms_p50 ...; silence_ms; alarms; stood_still_ms (this machine, in all)."""
    messages: list[Message]
    faults: list[FaultSpan]
    paths: list[PathSpan]
    gaps: list[Gap]
    timeline: list[Moment]
    ledgers: list[LedgerEnd]
    agree: bool | None


def report_json(report: Report) -> str:
    """The report as one canonical text: keys in order, ASCII, a newline at the end. One report, one text."""
    value = report.model_dump(mode="json", by_alias=True)
    return json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True, indent=1) + "\n"


def read_report(text: str | bytes) -> Report:
    """The report that `report_json` wrote. Raises Malformed naming the first thing that is wrong."""
    try:
        return Report.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Malformed("drill-report", f"{place}: {first['msg']}" if place else first["msg"]) from error
