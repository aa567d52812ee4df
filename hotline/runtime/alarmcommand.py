"""The command that an administrator names for alarms: a pager, a bell, a watch room (docs/protocol.md 20.10).

It is run for alarms, one at a time and for a bounded time, and is given the alarm as JSON on standard input. Of those
of one name that wait for it it is given the newest, with the number of the others: none keeps another waiting long.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable, Sequence
from typing import Final

from hotline.civil import iso_utc
from hotline.limits import ALARM_COMMAND_TIMEOUT
from hotline.machine import Delivery
from hotline.protocol.events import AlarmNotPassedOn
from hotline.runtime.driver import system_clock

OWN_ALARM: Final = "alarm-command"
"""What is raised when the command fails; it is never given to the command."""
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


_Alarm = dict[str, str | int | None]


class AlarmCommand:
    """Runs `command` for alarms. `post` takes the word that one was not passed on."""

    def __init__(
        self,
        command: Sequence[str],
        party: str,
        terminal: str,
        post: Callable[[AlarmNotPassedOn], None],
        timeout_ms: int = ALARM_COMMAND_TIMEOUT,
    ) -> None:
        self._command = tuple(command)
        self._who = {"party": party, "terminal": terminal}
        self._post = post
        self._timeout = timeout_ms / 1_000
        self._waiting: dict[str, _Alarm] = {}
        """The newest of each name, of which there are few; first the name that has waited longest."""
        self._came = asyncio.Event()
        self._running = False

    @property
    def busy(self) -> bool:
        """Whether an alarm waits for the command, or it is running."""
        return self._running or bool(self._waiting)

    def tell(self, delivery: Delivery) -> None:
        """Pass one alarm on; returns at once. An alarm holds names, numbers and our own words, no text of anybody."""
        if not self._command or delivery.fields.get("name") == OWN_ALARM:
            return
        fields = {name: value for name, value in delivery.fields.items() if not isinstance(value, bytes)}
        alarm: _Alarm = {"schema": "hotline.alarm/1", "time": iso_utc(system_clock().wall), **self._who, **fields}
        name = str(delivery.fields.get("name"))
        before = self._waiting.get(name)
        if before is not None:
            alarm["others"] = int(str(before.get("others", 0))) + 1
        self._waiting[name] = alarm
        self._came.set()

    async def run(self) -> None:
        """Until cancelled; a command that is running then is ended."""
        while True:
            await self._came.wait()
            alarm = self._waiting.pop(next(iter(self._waiting)))
            if not self._waiting:
                self._came.clear()
            self._running = True
            try:
                reason = await self._one(json.dumps(alarm).encode() + b"\n")
            finally:
                self._running = False
            if reason:
                self._post(AlarmNotPassedOn(reason))

    async def _one(self, alarm: bytes) -> str:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env={"PATH": _PATH, "LANG": "C.UTF-8"},
                cwd="/",
                start_new_session=True,
            )
        except OSError:
            return "not-started"
        try:
            await asyncio.wait_for(process.communicate(alarm), self._timeout)
        except TimeoutError:
            return "timeout"
        finally:
            # Also what it has left behind: a command has the time that it is given, and its children have no more.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        return "" if process.returncode == 0 else "failed"
