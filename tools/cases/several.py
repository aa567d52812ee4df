"""Charters of several parties."""

from __future__ import annotations

import itertools
from typing import Any

from hotline.charter.body import AmendsEntry, PairEntry, PartyEntry, TerminalEntry
from hotline.charter.cards import encode
from hotline.charter.pairwise import check_value
from tools.cases.agreement import IDENTITIES, certificate, charter_text, ed25519, signed, signer, terminal
from tools.cases.keys import seed
from tools.cases.writing import Cases


def made() -> list[Cases]:
    """One kind."""
    cases = Cases("several-parties", "5.3, 26.1, 26.2", "A charter of three parties.")
    names = tuple(IDENTITIES)
    pairs = tuple(
        PairEntry(first=one, second=other, check=check_value(seed(f"secret of {one} and {other}")))
        for one, other in itertools.combinations(names, 2)
    )
    three = {
        "parties": tuple(PartyEntry(name=name, identity=encode(IDENTITIES[name].public)) for name in names),
        "terminals": tuple(TerminalEntry(number=number, card=terminal(name)) for number, name in enumerate(names, 1)),
        "pairwise_check": None, "pairwise_checks": pairs,
    }  # fmt: skip
    signers = [signer(name) for name in names]

    def charter(**changes: Any) -> str:
        return signed(charter_text(**{**three, **changes}), *signers)

    cases.good("three parties, of whom each two have a secret", note=charter())
    spare = {
        "signing": ed25519("1"),
        "ledger": ed25519("2"),
        "tls": encode(certificate("bravo-spare")),
        "name": "spare",
    }
    amends = AmendsEntry(founding="01" * 32, previous="02" * 32, terminal_number=3, relay_number=1)
    for why, note in (
        ("three parties, of whom two have signed", signed(charter_text(**three), *signers[:2])),
        ("three parties with one secret", charter(pairwise_check=pairs[0].check, pairwise_checks=None)),
        ("three parties with no secret", charter(pairwise_checks=None)),
        ("three parties, and two of them without a secret", charter(pairwise_checks=pairs[:2])),
        ("two parties with secrets of several", signed(charter_text(pairwise_check=None, pairwise_checks=pairs[:1]))),
        ("three parties, one with two terminals", charter(
            terminals=(*three["terminals"], TerminalEntry(number=4, card=terminal("BRAVO", **spare))))),
        ("three parties in an amendment", charter(serial=2, amends=amends)),
    ):  # fmt: skip
        cases.bad("", f"{why}, well signed", note=note)
    return [cases]
