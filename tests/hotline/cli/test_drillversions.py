"""Which installation a drill may take another version from, and what it does without one."""

from __future__ import annotations

import sys
import venv
from pathlib import Path

import pytest

from hotline import __version__
from hotline.drill.plan import find_plan
from hotline.drill.schedule import told
from hotline.drill.versions import other_installation, unplayable
from hotline.errors import ConfigError
from tests.hotline.cli.conftest import Run
from tools.other import ROOT, another_version, make_other

PLAN = find_plan("rolling-upgrade")


def test_without_another_version_the_drill_is_not_run_and_says_what_it_needs(run: Run, tmp_path: Path) -> None:
    """It would pass by exchanging a version for itself."""
    assert unplayable(PLAN.plan, None)
    assert unplayable(PLAN.plan, tmp_path) == []
    assert unplayable(find_plan("relay-killed").plan, None) == []
    assert "--other" in list(told(PLAN))[-1]
    alone = run("drill", "run", "rolling-upgrade", "--out", tmp_path / "out")
    assert alone.code == 1
    assert "rolling-upgrade cannot be run here: it changes versions: name a virtual" in alone.err
    simulated = run("drill", "run", "rolling-upgrade", "--simulate", "--out", tmp_path / "out")
    assert simulated.code == 1
    assert "the simulator has one version" in simulated.err
    assert not (tmp_path / "out").exists()


def test_an_installation_that_cannot_serve_is_refused_before_anything_starts(run: Run, tmp_path: Path) -> None:
    """A drill would be aborted in its middle, or exchange a version for itself."""
    with pytest.raises(ConfigError, match="is no virtual environment"):
        other_installation(tmp_path)
    with pytest.raises(ConfigError, match="is this very installation"):
        other_installation(Path(sys.prefix))
    venv.create(tmp_path / "empty", symlinks=True, with_pip=False)
    with pytest.raises(ConfigError, match=r"no hotline runs from there .*No module named"):
        other_installation(tmp_path / "empty")
    nowhere = run("drill", "run", "rolling-upgrade", "--other", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert (nowhere.code, (tmp_path / "out").exists()) == (1, False)


def test_another_version_of_this_tree_is_found_wherever_we_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tree of the version that plays the drill would be taken for the other one."""
    place = make_other(tmp_path / "other", another_version("7.1.0"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(ROOT)
    other = other_installation(place)
    assert other.version == "7.1.0" != __version__
    with pytest.raises(FileExistsError):
        make_other(place)
