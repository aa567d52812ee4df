"""A drill that is given up: what it has done to others is undone first, whoever presses Ctrl-C, and how often."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotline.drill.plan import Drill, Plan
from hotline.drill.runner import DrillAborted, Run
from hotline.drill.scene import PERFORMERS, Scene, Undo
from hotline.drill.staging import NoLinks
from hotline.errors import LocalError
from hotline.runtime import interrupts

PLAN = {
    "drill": 1,
    "name": "given-up",
    "title": "t",
    "story": "s",
    "source": "s",
    "tags": ["quick"],
    "topology": {"relays": 1},
    "inject": [{"at": "0s", "fault": "freeze", "target": "relay-1", "for": "10s"}],
    "promise": [{"promise": "none-lost"}],
}


class Installed:
    """A stage whose processes go on running."""

    given_up = False

    def give_up(self) -> None:
        """Nothing: what the drill has stopped is to be started again."""

    def names(self) -> list[str]:
        return []


class Written:
    """A recorder of nothing but entries."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.texts: list[str] = []
        self.desks: dict[str, Any] = {}
        self.on_delivered: object = None
        self._begun = time.monotonic()

    def now(self) -> float:
        return (time.monotonic() - self._begun) * 1_000

    def add(self, kind: str, **fields: object) -> None:
        self.kinds.append(kind)
        self.texts.append(str(fields.get("text")))

    def fault_ended(self) -> None:
        pass


class Site:
    """A run whose only fault takes its time, begun by a hand, and what has become of it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.state = "well"
        self.recorder = Written()
        monkeypatch.setitem(PERFORMERS, "freeze", self._freeze)
        plan = Plan.model_validate(PLAN)
        scene = Scene(plan, Installed(), NoLinks(), random.Random(1), folder)  # type: ignore[arg-type]
        drill = Drill(plan, "digest", folder / "given-up.toml")
        self.run = Run(drill, scene, self.recorder, 1, lambda at, text: None)  # type: ignore[arg-type]

    def _freeze(self, inject: object, scene: Scene) -> Undo:
        self.begun.set()
        assert self.go_on.wait(10)
        self.state = "frozen"
        return self._thaw

    def _thaw(self) -> None:
        for _ in range(3):  # while it is being undone, too
            os.kill(os.getpid(), signal.SIGINT)
        self.state = "well again"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    heard = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    former = {number: signal.signal(number, signal.default_int_handler) for number in heard}
    made = Site(tmp_path, monkeypatch)
    yield made
    made.go_on.set()
    made.run.close()
    for number, handler in former.items():
        signal.signal(number, handler)


def test_ctrl_c_undoes_also_what_is_just_being_done(site: Site) -> None:
    """An installation's relay would stay frozen: the hand that froze it came after everything had been undone."""

    def press() -> None:
        assert site.begun.wait(10)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        site.go_on.set()

    pressing = threading.Thread(target=press)
    pressing.start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), interrupts.once():
        site.run.play(begun + 60)
    assert time.monotonic() - begun < 8, "it was played to its end"
    pressing.join()
    assert (site.state, site.recorder.kinds) == ("well again", ["inject", "undo"])


def test_a_time_limit_undoes_also_what_is_just_being_done(site: Site) -> None:
    """The same, and nobody had pressed anything."""
    threading.Timer(0.4, site.go_on.set).start()
    # The interrupt is the one that came while it was undone.
    with pytest.raises((DrillAborted, KeyboardInterrupt)), interrupts.once():
        site.run.play(time.monotonic() + 0.1)
    assert (site.state, site.recorder.kinds) == ("well again", ["inject", "undo"])


def test_nobody_need_look_on(site: Site) -> None:
    """`hotline drill run NAME | head` waited for the step that it could not tell of until the time limit."""

    def gone(*_: object) -> None:
        raise BrokenPipeError

    site.run._progress = gone
    site.go_on.set()
    with pytest.raises((DrillAborted, KeyboardInterrupt)), interrupts.once():
        site.run.play(time.monotonic() + 0.6)
    assert (site.state, site.run._busy) == ("well again", 0)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (LocalError("no tool for it"), "no tool for it"),
        (OSError(28, "full"), "OSError: [Errno 28] full"),
    ],
)
def test_an_inject_that_fails_is_told_to_the_judge(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    """A note would be judged by nobody, and the drill would pass for want of its fault."""

    def broken(inject: object, scene: Scene) -> Undo:
        raise error

    monkeypatch.setitem(PERFORMERS, "freeze", broken)
    with pytest.raises(DrillAborted), interrupts.once():
        site.run.play(time.monotonic() + 0.4)
    assert (site.recorder.kinds, site.recorder.texts[-1]) == (["inject", "inject-failed"], why)
