"""A drill says what broke in the hotline: what broke in its own staging must not look like that."""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotline.drill.journal import Journal
from hotline.drill.recorder import Recorder
from hotline.drill.results import keep_logs
from hotline.drill.stage import Stage, reserve_ports, short_folder
from hotline.errors import LocalError


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Rehearsed with one relay; nothing of it runs yet."""
    folder = short_folder()
    with Stage(folder, 1) as stage:
        yield stage
    shutil.rmtree(folder)


def listening(port: int) -> socket.socket:
    """What a daemon does."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", port))
    one.listen()
    return one


def test_a_port_is_nobody_elses_while_it_is_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two drills beside each other once drew one port, and a relay of one served the terminals of the other."""
    with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
        (port,) = reserve_ports(1, ours)
        monkeypatch.setattr("hotline.drill.stage._PORTS", range(port, port + 1))
        with pytest.raises(LocalError, match="too few ports"):
            reserve_ports(1, theirs)
        for _ in range(2):  # a relay that is killed comes back
            with listening(port):
                pass
        ours.close()
        assert reserve_ports(1, theirs) == [port]


def test_a_relay_that_cannot_listen_is_not_taken_for_somebody_else(stage: Stage) -> None:
    """Its port accepts, but the relay behind it is a stranger: the steady state would be waited for in vain."""
    relay = stage.relays[0]
    with listening(int(relay.address.rpartition(":")[2])), pytest.raises(LocalError, match=r"relay-1 ended with \d+: "):
        stage.start(relay.name)
    stage.stop_all()
    stage.start(relay.name)
    stage.all_alive()


def test_a_process_that_ends_by_itself_is_named_at_once(stage: Stage) -> None:
    """Twenty seconds later there is still no steady state, and nobody knows why."""
    stage.start("relay-1")
    recorder = Recorder(Journal(), stage, 1)
    assert recorder.reach_steady(50, 0) is None
    assert recorder.unsteady() == "ALPHA does not answer; BRAVO does not answer"
    stage.freeze("relay-1")  # so that what it answers is not waited for
    process = stage._running["relay-1"]
    process.kill()
    process.wait()
    with pytest.raises(LocalError, match="relay-1 ended with -9"):
        recorder.reach_steady(60_000, 0)


def test_what_the_steady_state_lacked_is_said(stage: Stage) -> None:
    """An aborted drill says nothing about its promises, so it says why."""
    recorder = Recorder(Journal(), stage, 2)
    paths = [{"name": "relay-1", "state": "up"}, {"name": "relay-2", "state": "down"}]
    recorder.pictures["ALPHA"] = (0.0, {"paths": paths, "planes": {"real": {"waiting": 2}}})
    recorder.pictures["BRAVO"] = (0.0, {"paths": paths[:1] * 2, "planes": {}})
    assert recorder.unsteady() == "ALPHA has relay-2 down; 2 wait at ALPHA"


def test_a_terminal_that_travels_is_waited_for_only_when_it_is_activated(stage: Stage) -> None:
    """No drill with one would ever begin, or it would begin before the one aboard is heard."""
    recorder = Recorder(Journal(), stage, 2)
    planes = {"real": {"waiting": 0}}
    whole = {"paths": [{"name": f"relay-{n}", "state": "up"} for n in (1, 2)], "planes": planes, "alarms": []}
    lone = whole | {"paths": [{"name": "relay-1", "state": "attached"}], "planes": {"real": {"waiting": 3}}}
    recorder.pictures |= {"ALPHA": (0.0, whole), "BRAVO": (0.0, lone)}
    assert (recorder.steady(), recorder.unsteady()) == (False, "BRAVO has relay-1 attached; 3 wait at BRAVO")
    recorder.pictures["BRAVO"] = (0.0, lone | {"alarms": [{"name": "inactive"}]})
    assert (recorder.steady(), recorder.unsteady()) == (True, "everything was up, but not for long enough")


@pytest.mark.parametrize("outcome", ["aborted", "ended", "inject-failed"])
def test_the_logs_of_an_aborted_run_are_kept(tmp_path: Path, outcome: str) -> None:
    """They go with the stage, and are all that could say why."""
    played, folder, journal = tmp_path / "stage", tmp_path / "report", Journal()
    played.mkdir()
    folder.mkdir()
    (played / "ALPHA.log").write_text("ready\n")
    (played / "store").write_text("not a log")
    if outcome == "inject-failed":
        journal.add(0, "inject-failed", n=0, name="kill", fault="kill", target="ALPHA", text="no")
    journal.add(0, "end", outcome=outcome.replace("inject-failed", "ended"), text="")
    keep_logs(journal.entries, played, folder)
    kept = {path.name for path in folder.glob("logs/*")}
    assert kept == (set() if outcome == "ended" else {"ALPHA.log"})
