"""A running installation as the stage of a drill: what its file names may be drilled, nothing else (docs/drills.md).

Naming a process in the file is its administrator's consent that a drill may stop, kill or freeze it. Statements go over
the exercise plane only; the installation's keys, stores and configuration are never written.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from hotline.config import FilePath, Settings, load_toml
from hotline.drill.injects import Party, Process
from hotline.drill.patterns import PARTIES
from hotline.drill.plan import Plan
from hotline.drill.rehearsal import Rehearsal, RehearsedRelay, RehearsedTerminal
from hotline.drill.stage import Stage, wait_until
from hotline.errors import ConfigError, LocalError

ALLOWED: Final = frozenset(
    {"kill", "stop", "start", "freeze", "link", "partition", "swizzle", "presence", "ask", "say", "read"}
)
"""Injects that leave an installation as it was: no store, key or configuration is touched."""
UNMEASURED: Final = frozenset({"no-plaintext"})
_COMMAND_SECONDS: Final = 30


class TerminalPlace(Settings):
    """One terminal: where its officers connect and, if its ledger is to be verified, its store."""

    socket: FilePath
    store: FilePath | None = None


class ProcessPlace(Settings):
    """One process that the drill may handle."""

    pid_file: FilePath
    start: list[str] = Field(min_length=1)
    """Command that starts it, for example ["systemctl", "start", "hotline-relay@1"]."""


class ProxyPlace(Settings):
    """A running `hotline drill proxy` between terminals and relays, its links named PARTY/RELAY."""

    control: FilePath


class SystemFile(Settings):
    """The file that `--system` names. Relative paths are taken from its folder."""

    system: Literal[1]
    charter: FilePath
    relays: int = Field(ge=1, le=9)
    terminal: dict[Party, TerminalPlace]
    process: dict[Process, ProcessPlace] = Field(default_factory=dict)
    proxy: ProxyPlace | None = None


class Installation(Stage):
    """A stage that somebody else has built and that goes on running after the drill."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises ConfigError with every problem. Stage's own construction is not wanted here."""
        loaded = load_toml(path, SystemFile, {})
        if set(loaded.terminal) != {"ALPHA", "BRAVO"}:
            raise ConfigError(f"{path}: terminal: both ALPHA and BRAVO are needed, each with its operator socket")
        here = path.absolute().parent
        self.folder = here
        self.places = loaded.process
        self.control = None if loaded.proxy is None else here / loaded.proxy.control
        self.stores = {name: place.store and here / place.store for name, place in loaded.terminal.items()}
        terminals = [
            RehearsedTerminal(name, here, here, here / loaded.terminal[name].socket) for name in ("ALPHA", "BRAVO")
        ]
        relays = tuple(RehearsedRelay(f"relay-{n}", "", here, here) for n in range(1, loaded.relays + 1))
        self.rehearsal = Rehearsal(here / loaded.charter, (terminals[0], terminals[1]), relays)
        self.added = []
        self._handled: set[str] = set()
        """Processes that the drill has stopped or killed and not started again."""

    # --- processes ---------------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """The processes that the file names."""
        return list(self.places)

    def pid(self, name: str) -> int:
        """Process id as its file gives it. Raises LocalError."""
        place = self.places.get(name)
        if place is None:
            raise LocalError(f"the system file names no process {name}: the drill may not touch it")
        path = self.folder / place.pid_file
        try:
            return int(path.read_text().strip())
        except (OSError, ValueError) as error:
            raise LocalError(f"{path}: holds no process id of {name}; is it running?") from error

    def started(self, name: str) -> bool:
        """Whether the drill has left it running."""
        return name not in self._handled

    def ended(self, name: str) -> int | None:
        """None: an installation's exit codes are its supervisor's to know."""
        del name
        return None

    def start(self, name: str) -> None:
        """Run its start command; returns when its process is there. Raises LocalError."""
        command = self.places[name].start
        try:
            done = subprocess.run(command, capture_output=True, timeout=_COMMAND_SECONDS, check=False)  # noqa: S603 - the administrator's
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LocalError(f"{name} could not be started by {command[0]}: {error}") from error
        if done.returncode:
            raise LocalError(f"{name} could not be started: {' '.join(command)} ended with {done.returncode}")
        wait_until(lambda: self._alive(name), f"{name} to run")
        self._handled.discard(name)

    def _alive(self, name: str) -> bool:
        try:
            os.kill(self.pid(name), 0)
        except (LocalError, OSError):
            return False
        return True

    def _signal(self, name: str, number: signal.Signals) -> None:
        try:
            os.kill(self.pid(name), number)
        except OSError as error:
            raise LocalError(f"{name} cannot be reached by {number.name}: {error.strerror}") from error

    def kill(self, name: str) -> None:
        """kill -9."""
        self._signal(name, signal.SIGKILL)
        self._handled.add(name)

    def stop(self, name: str, seconds: float = 5.0) -> int:
        """SIGTERM; returns 0 when it is gone. Raises LocalError."""
        self._signal(name, signal.SIGTERM)
        self._handled.add(name)
        wait_until(lambda: not self._alive(name), f"{name} to stop", seconds)
        return 0

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        self._signal(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        self._signal(name, signal.SIGCONT)

    def give_up(self) -> None:
        """Everything goes on running: what the drill has ended is started again."""

    def stop_all(self) -> None:
        """Everything goes on running."""


def objections(plan: Plan, installation: Installation) -> Iterator[str]:
    """Why this plan may not be drilled on this installation, in sentences."""
    if len(installation.relays) != plan.topology.relays:
        yield f"the plan wants {plan.topology.relays} relays, the installation has {len(installation.relays)}"
    if len(plan.topology.capitals) != len(PARTIES):
        yield "the plan wants three parties, an installation has two terminals"
    for number, inject in enumerate(plan.inject):
        target = getattr(inject, "target", None)
        if inject.fault not in ALLOWED:
            yield f"inject.{number}: {inject.fault} would change what an installation keeps; stage the drill instead"
        elif inject.fault in ("link", "partition", "swizzle") and installation.control is None:
            yield f"inject.{number}: {inject.fault} needs a fault proxy: name its control socket under [proxy]"
        elif target is not None and inject.fault != "read" and target not in installation.places:
            yield f"inject.{number}: the system file names no process {target}"
        elif getattr(inject, "plane", "exercise") == "real":
            yield f"inject.{number}: statements of a drill never go over the real plane of an installation"
    for number, flow in enumerate(plan.traffic):
        if flow.plane == "real":
            yield f"traffic.{number}: statements of a drill never go over the real plane of an installation"
    kinds = {promise.promise for promise in plan.promise}
    if "ledgers" in kinds and None in installation.stores.values():
        yield "the plan promises that the ledgers agree: name both stores in the system file"
    for kind in sorted(kinds & UNMEASURED):
        yield f"{kind} cannot be measured on an installation"
