"""`hotline config`: what an administrator reads is what could stand in the file."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.hotline.cli.conftest import Run


def test_what_is_in_force_is_shown_as_a_file_would_have_it(run: Run, tmp_path: Path) -> None:
    """Lists and what is not set were shown as a program writes them, and could be put into no file."""
    path = tmp_path / "alpha.toml"
    assert run("config", "init", path, "--party", "ALPHA").code == 0
    shown = run("config", "show", path).out.splitlines()
    assert 'operator.officer = [{uid = 1000, name = "duty-1"}]' in shown
    assert "metrics.listen = (not set)" in shown
    read = tomllib.loads("\n".join(line for line in shown if not line.endswith("(not set)")))
    assert (read["party"], read["log"]["level"], read["alarm"]["command"]) == ("ALPHA", "info", [])
    assert read["operator"]["officer"] == [{"uid": 1000, "name": "duty-1"}]
