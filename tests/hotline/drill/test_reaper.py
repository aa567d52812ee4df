"""What a runner starts ends with it, whatever becomes of the runner, and nothing else does."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hotline.drill.processes import stands_still
from hotline.drill.reaper import Reaper
from hotline.drill.stage import wait_until
from hotline.errors import LocalError

ROOT = Path(__file__).parents[3]
SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]
_KILLED_WHILE_IT_STARTS = """
import os, signal, sys
from hotline.drill.reaper import Reaper

def killed(self, process):
    print(process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

Reaper.watch = killed
Reaper().start(["/bin/touch", sys.argv[1]])
"""


def test_what_still_lives_is_killed_frozen_or_not() -> None:
    """SIGTERM would wait for ever in a process that is frozen."""
    with Reaper() as reaper:
        awake, frozen, done = reaper.start(SLEEPS), reaper.start(SLEEPS), reaper.start(["/bin/true"])
        assert done.wait(20) == 0
        frozen.send_signal(signal.SIGSTOP)
        wait_until(lambda: stands_still(frozen.pid), "it to stand still")
        assert awake.poll() is None
    assert [one.wait(20) for one in (awake, frozen)] == [-signal.SIGKILL] * 2


def test_what_was_ended_and_started_again_all_day_does_not_fill_the_reaper() -> None:
    """A reaper without room for one more file would not hear of the last process."""
    with Reaper() as reaper:
        assert {reaper.start(["/bin/true"]).wait(20) for _ in range(20)} == {0}
        assert reaper.start(["/bin/true"]).wait(20) == 0
        assert reaper._process is not None
        open_files = Path(f"/proc/{reaper._process.pid}/fd")
        wait_until(lambda: len(list(open_files.iterdir())) <= 6, "pidfds of what has ended to be closed")


def test_a_program_is_as_it_would_be_without() -> None:
    """A daemon whose standard input is a pipe, or whose process id is a shell's, would be another one."""
    told = "import os, sys; print(os.getpid(), os.getsid(0), os.readlink('/proc/self/fd/0'), sys.argv[1:])"
    with Reaper() as reaper:
        process = reaper.start([sys.executable, "-c", told, "a b", "$c"], stdout=subprocess.PIPE, text=True)
        said, _ = process.communicate(timeout=20)
    assert said.strip() == f"{process.pid} {process.pid} /dev/null ['a b', '$c']"


def test_a_program_whose_runner_is_killed_while_it_starts_does_not_begin(tmp_path: Path) -> None:
    """The reaper would never hear of it."""
    begun = tmp_path / "begun"
    words = [sys.executable, "-c", _KILLED_WHILE_IT_STARTS, str(begun)]
    # The end of what it prints is the end of the program, too: both have the one pipe.
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, timeout=20)
    assert (done.returncode, done.stdout.strip().isdigit(), begun.exists()) == (-signal.SIGKILL, True, False)


def test_nothing_is_started_that_nobody_would_end(tmp_path: Path) -> None:
    """A reaper that somebody has killed is found out when it is needed, not when it is too late."""
    with Reaper() as reaper:
        first = reaper.start(SLEEPS)
        assert reaper._process is not None
        reaper._process.kill()
        reaper._process.wait()
        with pytest.raises(LocalError, match="what would end it cannot be told of process"):
            reaper.start(["/bin/touch", str(tmp_path / "begun")])
        assert first.poll() is None
        first.kill()
        first.wait()
    assert not (tmp_path / "begun").exists()


def test_a_signal_that_is_meant_for_the_runner_does_not_end_its_reaper() -> None:
    """Whoever ends everything of a name, and then the runner by kill -9, would leave what has another name."""
    with Reaper() as reaper:
        process = reaper.start(SLEEPS)
        assert reaper._process is not None
        status = Path(f"/proc/{reaper._process.pid}/status")
        ignored = sum(1 << number - 1 for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
        wait_until(lambda: _ignored(status) & ignored == ignored, "the reaper to ignore them")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            reaper._process.send_signal(number)
        assert (reaper._process.poll(), process.poll()) == (None, None)
    assert process.wait(20) == -signal.SIGKILL


def _ignored(status: Path) -> int:
    return int(status.read_text().partition("SigIgn:")[2].split()[0], 16)
