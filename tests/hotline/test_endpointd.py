"""The daemon's own tasks: what nobody waits for must not fail unseen."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hotline.config import load_endpoint_config
from hotline.drill.rehearsal import rehearse
from hotline.endpointd import EndpointDaemon
from hotline.errors import StorageError
from hotline.materials import load_materials


async def test_a_task_of_the_house_that_fails_stops_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ratchet would follow the log no more, and a restored backup would be taken for the terminal's memory."""
    monkeypatch.setattr("hotline.endpointd._HOUSE_SECONDS", 0.01)
    site = rehearse(tmp_path / "site", [("relay-1", "127.0.0.1:1")], sockets=tmp_path)
    config = load_endpoint_config(site.terminals[0].config)
    daemon = EndpointDaemon(config, load_materials(config))

    def unreadable() -> list[tuple[int, str, str, str]]:
        raise StorageError("the disk is gone")

    try:
        await daemon.start()
        assert not daemon.driver.failed.done()
        monkeypatch.setattr(daemon.store, "audit_requests", unreadable)
        async with asyncio.timeout(5):
            assert str(await daemon.driver.failed) == "the disk is gone"
    finally:
        await daemon.stop()
