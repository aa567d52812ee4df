"""The command for alarms: what it is given, and what becomes of one that fails (docs/protocol.md 20.10)."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest

from hotline.machine import Delivery
from hotline.protocol.events import AlarmNotPassedOn
from hotline.runtime.alarmcommand import AlarmCommand
from tests.schemas import printed

ALARM = Delivery("alarm", {"name": "unread", "meaning": "nobody has opened #3", "serial": 3})


async def _rung(command: list[str], *alarms: Delivery, timeout_ms: int = 5_000, settle: int = 1) -> list[str]:
    """What was told of `alarms` once `settle` of them failed, or after all were taken."""
    failed: list[str] = []
    told = asyncio.Event()

    def note(event: AlarmNotPassedOn) -> None:
        failed.append(event.reason)
        if len(failed) >= settle:
            told.set()

    hook = AlarmCommand(command, "ALPHA", "main", note, timeout_ms)
    for alarm in alarms:
        hook.tell(alarm)
    running = asyncio.create_task(hook.run())
    waiting = asyncio.create_task(told.wait())
    done = asyncio.create_task(_taken(hook))
    await asyncio.wait((waiting, done), timeout=10, return_when=asyncio.FIRST_COMPLETED)
    for task in (running, waiting, done):
        task.cancel()
    await asyncio.gather(running, waiting, done, return_exceptions=True)
    return failed


async def _taken(hook: AlarmCommand) -> None:
    while hook.busy:  # noqa: ASYNC110 - the hook has no reason to tell anybody that it is idle
        await asyncio.sleep(0.01)


def test_it_is_given_the_alarm_and_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pager would be told a passphrase, or nothing at all."""
    monkeypatch.setenv("HOTLINE_KEY", "/secret")
    out = tmp_path / "told"
    script = f"import os,sys;open({str(out)!r},'a').write(sys.stdin.read()+repr(sorted(os.environ))+os.getcwd())"
    assert asyncio.run(_rung([sys.executable, "-c", script], ALARM)) == []
    first, rest = out.read_text().split("\n", 1)
    (alarm,) = printed(first)
    assert (alarm["name"], alarm["party"], alarm["terminal"], alarm["serial"]) == ("unread", "ALPHA", "main", 3)
    assert "HOTLINE" not in rest
    assert rest.endswith("]/")


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (["/no/such/program"], "not-started"),
        ([sys.executable, "-c", "raise SystemExit(3)"], "failed"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], "timeout"),
    ],
)
def test_a_command_that_fails_is_told(command: list[str], word: str) -> None:
    """The watch would sleep on, and the terminal believe that it was called."""
    assert asyncio.run(_rung(command, ALARM, timeout_ms=300)) == [word]


def test_what_it_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    """Each alarm would leave a process more."""
    out = tmp_path / "pid"
    script = (
        "import subprocess,sys; child=subprocess.Popen([sys.executable,'-c','import time;time.sleep(60)']);"
        f"open({str(out)!r},'w').write(str(child.pid))"
    )
    assert asyncio.run(_rung([sys.executable, "-c", script], ALARM)) == []
    stat = Path(f"/proc/{out.read_text()}/stat")
    end = time.monotonic() + 5
    while stat.exists() and stat.read_text().split()[2] != "Z":
        assert time.monotonic() < end, "it is still there"


def test_its_own_alarm_is_not_given_to_it() -> None:
    """A broken bell would ring for ever."""
    own = Delivery("alarm", {"name": "alarm-command", "meaning": "not called", "reason": "failed"})
    assert asyncio.run(_rung(["/no/such/program"], own)) == []


def test_no_command() -> None:
    """Without one nothing waits."""
    assert asyncio.run(_rung([], ALARM)) == []


def test_a_flood_of_one_kind_keeps_no_other_waiting(tmp_path: Path) -> None:
    """What a peer rings at will would hide that no path is left (docs/protocol.md 20.10)."""
    out = tmp_path / "told"
    script = f"import sys;open({str(out)!r},'a').write(sys.stdin.read())"
    flood = [Delivery("alarm", {"name": "challenged", "meaning": "doubted", "serial": n}) for n in range(1, 201)]
    last = Delivery("alarm", {"name": "no-path", "meaning": "not heard", "up": 0})
    assert asyncio.run(_rung([sys.executable, "-c", script], *flood, last, flood[0])) == []
    told = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(one["name"], one.get("serial"), one.get("others")) for one in told] == [
        ("challenged", 1, 200),
        ("no-path", None, None),
    ]
