"""The picture of everything, as an officer reads it."""

from __future__ import annotations

import pytest

from hotline.cli.officer import _print_status
from hotline.protocol.status import status
from tests.hotline.protocol.quartet import Quartet


def test_a_terminal_that_stands_by_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """An officer would learn it from the statement that is refused, in the worst minute (docs/protocol.md 23.1)."""
    four = Quartet().open()
    for terminal, stands_by in ((four.alpha, False), (four.alt, True)):
        _print_status(status(terminal.endpoint, terminal.now()) | {"stream_errors": {}, "parties": []})
        assert ("STANDS BY nothing is said from here" in capsys.readouterr().out) is stands_by
