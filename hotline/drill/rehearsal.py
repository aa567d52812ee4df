"""A whole ceremony with throw-away keys, by the same functions as a real one: for training, demo, tests, benchmarks."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hotline.charter.amendment import Changes, amend
from hotline.charter.body import CHANNEL_TEST_DEFAULT, ReleaseEntry
from hotline.charter.cards import ProfileName, Role
from hotline.charter.ceremony import day, make_offer, make_officer, make_relay, make_terminal
from hotline.charter.model import NO_WITNESSES, load_charter, new_charter, sign_charter
from hotline.charter.pairwise import SHARE_SIZE, check_value, derive_pairwise, spell_pair
from hotline.charter.secrets import RelaySecret, TerminalSecret, WitnessSecret, encode_secret
from hotline.crypto.identity import IdentityKey
from hotline.crypto.signing import SigningKey
from hotline.crypto.vault import plain_secret
from hotline.drill.patterns import PARTIES
from hotline.files import write_new
from hotline.ledger.cosignature import Ed25519CosignatureVerifier

_CHARTER_LINE: Final = re.compile(r'^charter = ".*"$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RehearsedRelay:
    """A relay or a witness's folder and address."""

    name: str
    address: str
    folder: Path
    config: Path


@dataclass(frozen=True, slots=True)
class RehearsedTerminal:
    """A terminal's folder and what a client needs."""

    party: str
    folder: Path
    config: Path
    socket: Path
    terminal: str = "main"

    @property
    def process(self) -> str:
        """What its process is called: as the party, with the name of the terminal for an alternate one."""
        return self.party if self.terminal == "main" else f"{self.party}-{self.terminal}"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Everything that two capitals and their relays need to start."""

    charter: Path
    terminals: tuple[RehearsedTerminal, ...]
    """The main terminal of each party, in the order of their names."""
    relays: tuple[RehearsedRelay, ...]
    witnesses: tuple[RehearsedRelay, ...] = ()
    alternates: tuple[RehearsedTerminal, ...] = ()
    identities: Mapping[str, IdentityKey] = field(default_factory=dict, repr=False)
    """Identity keys by party, in memory only: a drill signs what a party might sign without the other."""
    parts: Mapping[str, tuple[RelaySecret, bytes]] = field(default_factory=dict, repr=False)
    """Keys and cards of the relays: they can serve another rehearsed hotline too."""


def _signed(text: bytes, keys: Mapping[str, IdentityKey], travels: Sequence[str] = ()) -> bytes:
    """By every party, and in force; amended so that alternates of `travels` are known, and not activated."""
    text = signed_by_all(text, keys)
    created = load_charter(text).created
    known = {f"{party}/alt": (0, 0) for party in travels}
    return _signed(amend(text, Changes(travelling=known), created), keys) if known else text


def rehearse(
    folder: Path,
    relays: Sequence[tuple[str, str]],
    profile: ProfileName = "fibre",
    sockets: Path | None = None,
    witnesses: Sequence[tuple[str, str]] = (),
    relay_profiles: Mapping[str, ProfileName] | None = None,
    *,
    channel_test_ms: int = CHANNEL_TEST_DEFAULT,
    objective_ms: tuple[int, int, int, int] | None = None,
    takeover_after_ms: int | None = None,
    sharing: Rehearsal | None = None,
    release: Sequence[ReleaseEntry] = (),
    alternates: Sequence[str] = (),
    travels: Sequence[str] = (),
    parties: Sequence[str] = PARTIES,
) -> Rehearsal:
    """Make keys, cards, offers, charter, pairwise secret and configurations under `folder`.

    `relays` and `witnesses` hold (name, host:port); more than half of the witnesses are the quorum. `relay_profiles`
    names relays whose link profile is not `profile`; those of `sharing` keep their keys and serve this hotline if their
    configuration names this charter as well. `alternates` names the parties with a second terminal, `alt`, `travels`
    those among them whose it travels. Officers are duty-1 of the first party and duty-2 of the second, the calling
    user; where `release` asks for signatures each has release-N, a releaser, and deputy-N, who signs by a mandate
    alone, too, and their keys lie beside the terminal's.
    Raises ConfigError if something is in the way.
    """
    now, entropy = time.time_ns() // 1_000_000, os.urandom
    keys = {party: IdentityKey.generate(entropy) for party in parties}
    profiles = dict.fromkeys((name for name, _ in relays), profile) | dict(relay_profiles or {})
    relay_parts = {
        name: make_relay(name, "rehearsal", address, profiles[name], entropy, now) for name, address in relays
    } | dict(sharing.parts if sharing is not None else {})
    names = [(party, name) for party in parties for name in ("main", "alt")[: 1 + (party in alternates)]]
    terminal_parts = {whose: make_terminal(keys[whose[0]], *whose, entropy, now) for whose in names}
    officers = {
        party: _officers(party, number, keys[party], now, by_two=bool(release))
        for number, party in enumerate(parties, 1)
    }
    beside = {party: [terminal_parts[whose][1] for whose in names if whose[0] == party] for party in parties}
    offers = [_offer(party, keys[party], beside[party], officers[party], relay_parts.values()) for party in parties]
    pairwise = _pairwise(keys)
    secrets = {name: WitnessSecret(entropy(32), entropy(32)) for name, _ in witnesses}
    policy = _policy(secrets, dict(witnesses))
    checks = {pair: check_value(secret) for pair, secret in pairwise.items()}
    check = checks if len(checks) > 1 else next(iter(checks.values()))
    timers = (objective_ms, takeover_after_ms)
    draft = new_charter("rehearsal", day(now), offers, check, policy, channel_test_ms, None, release, *timers)
    text = _signed(draft, keys, travels)

    folder.mkdir(parents=True, exist_ok=True)
    write_new(charter := folder / "charter.note", text)
    terminals = [
        _terminal(folder, whose, sockets, terminal_parts[whose][0], pairwise, officers[whose[0]]) for whose in names
    ]
    mains, alts = ([one for one in terminals if (one.terminal == "main") is first] for first in (True, False))
    made = [_relay(folder, name, address, relay_parts[name][0]) for name, address in relays]
    watching = [_witness(folder, name, address, secrets[name]) for name, address in witnesses]
    return Rehearsal(charter, tuple(mains), tuple(made), tuple(watching), tuple(alts), keys, relay_parts)


def _offer(
    party: str,
    key: IdentityKey,
    terminals: Sequence[bytes],
    officers: Sequence[tuple[str, bytes, bytes]],
    relays: Iterable[tuple[RelaySecret, bytes]],
) -> bytes:
    return make_offer(key, party, terminals, [card for _, _, card in officers], [card for _, card in relays])


def _pairwise(keys: Mapping[str, IdentityKey]) -> dict[tuple[str, str], bytes]:
    """A secret for each two parties, of shares that are made for these two."""
    made = {}
    for pair in itertools.combinations(sorted(keys), 2):
        shares = {party: os.urandom(SHARE_SIZE) for party in pair}
        made[pair] = derive_pairwise(shares, {party: keys[party].public for party in pair})
    return made


def _terminal(
    folder: Path,
    whose: tuple[str, str],
    sockets: Path | None,
    secret: TerminalSecret,
    pairwise: Mapping[tuple[str, str], bytes],
    officers: Sequence[tuple[str, bytes, bytes]],
) -> RehearsedTerminal:
    party, name = whose
    process = party if name == "main" else f"{party}-{name}"
    home = folder / process
    home.mkdir(mode=0o700)
    write_new(home / "terminal.key", encode_secret(name, secret, None, os.urandom), 0o600)
    lines = [spell_pair(*pair, secret.hex()) for pair, secret in pairwise.items() if party in pair]
    text = "".join(lines) if len(pairwise) > 1 else next(iter(pairwise.values())).hex() + "\n"
    write_new(home / "pairwise.key", text.encode(), 0o600)
    for officer, seed, _ in officers:
        write_new(home / f"{party}.{officer}.officer.key", plain_secret("officer", f"{party}/{officer}", seed), 0o600)
    # Absolute: a configuration's paths begin at its own folder, an officer's at the officer's.
    socket = (sockets or home).absolute() / f"{process.lower()}.sock"
    config = home / "endpoint.toml"
    write_new(config, _endpoint_toml(party, name, officers[0][0], socket).encode())
    return RehearsedTerminal(party, home, config, socket, name)


def _officers(party: str, number: int, key: IdentityKey, now: int, *, by_two: bool) -> list[tuple[str, bytes, bytes]]:
    """(name, seed, card) of each officer of a party."""
    roles: dict[str, tuple[Role, ...]] = {f"duty-{number}": ("duty", "drafter")}
    if by_two:
        roles[f"release-{number}"] = ("releaser",)
        roles[f"deputy-{number}"] = ("duty",)
    return [(name, *make_officer(key, party, name, held, os.urandom, now)) for name, held in roles.items()]


def add_relay(folder: Path, name: str, address: str, charter: str) -> tuple[RehearsedRelay, bytes]:
    """One more relay beside those of a rehearsal, and its card; the file `charter` in `folder` will name it."""
    secret, card = make_relay(name, "rehearsal", address, "fibre", os.urandom, time.time_ns() // 1_000_000)
    made = _relay(folder, name, address, secret)
    made.config.write_text(made.config.read_text(encoding="utf-8").replace("charter.note", charter), encoding="utf-8")
    return made, card


def signed_by_all(text: bytes, keys: Mapping[str, IdentityKey]) -> bytes:
    """A charter text with the signatures of all whose keys these are."""
    for party, key in keys.items():
        text = sign_charter(text, party, key)
    return text


def name_charter(config: Path, charter: str) -> str:
    """Let a configuration name another charter; its text before."""
    before = config.read_text(encoding="utf-8")
    config.write_text(_CHARTER_LINE.sub(f'charter = "{charter}"', before), encoding="utf-8")
    return before


def _relay(folder: Path, name: str, address: str, secret: RelaySecret) -> RehearsedRelay:
    home = folder / name
    home.mkdir(mode=0o700)
    write_new(home / "relay.key", encode_secret(name, secret, None, os.urandom), 0o600)
    config = home / "relay.toml"
    write_new(config, _relay_toml(name, address).encode())
    return RehearsedRelay(name, address, home, config)


def _policy(secrets: Mapping[str, WitnessSecret], addresses: Mapping[str, str]) -> str:
    if not secrets:
        return NO_WITNESSES
    keys = {
        name: Ed25519CosignatureVerifier(_witness_name(name), SigningKey(one.signing).public)
        for name, one in secrets.items()
    }
    lines = [f"witness {name} {key.vkey()} http://{addresses[name]}\n" for name, key in keys.items()]
    return "".join(lines) + f"group majority {len(keys) // 2 + 1} {' '.join(keys)}\nquorum majority\n"


def _witness_name(name: str) -> str:
    return f"rehearsal/{name}"


def _witness(folder: Path, name: str, address: str, secret: WitnessSecret) -> RehearsedRelay:
    home = folder / name
    home.mkdir(mode=0o700)
    write_new(home / "witness.key", encode_secret(_witness_name(name), secret, None, os.urandom), 0o600)
    config = home / "witness.toml"
    write_new(config, _WITNESS_TOML.format(address=address).encode())
    return RehearsedRelay(name, address, home, config)


_WITNESS_TOML = """\
config = 1
key = "witness.key"
charters = ["../charter.note"]
store = "store"
listen = "{address}"
"""


def _endpoint_toml(party: str, terminal: str, officer: str, socket: Path) -> str:
    return f"""config = 1
party = "{party}"
terminal = "{terminal}"
charter = "../charter.note"
key = "terminal.key"
pairwise = "pairwise.key"
store = "store"

[operator]
socket = "{socket}"

[[operator.officer]]
uid = {os.getuid()}
name = "{officer}"
"""


def _relay_toml(name: str, address: str) -> str:
    return f"""config = 1
name = "{name}"
key = "relay.key"
charters = ["../charter.note"]
store = "store"
listen = "{address}"
"""
