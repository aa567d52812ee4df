"""What the parties of a charter may choose and cannot have, though every card in it holds (docs/protocol.md 5.13)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hotline.charter.parts import Charter
from hotline.civil import exact_span
from hotline.limits import TAKEOVER_CEILINGS


def unfit_choices(charter: Charter) -> list[str]:
    """Every choice that another one contradicts, in sentences; empty if the parties can have them all."""
    return _grounded(charter) + _speechless(charter) + _unsupported(charter) + _hasty(charter) + _fleeting(charter)


def _grounded(charter: Charter) -> list[str]:
    """First terminals that travel (24.13)."""
    firsts = [one for party in charter.parties for one in charter.terminals_of(party.name)[:1]]
    return [
        f"{one.party}/{one.name} is the first terminal of {one.party}: it cannot travel"
        for one in firsts
        if one.travels is not None
    ]


def _speechless(charter: Charter) -> list[str]:
    """Parties that lack the officers whom the policy asks for: they could not say a word."""
    found: dict[str, list[str]] = {}
    for party in charter.parties:
        officers = [officer.roles for officer in charter.officers if officer.party == party.name]
        lacking = sorted({rule.roles for rule in charter.release if not _can_fill(rule.roles, officers)})
        if lacking:
            found.setdefault(", or as ".join(" and ".join(roles) for roles in lacking), []).append(party.name)
    return [
        f"{' and '.join(names)} {'have' if names[1:] else 'has'} not the officers to sign as {roles}, "
        "no one of them twice: offer their cards, or agree on another release policy"
        for roles, names in found.items()
    ]


def _can_fill(roles: Sequence[str], officers: Sequence[Sequence[str]]) -> bool:
    """Whether each role finds an officer of its own."""
    # As many holders of each as there are roles are enough to choose from: the others can occupy no more.
    holders = [[at for at, held in enumerate(officers) if role in held][: len(roles)] for role in roles]
    return any(len(set(chosen)) == len(roles) for chosen in itertools.product(*holders))


def _unsupported(charter: Charter) -> list[str]:
    """What a charter of several parties cannot have yet (26.2)."""
    if not charter.several:
        return []
    found = [
        f"{party.name} has more than one terminal: of a charter of several parties each has one"
        for party in charter.parties
        if len(charter.terminals_of(party.name)) > 1
    ]
    if charter.previous:
        found.append("a charter of several parties is not amended: draw up a new one, with new stores")
    return found


def _hasty(charter: Charter) -> list[str]:
    """A rule of takeover that an ordinary silence would fulfil (docs/protocol.md 23.13)."""
    least = TAKEOVER_CEILINGS * max((relay.profile.silent_ceiling_ms for relay in charter.relays), default=0)
    after = charter.takeover_after_ms
    if not 0 < after < least:
        return []
    say = f"say {exact_span(least)} ({least}) or more, or none (0)"
    return [f"takeover_after_ms: {exact_span(after)} is an ordinary silence on these relays: {say}"]


def _fleeting(charter: Charter) -> list[str]:
    """Prekeys that would be destroyed before what was sealed to them arrives (docs/protocol.md 5.13)."""
    profiles = [relay.profile for relay in charter.relays]
    rotation = min((profile.prekey_rotation_ms for profile in profiles), default=0)
    silence = max((profile.silent_ceiling_ms for profile in profiles), default=0)
    text = f"prekey_rotation_ms is {rotation}, shorter than the silence of a path that is up: say {silence} or more"
    return [text] if rotation < silence else []
