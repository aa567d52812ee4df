"""What files give an endpoint daemon: keys, charter and pairwise secrets, checked against each other.

Nothing is trusted on first use: without a charter that every party has signed, and that names exactly the keys of this
terminal's key file, the daemon does not start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hotline.charter.model import load_charter
from hotline.charter.pairwise import check_value, pair_of, read_pairs
from hotline.charter.parts import Charter, Terminal
from hotline.charter.secrets import TerminalSecret, decode_secret
from hotline.charter.succession import standing
from hotline.config import EndpointConfig
from hotline.crypto.signing import SigningKey
from hotline.errors import KeyFileError
from hotline.files import naming, read_public, read_secret
from hotline.runtime.logs import get_logger

PAIRWISE_SIZE = 32


@dataclass(frozen=True, slots=True)
class Materials:
    """Everything that files give a daemon, checked against each other."""

    charter: Charter
    local: Terminal
    remotes: tuple[Terminal, ...]
    """The first terminal of each other party, in the order of their names."""
    secret: TerminalSecret
    pairwise: Mapping[str, bytes]
    """The secret that is shared with each other party."""
    note: bytes
    """The charter as its parties signed it."""

    @property
    def remote(self) -> Terminal:
        """The first terminal of the other party, or of the first one."""
        return self.remotes[0]


def load_materials(config: EndpointConfig, passphrase: bytes | None = None) -> Materials:
    """Read and cross-check charter, terminal key and pairwise secret. Raises HotlineError naming the file."""
    note = read_public(config.charter)
    charter = naming(config.charter, lambda: load_charter(note))
    _, secret = naming(config.key, lambda: decode_secret(TerminalSecret, read_secret(config.key), passphrase))
    return _matched(config, charter, note, secret)


def _matched(config: EndpointConfig, charter: Charter, note: bytes, secret: TerminalSecret) -> Materials:
    """Charter and secrets, if they belong together. Raises ConfigError or KeyFileError."""
    local = naming(config.charter, lambda: charter.terminal(config.party, config.terminal))
    if charter.party(config.party).identity != secret.identity:
        raise KeyFileError(
            f"{config.charter}: names another identity key for {config.party} than the one that made {config.key}; "
            "this is not the charter that your party signed"
        )
    mine = (SigningKey(secret.signing).public, SigningKey(secret.ledger).public, secret.tls_certificate_der)
    if mine != (local.signing, local.ledger, local.tls_certificate_der):
        raise KeyFileError(f"{config.key}: not the key that the charter names for {config.party}/{config.terminal}")
    peers = sorted(party.name for party in charter.peers_of(config.party))
    pairwise = _pairwise(config.pairwise, config.party, peers)
    for peer, shared in pairwise.items():
        if check_value(shared) != charter.check_of(config.party, peer):
            whose = f" with {peer}" if charter.several else ""
            raise KeyFileError(
                f"{config.pairwise}: not the pairwise secret of this charter{whose}; derive it from both shares"
            )
    remotes = tuple(charter.terminals_of(peer)[0] for peer in peers)
    return Materials(charter, local, remotes, secret, pairwise, note)


def under_standing(config: EndpointConfig, materials: Materials, kept: bytes | None) -> Materials:
    """The same under the charter that the store holds, if that is a later one. Raises Untrusted or KeyFileError.

    docs/protocol.md 24.4: nobody goes back to an older charter by putting its file in place.
    """
    if kept is None:
        return materials
    charter = load_charter(kept)
    if naming(config.charter, lambda: standing(materials.charter, charter)) is materials.charter:
        return materials
    get_logger("endpoint").warning(
        "charter",
        file=materials.charter.serial,
        in_force=charter.serial,
        meaning=f"{config.charter} holds an older charter than the store, whose is in force: replace the file",
    )
    return _matched(config, charter, kept, materials.secret)


def _pairwise(path: Path, party: str, peers: Sequence[str]) -> dict[str, bytes]:
    """The secret with each peer: of one a line of digits, of several a line for each pair. Raises KeyFileError."""
    text = read_secret(path).decode("ascii", "replace").strip()
    if len(peers) > 1:
        pairs = naming(path, lambda: read_pairs(text))
        missing = [peer for peer in peers if pair_of(party, peer) not in pairs]
        if missing:
            raise KeyFileError(
                f"{path}: holds no secret with {' and '.join(missing)}; add the line of `hotline charter pairwise`"
            )
        return {peer: bytes.fromhex(pairs[pair_of(party, peer)]) for peer in peers}
    if len(text) != 2 * PAIRWISE_SIZE or any(digit not in "0123456789abcdef" for digit in text):
        raise KeyFileError(f"{path}: not a pairwise secret; derive it with `hotline charter pairwise`")
    return {peers[0]: bytes.fromhex(text)}
