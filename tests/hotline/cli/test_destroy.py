"""`hotline audit destroy`: people end the time of a month's texts, and the record tells who did."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from hotline.charter.secrets import TerminalSecret, decode_secret
from hotline.cli.artefacts import now_ms
from hotline.config import load_endpoint_config
from hotline.crypto.signing import SigningKey
from hotline.drill.rehearsal import rehearse
from hotline.ledger.log import Ledger
from hotline.runtime.contentkeys import ContentKeys, period_of
from hotline.runtime.store import KEY_FOLDER, EndpointStore, connect
from tests.hotline.cli.conftest import Run

OLD, COMING = "2023-11", "2099-01"


@pytest.fixture
def keys(tmp_path: Path) -> ContentKeys:
    """Of a terminal whose clock was right twice, and once far ahead."""
    played = rehearse(tmp_path, [("relay-1", "127.0.0.1:41001")])
    config = load_endpoint_config(played.terminals[0].config)
    _, own = decode_secret(TerminalSecret, config.key.read_bytes(), None)
    keys = ContentKeys(config.store / KEY_FOLDER, own.storage)
    ledger = lambda *state: Ledger("hotline/x/ALPHA/main", SigningKey(own.ledger), *state, os.urandom)  # noqa: E731
    EndpointStore(config.store, ledger, keys).close()
    for at in (1_700_000_000_000, now_ms(), 4_072_000_000_000):
        keys.seal("a", b"text", at)
    return keys


def test_any_month_is_destroyed_but_the_present_one(keys: ContentKeys, tmp_path: Path, run: Run) -> None:
    """Texts that were written by a wrong clock could be destroyed in seventy years (docs/protocol.md 13.20)."""
    config, now = tmp_path / "ALPHA" / "endpoint.toml", period_of(now_ms())
    for month, words in ((now, ("--yes",)), ("2023-12", ("--yes",)), (OLD, ())):
        refused = run("audit", "destroy", month, "--config", config, *words)
        assert refused.code == (1 if words else 2), refused.err
        assert keys.periods() == [OLD, now, COMING]
    for month in (OLD, COMING):
        assert run("audit", "destroy", month, "--config", config, "--yes").code == 0
    assert keys.periods() == [now]
    with closing(connect(load_endpoint_config(config).store / "ledger.db", read_only=True)) as database:
        told = database.execute("SELECT kind, who, what FROM audit_request ORDER BY id").fetchall()
    assert told == [("destroy", f"uid {os.getuid()}", month) for month in (OLD, COMING)]
