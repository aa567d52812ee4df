"""A terminal's files against each other: what does not belong together must not start."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from hotline.charter.amendment import Changes, amend
from hotline.charter.ceremony import make_offer, renewed
from hotline.charter.model import load_charter, new_charter
from hotline.charter.secrets import TerminalSecret, decode_secret, encode_secret
from hotline.cli.artefacts import now_ms
from hotline.config import load_endpoint_config
from hotline.crypto.identity import IdentityKey
from hotline.crypto.tls import make_tls_identity
from hotline.drill.rehearsal import Rehearsal, rehearse, signed_by_all
from hotline.errors import ConfigError, KeyFileError
from hotline.materials import load_materials, under_standing

RELAYS = [("relay-1", "127.0.0.1:41001")]


@pytest.fixture
def played(tmp_path: Path) -> Rehearsal:
    return rehearse(tmp_path / "line", RELAYS, alternates=["ALPHA"])


def test_a_charter_under_another_identity_key_of_our_own_party_is_refused(played: Rehearsal) -> None:
    """Whoever puts a charter in place would name our officers, under an identity key of his own (5.1)."""
    # docs/protocol.md 5.1 and 5.2
    charter = load_charter(played.charter.read_bytes())
    keys = {"ALPHA": IdentityKey.generate(os.urandom), "BRAVO": played.identities["BRAVO"]}
    offers = []
    for party, key in keys.items():
        terminals, officers = (
            [renewed(key, one, now_ms()) for one in held if one.party == party]
            for held in (charter.terminals, charter.officers)
        )
        relays = [played.parts["relay-1"][1]] if party == "BRAVO" else []
        offers.append(make_offer(key, party, terminals, officers, relays))
    text = new_charter("rehearsal", charter.created, offers, charter.pairwise_check, release=())
    played.charter.write_bytes(signed_by_all(text, keys))
    with pytest.raises(KeyFileError, match="another identity key for ALPHA"):
        load_materials(load_endpoint_config(played.terminals[0].config))


@pytest.mark.parametrize("part", ["signing", "ledger", "tls"])
def test_a_key_file_of_which_the_charter_names_a_part_is_refused(played: Rehearsal, part: str) -> None:
    """It would run, and sign what nobody believes, or be let in nowhere (docs/protocol.md 5.1 and 5.2)."""
    file = played.terminals[0].folder / "terminal.key"
    name, secret = decode_secret(TerminalSecret, file.read_bytes(), None)
    tls = make_tls_identity("ALPHA-main", now_ms())
    other = {
        "signing": replace(secret, signing=bytes(range(32))),
        "ledger": replace(secret, ledger=bytes(range(32))),
        "tls": replace(secret, tls_private_pem=tls.private_pem, tls_certificate_der=tls.certificate_der),
    }[part]
    file.write_bytes(encode_secret(name, other, None, os.urandom))
    with pytest.raises(KeyFileError, match="not the key that the charter names for ALPHA/main"):
        load_materials(load_endpoint_config(played.terminals[0].config))


def test_a_terminal_that_the_charter_in_its_store_has_retired_does_not_start(played: Rehearsal) -> None:
    """An old charter file would bring it back, to speak for a party that has retired it (docs/protocol.md 24.4)."""
    first = played.charter.read_bytes()
    changes = Changes(retire=["terminal:ALPHA/alt"])
    kept = signed_by_all(amend(first, changes, load_charter(first).created), played.identities)
    configs = [load_endpoint_config(one.config) for one in (*played.terminals, *played.alternates)]
    for config in configs[:2]:
        assert under_standing(config, load_materials(config), kept).charter.serial == 2
    with pytest.raises(ConfigError, match="no terminal of ALPHA named alt"):
        under_standing(configs[2], load_materials(configs[2]), kept)


@pytest.mark.parametrize("spoilt", ["ALPHA/BRAVO", "ALPHA/CHARLIE"])
def test_the_secret_with_each_of_several_parties_is_that_of_the_charter(tmp_path: Path, spoilt: str) -> None:
    """It would run, and nothing between these two could ever be opened (docs/protocol.md 5.14 and 26.1)."""
    played = rehearse(tmp_path / "line", RELAYS, parties=("ALPHA", "BRAVO", "CHARLIE"))
    file = played.terminals[0].folder / "pairwise.key"
    lines = file.read_text().splitlines()
    file.write_text("".join(f"{spoilt} {'00' * 32}\n" if spoilt in line else f"{line}\n" for line in lines))
    with pytest.raises(KeyFileError, match=f"not the pairwise secret of this charter with {spoilt[6:]}"):
        load_materials(load_endpoint_config(played.terminals[0].config))
