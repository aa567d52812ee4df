"""Two endpoints and their relays as real processes on loopback, each ended by its own process id."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from hotline.charter.body import ReleaseEntry
from hotline.drill.rehearsal import Rehearsal, rehearse
from hotline.drill.stage import Stage as DrillStage
from hotline.drill.stage import reserve_ports, short_folder
from hotline.errors import HotlineError
from hotline.runtime.client import daemon
from hotline.wire.v1 import content_pb2, operator_pb2
from tests.process import nursery

POLL_SECONDS = 0.02
LIMIT_SECONDS = 15.0
HOTLINE = (sys.executable, "-c", "from hotline.cli.main import main; main()")
ROOT = Path(__file__).parents[2]


def until(condition: Callable[[], bool], what: str, limit: float = LIMIT_SECONDS) -> None:
    """Wait for a condition of the world; fail with its name when it does not come."""
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within {limit} s: {what}")
        time.sleep(POLL_SECONDS)


def environment() -> dict[str, str]:
    """Ours, without anything that names another hotline."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HOTLINE_")}


def program(name: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run `hotline` or `relay` to its end."""
    done = nursery.run(name, *words, environment=environment())
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def hotline(*words: object) -> subprocess.CompletedProcess[str]:
    """One command, whatever hotline it names."""
    return program("hotline", *words)


class Stage:
    """A rehearsed hotline and its processes."""

    def __init__(
        self,
        folder: Path,
        relays: int,
        channel_test_ms: int = 0,
        release: Sequence[ReleaseEntry] = (),
        alternates: Sequence[str] = (),
        **more: Any,
    ) -> None:
        self.folder = folder
        self.belongings = contextlib.ExitStack()
        ports = reserve_ports(relays, self.belongings)
        named = [(f"relay-{number}", f"127.0.0.1:{port}") for number, port in enumerate(ports, 1)]
        self.rehearsal: Rehearsal = rehearse(
            folder,
            named,
            sockets=folder,
            channel_test_ms=channel_test_ms,
            release=release,
            alternates=alternates,
            **more,
        )
        self.terminals = (*self.rehearsal.terminals, *self.rehearsal.alternates)
        self.relays = [relay.name for relay in self.rehearsal.relays]
        self._running: dict[str, nursery.Running] = {}

    # --- processes ---------------------------------------------------------------------------------------------------

    def start(self, *names: str) -> None:
        """Start ALPHA, BRAVO or relays."""
        configs = {item.process: item.config for item in self.terminals}
        for name in names:
            if name in configs:
                words: tuple[object, ...] = ("hotline", "endpoint", "run", "--config", configs[name])
            else:
                words = ("relay", "run", "--config", self.folder / name / "relay.toml")
            with self.log(name).open("ab") as log:
                self._running[name] = nursery.start(*words, environment=environment(), out=log, err=log)

    def log(self, name: str) -> Path:
        """Everything that a daemon has written to its terminal."""
        return self.folder / f"{name}.log"

    def kill(self, name: str) -> None:
        """The process is gone between two instructions."""
        process = self._running.pop(name)
        process.kill()
        process.wait(10)

    def terminate(self, name: str) -> tuple[int, float]:
        """SIGTERM; the exit code and the seconds it took."""
        process = self._running.pop(name)
        begin = time.monotonic()
        process.terminate()
        code = process.wait(10)
        return code, time.monotonic() - begin

    def running(self, name: str) -> bool:
        """Whether the process lives."""
        return self._running[name].poll() is None

    def end(self) -> None:
        """Nothing of ours is left behind."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.belongings.close()

    # --- people ------------------------------------------------------------------------------------------------------

    def socket(self, party: str) -> str:
        """The operator socket."""
        return str(next(item.socket for item in self.terminals if item.process == party))

    def cli(self, party: str, *words: str) -> subprocess.CompletedProcess[str]:
        """One command of an officer."""
        return hotline(*words, "--socket", self.socket(party))

    def status(self, party: str) -> dict[str, Any]:
        """The daemon's picture; empty while nobody answers."""
        if not Path(self.socket(party)).exists():
            return {}
        try:
            with daemon(self.socket(party)) as stub:
                picture: dict[str, Any] = json.loads(stub.GetStatus(operator_pb2.GetStatusRequest()).json)
                return picture
        except HotlineError:
            return {}

    def up(self, party: str) -> bool:
        """Whether the peer is heard on every path."""
        picture = self.status(party)
        return bool(picture) and all(path["state"] == "up" for path in picture["paths"]) and picture["link"] == "up"

    def submit(self, party: str, *texts: str) -> None:
        """Hand statements to the daemon; each is durable when this returns."""
        with daemon(self.socket(party)) as stub:
            for text in texts:
                answer = stub.Submit(
                    operator_pb2.SubmitRequest(
                        precedence=content_pb2.PRECEDENCE_ROUTINE,
                        language="en",
                        direction=content_pb2.DIRECTION_LTR,
                        text=text,
                        request_key=os.urandom(16),
                    )
                )
                assert answer.accepted, answer.text

    def statements(self, party: str, *, sent: bool) -> list[operator_pb2.StatementView]:
        """What a terminal knows of statements, by serial."""
        with daemon(self.socket(party)) as stub:
            found = stub.ListStatements(operator_pb2.ListStatementsRequest(sent=sent, limit=500)).statement
        return sorted(found, key=lambda view: view.serial)

    def received(self, party: str) -> list[int]:
        """Serials in the inbox."""
        return [view.serial for view in self.statements(party, sent=False)]


@pytest.fixture
def stages(tmp_path: Path) -> Iterator[Callable[[int], Stage]]:
    """`stages(n)` rehearses a hotline with n relays, and alternates if named; its processes end with the test."""
    made: list[Stage] = []

    def make(relays: int, alternates: Sequence[str] = ()) -> Stage:
        made.append(Stage(tmp_path / f"stage-{len(made)}", relays, alternates=alternates))
        return made[-1]

    yield make
    for stage in made:
        stage.end()


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a name so short that sockets may lie deep in it."""
    made = short_folder()
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="session", autouse=True)
def forked() -> Iterator[None]:
    """Daemons of a drill's stage come from the nursery too, unless one of them is to be a process of another kind."""
    launch = DrillStage._launch

    def forks(self: DrillStage, name: str, module: str, told: dict[str, str], *words: str) -> None:
        if any(name in other for other in (self.prefix, self.module, self.installation)) or self.environment.get(name):
            launch(self, name, module, told, *words)
            return
        with self.log_of(name).open("ab") as log:
            variables = os.environ | told
            self._running[name] = nursery.start(  # type: ignore[assignment]
                module, *words, environment=variables, out=log, err=log, session=True
            )

    with patch.object(DrillStage, "_launch", forks):
        yield
    nursery.close()
