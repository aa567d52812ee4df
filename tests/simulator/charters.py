"""The charters of a world: the founding one, over the keys of its terminals and relays, and what amends it.

Keys and signatures of the simulator are bound to CHARTER (nodes.py), as a hotline's are to the hash of its founding
charter: a charter in here says what comes beside that, and may change (docs/protocol.md 24.1 and 24.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from typing import Final

from hotline.charter.amendment import Changes, amend
from hotline.charter.body import CharterText, ReleaseEntry
from hotline.charter.cards import ProfileName, RelayCard, Role, TerminalCard, encode
from hotline.charter.ceremony import certify_officer, make_offer
from hotline.charter.documents import IdentitySigner, issue, lawful, read_text
from hotline.charter.model import checked, load_charter, new_charter, sign_charter
from hotline.charter.parts import Charter
from hotline.charter.profiles import PROFILES, Profile
from hotline.charter.succession import standing
from hotline.crypto.tls import make_tls_identity
from hotline.drill.simulator.nodes import EndpointNode, RelayNode
from hotline.drill.simulator.power import EPOCH_WALL
from hotline.drill.simulator.shelf import Shelf
from hotline.drill.simulator.world import World
from hotline.ledger.note import Ed25519Signer
from hotline.protocol.charters import kept_charter, path_of, terms_of
from hotline.protocol.context import EndpointSetup
from tests.hotline.protocol.offices import IDENTITIES, key_of
from tests.simulator.timers import LEAST

CREATED: Final = "2026-11-18"
_CARDS_OF_MS: Final = EPOCH_WALL - 100 * 86_400_000
"""No clock of a storm is set back so far that a card does not hold yet."""
ROSTER: Final = {"ALPHA": ("duty-1", "release-1"), "BRAVO": ("duty-2", "release-2")}
"""A drafter and a releaser each."""
FORMER: Final = "release-1"
LATER: Final = "release-3"
"""The releaser whom an amendment takes away from ALPHA, and who comes instead."""
_BY_TWO: Final = (ReleaseEntry(plane="real", precedence="flash", roles=("drafter", "releaser")),)


@cache
def _certificate(name: str) -> bytes:
    """Nobody connects by it here."""
    return make_tls_identity(name, _CARDS_OF_MS).certificate_der


@cache
def _officer(party: str, name: str, *roles: Role) -> bytes:
    return certify_officer(IDENTITIES[party], party, name, roles, key_of(name).public, _CARDS_OF_MS)


def _terminal(node: EndpointNode) -> bytes:
    card = TerminalCard(
        schema="hotline.terminal-card/1",
        party=node.party,
        name=node.terminal,
        signing=encode(node.signing.public),
        ledger=encode(node.ledger_key.public),
        tls=encode(_certificate(node.name)),
        not_before="2026-08-01",
        not_after="2028-08-01",
    )
    return issue(card, [IdentitySigner(node.party, IDENTITIES[node.party])])


def _relay(relay: RelayNode) -> bytes:
    profile: ProfileName = relay.profile.name  # type: ignore[assignment]
    card = RelayCard(
        schema="hotline.relay-card/1",
        name=relay.name,
        operator="neutral",
        address=f"127.0.0.1:{41_000 + relay.number}",
        profile=profile,
        signing=encode(relay.signing.public),
        tls=encode(_certificate(relay.name)),
    )
    return issue(card, [Ed25519Signer(relay.name, relay.signing)])


def _offer(party: str, terminals: Sequence[bytes], officers: Sequence[bytes], relays: Sequence[bytes]) -> bytes:
    return make_offer(IDENTITIES[party], party, terminals, officers, relays)


def _timed(text: bytes, timers: Mapping[str, Profile]) -> bytes:
    """A charter text with these timers. Raises ConfigError or Untrusted if no charter may have them."""
    members = read_text(CharterText, text).model_dump(by_alias=True, exclude_none=True)
    members["profiles"] = tuple(asdict(profile) for profile in timers.values())
    return checked(lawful(lambda: CharterText.model_validate(members)))


def _by_both(text: bytes) -> bytes:
    for party, key in IDENTITIES.items():
        text = sign_charter(text, party, key)
    return text


class Charters:
    """What the terminals of a world stand under. `of` gives each its setup at a start."""

    def __init__(self, world: World, *, release: bool, amendments: int = 0) -> None:
        """Under `release` a FLASH needs two. The last relay of an amended world comes with an amendment."""
        relays = list(world.relays.values())
        first = [_relay(relay) for relay in (relays[:-1] if amendments else relays)]
        offers = [
            _offer(
                party,
                [_terminal(node) for node in world.endpoints.values() if node.party == party],
                [_officer(party, drafter, "drafter", "duty"), _officer(party, releaser, "releaser")],
                first,
            )
            for party, (drafter, releaser) in ROSTER.items()
        ]
        founding = new_charter(
            "storm",
            CREATED,
            offers,
            "00" * 32,
            channel_test_ms=world.channel_test_ms,
            release=_BY_TWO if release else (),
        )
        if world.timers is not PROFILES:
            founding = _timed(founding, world.timers)
        self.notes = [_by_both(founding)]
        """As both parties have signed them, serial 1 first."""
        self.unsigned = b""
        """The first amendment, and only one party has signed it."""
        changes = [self._roads(relays[-1], relays[0]), self._people()]
        for at in range(amendments):
            text = amend(self.notes[-1], changes[(at + world.seed // 5) % 2], CREATED)
            self.unsigned = self.unsigned or sign_charter(text, "ALPHA", IDENTITIES["ALPHA"])
            self.notes.append(_by_both(text))
        self.charters = [load_charter(note) for note in self.notes]
        self._known = dict(zip(self.notes, self.charters, strict=True))
        world.stands = self._stands

    @staticmethod
    def _roads(comes: RelayNode, goes: RelayNode) -> Changes:
        """A relay for another, and other timers."""
        profile = comes.profile
        quicker = {f"{profile.name}.heartbeat_ms": max(LEAST, profile.heartbeat_ms * 4 // 5)}
        return Changes(relays=[_relay(comes)], retire=[f"relay:{goes.name}"], values=quicker)

    @staticmethod
    def _people() -> Changes:
        """A releaser for another, and shorter statements."""
        offer = _offer("ALPHA", [], [_officer("ALPHA", LATER, "releaser")], [])
        return Changes(offers=[offer], retire=[f"officer:ALPHA/{FORMER}"], values={"policy.text_bytes_max": 20_000})

    def _stands(self, node: EndpointNode, setup: EndpointSetup) -> EndpointSetup:
        """As the daemon does it (24.4): the file of its configuration is the founding charter."""
        kept = kept_charter(Shelf(node.disk).rows("fact"))
        charter = standing(self.charters[0], None if kept is None else self._known[kept])
        note = self.notes[charter.serial - 1]
        paths = tuple(path_of(relay, {}) for relay in charter.relays)
        return replace(setup, paths=paths, **terms_of(charter, note))


def of(node: EndpointNode) -> Charter:
    """The charter in force at a terminal that runs."""
    assert node.machine is not None
    charter = node.machine.context.setup.standing
    assert charter is not None
    return charter


def signers_at(node: EndpointNode) -> tuple[str, str]:
    """The drafter and the releaser of a terminal's party, as the charter in force there names them."""
    named = {one.name for one in of(node).officers if one.party == node.party}
    drafter, releaser = ROSTER[node.party]
    return drafter, releaser if releaser in named else LATER


def watch_of(node: EndpointNode) -> str:
    """Whom the charter names to take the watch over, and to read."""
    return ROSTER[node.party][0] if node.party in ROSTER else f"duty-{node.number}"
