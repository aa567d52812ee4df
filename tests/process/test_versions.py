"""Processes of a running hotline are exchanged for another version, and back."""

from __future__ import annotations

import contextlib
import json
import random
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hotline import __version__
from hotline.drill import faults
from hotline.drill.injects import Upgrade
from hotline.drill.plan import find_plan
from hotline.drill.scene import PERFORMERS, Scene
from hotline.drill.stage import Stage, operator, paths_up, wait_until
from hotline.drill.staging import NoLinks
from hotline.drill.versions import other_installation
from hotline.wire.v1 import content_pb2, operator_pb2
from tools.other import another_version, make_other

pytestmark = pytest.mark.process

NEXT = "9.0.0"


def later_mailbox(source: Path) -> None:
    """Relays of the other version keep a later schema, to which they bring a store of ours."""
    for name, old, new in (
        ("relay/store.py", r"SCHEMA_VERSION = 1\b", "SCHEMA_VERSION = 2"),
        ("relay/store.py", r"user_version=1;", "user_version=2;"),
        ("relay/database.py", r"if 0 < found < version:\n +raise ConfigError\((\n +.*)+?\n +\)", MIGRATE),
    ):
        text, found = re.subn(old, new, (source / name).read_text(encoding="utf-8"))
        assert found == 1, name
        (source / name).write_text(text, encoding="utf-8")


MIGRATE = 'if 0 < found < version:\n        execute(f"PRAGMA user_version={version}")'


def ran_as(ledger: Path) -> list[str]:
    """The version of each start, as the ledger has it."""
    with contextlib.closing(sqlite3.connect(ledger)) as database:
        leaves = [json.loads(leaf) for (leaf,) in database.execute("SELECT leaf FROM entry ORDER BY seq")]
    return [leaf["fields"]["version"] for leaf in leaves if leaf["type"] == "daemon.start"]


def said_and_delivered(stage: Stage, text: str) -> None:
    """ALPHA says something and is told that it has arrived."""
    with operator(stage.alpha) as stub:
        request = operator_pb2.SubmitRequest(
            precedence=content_pb2.PRECEDENCE_FLASH,
            language="en",
            direction=content_pb2.DIRECTION_LTR,
            text=text,
            request_key=random.randbytes(16),
        )
        serial = stub.Submit(request).serial
        states = operator_pb2.ListStatementsRequest(sent=True, limit=1)
        wait_until(
            lambda: (
                [(one.serial, one.state) for one in stub.ListStatements(states).statement] == [(serial, "delivered")]
            ),
            f"{text} to be delivered",
        )


def ends_at_once(source: Path) -> None:
    """Relays of the other version touch their store and end."""
    main = "from relay.store import SqliteMailboxStore\nimport sys\n"
    ends = 'SqliteMailboxStore(__import__("pathlib").Path(sys.argv[-1]).parent / "store")\nsys.exit(70)\n'
    (source / "relay" / "__main__.py").write_text(main + ends, encoding="utf-8")


def test_a_version_that_does_not_come_up_is_taken_back(tmp_path: Path, short: Path) -> None:
    """A hotline would be left with a relay less by the drill that was to warn of it."""
    faults.register()
    other = other_installation(make_other(tmp_path / "other", another_version(NEXT), ends_at_once))
    found: list[dict[str, Any]] = []
    with Stage(short, 1) as stage:
        plan = find_plan("rolling-upgrade").plan
        record = lambda kind, **fields: found.append(fields)  # noqa: E731
        scene = Scene(plan, stage, NoLinks(), random.Random(1), stage.folder, record=record, other=other)
        stage.start("relay-1")
        undo = PERFORMERS["upgrade"](Upgrade(at="0s", fault="upgrade", target="relay-1", **{"for": "1s"}), scene)
        assert undo is not None
        assert not stage.started("relay-1")
        undo()
        undo()
        assert [(one["process"], one["to"], one["outcome"]) for one in found] == [("relay-1", NEXT, "failed")]
        assert "ended with 70" in found[0]["text"]
        assert stage.ended("relay-1") is None
        assert not stage.installation


def test_a_version_is_exchanged_for_another_and_back(tmp_path: Path, short: Path) -> None:
    """An upgrade would be tried for the first time in service (docs/protocol.md 4.9)."""
    faults.register()
    other = other_installation(make_other(tmp_path / "other", another_version(NEXT), later_mailbox))
    assert other.version == NEXT
    recorded: list[tuple[str, ...]] = []
    texts: list[str] = []

    def record(kind: str, **fields: Any) -> None:
        assert kind == "version"
        recorded.append((fields["process"], fields["to"], fields["outcome"]))
        texts.append(fields["text"])

    with Stage(short, 1) as stage:
        plan = find_plan("rolling-upgrade").plan
        scene = Scene(plan, stage, NoLinks(), random.Random(1), stage.folder, record=record, other=other)

        def change(name: str, to: str) -> None:
            undo = PERFORMERS["upgrade"](Upgrade(at="0s", fault="upgrade", target=name, to=to), scene)
            assert undo is None
            assert stage.ended(name) is None

        def both(to: str) -> None:
            with ThreadPoolExecutor() as hands:
                list(hands.map(lambda name: change(name, to), ("relay-1", "ALPHA")))

        stage.start("relay-1")
        with ThreadPoolExecutor() as hands:
            list(hands.map(stage.start, ("ALPHA", "BRAVO")))
        wait_until(lambda: paths_up(stage.alpha) == 1, "the path to be up")
        said_and_delivered(stage, "between equals")
        both("other")
        said_and_delivered(stage, "from the next version, over its relay, to ours")
        both("own")
        said_and_delivered(stage, "from ours, over a relay that could not step back")
        assert sorted(recorded) == sorted(
            [
                ("relay-1", NEXT, "serves"),
                ("ALPHA", NEXT, "serves"),
                ("relay-1", __version__, "refused"),
                ("ALPHA", __version__, "serves"),
            ]
        )
        assert re.search(r"mailbox\.db: written by a newer program \(schema 2, this is 1\)", "".join(texts))
        assert sorted(stage.installation) == ["relay-1"]
        assert ran_as(stage.folder / "ALPHA" / "store" / "ledger.db") == [__version__, NEXT, __version__]
