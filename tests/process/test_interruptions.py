"""What somebody gives up, or kills: a drill, several, the demonstration. Nothing of it may run on."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from hotline.drill.journal import of_kind, read_journal
from hotline.drill.processes import stands_still
from hotline.drill.stage import wait_until
from tests.process.conftest import HOTLINE, ROOT, environment
from tests.process.test_drills import BRIEF, written

pytestmark = pytest.mark.process


HELD_UP = """\
drill = 1
name = "brief"
title = "Every kind of process, and one of them frozen"
story = "What a runner that is killed could leave behind."
source = "written for this test"
tags = ["relay"]

[topology]
relays = 2

[[traffic]]
from = "ALPHA"
precedence = "routine"
every = "1s"
until = "50s"

[[inject]]
at = "0s"
for = "50s"
fault = "freeze"
target = "relay-1"

[[inject]]
at = "0s"
for = "50s"
fault = "flood"
target = "relay-2"
kind = "silent-tcp"
count = 3

[[inject]]
at = "0s"
for = "50s"
fault = "link"
links = ["ALPHA/relay-2"]
latency = "20ms"

[[promise]]
promise = "none-lost"
"""


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


def told_of(reaper: int) -> int:
    """How many processes it knows that are still to be ended."""
    with contextlib.suppress(OSError):
        return sum("pidfd" in str(one.readlink()) for one in Path(f"/proc/{reaper}/fd").iterdir())
    return 0


def family_of(pid: int) -> set[int]:
    """Everything that this process has started and that runs, and what those have started."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found, before = {pid}, 0
    while len(found) > before:
        before = len(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return found - {pid}


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

    def family(self) -> set[int]:
        """Every process of it but the first."""
        return family_of(self._process.pid)

    def kill(self) -> list[str]:
        """kill -9; returns the command lines of what it had started once all of that has ended."""
        words, ends = [], []
        for pid in self.family():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                words.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode())
                ends.append(os.pidfd_open(pid))
        self._process.kill()
        try:
            # Seen by what the kernel says of each: another process may have its number by now.
            wait_until(lambda: len(select.select(ends, [], [], 0)[0]) == len(ends), f"the end of {words}", 30)
            wait_until(lambda: not processes_of(str(self._short)), "the end of what was started last", 30)
        finally:
            for one in ends:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(one, signal.SIGKILL)
                os.close(one)
            for pid in processes_of(str(self._short)):
                os.kill(pid, signal.SIGKILL)
            self._process.communicate(timeout=40)
        return words

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


def test_a_drill_that_is_killed_leaves_no_process(tmp_path: Path, short: Path) -> None:
    """A runner that the kernel ends for want of memory ends nothing itself: its daemons would run for ever."""
    plan = tmp_path / "brief.toml"
    plan.write_text(HELD_UP)
    playing = Interrupted(tmp_path, short, "drill", "run", str(plan), "--out", str(tmp_path))
    playing.until("inject")

    def named(word: str) -> list[int]:
        return sorted(set(processes_of(word)) & playing.family())

    def held_up() -> bool:
        relays, reapers = named("relay-1/relay.toml"), named("reaperd")
        # Two relays, two terminals and the flood.
        return bool(relays and reapers) and stands_still(relays[0]) and told_of(reapers[0]) == 5

    wait_until(held_up, "a relay to stand still, and another to be flooded", 30)
    os.kill(*named("hotline.drill.floods"), signal.SIGSTOP)  # it steps back for all others: it may stand so for long
    told = " ".join(playing.kill())
    for part in ("relay-1/relay.toml", "relay-2/", "ALPHA/", "BRAVO/", "hotline.drill.proxyd", "hotline.drill.floods"):
        assert part in told


def test_several_drills_whose_caller_is_killed_end_too(tmp_path: Path, short: Path) -> None:
    """Each would be played to its end, by a process of its own, for nobody."""
    names = ["brief", "second"]
    for name in names:
        (tmp_path / f"{name}.toml").write_text(BRIEF.format(limit="1s").replace('"brief"', f'"{name}"', 1))
    files = [str(tmp_path / f"{name}.toml") for name in names]
    playing = Interrupted(tmp_path, short, "drill", "run", *files, "--jobs", "2", "--out", str(tmp_path))
    for name in names:
        playing.until("drill", name)
    wait_until(lambda: len(processes_of(str(short))) > 4, "daemons of both", 30)
    told = " ".join(playing.kill())
    assert [f"drill run {one}" in told for one in files] == [True, True]
    assert not any('"kind":"end"' in (tmp_path / name / "journal.jsonl").read_text() for name in names)


def test_a_demo_that_is_killed_leaves_no_process(tmp_path: Path, short: Path) -> None:
    """Also while it is just starting one."""
    showing = Interrupted(tmp_path, short, "demo")
    wait_until(lambda: bool(processes_of(str(short))), "a relay to be started", 30)
    assert showing.kill()
