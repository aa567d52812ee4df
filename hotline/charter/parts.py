"""What a charter consists of: parties, terminals, officers, relays, witnesses (docs/protocol.md section 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hotline.charter.pairwise import pair_of
from hotline.charter.profiles import Profile
from hotline.crypto.tls import fingerprint
from hotline.errors import ConfigError
from hotline.ledger.log import log_origin
from hotline.ledger.note import Ed25519Verifier
from hotline.ledger.policy import Policy, policy_text


@dataclass(frozen=True, slots=True)
class Party:
    """A state and its identity key (composite, 1984 bytes)."""

    name: str
    identity: bytes


@dataclass(frozen=True, slots=True)
class Terminal:
    """One machine of a party."""

    number: int
    party: str
    name: str
    signing: bytes
    ledger: bytes
    tls_certificate_der: bytes
    not_before: str
    not_after: str
    travels: tuple[int, int] | None = None
    """For what time a travelling terminal is activated, Unix ms; (0, 0): it is not. None: it is always there."""

    @property
    def tls_fingerprint(self) -> str:
        """Hex SHA-256 of the certificate."""
        return fingerprint(self.tls_certificate_der)


@dataclass(frozen=True, slots=True)
class Officer:
    """A person with a signing key and roles."""

    party: str
    name: str
    roles: tuple[str, ...]
    signing: bytes
    not_before: str
    not_after: str


@dataclass(frozen=True, slots=True)
class ReleaseRule:
    """Whose signatures a statement of this plane and precedence needs."""

    plane: str
    precedence: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RelayEntry:
    """A relay as the charter pins it."""

    number: int
    name: str
    operator: str
    address: str
    signing: bytes
    tls_certificate_der: bytes
    profile: Profile

    @property
    def tls_fingerprint(self) -> str:
        """Hex SHA-256 of the certificate."""
        return fingerprint(self.tls_certificate_der)


@dataclass(frozen=True, slots=True)
class Charter:
    """A charter in force, or a draft (`load_draft`) on which some signatures are missing."""

    hash: bytes
    founding: bytes
    """Hash of the founding charter: this one's, or that of the first one that its amendments go back to."""
    previous: bytes
    """Hash of the charter that this one amends; empty for a first one."""
    numbered: tuple[int, int]
    """The highest number of a terminal and of a relay that was given out before this charter."""
    hotline: str
    serial: int
    created: str
    parties: tuple[Party, ...]
    terminals: tuple[Terminal, ...]
    officers: tuple[Officer, ...]
    relays: tuple[RelayEntry, ...]
    profiles: Mapping[str, Profile]
    text_bytes_max: int
    validity_ms: tuple[int, int, int, int]
    witnesses: Policy
    witnesses_text: str
    channel_test_ms: int
    release: tuple[ReleaseRule, ...]
    objective_ms: tuple[int, int, int, int]
    takeover_after_ms: int
    """Silence of a terminal after which an alternate takes over by itself; 0: never."""
    pairwise_checks: Mapping[tuple[str, str], str]
    """Check value of the secret of each pair of parties, the lesser name first."""
    notice_days: int
    depositary: str
    signed_by: tuple[str, ...]

    @property
    def highest(self) -> tuple[int, int]:
        """The highest number of a terminal and of a relay that was ever given out."""
        terminals = (self.numbered[0], *(terminal.number for terminal in self.terminals))
        relays = (self.numbered[1], *(relay.number for relay in self.relays))
        return max(terminals), max(relays)

    def party(self, name: str) -> Party:
        """The party of this name. Raises ConfigError."""
        return _named(self.parties, name, "party")

    @property
    def several(self) -> bool:
        """Whether there are more than two parties: then what one says it says to all the others (section 26)."""
        return len(self.parties) > 2

    def peers_of(self, party: str) -> tuple[Party, ...]:
        """The other parties. Raises ConfigError."""
        self.party(party)
        return tuple(other for other in self.parties if other.name != party)

    def peer_of(self, party: str) -> Party:
        """The other party of a charter of two. Raises ConfigError."""
        peers = self.peers_of(party)
        if len(peers) > 1:
            raise ConfigError(f"the charter has several parties beside {party}: {named(peers)}; say which one is meant")
        return peers[0]

    @property
    def pairwise_check(self) -> str:
        """The check value of the one secret of a charter of two; of several parties' secrets all, pair by pair."""
        return " ".join(self.pairwise_checks.values())

    def check_of(self, one: str, other: str) -> str:
        """The check value of the secret that two parties share. Raises ConfigError."""
        for party in (one, other):
            self.party(party)
        return self.pairwise_checks[pair_of(one, other)]

    def terminal(self, party: str, name: str) -> Terminal:
        """One terminal of a party. Raises ConfigError."""
        self.party(party)
        return _named(
            [terminal for terminal in self.terminals if terminal.party == party], name, f"terminal of {party}"
        )

    def terminals_of(self, party: str) -> tuple[Terminal, ...]:
        """Every terminal of a party, by number."""
        return tuple(sorted((one for one in self.terminals if one.party == party), key=lambda one: one.number))

    def terminal_number(self, number: int) -> Terminal:
        """The terminal that envelopes call `number`. Raises ConfigError."""
        for terminal in self.terminals:
            if terminal.number == number:
                return terminal
        raise ConfigError(f"the charter knows no terminal number {number}")

    def officer(self, party: str, name: str) -> Officer:
        """One officer of a party. Raises ConfigError."""
        self.party(party)
        return _named([officer for officer in self.officers if officer.party == party], name, f"officer of {party}")

    def relay(self, name: str) -> RelayEntry:
        """The relay of this name. Raises ConfigError."""
        return _named(self.relays, name, "relay")

    def log_base(self, terminal: Terminal) -> str:
        """Origin of a terminal's logs without the log epoch; also its name as a cosigner of others."""
        return f"hotline/{self.hotline}/{terminal.party}/{terminal.name}"

    def log_origin(self, terminal: Terminal, log_epoch: int = 1) -> str:
        """Origin of one log epoch of a terminal."""
        return log_origin(self.log_base(terminal), log_epoch)

    def policy_text(self, log_epoch: int = 1) -> str:
        """A whole C2SP policy for one log epoch of every terminal, for whoever verifies without this charter."""
        logs = [Ed25519Verifier(self.log_origin(terminal, log_epoch), terminal.ledger) for terminal in self.terminals]
        return policy_text(logs, self.witnesses_text)


NamedT = TypeVar("NamedT", Party, Terminal, Officer, RelayEntry)


def named(parties: Iterable[Party]) -> str:
    """Their names in a sentence."""
    return " and ".join(party.name for party in parties)


def _named(entries: Sequence[NamedT], name: str, what: str) -> NamedT:
    for entry in entries:
        if entry.name == name:
            return entry
    known = ", ".join(entry.name for entry in entries) or "none"
    raise ConfigError(f"the charter knows no {what} named {name}; it knows: {known}")
