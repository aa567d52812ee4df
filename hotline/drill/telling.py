"""What a terminal tells its people, as entries of a drill's journal: the same from real processes and in simulation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from hotline.errors import Malformed

_ID_PARTS: Final = 3
PEER: Final = {"ALPHA": "BRAVO", "BRAVO": "ALPHA"}


def statement_id(sender: str, plane: str, serial: int) -> str:
    """How the journal names a statement."""
    return f"{sender}/{plane}/{serial}"


def parts_of(identifier: str) -> tuple[str, str, int]:
    """Sender, plane and serial of a statement's id. Raises Malformed."""
    parts = identifier.split("/")
    if len(parts) != _ID_PARTS or not (parts[2].isascii() and parts[2].isdecimal()):
        raise Malformed("journal", f"{identifier!r} is no id of a statement")
    return parts[0], parts[1], int(parts[2])


class Telling:
    """Turns the events of both terminals (docs/protocol.md 3.6) into entries.

    `add(kind, **fields)` writes one entry of this moment; `on_delivered` is called with the id of each statement whose
    sender learns that it was delivered.
    """

    def __init__(self, add: Callable[..., object], on_delivered: Callable[[str], None]) -> None:
        self._add = add
        self._on_delivered = on_delivered
        self._repeats: set[tuple[str, str]] = set()

    def event(self, party: str, kind: str, fields: Mapping[str, Any]) -> None:
        """`party` was told something."""
        peer = PEER[party]
        match kind:
            case "sent":
                identifier = statement_id(party, fields["plane"], fields["serial"])
                self._add("stage", id=identifier, stage=fields["state"], by=fields["by"])
                if fields["state"] == "delivered":
                    self._on_delivered(identifier)
            case "renumbered":
                pass  # `sent` has told it; told twice, it would renumber an older holder of the serial as well
            case "repeat":
                self._repeats.add((party, statement_id(peer, fields["plane"], fields["serial"])))
            case "received":
                identifier = statement_id(peer, fields["plane"], fields["serial"])
                if not fields["void"]:
                    self._add("shown", id=identifier, by=party, repeat=(party, identifier) in self._repeats)
            case "corrected":
                whose = party if fields["way"] == "sent" else peer
                identifier = statement_id(whose, fields["plane"], fields["serial"])
                self._add("corrected", id=identifier, by=party, state=fields["state"], correction=fields["by"])
            case "presence":
                whose = party if fields["by"] == "us" else peer
                self._add("presence", by=party, of=whose, word=fields["presence"])
            case "path":
                self._add("path", by=party, path=fields["path"], state=fields["state"])
            case "alarm":
                self._add("alarm", by=party, name=fields["name"], text=fields["meaning"])
            case "refused":
                self._add("refused", by=party, path=fields["path"], reason=fields["reason"])
            case _:
                self._add("event", by=party, event=kind)
