"""A ceremony of ALPHA and BRAVO, made once; tests change copies of its values."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from hotline.charter.amendment import Changes, amend
from hotline.charter.body import CharterText
from hotline.charter.ceremony import make_identity_card, make_offer, make_officer, make_relay, make_terminal
from hotline.charter.documents import IdentitySigner, read_text, spell
from hotline.charter.model import new_charter, sign_charter
from hotline.charter.secrets import TerminalSecret
from hotline.crypto.identity import IdentityKey
from hotline.ledger.note import sign_note

NOW = 1_795_000_000_000
TODAY = "2026-11-18"
PARTIES = ("ALPHA", "BRAVO")


@dataclass(frozen=True, slots=True)
class Ceremony:
    """Everything that was made."""

    keys: dict[str, IdentityKey]
    identities: dict[str, bytes]
    secrets: dict[str, TerminalSecret]
    terminals: dict[str, bytes]
    officers: dict[str, bytes]
    relays: list[bytes]
    offers: list[bytes]
    draft: bytes
    signed: bytes

    def resigned(self, change: Callable[[CharterText], CharterText]) -> bytes:
        """A charter with another text that both parties signed."""
        text = spell(change(read_text(CharterText, self.draft)))
        return sign_note(text, [IdentitySigner(party, self.keys[party]) for party in PARTIES])

    def agreed(self, changes: Changes, base: bytes | None = None, created: str = TODAY) -> bytes:
        """An amendment that both parties signed."""
        text = amend(self.signed if base is None else base, changes, created)
        return sign_charter(sign_charter(text, "ALPHA", self.keys["ALPHA"]), "BRAVO", self.keys["BRAVO"])


@pytest.fixture(scope="session")
def ceremony() -> Ceremony:
    """One for all tests."""
    return held()


def held() -> Ceremony:
    """Two parties with one terminal and one officer each, and two relays."""
    keys = {party: IdentityKey.generate(os.urandom) for party in PARTIES}
    made = {party: make_terminal(keys[party], party, "main", os.urandom, NOW) for party in PARTIES}
    officers = {
        party: make_officer(keys[party], party, "duty-1", ("duty", "drafter"), os.urandom, NOW)[1] for party in PARTIES
    }
    relays = [
        make_relay(f"relay-{number}", "neutral", f"127.0.0.1:{41_000 + number}", "fibre", os.urandom, NOW)[1]
        for number in (1, 2)
    ]
    offers = [make_offer(keys[party], party, [made[party][1]], [officers[party]], relays) for party in PARTIES]
    draft = new_charter("alpha-bravo", TODAY, offers, hashlib.sha256(b"check").hexdigest(), release=())
    signed = sign_charter(sign_charter(draft, "BRAVO", keys["BRAVO"]), "ALPHA", keys["ALPHA"])
    return Ceremony(
        keys=keys,
        identities={party: make_identity_card(keys[party], party) for party in PARTIES},
        secrets={party: made[party][0] for party in PARTIES},
        terminals={party: made[party][1] for party in PARTIES},
        officers=officers,
        relays=relays,
        offers=offers,
        draft=draft,
        signed=signed,
    )
