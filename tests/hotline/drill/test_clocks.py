"""Wrong clocks where they can be seen without a hotline."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hotline.drill import clocks
from hotline.drill.clocks import LACKING, WallClock, clock_needs, library, variables
from hotline.drill.injects import Clock
from hotline.drill.plan import Plan
from hotline.drill.scene import lacking

CLOCK = Clock.model_validate({"fault": "clock", "at": "0s", "target": "ALPHA", "step": "+1h"})
BOTH_CLOCKS = """
import asyncio, sys, threading, time
async def main():
    for _ in sys.stdin:
        begun = time.monotonic()
        await asyncio.sleep(0.05)
        threading.Event().wait(0.05)
        print(time.time(), time.monotonic(), time.monotonic() - begun, flush=True)
asyncio.run(main())
"""


def plan(**topology: object) -> Plan:
    return Plan.model_validate(
        {
            "drill": 1,
            "name": "unit",
            "title": "t",
            "story": "s",
            "source": "s",
            "tags": ["clock"],
            "topology": topology,
            "promise": [{"promise": "none-lost"}],
        }
    )


def test_without_the_library_the_reason_is_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drill of clocks would run with good ones and pass."""
    monkeypatch.setattr(clocks, "_PLACES", ())
    assert clock_needs(CLOCK) == LACKING
    assert lacking(plan(clock_step={"ALPHA": "-2h"})) == [LACKING]
    assert lacking(plan()) == []


def test_parts_are_taken_back_in_any_order(tmp_path: Path) -> None:
    """The end of one fault would undo another, or the clock that was wrong from the start."""
    clock = WallClock(tmp_path / "clock", -7_200_000)
    step, drift = clock.add(3_600_000), clock.add(0)
    clock.change(drift, 250)
    assert clock.path.read_text() == "-3599.750000\n"
    clock.take_back(step)
    clock.take_back(step)
    clock.take_back(drift)
    clock.change(drift, 9_000)
    assert clock.path.read_text() == "-7200.000000\n"


def test_the_wall_clock_steps_and_the_monotonic_one_does_not(tmp_path: Path) -> None:
    """Every timer of the hotline would jump with the clock, and the drill would accuse it of the library's fault."""
    preloaded = library()
    if preloaded is None:
        pytest.skip(LACKING)
    clock = WallClock(tmp_path / "clock")
    with subprocess.Popen(
        [sys.executable, "-c", BOTH_CLOCKS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | variables(preloaded, clock),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for wrong_by in (0, 3_600, -7_200, 31_557_600, -1_000_000_000):
            mark = clock.add(wrong_by * 1_000)
            process.stdin.write("\n")
            process.stdin.flush()
            wall, mono, slept = map(float, process.stdout.readline().split())
            assert wall - time.time() == pytest.approx(wrong_by, abs=2)
            assert mono == pytest.approx(time.monotonic(), abs=2)
            assert 0.1 <= slept < 2
            clock.take_back(mark)
        process.stdin.close()


def test_a_process_of_many_threads_is_not_busy_with_its_clock(tmp_path: Path) -> None:
    """A wait that returns at once, again and again, starves the rest of the process."""
    preloaded = library()
    if preloaded is None:
        pytest.skip(LACKING)
    clock = WallClock(tmp_path / "clock", -7_200_000)
    idle = (
        "import grpc, os, time\n"
        "from grpc import aio\n"
        "import asyncio\n"
        "async def main():\n"
        "    server = aio.server()\n"
        "    server.add_insecure_port('127.0.0.1:0')\n"
        "    await server.start()\n"
        "    before = time.process_time()\n"
        "    await asyncio.sleep(2)\n"
        "    print(time.process_time() - before)\n"
        "    await server.stop(0)\n"
        "asyncio.run(main())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", idle],
        capture_output=True,
        text=True,
        env=os.environ | variables(preloaded, clock),
        timeout=60,
    )
    assert float(ran.stdout) < 0.5, ran.stderr
