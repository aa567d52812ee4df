"""One party's duty desk in a drill: says, reads, looks at the status, and writes down every event of its terminal.

It stands outside the daemon like an officer's terminal and knows only what the operator socket tells. All times are
taken here, by the drill's own monotonic clock, so that a faked clock in a daemon changes no measurement.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import grpc

from hotline.drill.injects import Translate
from hotline.drill.phrases import opened
from hotline.drill.texts import DIRECTIONS, PRECEDENCES, VERDICTS
from hotline.errors import LocalError
from hotline.protocol.fields import Typed
from hotline.runtime.client import channel_to
from hotline.wire.v1 import content_pb2, operator_pb2, operator_pb2_grpc

_CALL_SECONDS: Final = 5.0
_STATUS_SECONDS: Final = 1.0
_WATCH_AGAIN_SECONDS: Final = 0.05
_LIST_MAX: Final = 500
PLANES: Final = ("exercise", "real", "service")
# A daemon that was killed comes back within a second; the default back-off would leave us blind for longer.
_IMPATIENT: Final = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 200),
)


Sign = Callable[[bytes, operator_pb2.Draft], content_pb2.Release]
"""An officer's signature on a draft, under the charter of this hash."""


class Said(NamedTuple):
    """What became of an attempt to say something."""

    serial: int
    """0: not accepted."""
    text: str
    """Why not."""
    code: str = ""
    """The terminal's word for it; empty if it did not answer."""


class Desk:
    """The operator's side of one terminal. `on_event(kind, fields)` is called from a thread of its own."""

    def __init__(self, party: str, socket: Path, on_event: Callable[[str, dict[str, Any]], None]) -> None:
        self.party = party
        self._channel = channel_to(socket, *_IMPATIENT)
        self._stub = operator_pb2_grpc.OperatorServiceStub(self._channel)
        self._on_event = on_event
        self._closing = threading.Event()
        self._watch: grpc.Call | None = None
        self._thread = threading.Thread(target=self._watch_for_ever, name=f"desk-{party}", daemon=True)

    def open(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """Watch no more."""
        self._closing.set()
        if self._watch is not None:
            self._watch.cancel()
        if self._thread.ident is not None:
            self._thread.join(2)
        self._channel.close()

    def _watch_for_ever(self) -> None:
        while not self._closing.is_set():
            try:
                events: Any = self._stub.Watch(operator_pb2.WatchRequest())
                self._watch = events
                for event in events:
                    self._on_event(event.kind, json.loads(event.json))
            except grpc.RpcError:
                self._closing.wait(_WATCH_AGAIN_SECONDS)

    def say(
        self,
        text: str,
        lang: str,
        precedence: str,
        plane: str,
        valid_for_ms: int = 0,
        *,
        corrects: int = 0,
        retracts: bool = False,
        in_reply_to: int = 0,
        phrase: str = "",
        book: bytes = b"",
        fields: Sequence[Typed] = (),
        signers: Sequence[Sign] = (),
    ) -> Said:
        """Hand one statement to the terminal; returns when it is durable there, or why it was not taken.

        The plane `service` makes it operators' talk. With `signers` it is a draft that each of them signs in turn, and
        that then is released.
        """
        request = operator_pb2.SubmitRequest(
            exercise=plane == "exercise",
            service=plane == "service",
            precedence=PRECEDENCES[precedence],
            language=lang,
            direction=DIRECTIONS[lang],
            text=text,
            valid_for_ms=valid_for_ms,
            request_key=os.urandom(16),
            corrects=corrects,
            retracts=retracts,
            in_reply_to=in_reply_to,
            phrase=content_pb2.Phrase(code=phrase, book=book) if phrase else None,
            field=[content_pb2.Field(name=one.name, kind=one.kind, value=one.value) for one in fields],
        )
        return self._said(lambda: self._through_draft(request, signers) if signers else self._submit(request))

    def translate(self, inject: Translate, plane: str, serial: int, *, sent: bool) -> Said:
        """Send the translation of a statement, of ours if `sent`; returns as `say`."""
        request = operator_pb2.TranslateRequest(
            exercise=plane == "exercise",
            serial=serial,
            sent=sent,
            grade=content_pb2.TranslationGrade.Value(f"TRANSLATION_GRADE_{inject.grade.upper()}"),
            translator=inject.translator,
            language=inject.lang,
            direction=DIRECTIONS[inject.lang],
            text=inject.text,
            send=True,
            request_key=os.urandom(16),
        )
        return self._said(lambda: self._stub.Translate(request, timeout=_CALL_SECONDS))

    def _said(self, call: Callable[[], Any]) -> Said:
        try:
            answer = call()
        except grpc.RpcError as error:
            return Said(0, f"the terminal did not answer ({_word(error)}); whether it took the statement is unknown")
        return Said(int(answer.serial), "") if answer.accepted else Said(0, answer.text, answer.code)

    def _submit(self, request: operator_pb2.SubmitRequest) -> Any:
        return self._stub.Submit(request, timeout=_CALL_SECONDS)

    def _through_draft(self, request: operator_pb2.SubmitRequest, signers: Sequence[Sign]) -> Any:
        """The release, or the first step that was refused."""
        made = self._stub.MakeDraft(operator_pb2.MakeDraftRequest(statement=request), timeout=_CALL_SECONDS)
        if not made.accepted:
            return made
        number = made.draft.number
        for sign in signers:
            # Each signs what the terminal shows him.
            listed = self._stub.ListDrafts(operator_pb2.ListDraftsRequest(number=number), timeout=_CALL_SECONDS)
            if not listed.accepted:
                return listed
            release = sign(listed.charter, listed.draft[0].draft)
            signed = self._stub.SignDraft(
                operator_pb2.SignDraftRequest(number=number, release=release), timeout=_CALL_SECONDS
            )
            if not signed.accepted:
                return signed
        return self._stub.ReleaseDraft(operator_pb2.ReleaseDraftRequest(number=number), timeout=_CALL_SECONDS)

    def read(self, plane: str, serial: int) -> bool:
        """Open one statement as the duty officer; False if the terminal did not answer or refused."""
        try:
            request = operator_pb2.ReadRequest(exercise=plane == "exercise", service=plane == "service", serial=serial)
            answer = self._stub.Read(request, timeout=_CALL_SECONDS)
        except grpc.RpcError:
            return False
        if answer.statement.HasField("phrase"):
            self._on_event("phrase", {"plane": plane, "serial": serial, **opened(answer.statement)})
        return bool(answer.accepted)

    def set_presence(self, word: str, until_ms: int) -> None:
        """Say what this side is, until a written time; 0 for no end. Raises LocalError if it is not taken."""
        request = operator_pb2.SetPresenceRequest(presence=word, until_ms=until_ms)
        self._must(lambda: self._stub.SetPresence(request, timeout=_CALL_SECONDS))

    def ask_presence(self) -> None:
        """Have the peer asked whether anybody is there. Raises LocalError if that is not done."""
        self._must(lambda: self._stub.AskPresence(operator_pb2.AskPresenceRequest(), timeout=_CALL_SECONDS))

    def take_over(self) -> None:
        """Let this terminal speak for its party. Raises LocalError if it does not."""
        self._must(lambda: self._stub.SetTerminal(operator_pb2.SetTerminalRequest(speak=True), timeout=_CALL_SECONDS))

    def activate(self, note: bytes) -> None:
        """Hand in the next charter. Raises LocalError if it is not taken."""
        request = operator_pb2.ActivateCharterRequest(note=note)
        self._must(lambda: self._stub.ActivateCharter(request, timeout=_CALL_SECONDS))

    def shown(self, plane: str, serial: int, principal: str) -> None:
        """A statement was shown to the principal. Raises LocalError if the terminal does not take that."""
        request = operator_pb2.MarkShownRequest(exercise=plane == "exercise", serial=serial, principal=principal)
        self._must(lambda: self._stub.MarkShown(request, timeout=_CALL_SECONDS))

    def reply_by(self, plane: str, serial: int, until_ms: int) -> None:
        """Promise an answer until a written time. Raises LocalError if the terminal does not take that."""
        request = operator_pb2.PromiseReplyRequest(exercise=plane == "exercise", serial=serial, reply_by_ms=until_ms)
        self._must(lambda: self._stub.PromiseReply(request, timeout=_CALL_SECONDS))

    def challenge(self, plane: str, serial: int, *, sent: bool) -> int:
        """Ask whether a statement, of ours if `sent`, is in the other side's record. Serial of the question.

        Raises LocalError if the terminal does not take it.
        """
        request = operator_pb2.AskChallengeRequest(exercise=plane == "exercise", serial=serial, sent=sent)
        return int(self._must(lambda: self._stub.AskChallenge(request, timeout=_CALL_SECONDS)).serial)

    def confirm(self, verdict: str, text: str) -> None:
        """Answer the newest challenge that no person has answered. Raises LocalError if there is none."""
        asked = operator_pb2.ListChallengesRequest(limit=_LIST_MAX)
        try:
            found = self._stub.ListChallenges(asked, timeout=_CALL_SECONDS).challenge
        except grpc.RpcError as error:
            raise LocalError(f"the terminal of {self.party} did not answer ({_word(error)})") from error
        heard = [one.serial for one in found if one.way == "heard" and not one.officer]
        if not heard:
            raise LocalError(f"{self.party}: no challenge waits for a person's answer")
        request = operator_pb2.AnswerChallengeRequest(serial=max(heard), verdict=VERDICTS[verdict], text=text)
        self._must(lambda: self._stub.AnswerChallenge(request, timeout=_CALL_SECONDS))

    def _must(self, call: Callable[[], Any]) -> Any:
        try:
            answer = call()
        except grpc.RpcError as error:
            raise LocalError(f"the terminal of {self.party} did not answer ({_word(error)})") from error
        if not answer.accepted:
            raise LocalError(f"{self.party}: {answer.text}")
        return answer

    def unread(self) -> list[tuple[str, int]]:
        """Plane and serial of everything unread."""
        return [(plane, view.serial) for plane in PLANES for view in self._list(plane, sent=False, unread_only=True)]

    def statements(self, plane: str, *, sent: bool) -> list[operator_pb2.StatementView]:
        """What the terminal knows of the newest statements, oldest first; empty if it does not answer."""
        return self._list(plane, sent=sent, unread_only=False)

    def _list(self, plane: str, *, sent: bool, unread_only: bool) -> list[operator_pb2.StatementView]:
        request = operator_pb2.ListStatementsRequest(
            exercise=plane == "exercise",
            service=plane == "service",
            sent=sent,
            unread_only=unread_only,
            limit=_LIST_MAX,
        )
        try:
            return list(self._stub.ListStatements(request, timeout=_CALL_SECONDS).statement)
        except grpc.RpcError:
            return []

    def status(self) -> dict[str, Any] | None:
        """Schema hotline.status/1, or None if the terminal does not answer within a second."""
        try:
            picture: dict[str, Any] = json.loads(
                self._stub.GetStatus(operator_pb2.GetStatusRequest(), timeout=_STATUS_SECONDS).json
            )
        except grpc.RpcError:
            return None
        return picture


def paths_up(picture: dict[str, Any] | None) -> int:
    """Paths on which the peer answers."""
    return sum(1 for path in (picture or {}).get("paths", ()) if path["state"] == "up")


def rests(picture: dict[str, Any] | None) -> bool:
    """Whether it is a terminal that travels, and no part of the hotline now: it hears nobody, and nothing is amiss."""
    return any(alarm["name"] == "inactive" for alarm in (picture or {}).get("alarms", ()))


def travellers_heard(picture: dict[str, Any] | None) -> list[str]:
    """The terminals that travel and are heard there, as PARTY/name."""
    rows = (picture or {}).get("terminals", ())
    return [f"{row['party']}/{row['terminal']}" for row in rows if row.get("travels") and row["paths_up"]]


def waiting(picture: dict[str, Any]) -> int:
    """Statements that are not acknowledged."""
    return sum(int(plane["waiting"]) for plane in picture["planes"].values())


def _word(error: grpc.RpcError) -> str:
    code = getattr(error, "code", None)
    return str(code().name).lower() if callable(code) else "no reason given"


def facts_of(view: operator_pb2.StatementView) -> Iterator[tuple[str, int, str]]:
    """Stage, Unix milliseconds by the terminal's clock, and by whom, of one sent statement.

    Another serial comes first: what else became of this one is then told of whatever stands in its place.
    """
    if view.state == "renumbered":
        yield "renumbered", 0, view.reason
    if view.relayed_ms:
        yield "relayed", view.relayed_ms, view.relayed_by
    if view.delivered_ms:
        yield "delivered", view.delivered_ms, ""
    if view.read_ms:
        yield "read", view.read_ms, view.read_by
    if view.state == "expired":
        yield "expired", 0, view.reason
