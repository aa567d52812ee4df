"""What came of a drill: schema hotline.drill-report/1. Made from the journal alone: one journal, one report."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Verdict = Literal["passed", "broken", "aborted"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class Judged(_Part):
    """One promise against what was measured."""

    promise: str
    text: str
    """The promise in words."""
    limit: float
    measured: float | None
    """None: it never happened, or it could not be measured."""
    unit: Literal["ms", "count", "MiB", "percent"]
    holds: bool
    detail: str
    """Which statement, fault or side decided it; empty if there is nothing to say."""
    why: str


class Message(_Part):
    """One statement and its way. Times are milliseconds of the drill, None where it did not happen."""

    id: str
    sender: str
    precedence: str
    lang: str
    size: int
    label: str
    said: float
    relayed: float | None
    delivered: float | None
    read: float | None
    shown: float | None
    expired: float | None
    times_shown: int


class FaultSpan(_Part):
    """One inject: when, what, and how the hotline took it. Spans are milliseconds from its begin or end."""

    n: int
    name: str
    fault: str
    target: str
    text: str
    begin: float
    end: float | None
    is_fault: bool
    """False for what breaks nothing: a statement, a reading, a backup, a start."""
    noticed_ms: dict[str, float | None]
    """Party to the span from the begin to the first path not up, or alarm."""
    next_delivery_ms: float | None
    """From the begin."""
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
    """said, delivered, lost, twice, disordered, expired; delivery_ms_{p50,p99,max} and the same for each precedence as
    delivery_flash_ms_p50 ...; silence_ms; alarms."""
    messages: list[Message]
    faults: list[FaultSpan]
    paths: list[PathSpan]
    gaps: list[Gap]
    timeline: list[Moment]
    ledgers: list[LedgerEnd]
    agree: bool | None
