"""What people are shown of an amendment: everything in which it differs from its predecessor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from hotline.charter.parts import Charter, Terminal
from hotline.civil import iso_utc

ADDED: Final = "added"
RETIRED: Final = "retired"
CHANGED: Final = "changed"

Rows = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two charters differ; `how` is one of the words above."""

    how: str
    what: str
    name: str
    text: str


def differences(new: Charter, old: Charter) -> list[Difference]:
    """Everything but serial, date, predecessor and signatures, in the order of a charter."""
    before, after = _tables(old), _tables(new)
    return [found for what in after for found in _between(what, before[what], after[what])]


def _between(what: str, old: Rows, new: Rows) -> Iterator[Difference]:
    for name in old:
        if name not in new:
            yield Difference(RETIRED, what, name, _told(old[name]))
    for name, row in new.items():
        if name not in old:
            yield Difference(ADDED, what, name, _told(row))
            continue
        changed = [f"{key} {old[name][key]} -> {value}" for key, value in row.items() if old[name][key] != value]
        if changed:
            yield Difference(CHANGED, what, name, "; ".join(changed))


def _told(row: Mapping[str, Any]) -> str:
    return "; ".join(f"{key} {value}" for key, value in row.items())


def _tables(charter: Charter) -> dict[str, Rows]:
    """Every row of a charter by name; long values by their beginning, which differs where they do."""
    return {
        "hotline": {charter.hotline: {"founding": charter.founding.hex(), "pairwise": charter.pairwise_check}},
        "party": {party.name: {"identity": _short(party.identity)} for party in charter.parties},
        "terminal": {
            f"{one.party}/{one.name}": {
                "number": one.number,
                "until": one.not_after,
                "from": one.not_before,
                "signing": _short(one.signing),
                "ledger": _short(one.ledger),
                "certificate": one.tls_fingerprint[:_SHOWN],
                "travels": travels_text(one),
            }
            for one in charter.terminals
        },
        "officer": {
            f"{one.party}/{one.name}": {
                "roles": ", ".join(one.roles),
                "until": one.not_after,
                "from": one.not_before,
                "signing": _short(one.signing),
            }
            for one in charter.officers
        },
        "relay": {
            one.name: {
                "number": one.number,
                "address": one.address,
                "operator": one.operator,
                "profile": one.profile.name,
                "signing": _short(one.signing),
                "certificate": one.tls_fingerprint[:_SHOWN],
            }
            for one in charter.relays
        },
        "profile": {name: asdict(profile) for name, profile in charter.profiles.items()},
        "policy": {
            "policy": {
                "text_bytes_max": charter.text_bytes_max,
                "validity_ms": list(charter.validity_ms),
                "channel_test_ms": charter.channel_test_ms,
                "release": " | ".join(
                    f"{rule.plane} {rule.precedence}: {' and '.join(rule.roles)}" for rule in charter.release
                ),
                "objective_ms": list(charter.objective_ms),
                "takeover_after_ms": charter.takeover_after_ms,
                "witnesses": " | ".join(charter.witnesses_text.splitlines()),
            }
        },
        "release": {f"{rule.plane} {rule.precedence}": {"roles": ", ".join(rule.roles)} for rule in charter.release},
        "terms": {"terms": {"notice_days": charter.notice_days, "depositary": charter.depositary}},
    }


def travels_text(one: Terminal) -> str:
    """When a terminal is a part of the hotline."""
    if one.travels is None:
        return "no"
    first, until = one.travels
    return f"from {iso_utc(first)} until {iso_utc(until)}" if until else "not activated"


_SHOWN: Final = 16


def _short(key: bytes) -> str:
    """The end of a key: a composite key's beginning says nothing of its second half."""
    return f"...{key[-_SHOWN // 2 :].hex()}"
