"""A whole hotline on this machine as real processes: two capitals, their relays, throw-away keys, loopback only."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc

from hotline.charter.body import ReleaseEntry
from hotline.charter.cards import ProfileName
from hotline.drill.patterns import PARTIES
from hotline.drill.reaper import Reaper
from hotline.drill.rehearsal import Rehearsal, RehearsedRelay, RehearsedTerminal, rehearse
from hotline.errors import LocalError, StorageError
from hotline.runtime import interrupts
from hotline.runtime.client import daemon
from hotline.wire.v1 import operator_pb2

_POLL_SECONDS = 0.02
START_SECONDS = 20.0
_PORTS = range(15_000, 32_000)
"""Below those that Linux gives to outgoing connections: a relay that is down for a while finds its port free again."""


def reserve_ports(count: int, until: contextlib.ExitStack) -> list[int]:
    """Ports of the loopback interface that are ours `until` then, whether one of our processes listens there or not.

    Nobody who asks here is given one of them, and no outgoing connection is. Raises LocalError.
    """
    found: list[int] = []
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        if len(found) == count:
            break
        # Without SO_REUSEADDR it is not bound beside another keeper; with it, from then on, a daemon that asks for it
        # too can listen beside a keeper, which does not listen.
        keeper = socket.socket()
        try:
            keeper.bind(("127.0.0.1", port))
        except OSError:
            keeper.close()
        else:
            keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            until.enter_context(keeper)
            found.append(port)
    if len(found) < count:
        raise LocalError("too few ports of the loopback interface are free: end what listens on them")
    return found


def wait_until(holds: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Poll until `holds`. Raises LocalError naming `what` after `seconds`."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise LocalError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(_POLL_SECONDS)


class _Readiness:
    """Where one daemon says that it serves, as it does to systemd (sd_notify(3)).

    That somebody accepts on its port would not do: it may be somebody else, and the daemon about to end for it.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._said = path, False
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def __enter__(self) -> _Readiness:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def said(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            self._said = self._said or b"READY=1" in self._socket.recv(4_096)
        return self._said


class Stage:
    """The processes of one rehearsed hotline. Use as a context: everything it started ends with it, and with us.

    Without `channel_test_ms` none is sent by schedule: one on the hour would take a number that nobody reckons with.
    """

    given_up = False
    """Whether its processes are about to end, so that none need be started again."""

    def __init__(
        self,
        folder: Path,
        relays: int = 3,
        profile: ProfileName = "fibre",
        witnesses: int = 0,
        relay_profiles: Mapping[str, ProfileName] | None = None,
        *,
        channel_test_ms: int = 0,
        release: Sequence[ReleaseEntry] = (),
        objective_ms: tuple[int, int, int, int] | None = None,
        takeover_after_ms: int | None = None,
        alternates: Sequence[str] = (),
        travels: Sequence[str] = (),
        parties: Sequence[str] = PARTIES,
    ) -> None:
        self.folder = folder
        with contextlib.ExitStack() as until:
            self.reaper = until.enter_context(Reaper())
            """Ends what we have started if we cannot."""
            ports = [f"127.0.0.1:{port}" for port in reserve_ports(relays + witnesses, until)]
            named = [(f"relay-{number}", address) for number, address in enumerate(ports[:relays], 1)]
            watching = [(f"witness-{number}", address) for number, address in enumerate(ports[relays:], 1)]
            self.rehearsal: Rehearsal = rehearse(
                folder,
                named,
                profile,
                None,
                watching,
                relay_profiles,
                channel_test_ms=channel_test_ms,
                release=release,
                objective_ms=objective_ms,
                takeover_after_ms=takeover_after_ms,
                alternates=alternates,
                travels=travels,
                parties=parties,
            )
            self.belongings = until.pop_all()
            """What else ends with the stage, after its processes; each part may have ended before."""
        self.added: list[RehearsedRelay] = []
        """Relays that came in service."""
        self.environment: dict[str, dict[str, str]] = {}
        """Variables for one process, by its name, beside our own."""
        self.prefix: dict[str, list[str]] = {}
        """A command under which one process runs, by its name."""
        self.module: dict[str, str] = {}
        """Another program in the place of the daemon, by the name of its process; it takes the same arguments."""
        self.installation: dict[str, Sequence[str]] = {}
        """How Python is called for a process that runs from another installation, by the name of the process."""
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        with interrupts.whole():
            try:
                self.stop_all()
            finally:
                self.belongings.close()

    @property
    def alpha(self) -> RehearsedTerminal:
        """The first capital."""
        return self.rehearsal.terminals[0]

    @property
    def bravo(self) -> RehearsedTerminal:
        """The second capital."""
        return self.rehearsal.terminals[1]

    @property
    def terminals(self) -> Sequence[RehearsedTerminal]:
        """Every terminal: those of the two parties, then the alternates."""
        return (*self.rehearsal.terminals, *self.rehearsal.alternates)

    @property
    def relays(self) -> Sequence[RehearsedRelay]:
        """Every relay, also those that came later."""
        return (*self.rehearsal.relays, *self.added)

    @property
    def witnesses(self) -> Sequence[RehearsedRelay]:
        """Every witness."""
        return self.rehearsal.witnesses

    def log_of(self, name: str) -> Path:
        """Where a process writes its log."""
        return self.folder / f"{name}.log"

    def pid(self, name: str) -> int:
        """Process id of a running daemon. Raises LocalError if there is none."""
        process = self._running.get(name)
        if process is None:
            raise LocalError(f"{name} does not run")
        return process.pid

    def names(self) -> list[str]:
        """Every process of the stage, whether it runs or not."""
        terminals = [terminal.process for terminal in self.terminals]
        return [*terminals, *(one.name for one in (*self.relays, *self.witnesses))]

    def started(self, name: str) -> bool:
        """Whether a process was started and not ended by us; it may have ended by itself."""
        return name in self._running

    def ended(self, name: str) -> int | None:
        """Exit code of a process that has ended by itself, None while it runs or if we ended it."""
        process = self._running.get(name)
        return None if process is None else process.poll()

    def folder_of(self, name: str) -> Path:
        """Where a process has its keys, its configuration and its store."""
        return self.folder / name

    def start(self, name: str) -> None:
        """Start a process by its name; returns when it serves."""
        for terminal in self.terminals:
            if terminal.process == name:
                self.start_endpoint(terminal)
        for relay in self.relays:
            if relay.name == name:
                self.start_relay(relay)
        for witness in self.witnesses:
            if witness.name == name:
                self.start_witness(witness)

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        self._running[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        self._running[name].send_signal(signal.SIGCONT)

    def start_relay(self, relay: RehearsedRelay) -> None:
        """Start one relay; returns when it serves."""
        self._start(relay.name, "relay", "run", "--config", str(relay.config))

    def start_witness(self, witness: RehearsedRelay) -> None:
        """Start one witness; returns when it serves."""
        self._start(witness.name, "relay", "witness", "run", "--config", str(witness.config))

    def start_endpoint(self, terminal: RehearsedTerminal) -> None:
        """Start one endpoint; returns when it serves its operators."""
        self.start_guest(terminal.process, terminal.config)

    def start_guest(self, name: str, config: Path) -> None:
        """Start an endpoint that may be none of the hotline's own, under a name for it; it ends with the stage."""
        self._start(name, "hotline", "endpoint", "run", "--config", str(config))

    def _start(self, name: str, module: str, *arguments: str) -> None:
        """Raises LocalError if the daemon ends instead, or has not said in time that it serves."""
        place = self.folder / f"{name}.ready"
        with _Readiness(place) as readiness:
            self._launch(name, module, {"NOTIFY_SOCKET": str(place)}, *arguments)
            wait_until(lambda: self._alive(name) and readiness.said(), f"{name} to be ready")

    def _launch(self, name: str, module: str, told: dict[str, str], *arguments: str) -> None:
        environment = os.environ | self.environment.get(name, {}) | told
        if name in self.installation:
            program = [*self.installation[name], "-m", module, *arguments]
            environment.pop("PYTHONPATH", None)  # it would bring our own program back
        else:
            program = [sys.executable, "-m", self.module.get(name, module), *arguments]
        with interrupts.whole(), self.log_of(name).open("ab") as log:
            self._running[name] = self.reaper.start(
                [*self.prefix.get(name, ()), *program], stdout=log, stderr=log, env=environment
            )

    def all_alive(self) -> None:
        """Raises LocalError naming a process that has ended by itself, and what it said last."""
        for name in self.names():
            if self.started(name):
                self._alive(name)

    def _alive(self, name: str) -> bool:
        process = self._running[name]
        if process.poll() is not None:
            last = self.log_of(name).read_text(errors="replace").strip().splitlines()[-3:]
            raise LocalError(f"{name} ended with {process.returncode}: {' / '.join(last)}")
        return True

    def kill(self, name: str) -> None:
        """kill -9."""
        with interrupts.whole():
            process = self._running.pop(name)
            process.kill()
            process.wait()

    def stop(self, name: str, seconds: float = 5.0) -> int:
        """SIGTERM; returns the exit code. Raises LocalError if it does not end in time (it is killed then)."""
        with interrupts.whole():
            process = self._running.pop(name)
            process.terminate()
            try:
                return process.wait(seconds)
            except subprocess.TimeoutExpired as error:
                process.kill()
                process.wait()
                raise LocalError(f"{name} did not stop within {seconds:.0f} s") from error

    def give_up(self) -> None:
        """Nothing is started again before everything ends."""
        self.given_up = True

    def stop_all(self) -> None:
        """End whatever still runs."""
        for process in self._running.values():
            process.terminate()
            process.send_signal(signal.SIGCONT)
        end = time.monotonic() + 5.0
        for process in self._running.values():
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()


@contextlib.contextmanager
def operator(terminal: RehearsedTerminal) -> Iterator[Any]:
    """A stub of a terminal's operator interface."""
    with daemon(str(terminal.socket)) as stub:
        yield stub


def status_of(terminal: RehearsedTerminal) -> dict[str, Any]:
    """Schema hotline.status/1, or an empty picture while the daemon does not answer."""
    try:
        with operator(terminal) as stub:
            picture: dict[str, Any] = json.loads(stub.GetStatus(operator_pb2.GetStatusRequest()).json)
            return picture
    except (LocalError, StorageError, grpc.RpcError):
        return {"link": "no-path", "paths": []}


def paths_up(terminal: RehearsedTerminal) -> int:
    """How many paths the peer answers on."""
    return sum(1 for path in status_of(terminal)["paths"] if path["state"] == "up")


def short_folder() -> Path:
    """A new folder under the system's temporary folder; short, because socket paths must be."""
    return Path(tempfile.mkdtemp(prefix="hotline-"))
