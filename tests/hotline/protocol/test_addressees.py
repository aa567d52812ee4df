"""For whom a statement is, and its originator's reference (docs/protocol.md 8.13)."""

from __future__ import annotations

import pytest

from hotline.cli.addressed import Addressed
from hotline.cli.draftview import print_draft
from hotline.cli.output import print_statement, statement_json
from hotline.machine import RequestId
from hotline.protocol.events import MakeDraft, Submit
from hotline.runtime.requests import submit_event
from hotline.wire.v1 import content_pb2, operator_pb2

from .offices import DRAFTER, RELEASER, TWO, Desk
from .pair import FLASH, ROUTINE, Pair, Party

LTR = content_pb2.DIRECTION_LTR
FOR = Addressed(("Foreign Minister", "وزیر خارجہ"), ("Defence Minister",), "12/26")


def request(addressed: Addressed = FOR, **changes: object) -> operator_pb2.SubmitRequest:
    fields: dict[str, object] = {"precedence": FLASH, "language": "en", "direction": LTR, "text": "x", **changes}
    made = operator_pb2.SubmitRequest(**fields)  # type: ignore[arg-type]
    addressed.write(made)
    return made


def event(party: Party, made: operator_pb2.SubmitRequest) -> Submit:
    return submit_event(RequestId(len(party.replies) + 1), "duty-1", made)


def said(party: Party) -> content_pb2.Statement:
    (row,) = party.memory.rows("received")
    return content_pb2.Statement.FromString(row["content"])  # type: ignore[arg-type]


def test_they_arrive_as_they_were_given() -> None:
    """A reader could not tell whose desk it belongs on (docs/protocol.md 8.13)."""
    pair = Pair().open()
    pair.alpha.step(event(pair.alpha, request()))
    pair.run(1_000)
    got = said(pair.bravo)
    assert Addressed(tuple(got.action), tuple(got.info), got.originator_reference) == FOR


def test_officers_sign_them() -> None:
    """A thief at the terminal could send a released text to another desk (docs/protocol.md 8.13 and 19.2)."""
    pair = Pair(release=TWO).open()
    desk = Desk(pair.alpha)
    pair.alpha.step(MakeDraft(RequestId(len(pair.alpha.replies) + 1), 0, event(pair.alpha, request())))
    assert desk.sign_as(1, "duty-1", DRAFTER).ok
    assert desk.sign_as(1, "release-1", RELEASER).ok
    assert desk.release(1).ok
    pair.run(1_000)
    assert list(said(pair.bravo).action) == list(FOR.action)
    (verdict,) = [row["by"] for row in pair.bravo.memory.rows("received_fact") if row["stage"] == "authority"]
    assert verdict == "released"


def test_a_new_wording_is_for_the_same_unless_others_are_named() -> None:
    """An edit would silently take the addressees away (docs/protocol.md 19.9)."""
    old = content_pb2.Statement(action=FOR.action, info=FOR.info, originator_reference=FOR.reference)
    none, other = Addressed((), (), ""), Addressed(("Prime Minister",), (), "")
    kept, changed = operator_pb2.SubmitRequest(), operator_pb2.SubmitRequest()
    none.write(kept, old)
    other.write(changed, old)
    assert Addressed(tuple(kept.action), tuple(kept.info), kept.originator_reference) == FOR
    assert Addressed(tuple(changed.action), tuple(changed.info), changed.originator_reference) == other


@pytest.mark.parametrize(
    ("addressed", "changes", "words"),
    [
        (Addressed(("x",) * 2, (), ""), {}, "twice"),
        (Addressed(("x",), ("x",), ""), {}, "twice"),
        (Addressed(tuple(f"a{i}" for i in range(17)), (), ""), {}, "limit is 16"),
        (Addressed((), ("x" * 65,), ""), {}, "1 to 64 characters"),
        (Addressed((), ("a\nb",), ""), {}, "1 to 64 characters"),
        (Addressed((), (), "x" * 65), {}, "1 to 64 characters"),
        (Addressed((), (), " "), {}, "1 to 64 characters"),
        (FOR, {"without_prejudice": True, "precedence": ROUTINE}, "of record"),
        (FOR, {"service": True, "precedence": ROUTINE}, "operators' talk has no addressees"),
    ],
)
def test_what_is_no_addressee_is_refused_in_a_sentence(
    addressed: Addressed, changes: dict[str, object], words: str
) -> None:
    """It would be refused by the peer, for ever, with the order behind it (docs/protocol.md 8.13)."""
    pair = Pair().open()
    asked = event(pair.alpha, request(addressed, **changes))
    pair.alpha.step(asked)
    reply = pair.alpha.replies[asked.request]
    assert (reply.ok, words in reply.text, "nothing was queued" in reply.text) == (False, True, True), reply.text
    assert pair.alpha.memory.rows("sent") == []


def test_foreign_names_cannot_touch_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    """A stage of the text would be forged by a name (docs/protocol.md 8.8)."""
    hostile = operator_pb2.StatementView(
        serial=1,
        precedence=FLASH,
        kind=1,
        direction=LTR,
        text="x",
        action=["\x1b[2Jx", "a\nb"],
        originator_reference="\u202ey",
    )
    print_statement(hostile)
    shown = capsys.readouterr().out
    assert not {"\x1b", "\u202e"} & set(shown)
    assert [line for line in shown.splitlines() if line == "b"] == []
    assert statement_json(hostile)["action"] == ["\x1b[2Jx", "a\nb"]


def test_who_signs_sees_for_whom_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """An officer would sign what is not shown (docs/protocol.md 19.10)."""
    pair = Pair(release=TWO).open()
    pair.alpha.step(MakeDraft(RequestId(len(pair.alpha.replies) + 1), 0, event(pair.alpha, request())))
    ((draft, missing),) = pair.alpha.endpoint.drafts.listed()
    print_draft(operator_pb2.DraftView(draft=draft, missing=" ".join(missing)))
    shown = capsys.readouterr().out
    assert all(name in shown for name in (*FOR.action, *FOR.info, FOR.reference))
