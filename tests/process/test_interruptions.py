"""What somebody gives up: a drill, several, the demonstration. Nothing of it may stay behind."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest

from hotline.drill.journal import of_kind, read_journal
from hotline.drill.stage import wait_until
from tests.process.conftest import HOTLINE, ROOT, environment
from tests.process.test_drills import BRIEF, written

pytestmark = pytest.mark.process


def processes_of(stage: str) -> list[int]:
    """Processes that have a path of this folder on their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if stage.encode() in words:
                found.append(int(entry.name))
    return found


class Interrupted:
    """A drill, or several, that somebody gives up; its temporary files are in a folder of their own."""

    def __init__(self, out: Path, short: Path, *words: str, out_to: int = subprocess.PIPE) -> None:
        self.out, self._short = out, short
        self._process = subprocess.Popen(
            [*HOTLINE, *words],
            cwd=ROOT,
            env=environment() | {"TMPDIR": str(short)},
            stdout=out_to,
            stderr=subprocess.STDOUT if out_to == subprocess.PIPE else out_to,
            text=True,
            start_new_session=True,
        )

    def until(self, kind: str, name: str = "brief") -> None:
        """Wait for an entry of a drill's journal."""
        journal = self.out / name / "journal.jsonl"
        wait_until(lambda: journal.exists() and f'"kind":"{kind}"' in journal.read_text(), f"{kind} in {name}", 30)

    def press(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> str:
        """What it said last; it has left nothing behind."""
        said, _ = self._process.communicate(timeout=40)
        assert self._process.returncode == 130, said
        assert (processes_of(str(self._short)), list(self._short.iterdir())) == ([], [])
        return said or ""

    def outcome(self, name: str = "brief") -> str:
        """As the journal has it; the report is written."""
        (end,) = of_kind(read_journal(self.out / name / "journal.jsonl"), "end")
        assert json.loads((self.out / name / "report.json").read_text())["verdict"] == "aborted"
        assert (self.out / name / "report.html").exists()
        return str(end["outcome"])


def test_ctrl_c_ends_every_process_and_still_reports(tmp_path: Path, short: Path) -> None:
    """Relays of a drill that was given up would listen for ever. That it was held up before is in its journal."""
    playing = Interrupted(tmp_path, short, "drill", "run", str(written(tmp_path, "1s")), "--out", str(tmp_path))
    playing.until("inject")
    playing.press(signal.SIGSTOP)
    time.sleep(0.4)
    playing.press(signal.SIGCONT)
    playing.until("standstill")
    for _ in range(40):  # impatient
        playing.press(signal.SIGINT)
        time.sleep(0.02)
    assert "interrupted; everything was ended" in playing.end()
    assert playing.outcome() == "interrupted"


def test_a_terminal_that_is_closed_ends_every_process_and_still_reports(tmp_path: Path, short: Path) -> None:
    """What cannot be printed any more would end what ends the processes."""
    terminal, theirs = pty.openpty()
    words = ("drill", "run", str(written(tmp_path, "1s")), "--out", str(tmp_path))
    playing = Interrupted(tmp_path, short, *words, out_to=theirs)
    os.close(theirs)
    playing.until("steady")
    os.close(terminal)
    playing.press(signal.SIGHUP)
    playing.press(signal.SIGHUP)
    playing.end()
    assert playing.outcome() == "interrupted"


def test_several_drills_that_are_ended_leave_nothing_and_none_is_begun(tmp_path: Path, short: Path) -> None:
    """Each is a process of its own, which no keyboard reaches: they would be played to the end, and the next."""
    names = ["brief", "second", "third"]
    for name in names:
        (tmp_path / f"{name}.toml").write_text(BRIEF.format(limit="1s").replace('"brief"', f'"{name}"', 1))
    files = [str(tmp_path / f"{name}.toml") for name in names]
    playing = Interrupted(tmp_path, short, "drill", "run", *files, "--jobs", "2", "--out", str(tmp_path))
    for name in names[:2]:
        playing.until("drill", name)
    playing.press(signal.SIGTERM)
    playing.press(signal.SIGTERM)
    assert "0 of 2 drills passed" in (said := playing.end())
    assert "2 interrupted, 1 not begun" in said
    assert [playing.outcome(name) for name in names[:2]] == ["interrupted"] * 2
    assert not (tmp_path / "third").exists()


def test_a_demo_that_is_ended_leaves_nothing(tmp_path: Path, short: Path) -> None:
    """Its relays and terminals would run on behind a terminal that was closed."""
    showing = Interrupted(tmp_path, short, "demo")
    wait_until(lambda: bool(processes_of(str(short))), "a relay to be started", 30)
    showing.press(signal.SIGHUP)
    showing.end()
