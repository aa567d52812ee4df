"""A line that has slept for more than two years comes back by its procedure, as real processes with later clocks."""

from __future__ import annotations

import json
import shlex
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotline.charter.model import load_charter
from hotline.crypto.vault import plain_secret
from hotline.drill.clocks import LACKING, WallClock, library, variables
from hotline.files import write_new
from tests.hotline.cli.conftest import call
from tests.process.conftest import Stage, until
from tests.schemas import printed

pytestmark = pytest.mark.process

ASLEEP_MS = 800 * 86_400_000


class Procedure:
    """Somebody who knows nothing but `hotline charter reactivate`, and types what it says."""

    def __init__(self, stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
        self.stage = stage
        self._capsys = capsys
        self.taken: list[str] = []

    def look(self) -> tuple[int, list[dict[str, Any]]]:
        """Exit code, and the steps."""
        words: list[object] = ["charter", "reactivate", "old.note", "--config", self.stage.terminals[0].config]
        words += ["--amended", "amended.note"] if Path("amended.note").exists() else []
        words += [word for offer in sorted(Path().glob("*.renewal.offer")) for word in ("--offer", offer)]
        self._capsys.readouterr()
        code = call((*words, "--json"))
        (made,) = printed(self._capsys.readouterr().out)
        return code, made["steps"]

    def take(self, step: dict[str, Any]) -> None:
        """One step: type it, or do what it says."""
        self.taken.append(step["what"])
        match step["what"]:
            case "put it in place":
                shutil.copyfile("amended.note", "charter.note")
            case "start the daemon":
                self.stage.start(*self.stage.relays, "ALPHA", "BRAVO")
                until(lambda: self.stage.up("ALPHA") and self.stage.up("BRAVO"), "every path up")
            case "exchange keys anew" | "stand under it" | "bring up every path":
                time.sleep(0.05)  # heartbeats do it: the next look tells
            case _:
                for command in step["command"].split(" && "):
                    self._type(shlex.split(command))

    def _type(self, words: list[str]) -> None:
        assert words[0] == "hotline", words
        if words[1:3] == ["charter", "sign"]:
            words.append("--yes")
        if words[1] == "test":
            words += ["--socket", self.stage.socket("ALPHA")]
        assert call(tuple(words[1:])) == 0, (words, self._capsys.readouterr().err)


@pytest.mark.skipif(library() is None, reason=LACKING)
def test_a_line_that_slept_for_two_years_comes_back_by_its_procedure(
    stages: Callable[..., Stage],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stores, keys and charter as they were left, clocks 800 days later: nothing is trusted anew, nothing is lost
    (docs/protocol.md 24.12, P48)."""
    stage = stages(1)
    stage.start(*stage.relays, "ALPHA", "BRAVO")
    until(lambda: stage.up("ALPHA") and stage.up("BRAVO"), "every path up")
    stage.submit("ALPHA", "Before the line fell asleep")
    until(lambda: stage.received("BRAVO") == [1], "the statement")
    for name in (*stage.relays, "ALPHA", "BRAVO"):
        stage.terminate(name)

    preloaded = library()
    assert preloaded is not None
    for name, value in variables(preloaded, WallClock(tmp_path / "clock", ASLEEP_MS)).items():
        monkeypatch.setenv(name, value)
    true_time = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: true_time() + ASLEEP_MS * 1_000_000)
    monkeypatch.chdir(stage.folder)
    shutil.copyfile("charter.note", "old.note")
    for party, key in stage.rehearsal.identities.items():
        write_new(Path(f"{party}.identity.key"), plain_secret("identity", party, key.seed), 0o600)

    person = Procedure(stage, capsys)
    code, steps = person.look()
    assert code == 1
    assert [step["state"] for step in steps][:2] == ["to do", "to do"], "both capitals at once"
    assert "HAS ENDED" in steps[0]["found"]
    while code and len(person.taken) < 60:
        person.take(next(step for step in steps if step["state"] == "to do"))
        code, steps = person.look()
    assert code == 0, json.dumps(steps, indent=1)
    assert [word for word in dict.fromkeys(person.taken) if word not in ("exchange keys anew", "stand under it")] == [
        "renew cards",
        "draw up the amendment",
        "sign the amendment",
        "put it in place",
        "start the daemon",
        "test the whole way",
    ]
    old, new = (load_charter(Path(name).read_bytes()) for name in ("old.note", "charter.note"))
    assert (new.founding, new.previous, new.serial) == (old.founding, old.hash, 2)
    assert [one.signing for one in (*new.terminals, *new.officers)] == [
        one.signing for one in (*old.terminals, *old.officers)
    ]
    stage.submit("BRAVO", "After it woke")
    until(lambda: stage.received("ALPHA")[-1:] != [], "the statement")
    assert "key-elsewhere" not in stage.log("ALPHA").read_text()
