"""What a terminal tells its people, as entries of a drill's journal: the same from real processes and in simulation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from hotline.drill.injects import Fault
from hotline.errors import HotlineError, Malformed

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


def senders(sender: str, parties: Sequence[str]) -> list[str]:
    """Under whose names ids speak of what it says: among several parties one for each that it is said to."""
    several = len(parties) > len(PEER)
    return [f"{sender}:{one}" for one in parties if one != sender] if several else [sender]


def reader_of(sender: str) -> str:
    """At which desk it is opened what `sender` says; among several parties a sender is PARTY:READER."""
    party, _, other = sender.partition(":")
    return f"{other}.{party}" if other else PEER[party]


def party_of(process: str) -> str:
    """Whose terminal it is, by the name of its process: PARTY, or PARTY-alt for an alternate."""
    return process.partition("-")[0]


def name_of(process: str) -> str:
    """A terminal as the charter names it, PARTY/name, by the name of its process."""
    party, _, name = process.partition("-")
    return f"{party}/{name or 'main'}"


def at_terminal(process: str) -> dict[str, str]:
    """For entries about a party's own statements: the terminal that tells it, where it is not the first one."""
    return {"terminal": process} if "-" in process else {}


def describe(inject: Fault) -> str:
    """An inject in words, from its own fields."""
    fields = inject.model_dump(exclude={"at", "label", "lasting", "fault"}, exclude_defaults=True, by_alias=True)
    kind = inject.fault
    words = [f"{name} {value}" for name, value in fields.items() if name not in ("target", "from")]
    who = str(fields.get("target", fields.get("from", "")))
    lasting = f" for {inject.lasting / 1_000:g} s" if inject.lasting is not None else ""
    return " ".join(part for part in (kind, who, *words) if part) + lasting


class Telling:
    """Turns the events of all terminals (docs/protocol.md 3.6) into entries.

    `add(kind, **fields)` writes one entry of this moment; `on_delivered` is called with the id of each statement whose
    sender learns that it was delivered.
    """

    def __init__(
        self, add: Callable[..., object], on_delivered: Callable[[str], None], *, several: bool = False
    ) -> None:
        """With `several` other parties an event says which of them it is about, and so do ids of statements."""
        self._several = several
        self._add = add
        self._on_delivered = on_delivered
        self._repeats: set[tuple[str, str]] = set()

    def event(self, by: str, kind: str, fields: Mapping[str, Any]) -> None:
        """The terminal `by`, named by its process, was told something."""
        party = party_of(by)
        other = str(fields.get("party", ""))
        ours, peer = (f"{party}:{other}", f"{other}:{party}") if self._several else (party, PEER[party])
        match kind:
            case "sent":
                identifier = statement_id(ours, fields["plane"], fields["serial"])
                self._add("stage", id=identifier, stage=fields["state"], by=fields["by"], **at_terminal(by))
                if fields["state"] == "delivered":
                    self._on_delivered(identifier)
            case "renumbered":
                pass  # `sent` has told it; told twice, it would renumber an older holder of the serial as well
            case "repeat":
                self._repeats.add((by, statement_id(peer, fields["plane"], fields["serial"])))
            case "received":
                identifier = statement_id(peer, fields["plane"], fields["serial"])
                if not fields["void"]:
                    self._add("shown", id=identifier, by=by, repeat=(by, identifier) in self._repeats)
            case "corrected":
                whose = party if fields["way"] == "sent" else peer
                identifier = statement_id(whose, fields["plane"], fields["serial"])
                self._add("corrected", id=identifier, by=by, state=fields["state"], correction=fields["by"])
            case "presence":
                whose = party if fields["by"] == "us" else peer
                self._add("presence", by=by, of=whose, word=fields["presence"])
            case "path":
                self._add("path", by=by, path=fields["path"], state=fields["state"])
            case "alarm":
                self._add("alarm", by=by, name=fields["name"], text=fields["meaning"])
            case "refused":
                self._add("refused", by=by, path=fields["path"], reason=fields["reason"])
            case "terminal":
                self._add("speaks", by=by, terminal=fields["terminal"], term=fields["term"])
            case "promise" | "promise-kept":
                identifier = statement_id(party if fields["way"] == "sent" else peer, fields["plane"], fields["serial"])
                late = {"late": bool(fields["late"])} if kind == "promise-kept" else {}
                self._add(kind, by=by, id=identifier, **late)
            case "phrase":
                identifier = statement_id(peer, fields["plane"], fields["serial"])
                found = {name: fields[name] for name in ("code", "agrees", "text")}
                self._add("phrase", by=by, id=identifier, **found)
            case "challenge-answered":
                word, whose = fields["verdict"], fields["by"]
                self._add("challenge-answered", by=by, serial=fields["serial"], verdict=word, whose=whose)
            case "charter":
                self._add("charter", by=by, state=fields["state"], serial=fields["serial"])
            case _:
                self._add("event", by=by, event=kind)


def entry_of(number: int, inject: Fault) -> dict[str, Any]:
    """What a journal has of an inject, with its place in the plan."""
    target = getattr(inject, "target", getattr(inject, "sender", ""))
    return {"n": number, "name": inject.name, "fault": inject.fault, "target": target, "text": describe(inject)}


def why_not(error: Exception) -> str:
    """Why something could not be done: our own errors say it in words for people."""
    return str(error) if isinstance(error, HotlineError) else f"{type(error).__name__}: {error}"
