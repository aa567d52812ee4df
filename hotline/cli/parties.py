"""Every other party at a glance, where there are several."""

from __future__ import annotations

from typing import Any

from hotline.cli.output import line


def print_party(party: dict[str, Any]) -> None:
    """Whether it is heard, what it has not acknowledged, and what of its words nobody here has opened."""
    waiting = " ".join(f"#{serial}" for serial in party["not_delivered"][:5])
    parts = [
        party["verdict"]["text"],
        f"not delivered: {waiting}" if waiting else f"has all through #{party['sent_through']}",
        f"{len(party['unread_here']) + party['unread_more']} to read",
        *([f"ALARMS {' '.join(party['alarms'])}"] if party["alarms"] else []),
    ]
    line(f"PARTY   {party['party']:8} {'; '.join(parts)}")
