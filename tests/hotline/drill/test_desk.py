"""What an officer of a drill asks a terminal for, at its socket."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from hotline.drill.desk import Desk, Said, Sign, rests, travellers_heard
from hotline.drill.injects import Say, Translate
from hotline.drill.phrases import said
from hotline.drill.scene import references
from hotline.drill.stage import short_folder
from hotline.errors import LocalError
from hotline.wire.v1 import content_pb2, operator_pb2, operator_pb2_grpc


class Terminal(operator_pb2_grpc.OperatorServiceServicer):
    """Answers as a daemon does, from a script, and writes down what it was asked."""

    def __init__(self, refuses: str = "") -> None:
        self.refuses, self.asked = refuses, list[str]()
        self.challenges: list[operator_pb2.ChallengeView] = []
        self.draft = operator_pb2.Draft(number=3)

    def _take(self, name: str, answer: Any, **fields: Any) -> Any:
        self.asked.append(name)
        return (
            answer(accepted=False, code="policy", text="no")
            if name == self.refuses
            else answer(accepted=True, **fields)
        )

    def MakeDraft(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.draft.content = request.statement.text.encode()
        return self._take("make", operator_pb2.MakeDraftResponse, draft=self.draft)

    def ListDrafts(self, request: Any, context: Any) -> Any:  # noqa: N802
        assert request.number == self.draft.number
        views = [operator_pb2.DraftView(draft=self.draft)]
        return self._take("list", operator_pb2.ListDraftsResponse, draft=views, charter=b"charter")

    def SignDraft(self, request: Any, context: Any) -> Any:  # noqa: N802
        assert request.number == self.draft.number
        return self._take(f"sign {request.release.officer}", operator_pb2.SignDraftResponse)

    def ReleaseDraft(self, request: Any, context: Any) -> Any:  # noqa: N802
        assert request.number == self.draft.number
        return self._take("release", operator_pb2.ReleaseDraftResponse, serial=9)

    def Submit(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.code = request.phrase.code
        self.view = operator_pb2.StatementView(text=request.text, language=request.language, field=request.field)
        self.view.phrase.CopyFrom(request.phrase)
        plane = "service" if request.service else "exercise" if request.exercise else "real"
        return self._take(f"submit {plane}", operator_pb2.SubmitResponse, serial=8)

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._take("read", operator_pb2.ReadResponse, statement=self.view)

    def Translate(self, request: Any, context: Any) -> Any:  # noqa: N802
        assert request.send
        grade = content_pb2.TranslationGrade.Name(request.grade)
        what = f"{request.serial} {'sent' if request.sent else 'received'} {grade} {request.language} {request.text}"
        return self._take(f"translate {what}", operator_pb2.TranslateResponse, serial=5)

    def AskChallenge(self, request: Any, context: Any) -> Any:  # noqa: N802
        what = f"{request.serial} {'sent' if request.sent else 'received'} {'exercise' if request.exercise else 'real'}"
        return self._take(f"challenge {what}", operator_pb2.AskChallengeResponse, serial=7)

    def ListChallenges(self, request: Any, context: Any) -> Any:  # noqa: N802
        return operator_pb2.ListChallengesResponse(challenge=self.challenges)

    def AnswerChallenge(self, request: Any, context: Any) -> Any:  # noqa: N802
        word = content_pb2.Verdict.Name(request.verdict)
        return self._take(f"confirm {request.serial} {word} {request.text}", operator_pb2.AnswerChallengeResponse)


@contextlib.contextmanager
def desk_at(terminal: Terminal, told: Callable[[str, dict[str, Any]], None] = lambda *_: None) -> Iterator[Desk]:
    """The officer's side of it, at a socket of its own."""
    folder, server = short_folder(), grpc.server(ThreadPoolExecutor(2))
    operator_pb2_grpc.add_OperatorServiceServicer_to_server(terminal, server)
    server.add_insecure_port(f"unix:{folder / 's'}")
    server.start()
    desk = Desk("ALPHA", folder / "s", told)
    yield desk
    desk.close()
    server.stop(None)
    shutil.rmtree(folder)


def signs(name: str) -> Sign:
    """An officer who looks at what he signs."""

    def sign(charter: bytes, draft: operator_pb2.Draft) -> content_pb2.Release:
        assert (charter, draft.content) == (b"charter", b"Hold.")
        return content_pb2.Release(officer=name)

    return sign


STEPS = ["make", "list", "sign duty-1", "list", "sign release-1", "release"]


@pytest.mark.parametrize("refuses", ["", *STEPS])
def test_a_draft_is_signed_by_each_and_then_released(refuses: str) -> None:
    """What nobody has signed would be released, or a refusal would be taken for a word that was said."""
    terminal = Terminal(refuses)
    with desk_at(terminal) as desk:
        said = desk.say("Hold.", "en", "flash", "real", signers=[signs("duty-1"), signs("release-1")])
    assert said == (Said(0, "no", "policy") if refuses else Said(9, ""))
    assert terminal.asked == (STEPS[: STEPS.index(refuses) + 1] if refuses else STEPS)


def test_what_nobody_signs_is_said_at_once() -> None:
    """Every statement of a drill would become a draft."""
    terminal = Terminal()
    with desk_at(terminal) as desk:
        assert desk.say("Hold.", "en", "flash", "real") == Said(8, "")
        assert desk.say("Hold.", "en", "flash", "exercise") == Said(8, "")
        assert desk.say("Hello.", "en", "routine", "service") == Said(8, "")
    assert terminal.asked == ["submit real", "submit exercise", "submit service"]


def test_a_phrase_goes_with_its_code_and_is_found_in_the_reader_s_book() -> None:
    """The other side would read a sentence in a language that nobody there has; docs/protocol.md 21.10."""
    word = {"fault": "say", "at": "1s", "from": "ALPHA", "label": "no", "phrase": "B11", "lang": "ur"}
    inject = said(Say.model_validate({**word, "fill": {"number": "@it"}}))
    terminal, told = Terminal(), list[dict[str, Any]]()
    with desk_at(terminal, lambda kind, fields: told.append({"kind": kind, **fields})) as desk:
        desk.say(inject.text, inject.lang, "flash", "real", **references(inject, {"it": 17}))
        desk.read("real", 4)
        terminal.view.text = "ہم حملہ کریں گے۔"
        desk.read("real", 4)
        terminal.view.ClearField("phrase")
        assert desk.read("real", 4)
    (field,) = terminal.view.field
    assert (terminal.code, field.name, field.value) == ("B11", "number", "17")
    assert [(one["kind"], one["plane"], one["serial"], one["code"], one["agrees"]) for one in told] == [
        ("phrase", "real", 4, "B11", True),
        ("phrase", "real", 4, "B11", False),
    ]


def test_a_translation_goes_to_the_other_side() -> None:
    """It would be kept where it was made, or be tied to a statement of the wrong side."""
    word = {"fault": "translate", "at": "0s", "from": "ALPHA", "statement": "w", "lang": "en", "text": "Hold."}
    made, terminal = Translate.model_validate({**word, "grade": "rough", "translator": "Watch"}), Terminal()
    with desk_at(terminal) as desk:
        assert desk.translate(made, "real", 3, sent=False) == Said(5, "")
        terminal.refuses = "translate 3 sent TRANSLATION_GRADE_ROUGH en Hold."
        assert desk.translate(made, "real", 3, sent=True) == Said(0, "no", "policy")
    assert terminal.asked == ["translate 3 received TRANSLATION_GRADE_ROUGH en Hold.", terminal.refuses]


def test_a_person_answers_the_newest_challenge_that_no_person_has_answered() -> None:
    """An officer would answer a question that we have asked, or one that is settled."""
    terminal = Terminal()
    rows = (("heard", 4, ""), ("heard", 6, ""), ("asked", 8, ""), ("heard", 9, "yes"))
    for way, serial, officer in rows:
        terminal.challenges.append(operator_pb2.ChallengeView(way=way, serial=serial, officer=officer))
    with desk_at(terminal) as desk:
        assert desk.challenge("real", 3, sent=True) == 7
        desk.confirm("no", "Nobody here has.")
        terminal.challenges.clear()
        with pytest.raises(LocalError, match="no challenge waits"):
            desk.confirm("yes", "")
    assert terminal.asked == ["challenge 3 sent real", "confirm 6 VERDICT_NO Nobody here has."]


def row(party: str, terminal: str, travels: dict[str, object] | None, up: int | None) -> dict[str, object]:
    """One terminal in a status."""
    return {"party": party, "terminal": terminal, "travels": travels, "paths_up": up}


def test_who_travels_and_is_heard_is_told_from_who_rests() -> None:
    """A drill would wait for a terminal that lies in a hangar, or not notice one that is heard from there."""
    rows = [row("ALPHA", "main", None, 3), row("ALPHA", "alt", {"active": True}, 2), row("BRAVO", "main", None, None)]
    assert travellers_heard({"terminals": rows}) == ["ALPHA/alt"]
    assert travellers_heard({"terminals": [row("ALPHA", "alt", {"active": False}, 0)]}) == []
    assert travellers_heard({"terminals": [row("ALPHA", "alt", {"active": True}, None)]}) == [], "it is that one itself"
    assert travellers_heard({"terminals": [{"party": "A", "terminal": "main", "paths_up": 3}]}) == [], "an old one"
    assert travellers_heard(None) == travellers_heard({"paths": []}) == []
    assert rests({"alarms": [{"name": "gap"}, {"name": "inactive"}]})
    assert not rests({"alarms": [{"name": "no-path"}]})
    assert not rests(None)
