"""Officers who translate what they open, in bad weather: the original is never replaced."""

from __future__ import annotations

from collections.abc import Sequence
from unittest.mock import patch

import pytest

from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.world import World
from hotline.ledger.record import parse_leaf
from hotline.machine import Instant, Output, Plane, Put, Reply
from hotline.protocol.events import MarkRead, Translate
from hotline.protocol.rebuild import REBUILT, differences, rebuild
from hotline.protocol.statements import decode_statement
from hotline.protocol.translations import Translations
from hotline.wire.v1 import content_pb2
from tests.simulator.judges import Broken
from tests.simulator.people import People
from tests.simulator.play import Result, run_seed

WORDS = "in other words: "


def translates(people: People, node: EndpointNode) -> None:
    """Open what has come, translate it, and send every second translation back."""
    if node.machine is None or not node.up:
        return
    for plane in (Plane.REAL, Plane.EXERCISE):
        for serial in list(node.machine.context.unread[plane])[:5]:
            opens(node, plane, serial)


def opens(node: EndpointNode, plane: Plane, serial: int) -> None:
    """One statement: first it is opened, then translated."""

    def opened(reply: Reply) -> None:
        if reply.ok:
            node.ask(lambda number: translation(number, plane, serial), lambda reply: None)

    node.ask(lambda number: MarkRead(number, plane, serial, "duty"), opened)


def translation(number: int, plane: Plane, serial: int) -> Translate:
    """A rough one of what has just been opened; of a translation it is refused."""
    rough, ltr = content_pb2.TRANSLATION_GRADE_ROUGH, content_pb2.DIRECTION_LTR
    text = f"{WORDS}{plane} {serial}"
    return Translate(number, plane, serial, False, rough, "A. Reader", "hi", ltr, text, "duty", serial % 2 == 0)  # type: ignore[arg-type]


def watch(world: World) -> None:
    """A judge of every commit: a statement that is on a disk stays what it is."""
    for node in world.endpoints.values():

        def judged(batch: list[Output], node: EndpointNode = node, commit: object = node.commit) -> None:
            for output in batch:
                for change in output.changes:
                    if isinstance(change, Put) and change.table in ("received", "sent"):
                        key = (change.row["plane"], change.row["serial"])
                        before = node.disk.tables.get(change.table, {}).get(key)
                        if before is not None and before["content"] != change.row["content"]:
                            raise Broken("replaced", f"{node.name}: #{key[1]} is another text than before")
            commit(batch)  # type: ignore[operator]

        node.commit = judged  # type: ignore[method-assign]


def played(seed: int) -> tuple[Result, World]:
    """A short storm with officers who translate."""
    worlds: list[World] = []

    def prepare(world: World) -> None:
        watch(world)
        worlds.append(world)

    with patch.object(People, "read", translates):
        result = run_seed(seed, short=True, prepare=prepare)
    return result, worlds[0]


def originals(node: EndpointNode) -> Sequence[tuple[str, str]]:
    """(carrier, text of the original) of each translation whose original is here."""
    found = []
    for row in node.disk.tables.get("translated", {}).values():
        original = node.disk.tables[str(row["way"])].get((row["plane"], row["serial"]))
        if original is not None and original["hash"] == row["original"]:
            content = original["content"]
            assert isinstance(content, bytes)
            found.append((str(row["carrier"]), decode_statement(content).text))
    return found


@pytest.mark.parametrize("seed", [2])
def test_the_original_stays_beside_every_translation(seed: int) -> None:
    """After a crash a reader would find the translator's words in place of the sender's (docs/protocol.md 21.5)."""
    result, world = played(seed)
    assert result.broken == ""
    carriers = set()
    for node in world.endpoints.values():
        for carrier, text in originals(node):
            carriers.add(carrier)
            assert not text.startswith(WORDS)
        tables = {name: node.rows(name) for name in REBUILT}
        if not node.disk.log.epoch > 1:
            assert differences(rebuild(parse_leaf(leaf) for leaf in node.disk.log.leaves), tables) == []
    assert carriers == {"here", "sent", "received"}


def test_a_translation_that_takes_the_original_s_place_is_seen() -> None:
    """The test above would pass whatever became of the originals (docs/protocol.md 21.1)."""
    keep = Translations._keep

    def replaces(self: Translations, event: Translate, tie: content_pb2.Translation, now: Instant) -> None:
        keep(self, event, tie, now)
        content = self._ctx.history.received(event.plane, event.serial)
        assert content is not None
        statement = decode_statement(content)
        statement.text = event.text
        row = {"plane": event.plane.value, "serial": event.serial, "content": statement.SerializeToString()}
        more = {"signature": bytes(64), "hash": tie.original.statement, "at": now.wall}
        self._ctx.out.changes.append(Put("received", row | more))

    with patch.object(Translations, "_keep", replaces):
        result, _ = played(2)
    assert result.judge == "replaced"
