"""The outcome of a drill for a terminal: promises, limits, measures, and what decided a broken one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hotline.drill.outcome import Report
from hotline.drill.wording import limit_words, measured_words
from hotline.safetext import SafeText, safe_block, safe_line

_TEXT_MAX: Final = 56
_CELL_MAX: Final = 28


def summary(report: Report, path: str = "") -> SafeText:
    """Several lines; `path` is where the report was written. No text of a statement stands in it."""
    aborted = report.verdict == "aborted"
    rows = [("PROMISE", "LIMIT", "MEASURED", "")]
    for one in report.promises:
        state = "not judged" if aborted else "ok" if one.holds else "BROKEN" if one.decided else "not decided"
        rows.append((one.text, limit_words(one), measured_words(one, aborted=aborted), state))
    lines = columns(rows)
    for one in report.promises:
        if not one.holds and one.detail and not aborted:
            lines.append(f"! {safe_line(one.text, _TEXT_MAX)}: {safe_line(one.detail)}")
    counted = sum(1 for one in report.promises if one.holds != (report.verdict == "broken"))
    last = f"{report.verdict.upper()} {counted} of {len(report.promises)}   seed {report.seed}"
    if aborted:
        last = f"ABORTED   seed {report.seed}"
    if report.verdict in ("aborted", "undecided"):
        lines.append(safe_line(report.outcome))
    lines.append(f"{last}   report: {safe_line(path)}" if path else last)
    return safe_block("\n".join(lines))


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table without frames: the first column is wide, the last not filled up."""
    safe = [[safe_line(cell, _CELL_MAX if at else _TEXT_MAX) for at, cell in enumerate(row)] for row in rows]
    widths = [max(len(row[at]) for row in safe) for at in range(len(safe[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in safe]
