"""The relay's daemon as a whole, in this process."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from hotline.charter.ceremony import make_relay
from hotline.charter.secrets import RelaySecret, decode_secret, encode_secret
from hotline.cli.artefacts import now_ms
from hotline.drill.rehearsal import rehearse
from hotline.errors import ConfigError, KeyFileError
from relay.config import load_relay_config
from relay.relayd import load_materials, serve
from relay.store import SqliteMailboxStore


async def test_a_start_that_fails_leaves_nothing_open(tmp_path: Path) -> None:
    """The port that somebody else has would cost the store, and the relay's own port, for as long as we live."""
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
        (relay,) = rehearse(tmp_path / "site", [("relay-1", address)]).relays
        with relay.config.open("a") as config:
            config.write(f'\n[metrics]\nlisten = "127.0.0.1:{taken.getsockname()[1]}"\n')
        loaded = load_relay_config(relay.config)
        with pytest.raises(ConfigError, match=r"metrics\.listen"):
            await serve(loaded, load_materials(loaded))
        SqliteMailboxStore(loaded.store).close()
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", reserved.getsockname()[1])) != 0


@pytest.mark.parametrize("part", ["signing", "tls"])
def test_a_key_file_of_which_the_charter_names_a_part_is_refused(tmp_path: Path, part: str) -> None:
    """It would run, and no terminal would dial it, or believe its custody (docs/protocol.md 5.6 and 5.16)."""
    (relay,) = rehearse(tmp_path / "site", [("relay-1", "127.0.0.1:41001")]).relays
    file = relay.folder / "relay.key"
    name, secret = decode_secret(RelaySecret, file.read_bytes(), None)
    other, _ = make_relay(name, "rehearsal", relay.address, "fibre", os.urandom, now_ms())
    spoilt = replace(secret, signing=other.signing) if part == "signing" else replace(other, signing=secret.signing)
    file.write_bytes(encode_secret(name, spoilt, None, os.urandom))
    with pytest.raises(KeyFileError, match=r"not the key that .* names for relay-1"):
        load_materials(load_relay_config(relay.config))
