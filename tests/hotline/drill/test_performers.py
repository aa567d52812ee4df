"""What injects do to links and processes, where it can be seen without a hotline."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hotline.drill.injects import Freeze, Kill, LinkFault, Partition, Restore, Swizzle
from hotline.drill.performers import freeze, kill, link, partition, partition_needs, restore, swizzle
from hotline.drill.plan import Plan
from hotline.drill.processes import stands_still
from hotline.drill.scene import Scene
from hotline.drill.stage import Stage, short_folder, wait_until
from hotline.errors import LocalError

PLAN = Plan.model_validate(
    {
        "drill": 1,
        "name": "unit",
        "title": "t",
        "story": "s",
        "source": "s",
        "tags": ["quick"],
        "promise": [{"promise": "none-lost"}],
    }
)
EVERY = [f"{party}/relay-{number}" for party in ("ALPHA", "BRAVO") for number in (1, 2, 3)]


class WrittenDown:
    """Links without a proxy behind them: what each would have."""

    def __init__(self) -> None:
        self.now: dict[str, dict[str, int | str | None]] = {}
        self.history: list[tuple[str, str]] = []

    def set(self, links: Sequence[str], way: str, **weather: int | str | None) -> None:
        for one in links:
            self.now[one] = {"way": way, **weather}
            self.history.append(("set", one))

    def clear(self, links: Sequence[str]) -> None:
        for one in links:
            self.now.pop(one, None)
            self.history.append(("clear", one))

    def modes(self) -> dict[str, object]:
        return {one: weather["mode"] for one, weather in self.now.items()}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Rehearsed; nothing of it runs."""
    import shutil

    folder = short_folder()
    with Stage(folder, relays=3) as stage:
        yield stage
    shutil.rmtree(folder)


@pytest.fixture
def links() -> WrittenDown:
    return WrittenDown()


@pytest.fixture
def scene(stage: Stage, links: WrittenDown, tmp_path: Path) -> Scene:
    return Scene(PLAN, stage, links, random.Random(7), tmp_path)


def link_fault(*patterns: str, **fields: object) -> LinkFault:
    return LinkFault.model_validate({"fault": "link", "at": "0s", "links": list(patterns), **fields})


def cut(one: list[str], other: list[str]) -> Partition:
    return Partition.model_validate({"fault": "partition", "at": "0s", "between": [one, other]})


def test_what_does_not_stand_still_in_time_is_let_go(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """No fault has begun, so nobody would undo it: a process of an installation would stop a moment later, for ever."""
    told: list[str] = []
    monkeypatch.setattr("hotline.drill.processes.stands_still", lambda pid: False)
    monkeypatch.setattr("hotline.drill.processes._STOPS_WITHIN", 0.05)
    for name in ("freeze", "thaw"):
        monkeypatch.setattr(scene.stage, name, lambda _, name=name: told.append(name))
    monkeypatch.setattr(scene.stage, "pid", lambda name: 1)
    monkeypatch.setattr(scene.stage, "started", lambda name: True)
    with pytest.raises(LocalError, match="waited 0 s in vain"):
        freeze(Freeze.model_validate({"fault": "freeze", "at": "0s", "target": "relay-1"}), scene)
    assert told == ["freeze", "thaw"]


def test_a_link_fault_reaches_the_links_it_names_and_no_other(scene: Scene, links: WrittenDown) -> None:
    """A drill of one bad line would be a drill of three."""
    undo = link(link_fault("*/relay-2", latency="300ms", loss=10), scene)
    assert sorted(links.now) == ["ALPHA/relay-2", "BRAVO/relay-2"]
    assert links.now["ALPHA/relay-2"]["latency_ms"] == 300
    undo()
    undo()
    assert links.now == {}


def test_the_weather_below_comes_back(scene: Scene, links: WrittenDown) -> None:
    """The end of a partition would also end the satellite's delay, and the rest of the drill would be too easy."""
    below = link(link_fault("*/*", latency="300ms"), scene)
    above = partition(cut(["ALPHA"], ["relay-1", "relay-2"]), scene)
    assert links.modes() == dict.fromkeys(EVERY, "pass") | {"ALPHA/relay-1": "blackhole", "ALPHA/relay-2": "blackhole"}
    above()
    assert links.modes() == dict.fromkeys(EVERY, "pass")
    assert all(weather["latency_ms"] == 300 for weather in links.now.values())
    below()
    assert links.now == {}


def test_faults_end_in_any_order(scene: Scene, links: WrittenDown) -> None:
    """The end of the older fault would mend what the newer one still holds."""
    older = link(link_fault("ALPHA/*", latency="300ms"), scene)
    newer = partition(cut(["ALPHA"], ["relay-1"]), scene)
    older()
    assert links.modes() == {"ALPHA/relay-1": "blackhole"}
    newer()
    assert links.now == {}


def test_a_reset_is_not_repeated(scene: Scene, links: WrittenDown) -> None:
    """Streams would break because something else was mended."""
    broken = link(link_fault("ALPHA/relay-1", mode="reset"), scene)
    link(link_fault("ALPHA/relay-1", latency="5ms"), scene)()
    assert links.now == {}
    broken()


@pytest.mark.parametrize(
    ("one", "other", "word"),
    [
        (["ALPHA"], ["BRAVO"], "meet only at relays"),
        (["relay-1"], ["relay-2"], "meet only at relays"),
        (["ALPHA", "witness-1"], ["relay-1"], "witness-1"),
    ],
)
def test_a_partition_that_cuts_nothing_is_refused(one: list[str], other: list[str], word: str) -> None:
    """The drill would pass because nothing had happened."""
    assert word in (partition_needs(cut(one, other)) or "")
    assert partition_needs(cut(["ALPHA", "relay-2"], ["BRAVO", "relay-1"])) is None


def test_a_swizzle_clogs_all_and_mends_all(scene: Scene, links: WrittenDown) -> None:
    """A link that stays clogged would spoil whatever the drill does next."""
    undo = swizzle(
        Swizzle.model_validate({"fault": "swizzle", "at": "0s", "links": ["*/*"], "each": "10ms", "for": "400ms"}),
        scene,
    )
    end = time.monotonic() + 5
    while len([entry for entry in links.history if entry[0] == "clear"]) < len(EVERY) and time.monotonic() < end:
        time.sleep(0.005)
    clogged = [name for word, name in links.history if word == "set"]
    mended = [name for word, name in links.history if word == "clear"]
    assert sorted(clogged) == sorted(mended) == EVERY
    assert clogged != mended
    undo()
    assert links.now == {}


def test_a_swizzle_that_cannot_clog_says_so_to_the_judge(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails in the background, where nobody waits for it."""

    def gone(*_: object, **__: object) -> None:
        raise LocalError("the fault proxy does not run")

    monkeypatch.setattr(scene.links, "set", gone)
    told: list[tuple[object, str]] = []
    scene.failed = lambda inject, why: told.append((inject, why))
    inject = Swizzle.model_validate({"fault": "swizzle", "at": "0s", "links": ["*/*"], "each": "10ms"})
    swizzle(inject, scene)()
    assert told == [(inject, "it ended early: the fault proxy does not run")]


def test_a_swizzle_that_is_ended_early_mends_what_it_clogged(scene: Scene, links: WrittenDown) -> None:
    """Ctrl-C in the middle would leave clogged links behind."""
    undo = swizzle(
        Swizzle.model_validate({"fault": "swizzle", "at": "0s", "links": ["*/*"], "each": "1m"}),
        scene,
    )
    undo()
    undo()
    assert links.now == {}
    assert len(links.history) <= 2


def test_what_is_not_there_cannot_be_frozen_or_restored(scene: Scene) -> None:
    """The journal would tell of a fault that never was."""
    with pytest.raises(LocalError, match="does not run"):
        freeze(Freeze.model_validate({"fault": "freeze", "at": "0s", "target": "relay-1", "for": "1s"}), scene)
    with pytest.raises(LocalError, match="backup"):
        restore(Restore.model_validate({"fault": "restore", "at": "0s", "target": "relay-1"}), scene)
    kill(Kill.model_validate({"fault": "kill", "at": "0s", "target": "relay-1"}), scene)


def test_standing_still_is_read_from_the_kernel() -> None:
    """A backup would be copied while its owner still writes."""
    busy = "import threading\nfor _ in range(2): threading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start()"
    with subprocess.Popen([sys.executable, "-c", busy]) as process:
        wait_until(lambda: len(list(Path(f"/proc/{process.pid}/task").iterdir())) == 3, "its threads")
        assert not stands_still(process.pid)
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: stands_still(process.pid), "it to stand still")
        process.kill()
        process.wait()
        assert stands_still(process.pid)
