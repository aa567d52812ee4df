"""What a watch is told, one line per event: nobody looks anything up while it rings."""

from __future__ import annotations

from typing import Any

import pytest

from hotline.cli.watching import _sentence


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"name": "terminal-silent", "meaning": "a terminal is not heard on any path", "other": "BRAVO/alt"},
            "ALARM terminal-silent: a terminal is not heard on any path (other BRAVO/alt)",
        ),
        (
            {"name": "not-said", "meaning": "a statement was not said", "plane": "real", "serial": 7},
            "ALARM not-said: a statement was not said (serial #0007)",
        ),
        (
            {
                "name": "challenged",
                "meaning": "it doubts",
                "serial": 1,
                "of": 3,
                "plane": "exercise",
                "verdict": "no",
            },
            "EXERCISE ALARM challenged: it doubts (serial #0001, of #0003, verdict no)",
        ),
        (
            {
                "name": "unread",
                "meaning": "nobody has opened #3 yet",
                "serial": 3,
                "plane": "exercise",
                "count": 1,
            },
            "EXERCISE ALARM unread: nobody has opened #3 yet",
        ),
        (
            {"name": "unread", "meaning": "nobody has opened #31", "serial": 3, "plane": "real", "count": 1},
            "ALARM unread: nobody has opened #31 (serial #0003)",
        ),
        ({"name": "no-path", "meaning": "the peer is not heard", "up": 0}, "ALARM no-path: the peer is not heard"),
        (
            {"name": "key-elsewhere", "meaning": "stolen", "path": "relay\u202e1"},
            "ALARM key-elsewhere: stolen (path relay\u27e6U+202E RLO\u27e71)",
        ),
    ],
)
def test_an_alarm_says_which_one_and_on_which_plane(fields: dict[str, Any], said: str) -> None:
    """An alarm of an exercise read like a real one, and of two terminals nobody could tell which was silent."""
    assert _sentence("alarm", fields) == said
