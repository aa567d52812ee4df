"""The steps of a ceremony, and the cards that they make."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from hotline.charter.cards import (
    open_identity_card,
    open_offer,
    open_officer_card,
    open_relay_card,
    open_terminal_card,
)
from hotline.charter.ceremony import (
    day,
    make_identity_card,
    make_offer,
    make_officer,
    make_relay,
    make_terminal,
    read_claim,
)
from hotline.crypto.identity import IdentityKey
from hotline.errors import ConfigError, Malformed, RemoteError, Untrusted
from tests.hotline.charter.conftest import NOW, Ceremony


def _openers(ceremony: Ceremony) -> dict[str, tuple[bytes, Callable[[bytes], object]]]:
    alpha = ceremony.keys["ALPHA"].public
    return {
        "identity": (ceremony.identities["ALPHA"], open_identity_card),
        "terminal": (ceremony.terminals["ALPHA"], lambda data: open_terminal_card(data, alpha)),
        "officer": (ceremony.officers["ALPHA"], lambda data: open_officer_card(data, alpha)),
        "relay": (ceremony.relays[0], open_relay_card),
        "offer": (ceremony.offers[0], open_offer),
    }


@pytest.mark.parametrize("kind", ["identity", "terminal", "officer", "relay", "offer"])
def test_no_byte_of_a_card_can_be_changed(ceremony: Ceremony, kind: str) -> None:
    """A key or a role could be exchanged between two capitals."""
    data, opened = _openers(ceremony)[kind]
    opened(data)
    step = max(1, len(data) // 150)
    for place in [*range(0, len(data), step), *range(len(data) - 8, len(data))]:
        for flip in (1, 0x20):
            altered = bytearray(data)
            altered[place] ^= flip
            with pytest.raises(RemoteError):
                opened(bytes(altered))


def test_a_card_is_certified_by_its_own_party_only(ceremony: Ceremony) -> None:
    """BRAVO could give ALPHA a terminal (docs/protocol.md 5.12)."""
    bravo = ceremony.keys["BRAVO"].public
    with pytest.raises(Untrusted):
        open_terminal_card(ceremony.terminals["ALPHA"], bravo)
    with pytest.raises(Untrusted):
        open_officer_card(ceremony.officers["ALPHA"], bravo)


def test_a_card_of_one_kind_is_none_of_another(ceremony: Ceremony) -> None:
    """An officer's certificate would open a terminal."""
    alpha = ceremony.keys["ALPHA"].public
    with pytest.raises(Malformed):
        open_terminal_card(ceremony.officers["ALPHA"], alpha)
    with pytest.raises(Malformed):
        open_offer(ceremony.identities["ALPHA"])


def test_a_claim_says_its_kind(ceremony: Ceremony) -> None:
    """A person would be shown an offer as if it were an identity."""
    kinds = {name: read_claim(data).schema_ for name, (data, _) in _openers(ceremony).items()}
    assert kinds == {
        "identity": "hotline.identity-card/1",
        "terminal": "hotline.terminal-card/1",
        "officer": "hotline.officer-card/1",
        "relay": "hotline.relay-card/1",
        "offer": "hotline.offer/1",
    }
    with pytest.raises(Malformed):
        read_claim(ceremony.signed)


def test_an_offer_takes_only_cards_of_its_party(ceremony: Ceremony) -> None:
    """A party would offer what the other side must then refuse at the table."""
    alpha = ceremony.keys["ALPHA"]
    with pytest.raises(Untrusted):
        make_offer(alpha, "ALPHA", [ceremony.terminals["BRAVO"]], [], [])
    with pytest.raises(Untrusted):
        make_offer(alpha, "ALPHA", [ceremony.terminals["ALPHA"]], [ceremony.officers["BRAVO"]], [])
    with pytest.raises(ConfigError, match="another party"):
        make_offer(alpha, "BRAVO", [ceremony.terminals["ALPHA"]], [], [])
    with pytest.raises(ConfigError, match="an offer needs a card"):
        make_offer(alpha, "ALPHA", [], [], [])


@pytest.mark.parametrize("name", ["", "a b", "../up", "-x", "x\ny", "é", "x" * 33, "a+b"])
def test_names_that_could_mislead_are_refused(name: str) -> None:
    """A name becomes a file name and a line on a screen: it could lead out of the folder or imitate another."""
    # docs/protocol.md 5.10
    key = IdentityKey.generate(os.urandom)
    with pytest.raises(ConfigError, match="party: "):
        make_identity_card(key, name)
    with pytest.raises(ConfigError, match="name: "):
        make_officer(key, "ALPHA", name, ("duty",), os.urandom, NOW)
    with pytest.raises(ConfigError, match="name: "):
        make_terminal(key, "ALPHA", name, os.urandom, NOW)
    with pytest.raises(ConfigError, match="name: "):
        make_relay(name, "neutral", "127.0.0.1:41001", "fibre", os.urandom, NOW)


def test_addresses_are_whole(ceremony: Ceremony) -> None:
    """A relay would be drawn up that no terminal can ever dial."""
    for address in ("relay", "relay:", ":1", "a b:1", "relay:123456"):
        with pytest.raises(ConfigError, match="address: "):
            make_relay("relay-1", "neutral", address, "fibre", os.urandom, NOW)
    assert open_relay_card(make_relay("r", "n", "[::1]:41001", "narrow", os.urandom, NOW)[1]).address == "[::1]:41001"


def test_roles_have_one_order() -> None:
    """The same officer would have two cards that differ in nothing."""
    key = IdentityKey.generate(os.urandom)
    _, card = make_officer(key, "ALPHA", "duty-1", ("duty", "drafter", "duty"), os.urandom, NOW)
    assert open_officer_card(card, key.public).roles == ("drafter", "duty")


def test_days_are_utc() -> None:
    """A card would begin to hold on another day at each end."""
    assert day(NOW) == "2026-11-18"
    assert day(0) == "1970-01-01"
