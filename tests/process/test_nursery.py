"""What the nursery forks behaves as the installed program does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import nursery
from tests.process.conftest import environment

pytestmark = pytest.mark.process


@pytest.mark.parametrize("words", [("status", "--socket", "/nowhere"), ("read", "0")])
def test_a_forked_program_does_what_the_installed_one_does(words: tuple[str, ...]) -> None:
    """What is tested with it would hold of nothing that anybody runs."""
    forked = nursery.run("hotline", *words, environment=environment())
    installed = subprocess.run(
        [Path(sys.executable).parent / "hotline", *words],
        env=environment(),
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    assert forked.stderr
    assert (forked.returncode, forked.stdout, forked.stderr) == (
        installed.returncode,
        installed.stdout,
        installed.stderr,
    )


def test_how_it_ended_is_told(tmp_path: Path) -> None:
    """A daemon that was killed would pass for one that stopped, or for one that still runs."""
    reader, writer = os.pipe()
    with (tmp_path / "log").open("ab") as log, os.fdopen(reader, "rb") as given, os.fdopen(writer, "wb"):
        streams = {"environment": environment(), "out": log, "err": log}
        waiting = nursery.start("hotline", "send", "-", given=given, **streams)
        ended = nursery.start("hotline", "sing", **streams)
        assert ended.wait(10) == ended.poll() == 2
        assert waiting.poll() is None
        waiting.kill()
        assert waiting.wait(10) == -signal.SIGKILL
