"""Several parties, of which one takes nothing; and what is of one window alone."""

from __future__ import annotations

import json

from hotline.machine import Plane, RequestId
from hotline.protocol.events import RecordChecklist, Submit
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import ROUTINE
from tests.hotline.protocol.trio import Trio


def test_one_that_never_acknowledges_fills_nobodys_memory() -> None:
    """A dead or lying party would stop a terminal, or silence two others (docs/protocol.md 26.5)."""
    three = Trio(outbox_max=3).open()
    alpha, bravo, charlie = three.all
    three.part(alpha, charlie)
    for number in range(1, 7):
        words = (ROUTINE, "en", content_pb2.DIRECTION_LTR, f"word {number}", "watch")
        alpha.at(charlie if number % 2 else bravo, Submit(RequestId(number), Plane.REAL, *words))
        assert alpha.replies[RequestId(number)].ok
        three.run(1_000)
        if number == 5:
            alpha.restart()
            three.run(3_000)
    said = {number: f"word {number}" for number in range(1, 7)}
    assert bravo.got(alpha) == said
    assert set(alpha.member(charlie).context.outboxes[Plane.REAL].pending) == {1, 2, 3}
    assert ["expired" in alpha.facts(charlie, number) for number in said] == [False] * 3 + [True] * 3
    assert "expired" not in alpha.facts(bravo, 6)
    three.part(alpha, bravo)
    replies = [alpha.submit("to nobody yet") for _ in range(4)]
    assert [reply.code for reply in replies] == ["queued"] * 3 + ["full"]
    three.meet()
    three.run(16_000)
    assert bravo.got(alpha) == said | dict.fromkeys(range(7, 10), "to nobody yet")
    assert charlie.got(alpha) == {n: f"word {n}" for n in range(1, 4)} | dict.fromkeys(range(4, 10), "")
    assert not alpha.member(charlie).context.outboxes[Plane.REAL].pending


def test_each_window_hands_over_what_is_its_own() -> None:
    """A watch would sign for one party what it was shown of another (docs/protocol.md 26.8)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all
    three.part(alpha, charlie)
    three.run(8_000)
    listed = {one.name: json.loads(alpha.member(one).handovers.listed()) for one in (bravo, charlie)}
    assert {name: one["party"] for name, one in listed.items()} == {"BRAVO": "BRAVO", "CHARLIE": "CHARLIE"}
    assert {name: "no-path" in one["alarms"] for name, one in listed.items()} == {"BRAVO": False, "CHARLIE": True}


def test_a_checklist_is_an_entry_about_the_party_at_whose_window_it_was_gone_through() -> None:
    """A look at one line would stand in the record as one at another, or twice (docs/protocol.md 26.17)."""
    three = Trio().open()
    alpha, bravo, charlie = three.all

    def gone_through(number: int, outcome: str) -> RecordChecklist:
        return RecordChecklist(RequestId(number), "duty-1", "line-silent", bytes([number]) * 32, ((outcome, ""),))

    for number, outcome, window in ((1, "done", charlie), (2, "open", charlie), (3, "done", bravo)):
        assert not alpha.at(window, gone_through(number, outcome)).changes
    alpha.step(gone_through(4, "done"))
    codes = [alpha.replies[RequestId(number)].code for number in range(1, 5)]
    assert codes == ["recorded", "checklist", "recorded", "recorded"]
    entries = [record.fields for record in alpha.records if record.kind == "watch.checklist"]
    found = [(fields["party"], str(fields["file"])[:2]) for fields in entries]
    assert found == [("CHARLIE", "01"), ("BRAVO", "03"), ("BRAVO", "04")], "without a window it is the first one's"
    three.run(3_000)
    for one in (bravo, charlie):
        assert not any(b"watch.checklist" in leaf for leaf in one.memory.log.leaves)
        assert one.got(alpha, Plane.SERVICE) == {}
