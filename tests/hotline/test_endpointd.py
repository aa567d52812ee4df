"""The daemon's own tasks: what nobody waits for must not fail unseen."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from hotline.config import OfficerSettings, load_endpoint_config
from hotline.drill.desk import Desk
from hotline.drill.rehearsal import rehearse
from hotline.endpointd import EndpointDaemon
from hotline.errors import StorageError
from hotline.ledger.record import parse_leaf
from hotline.materials import load_materials
from hotline.runtime.driver import system_clock


async def test_a_task_of_the_house_that_fails_stops_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ratchet would follow the log no more, and a restored backup would be taken for the terminal's memory."""
    # docs/protocol.md 3.8
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


async def test_an_officer_whom_the_charter_does_not_name_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line in a file of one party would make officers, or keep one who was struck off by both (P26)."""
    # docs/protocol.md 14.1
    told: list[str] = []

    class Lines:
        def warning(self, event: str, **fields: str) -> None:
            if event == "officer":
                told.append(fields["name"])

        def __getattr__(self, level: str) -> object:
            return lambda event, **fields: None

    monkeypatch.setattr("hotline.endpointd.get_logger", lambda part: Lines())
    site = rehearse(tmp_path / "site", [("relay-1", "127.0.0.1:1")], sockets=tmp_path)
    config = load_endpoint_config(site.terminals[0].config)
    (duty,) = config.operator.officer
    for officer, named in ((duty.name, True), ("stranger", False), ("duty-2", False)):  # the last one is BRAVO's
        settings = config.operator.model_copy(update={"officer": [OfficerSettings(uid=os.getuid(), name=officer)]})
        changed = config.model_copy(update={"operator": settings})
        daemon = EndpointDaemon(changed, load_materials(changed))
        desk = Desk("ALPHA", changed.operator.socket, lambda kind, fields: None)
        say = partial(desk.say, "At two.", "en", "routine", "exercise")
        try:
            await daemon.start()
            said = await asyncio.to_thread(say)
            assert (bool(said.serial), said.code) == (named, "" if named else "policy")
            if named:  # and both strike him off while he is connected
                setup = daemon.endpoint.context.setup
                assert setup.standing is not None
                struck = replace(setup.standing, officers=setup.standing.officers[1:])
                assert {one.name for one in struck.officers} == {"duty-2"}
                monkeypatch.setattr(daemon.endpoint.context, "setup", replace(setup, standing=struck))
                daemon._stand()
                daemon._stand()
                while not (said := await asyncio.to_thread(say)).code:  # the connection was just ended
                    assert not said.serial
                assert said.code == "policy"
        finally:
            desk.close()
            await daemon.stop()
    assert told == [duty.name, "stranger", "duty-2"]


async def test_a_destruction_is_entered_before_it_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut between the two, and texts would be gone of which no entry tells (docs/protocol.md 13.20)."""
    monkeypatch.setattr("hotline.endpointd._HOUSE_SECONDS", 0.01)
    site = rehearse(tmp_path / "site", [("relay-1", "127.0.0.1:1")], sockets=tmp_path)
    config = load_endpoint_config(site.terminals[0].config).model_copy(update={"retention_months": 1})
    daemon = EndpointDaemon(config, load_materials(config))
    keys, looked = daemon.store.keys, asyncio.Event()
    destroy, entered = keys.destroy, list[str]()
    for at in (1_700_000_000_000, system_clock().wall):
        keys.seal("old", b"x", at)

    def look(period: str) -> bool:
        leaves = daemon.store.query("SELECT leaf FROM entry", ())
        entered.extend(parse_leaf(leaf).type for (leaf,) in leaves)
        looked.set()
        return destroy(period)

    monkeypatch.setattr(keys, "destroy", look)
    try:
        await daemon.start()
        async with asyncio.timeout(5):
            while not daemon.retention._waiting:  # noqa: ASYNC110 - it looks by itself
                await asyncio.sleep(0.01)
        assert not looked.is_set(), "nobody has borne out the clock"
        monkeypatch.setattr(daemon.endpoint.own_log, "others_time", lambda: system_clock().wall)
        async with asyncio.timeout(5):
            await looked.wait()
        assert entered.count("audit.destroy") == 1
        assert len(keys.periods()) == 1
    finally:
        await daemon.stop()
