"""The relay's daemon as a whole, in this process."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hotline.drill.rehearsal import rehearse
from hotline.errors import ConfigError
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
