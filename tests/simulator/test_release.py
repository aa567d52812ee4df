"""Two officers who release, and a thief at the same terminal who says things without them, in bad weather."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from hotline.drill.simulator.nodes import CHARTER, EndpointNode
from hotline.drill.simulator.world import World
from hotline.machine import Output, Plane, Put, Reply
from hotline.protocol.branding import Branding
from hotline.protocol.events import MakeDraft, ReleaseDraft, SignDraft, Submit
from hotline.protocol.release import RELEASED
from hotline.protocol.statements import decode_statement
from hotline.wire.codec import decode
from hotline.wire.v1 import content_pb2, operator_pb2
from tests.hotline.protocol.offices import DRAFTER, RELEASER, TWO, signed
from tests.hotline.protocol.pair import FLASH
from tests.simulator.judges import Broken

ROUNDS = 8


class Judge:
    """Looks at every commit: nothing is on a disk as released that no two officers have released."""

    def __init__(self, world: World) -> None:
        self.released: set[str] = set()
        self.authentic: set[str] = set()
        self.branded: set[str] = set()
        for node in world.endpoints.values():
            self._watch(node)

    def _watch(self, node: EndpointNode) -> None:
        commit = node.commit

        def judged(batch: list[Output]) -> None:
            changes = [change for output in batch for change in output.changes if isinstance(change, Put)]
            facts = {
                (change.row["plane"], change.row["serial"]): change.row["by"]
                for change in changes
                if change.table == "received_fact" and change.row["stage"] == "authority"
            }
            for change in changes:
                if change.table == "received":
                    content = change.row["content"]
                    assert isinstance(content, bytes)
                    self._see(decode_statement(content), facts.get((change.row["plane"], change.row["serial"])))
            commit(batch)

        node.commit = judged  # type: ignore[method-assign]

    def _see(self, statement: content_pb2.Statement, verdict: object) -> None:
        if verdict != RELEASED:
            self.branded.add(statement.text)
            return
        self.authentic.add(statement.text)
        if statement.text not in self.released:
            raise Broken("authority", f"{statement.text!r} is shown as released, and nobody has released it")


def releases(node: EndpointNode, judge: Judge, text: str) -> None:
    """Two officers write, sign and release; what breaks off in a crash is not taken up again."""

    def made(reply: Reply) -> None:
        if not reply.ok:
            return
        data = reply.fields["draft"]
        assert isinstance(data, bytes)
        draft = decode(operator_pb2.Draft, data, 131_072)
        statement = decode(content_pb2.Statement, draft.content, 131_072)
        at = node.now().wall
        for name, role in (("duty-1", DRAFTER), ("release-1", RELEASER)):
            release = signed(statement, name, role, charter=CHARTER, at=at)
            node.ask(lambda number, release=release: SignDraft(number, draft.number, release), lambda _: None)  # type: ignore[misc]
        judge.released.add(text)
        node.ask(lambda number: ReleaseDraft(number, "release-1", draft.number), lambda _: None)

    ltr = content_pb2.DIRECTION_LTR
    node.ask(
        lambda number: MakeDraft(number, 0, Submit(number, Plane.REAL, FLASH, "en", ltr, text, "duty-1")),
        made,
    )


def steals(node: EndpointNode, text: str) -> None:
    """Somebody at the terminal says it alone, and the terminal takes it."""
    ltr = content_pb2.DIRECTION_LTR
    with patch("hotline.protocol.sending.check_authority", lambda *_: None):
        node.ask(lambda number: Submit(number, Plane.REAL, FLASH, "en", ltr, text, "duty-1"), lambda _: None)


def played(seed: int) -> Judge:
    """Some minutes with losses, repeats and power cuts on both sides."""
    world = World(seed, relays=2, profile="fibre")
    world.release = TWO
    judge = Judge(world)
    alpha, bravo = world.endpoints["ALPHA"], world.endpoints["BRAVO"]
    world.weather.loss, world.weather.duplicate = 0.15, 0.15
    world.start()
    world.run_until(4_000)
    for number in range(ROUNDS):
        if alpha.up:
            releases(alpha, judge, f"released {number}")
            steals(alpha, f"stolen {number}")
        world.run_until(world.time + world.rng.randint(50, 3_000))
        victim = world.rng.choice((alpha, bravo))
        victim.crash()
        world.run_until(world.time + 500)
        victim.start()
        world.run_until(world.time + 3_000)
    world.weather.loss = 0.0
    world.run_until(world.time + 60_000)
    return judge


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_shown_as_released_that_nobody_has_released(seed: int) -> None:
    """A power cut or a repeat at the right moment would wash a stolen word clean (docs/protocol.md 19.5 and 19.7)."""
    judge = played(seed)
    assert len(judge.authentic) >= ROUNDS // 2
    assert len([text for text in judge.branded if text.startswith("stolen")]) >= ROUNDS // 2
    assert not [text for text in judge.branded if text.startswith("released")]


def test_the_judge_sees_a_terminal_that_believes_everybody() -> None:
    """A judge that cannot see a false verdict would let a real one pass (docs/protocol.md 19.5)."""
    true = Branding.take

    def gullible(self: Branding, plane: Plane, statement: content_pb2.Statement, now: object, *, repeats: bool) -> str:
        true(self, plane, statement, now, repeats=repeats)  # type: ignore[arg-type]
        changes = self._ctx.out.changes
        for at, change in enumerate(changes):
            if isinstance(change, Put) and change.row.get("stage") == "authority":
                changes[at] = Put(change.table, {**change.row, "by": RELEASED})
        return RELEASED

    with patch.object(Branding, "take", gullible), pytest.raises(Broken, match="nobody has released it"):
        played(1)
