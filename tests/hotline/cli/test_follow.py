"""What is told of a statement that was waited for in vain."""

from __future__ import annotations

import pytest

from hotline.cli.follow import late_words
from hotline.wire.v1 import operator_pb2


@pytest.mark.parametrize(
    ("state", "where", "words"),
    [
        ("queued", {}, "#0007 is queued: not read in time. It stays queued. Watch: hotline sent 7"),
        ("relayed", {}, "#0007 is relayed: not read in time. It stays queued. Watch: hotline sent 7"),
        ("delivered", {}, "#0007 is delivered: not read in time. Watch: hotline sent 7"),
        ("read", {"exercise": True}, "#0007 is read: not read in time. Watch: hotline sent 7 --exercise"),
        ("delivered", {"service": True}, "#0007 is delivered: not read in time. Watch: hotline service sent"),
    ],
)
def test_what_has_arrived_is_not_told_as_queued(state: str, where: dict[str, bool], words: str) -> None:
    """An officer would fear for a statement that the other side holds, or look for it on another plane."""
    view = operator_pb2.StatementView(serial=7, state=state, **where)
    assert late_words(view, "not read in time") == words
