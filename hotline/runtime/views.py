"""Statements as officers see them: what the store holds, with what is known of their way."""

from __future__ import annotations

from typing import Final

from hotline.machine import Plane
from hotline.protocol.language import original_is_senders
from hotline.protocol.modes import ASKED, RECORDED
from hotline.protocol.neutral import NON_PAPER, kind_of, needs_opening
from hotline.protocol.outbox import LEFT
from hotline.protocol.statements import EVERYONE, SAYABLE_MAX, decode_statement
from hotline.runtime.lookups import Lookups
from hotline.runtime.translationviews import TranslationViews
from hotline.wire.v1 import content_pb2, operator_pb2

LISTED_AT_ONCE: Final = 20
"""Of a list, what is read before everybody else has a turn: what comes and goes on the line is not kept waiting."""
_SENT = "SELECT s.serial, s.content, s.hash FROM sent s"
_RECEIVED = "SELECT r.serial, r.content, r.hash, r.at FROM received r"


_DESTROYED: Final = "its content was destroyed when its time was over; the ledger still proves that it was said"
_TOO_LONG: Final = "no envelope holds it: it was not sent"
_WITHHELD: Final = "its words are for officers of this terminal"
_GONE: Final = "said without prejudice: its text is gone from here"


class StatementViews:
    """Reads statements out of the store, of several parties at the `window` of one.

    A clause of SQL picks them; it is ours, and its values are parameters.
    """

    def __init__(self, store: Lookups, window: str = "") -> None:
        self._store = store
        self._window = window
        self._translations = TranslationViews(store)

    def add_translations(self, plane: Plane, view: operator_pb2.StatementView) -> None:
        """The texts of the translations of this one, and of the original if it is one itself."""
        way = "sent" if view.sent else "received"
        view.translation.extend(self._translations.of(plane, way, view.serial, view.statement))

    def sent(self, plane: Plane, clause: str, parameters: tuple[str | int, ...]) -> list[operator_pb2.StatementView]:
        """Ours that `clause` picks."""
        views = []
        for serial, content, name in self._store.query(f"{_SENT} {clause}", parameters):
            assert isinstance(serial, int)
            view = self._view(plane, serial, content, name, sent=True)
            view.state = "queued"
            facts = self._store.query(
                "SELECT stage, at, by FROM sent_fact WHERE plane=? AND serial=? ORDER BY at", (plane.value, serial)
            )
            _apply_sent_facts(view, facts)
            self._corrected(plane, view, "sent")
            self._climb(plane, view, "sent")
            self._voice(plane, view, "sent")
            views.append(view)
        return views

    def _voice(self, plane: Plane, view: operator_pb2.StatementView, way: str) -> None:
        """Which terminal said it, where it was another than this one or the peer has several."""
        sql = "SELECT terminal, term FROM voice WHERE plane=? AND way=? AND serial=?"
        for terminal, term in self._store.query(sql, (plane.value, way, view.serial)):
            view.terminal, view.term = str(terminal), _int(term)

    def _view(self, plane: Plane, serial: int, box: object, name: object, *, sent: bool) -> operator_pb2.StatementView:
        assert isinstance(box, bytes)
        assert isinstance(name, bytes)
        content = self._store.content("sent" if sent else "received", plane.value, serial, box)
        if content is None or len(content) > SAYABLE_MAX:
            view = operator_pb2.StatementView(
                exercise=plane is Plane.EXERCISE,
                service=plane is Plane.SERVICE,
                sent=sent,
                serial=serial,
                statement=name,
                reason=_DESTROYED if content is None else _TOO_LONG,
            )
            if self._store.is_nonpaper("sent" if sent else "received", plane, serial):
                view.kind, view.reason = NON_PAPER, _GONE
            return view
        view, statement = _view(plane, content, name, sent=sent), decode_statement(content)
        if statement.to_party == EVERYONE:
            view.window = self._window
            if not self._is_here(plane, statement.in_reply_to, sent=sent):
                view.in_reply_to = 0  # it answers one of the others (26.5)
        view.field.extend(statement.field)
        view.action.extend(statement.action)
        view.info.extend(statement.info)
        view.originator_reference = statement.originator_reference
        if statement.HasField("phrase"):
            view.phrase.CopyFrom(statement.phrase)
        view.translations = self._translations.count(plane, "sent" if sent else "received", serial, name)
        if statement.HasField("translation"):
            tie = statement.translation
            view.grade, view.translator = tie.grade, tie.translator
            view.original.CopyFrom(self.original(plane, tie, sent=sent))
        return view

    def _is_here(self, plane: Plane, named: content_pb2.Reference, *, sent: bool) -> bool:
        """Whether what a statement of ours answers is this party's, or what one of this party's answers is ours."""
        sql = f"SELECT hash FROM {'received' if sent else 'sent'} WHERE plane=? AND serial=?"  # noqa: S608 - ours
        return self._store.query(sql, (plane.value, named.serial)) == [(named.statement,)]

    def original(self, plane: Plane, tie: content_pb2.Translation, *, sent: bool) -> operator_pb2.OriginalView:
        """What a translation that we sent, or received, is one of."""
        way = "sent" if original_is_senders(tie.grade) == sent else "received"
        return self._translations.original(plane, way, tie.original)

    def _corrected(self, plane: Plane, view: operator_pb2.StatementView, way: str) -> None:
        """The newest that corrects or retracts it is the one to be read."""
        newest = self._store.correction(way, plane, view.serial, view.statement)
        view.corrected_by, view.retracted = newest.by, newest.stage == "retracted"

    def _said(self, way: str, plane: Plane, serial: int) -> content_pb2.Statement | None:
        rows = self._store.query(f"SELECT content FROM {way} WHERE plane=? AND serial=?", (plane.value, serial))  # noqa: S608 - ours
        content = self._store.content(way, plane.value, serial, rows[0][0]) if rows else None
        return None if content is None else decode_statement(content)

    def received(
        self, plane: Plane, clause: str, parameters: tuple[str | int, ...]
    ) -> list[operator_pb2.StatementView]:
        """The peer's that `clause` picks."""
        views = []
        for serial, content, name, at in self._store.query(f"{_RECEIVED} {clause}", parameters):
            assert isinstance(serial, int)
            assert isinstance(at, int)
            view = self._view(plane, serial, content, name, sent=False)
            self._voice(plane, view, "received")
            view.received_ms = at
            view.state = "held"
            facts = self._store.query(
                "SELECT stage, at, by FROM received_fact WHERE plane=? AND serial=? ORDER BY at", (plane.value, serial)
            )
            for stage, fact_at, by in facts:
                if stage == "shown":
                    if view.state == "held":  # a sibling's officer may have opened it in the same millisecond
                        view.state = "unread" if needs_opening(view.kind, view.date_time_group) else "shown"
                elif stage == "read":
                    view.state, view.read_ms, view.read_by = "read", _int(fact_at), str(by)
                elif stage == "authority":
                    view.authority = str(by)
                elif stage == "repeat":
                    view.repeats = int(str(by))
                elif stage == RECORDED:
                    view.recorded_as = int(str(by))
            self._corrected(plane, view, "received")
            self._climb(plane, view, "received")
            views.append(view)
        return views

    def _climb(self, plane: Plane, view: operator_pb2.StatementView, way: str) -> None:
        """The rungs above READ."""
        rungs = self._store.query(
            "SELECT stage, at, officer, principal, until, answer FROM ladder WHERE way=? AND plane=? AND serial=?",
            (way, plane.value, view.serial),
        )
        for stage, at, officer, principal, until, answer in rungs:
            match stage:
                case "shown":
                    view.shown_ms, view.shown_by, view.shown_to = _int(at), str(officer), str(principal)
                case "reply-by":
                    view.reply_by_ms, view.promised_by = _int(until), str(officer)
                case "answered":
                    said = self._said("sent" if way == "received" else "received", plane, _int(answer))
                    # It may have come first, and mean another one that stands under that number elsewhere.
                    if said is None or said.in_reply_to.statement == view.statement:
                        view.answered_by = _int(answer)


def clear_words(view: operator_pb2.StatementView) -> None:
    """Leave out what it says."""
    for words in ("text", "field", "phrase", "action", "info", "originator_reference"):
        view.ClearField(words)


def withhold(view: operator_pb2.StatementView) -> None:
    """Leave out all words, its own and those of translations and originals: nobody but officers reads them (14.2)."""
    clear_words(view)
    for one in view.translation:
        one.ClearField("text")
    if view.HasField("original"):
        view.original.ClearField("text")
        view.original.ClearField("field")
    view.reason = view.reason or _WITHHELD


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def _view(plane: Plane, content: bytes, name: bytes, *, sent: bool) -> operator_pb2.StatementView:
    statement = decode_statement(content)
    return operator_pb2.StatementView(
        exercise=plane is Plane.EXERCISE,
        service=plane is Plane.SERVICE,
        sent=sent,
        serial=statement.serial,
        precedence=statement.precedence,
        kind=kind_of(statement),
        date_time_group=statement.date_time_group,
        composed_ms=statement.composed_ms,
        language=statement.language,
        direction=statement.direction,
        from_party=statement.from_party,
        to_party=statement.to_party,
        drafter=statement.drafter,
        text=statement.text,
        statement=name,
        in_reply_to=statement.in_reply_to.serial,
        corrects=statement.corrects.serial,
        put_on_record=statement.put_on_record.serial,
        of_recipient=statement.of_recipient,
        release=statement.release,
    )


def _apply_sent_facts(view: operator_pb2.StatementView, facts: list[tuple[object, ...]]) -> None:
    rank = {"queued": 0, "expired": 1, "relayed": 1, "delivered": 2, "read": 3, "shown": 4, "renumbered": 5}
    for stage, at, by in facts:
        name = str(stage)
        if name in rank and rank[name] >= rank[view.state]:
            view.state = name
        match name:
            case "relayed":
                view.relayed_ms = view.transmitted_ms = _int(at)
                view.relayed_by = str(by)
            case str() if name == LEFT:
                view.transmitted_ms = _int(at)
            case "delivered":
                view.delivered_ms = _int(at)
            case "read":
                view.read_ms, view.read_by = _int(at), str(by)
            case "expired" | "renumbered":
                view.reason = str(by)
            case str() if name == RECORDED:
                view.recorded_as = int(str(by))
            case str() if name == ASKED:
                view.record_asked = True
