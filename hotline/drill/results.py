"""From a journal to files: report.json and report.html beside it. The same journal gives the same bytes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from hotline.drill.journal import Entry, of_kind, read_journal
from hotline.drill.judging import judge
from hotline.drill.outcome import Report, report_json
from hotline.drill.report import render
from hotline.errors import ConfigError, Malformed

JOURNAL: Final = "journal.jsonl"
_EXITS: Final = {"passed": 0, "broken": 7, "undecided": 10, "aborted": 1}


def exit_of(report: Report) -> int:
    """The exit code of a verdict: 0 passed, 7 broken, 10 undecided, 1 aborted."""
    return _EXITS[report.verdict]


def judge_journal(path: Path) -> Report:
    """The report of a journal file. Raises ConfigError naming the file."""
    try:
        return judge(read_journal(path))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except Malformed as error:
        raise ConfigError(f"{path}: not the journal of a drill ({error})") from error


def write_report(report: Report, folder: Path) -> None:
    """report.json and report.html in `folder`. Raises ConfigError."""
    try:
        (folder / "report.json").write_text(report_json(report), encoding="utf-8")
        (folder / "report.html").write_text(render(report), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{folder}: the report cannot be written ({error.strerror})") from error


def keep_logs(entries: list[Entry], stage: Path, folder: Path) -> None:
    """After an aborted run, copy what its processes have said from `stage` to `folder`/logs. Raises ConfigError.

    Such a run says nothing about its promises: what is left to ask is why.
    """
    aborted = any(end["outcome"] == "aborted" for end in of_kind(entries, "end"))
    if not aborted and not of_kind(entries, "inject-failed"):
        return
    place = folder / "logs"
    try:
        place.mkdir()
        for log in sorted(stage.glob("*.log")):
            shutil.copyfile(log, place / log.name)
    except OSError as error:
        raise ConfigError(f"{place}: the logs cannot be kept ({error.strerror})") from error


def results_of(entries: list[Entry], folder: Path) -> Report:
    """Judge the entries of a run and write its report. Raises ConfigError."""
    report = judge(entries)
    write_report(report, folder)
    return report
