"""Drills as a planner runs them: the quick set, broken promises, an installation, controls."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hotline.drill.journal import of_kind, read_journal
from hotline.drill.plan import find_plan
from hotline.drill.stage import Stage, paths_up, wait_until
from tests.process.conftest import HOTLINE, ROOT, environment
from tests.sabotage.control import broken, run_weakened
from tests.schemas import printed

pytestmark = pytest.mark.process

BRIEF = """\
drill = 1
name = "brief"
title = "A relay is killed for two seconds"
story = "A planner's own drill, as short as one can be."
source = "written for this test"
tags = ["relay"]

[topology]
relays = 2

[[traffic]]
from = "ALPHA"
precedence = "flash"
every = "100ms"
until = "3s"

[[inject]]
at = "1s"
for = "1s"
fault = "kill"
target = "relay-1"

[[promise]]
promise = "none-lost"

[[promise]]
promise = "noticed"
fault = "kill"
limit = "{limit}"
"""


def drill(*words: str, seconds: float = 90) -> subprocess.CompletedProcess[str]:
    """One `hotline drill` command."""
    return subprocess.run(
        [*HOTLINE, "drill", *words], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=seconds
    )


def written(folder: Path, limit: str) -> Path:
    """A planner's own drill."""
    path = folder / "brief.toml"
    path.write_text(BRIEF.format(limit=limit))
    return path


@pytest.mark.alone
@pytest.mark.timeout(300)
def test_the_quick_set_passes(tmp_path: Path) -> None:
    """The promises that a capital relies on first would be broken and nobody would know.

    What was late by no more than this machine stood still is played once more, by the command itself.
    """
    done = drill("run", "--tag", "quick", "--jobs", "2", "--seed", "1", "--out", str(tmp_path), "--json", seconds=280)
    results = printed(done.stdout)
    told = [promise["text"] for result in results for promise in result["promises"] if not promise["holds"]]
    verdicts = {result["name"]: result["verdict"] for result in results}
    assert (told, len(verdicts), set(verdicts.values()), done.returncode) == ([], 8, {"passed"}, 0), done.stderr
    for result in results:
        folder = Path(result["folder"])
        assert json.loads((folder / "report.json").read_text())["verdict"] == "passed"
        assert "<script" not in (folder / "report.html").read_text()


def test_a_broken_promise_is_exit_7_and_says_which(tmp_path: Path) -> None:
    """A drill that cannot fail is no drill."""
    done = drill("run", str(written(tmp_path, "0ms")), "--out", str(tmp_path / "out"))
    assert done.returncode == 7, done.stderr
    assert "BROKEN" in done.stdout
    assert "1 of 2" in done.stdout
    again = drill("report", str(tmp_path / "out" / "brief"), "--out", str(tmp_path / "again"), "--json")
    assert again.returncode == 7
    for name in ("report.json", "report.html"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / "brief" / name).read_bytes(), name
    both = drill("compare", str(tmp_path / "out" / "brief"), str(tmp_path / "out" / "brief"))
    assert both.returncode == 0


def test_a_folder_that_exists_and_a_drill_that_is_none_change_nothing(tmp_path: Path) -> None:
    """An older report would be mixed with a new one."""
    (tmp_path / "relay-killed").mkdir()
    taken = drill("run", "relay-killed", "--out", str(tmp_path))
    assert (taken.returncode, list((tmp_path / "relay-killed").iterdir())) == (1, [])
    path = tmp_path / "bad.toml"
    path.write_text('drill = 1\nname = "bad"\ntitel = "x"\n')
    bad = drill("run", str(path), "--out", str(tmp_path / "out"))
    assert bad.returncode == 1
    assert "titel: unknown key; did you mean 'title'?" in bad.stderr
    assert "tags: is missing" in bad.stderr
    assert not (tmp_path / "out").exists()


def test_a_running_installation_is_drilled_on_its_exercise_plane_and_goes_on(tmp_path: Path, short: Path) -> None:
    """A drill that ended or changed what it drills would be the incident itself."""
    with Stage(short, 2) as stage:
        for name in stage.names()[2:] + stage.names()[:2]:
            stage.start(name)
        for terminal in stage.rehearsal.terminals:
            wait_until(lambda one=terminal: paths_up(one) == 2, f"{terminal.party} to be up")  # type: ignore[misc]
        pid_file = tmp_path / "relay-1.pid"
        pid_file.write_text(f"{stage.pid('relay-1')}\n")
        again = [sys.executable, "-c", _START_AGAIN, str(pid_file), str(stage.relays[0].config)]
        system = tmp_path / "system.toml"
        system.write_text(_SYSTEM.format(stage=stage.folder, pid_file=pid_file, start=json.dumps(again)))
        done = drill("run", str(written(tmp_path, "2s")), "--system", str(system), "--out", str(tmp_path / "out"))
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
        assert done.returncode == 0, done.stdout + done.stderr
        assert all(stage.ended(name) is None for name in ("ALPHA", "BRAVO", "relay-2"))
        said = of_kind(read_journal(tmp_path / "out" / "brief" / "journal.jsonl"), "said")
        assert said
        assert {entry["plane"] for entry in said} == {"exercise"}
        forbidden = drill("run", "old-backup", "--system", str(system), "--out", str(tmp_path / "no"))
        assert forbidden.returncode == 1
        assert "would change what an installation keeps" in forbidden.stderr + forbidden.stdout


_START_AGAIN = """
import subprocess, sys
from pathlib import Path
words = [sys.executable, "-m", "relay", "run", "--config", sys.argv[2]]
process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           start_new_session=True)
Path(sys.argv[1]).write_text(str(process.pid))
"""

_SYSTEM = """\
system = 1
charter = "{stage}/charter.note"
relays = 2

[terminal.ALPHA]
socket = "{stage}/ALPHA/alpha.sock"

[terminal.BRAVO]
socket = "{stage}/BRAVO/bravo.sock"

[process.relay-1]
pid_file = "{pid_file}"
start = {start}
"""


@pytest.mark.parametrize(("name", "weakness"), [("withheld-last", "no-gap-watch"), ("relay-frozen", "one-path-only")])
def test_a_drill_turns_red_when_a_protection_is_taken_out(name: str, weakness: str) -> None:
    """It would pass whatever the hotline does. The other controls of the library are run by `make sabotage`."""
    plan = find_plan(name)
    (wanted,) = [set(one.breaks) for one in plan.plan.sabotage if one.weakness == weakness]
    begun = time.monotonic()
    report = run_weakened(plan, weakness)
    assert wanted <= broken(report), (report.outcome, time.monotonic() - begun)
    assert report.verdict != "aborted", report.outcome
