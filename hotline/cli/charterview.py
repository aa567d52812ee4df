"""A charter, and what an amendment changes, as people and programs are shown it."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from typing import Any

import click

from hotline.charter.body import TermsEntry
from hotline.charter.ceremony import identity_fingerprint, release_text, takeover_text
from hotline.charter.differences import ADDED, CHANGED, RETIRED, Difference, travels_text
from hotline.charter.documents import lawful
from hotline.charter.parts import Charter
from hotline.charter.profiles import PROFILES
from hotline.civil import exact_span
from hotline.cli.output import duration_ms, line
from hotline.crypto.fingerprint import digits, joint_safety_number
from hotline.safetext import safe_line

_PRECEDENCES = ("ROUTINE", "PRIORITY", "IMMEDIATE", "FLASH")


def safety_numbers(loaded: Charter) -> dict[str, str]:
    """The joint safety number of each two parties, by both names."""
    prints = {party.name: identity_fingerprint(party.identity) for party in loaded.parties}
    pairs = itertools.combinations(prints, 2)
    return {f"{one} and {other}": joint_safety_number(prints[one], prints[other]) for one, other in pairs}


def print_summary(loaded: Charter, then: str = "") -> None:
    """Everything that a person should look at before signing, and what to do then."""
    line(f"CHARTER  {loaded.hotline}, serial {loaded.serial}, of {loaded.created}")
    line(f"  hash    {loaded.hash.hex()}")
    if loaded.previous:
        line(f"  amends  {loaded.previous.hex()}, founding charter {loaded.founding.hex()[:16]}")
    for party in loaded.parties:
        _print_number(f"PARTY    {party.name:12} ", digits(identity_fingerprint(party.identity)))
    for terminal in loaded.terminals:
        travels = "" if terminal.travels is None else f"  travels: {travels_text(terminal)}"
        line(f"TERMINAL {terminal.number:<3} {terminal.party}/{terminal.name}  until {terminal.not_after}{travels}")
    for officer in loaded.officers:
        line(f"OFFICER  {officer.party}/{officer.name}  {', '.join(officer.roles)}")
    for relay in loaded.relays:
        line(f"RELAY    {relay.number:<3} {relay.name}  {relay.address}  {relay.profile.name}, run by {relay.operator}")
    line(f"RELEASE  {release_text(loaded)}")
    interval = loaded.channel_test_ms
    line(f"TESTS    {f'one every {exact_span(interval)}, in turn' if interval else 'none'}")
    line(f"OBJECTIVES {_spans(loaded.objective_ms)}")
    line(f"VALIDITY {_spans(loaded.validity_ms)}; a text has at most {loaded.text_bytes_max} bytes")
    line(f"TAKEOVER {takeover_text(loaded)}")
    _print_witnesses(loaded)
    _print_profiles(loaded)
    if loaded.notice_days or loaded.depositary:
        line(f"NOTICE   {loaded.notice_days} days to leave; depositary: {loaded.depositary or 'none named'}")
    for pair, number in safety_numbers(loaded).items():
        _print_number("JOINT SAFETY NUMBER  ", number, pair if loaded.several else "")
    print_signatures(loaded)
    if then:
        line(then)


def _print_number(title: str, number: str, of: str = "") -> None:
    """A number that people compare aloud: always the same six groups in a row, however wide the window is."""
    groups = number.split(" ")
    if of:
        line(f"{title}{of}")
    line(f"{' ' * len(title) if of else title}{' '.join(groups[:6])}")
    line(f"{' ' * len(title)}{' '.join(groups[6:])}")


def _spans(milliseconds: tuple[int, ...]) -> str:
    return ", ".join(f"{name} {exact_span(span)}" for name, span in zip(_PRECEDENCES, milliseconds, strict=True))


def _print_witnesses(loaded: Charter) -> None:
    """Who cosigns the ledgers by which key, and whose signatures are enough."""
    policy = loaded.witnesses
    for witness in policy.witnesses:
        where = f"at {safe_line(witness.url)}" if witness.url else "without an address"
        line(f"WITNESS  {safe_line(witness.name)}  {where}, key {safe_line(witness.verifier.vkey())}")
    for group in policy.groups:
        line(f"GROUP    {safe_line(group.name)}  {group.threshold} of {safe_line(', '.join(group.members))}")
    line(f"QUORUM   {safe_line(policy.quorum) or 'none: no witness need have seen the record'}")


def _print_profiles(loaded: Charter) -> None:
    """The timers of the links, where they are not those that the program brings."""
    for name, profile in loaded.profiles.items():
        usual = asdict(PROFILES[name]) if name in PROFILES else {}
        other = [
            f"{field} {value}{f' (usually {usual[field]})' if usual else ''}"
            for field, value in asdict(profile).items()
            if field != "name" and value != usual.get(field)
        ]
        if other:
            line(f"PROFILE  {name}  {', '.join(other)}")


def print_signatures(loaded: Charter) -> None:
    """Who has signed, or has not."""
    missing = [party.name for party in loaded.parties if party.name not in loaded.signed_by]
    if missing:
        line(f"DRAFT    not in force: not signed by {' and '.join(missing)}")
    else:
        line(f"SIGNED   by {' and '.join(loaded.signed_by)}")


def picture(loaded: Charter) -> dict[str, Any]:
    """Schema hotline.charter-show/1."""
    return {
        "schema": "hotline.charter-show/1",
        "hotline": loaded.hotline,
        "serial": loaded.serial,
        "created": loaded.created,
        "hash": loaded.hash.hex(),
        "founding": loaded.founding.hex(),
        "previous": loaded.previous.hex() or None,
        "signed_by": list(loaded.signed_by),
        "in_force": len(loaded.signed_by) == len(loaded.parties),
        "joint_safety_number": None if loaded.several else next(iter(safety_numbers(loaded).values())),
        "safety_numbers": safety_numbers(loaded),
        "parties": [
            {"name": party.name, "fingerprint": digits(identity_fingerprint(party.identity))}
            for party in loaded.parties
        ],
        "terminals": [
            {
                "number": terminal.number,
                "party": terminal.party,
                "name": terminal.name,
                "tls": terminal.tls_fingerprint,
                "not_after": terminal.not_after,
            }
            for terminal in loaded.terminals
        ],
        "officers": [
            {"party": officer.party, "name": officer.name, "roles": list(officer.roles)} for officer in loaded.officers
        ],
        "relays": [
            {
                "number": relay.number,
                "name": relay.name,
                "operator": relay.operator,
                "address": relay.address,
                "profile": relay.profile.name,
                "tls": relay.tls_fingerprint,
            }
            for relay in loaded.relays
        ],
        "text_bytes_max": loaded.text_bytes_max,
        "validity_ms": list(loaded.validity_ms),
        "channel_test_ms": loaded.channel_test_ms,
        "objective_ms": list(loaded.objective_ms),
        "takeover_after_ms": loaded.takeover_after_ms,
        "notice_days": loaded.notice_days,
        "depositary": loaded.depositary,
        "witnesses": loaded.witnesses_text,
        "profiles": [asdict(profile) for profile in loaded.profiles.values()],
        "release": [
            {"plane": rule.plane, "precedence": rule.precedence, "roles": list(rule.roles)} for rule in loaded.release
        ],
    }


def print_differences(found: list[Difference]) -> None:
    """One line for each thing that an amendment changes."""
    signs = {ADDED: "+", RETIRED: "-", CHANGED: "~"}
    for one in found:
        line(f"{signs[one.how]} {one.how:8} {one.what:9} {one.name}  {safe_line(one.text)}")
    if not found:
        line("= nothing but serial and date")


def objectives_of(text: str | None) -> tuple[int, int, int, int] | None:
    """`6h,3h,30m,10m` as a charter has them. Raises click.BadParameter."""
    if text is None:
        return None
    spans = [duration_ms(part, 0) for part in text.split(",")]
    if len(spans) != 4:
        raise click.BadParameter(f"{text!r}: write four spans, as 6h,3h,30m,10m", param_hint="--objectives")
    return spans[0], spans[1], spans[2], spans[3]


def terms_of(notice_days: int, depositary: str) -> TermsEntry | None:
    """How a party may leave; None where nothing is said of it. Raises ConfigError."""
    if not (notice_days or depositary):
        return None
    return lawful(lambda: TermsEntry(notice_days=notice_days, depositary=depositary))
