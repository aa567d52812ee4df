"""What officers do beside saying and reading, as commands. N picks one of what is there; of nothing, nothing is done.

alpha is consulting [within 20s]        alpha asks-presence
alpha shows N                           alpha promises N within 20s
alpha answers N                         alpha corrects N            alpha retracts N
alpha translates N here|sent            alpha records N ours|theirs
alpha challenges N ours|theirs          alpha confirms yes|no|unknown
alpha hands-over at-once|late|forged     alpha goes-through whole|called-away|unanswered|wrong N
alpha-alt speaks                        alpha rests                 (where a party has several terminals)
alpha releases right|lacking|forged     alpha steals                (where the charter asks for signatures)
alpha activates SERIAL|unsigned         alpha releases former|fallen (where the charter is amended)
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from unittest.mock import patch

from hotline.crypto.signing import SigningKey
from hotline.drill.simulator.nodes import CHARTER, EndpointNode
from hotline.drill.simulator.world import World
from hotline.machine import Delivery, Plane, Reply, RequestId
from hotline.protocol.events import (
    ActivateCharter,
    AnswerChallenge,
    AskChallenge,
    AskPresence,
    EndpointEvent,
    MakeDraft,
    MarkShown,
    PromiseReply,
    RecordChecklist,
    ReleaseDraft,
    SetPresence,
    SetTerminal,
    SignDraft,
    SignHandover,
    Submit,
    Translate,
)
from hotline.protocol.handover import LABEL, signed_parts
from hotline.protocol.release import RELEASED
from hotline.wire.codec import decode
from hotline.wire.v1 import content_pb2, operator_pb2
from tests.hotline.protocol.offices import DRAFTER, RELEASER, key_of, signed
from tests.simulator.charters import FORMER, ROSTER, Charters, signers_at, watch_of
from tests.simulator.stored import statement_of
from tests.simulator.weather import milliseconds

SPOKEN: Final = (
    content_pb2.STATEMENT_KIND_TEXT,
    content_pb2.STATEMENT_KIND_CORRECTION,
    content_pb2.STATEMENT_KIND_RETRACTION,
)
_NON_PAPER: Final = content_pb2.STATEMENT_KIND_WITHOUT_PREJUDICE
_FLASH: Final = content_pb2.PRECEDENCE_FLASH
_LTR: Final = content_pb2.DIRECTION_LTR
_PLANES: Final = (Plane.REAL.value, Plane.EXERCISE.value)
_DRAFT_MAX: Final = 131_072
DEEDS: Final = (
    "presence", "presence-asked", "shown", "promised", "answered", "corrected", "retracted", "translated-here",
    "translated-sent", "record-ours", "record-theirs", "challenged", "confirmed", "released-right", "released-lacking",
    "released-forged", "stolen", "takeover", "standdown", "watch-signed", "watch-late", "watch-forged",
    "charter-ready", "charter-unsigned", "charter-changed", "charter-differs", "released-former", "released-fallen",
    "former-refused", "checklist-whole", "checklist-called-away", "checklist-unanswered", "checklist-wrong",
)  # fmt: skip
"""Every deed that is counted when it was done, or refused where it must be."""
REFUSED: Final = ("released-lacking", "released-forged", "charter-unsigned")
_READING_MS: Final = 3_000


@dataclass
class Heed:
    """Who listens to what officers hand in."""

    said: Callable[[EndpointNode, str], None] = lambda node, text: None
    accepted: Callable[[EndpointNode, Plane, str, Reply], None] = lambda node, plane, text, reply: None
    released: Callable[[str], None] = lambda text: None
    """Two officers have signed this text."""
    done: Callable[[str, bool], None] = lambda what, ok: None
    handed: Callable[[EndpointNode, Reply, bool], None] = lambda node, reply, due: None
    """A terminal was given a watch's signature, which it has to take or to refuse."""
    former: Callable[[EndpointNode, Reply, bool], None] = lambda node, reply, due: None
    """The same of the signature of somebody who may not be an officer any more."""
    went: Callable[[EndpointNode, RecordChecklist, Reply | None, bool], None] = lambda node, run, reply, due: None
    """An officer hands in what became of a checklist, which has to be recorded or refused; then with the reply."""


@dataclass
class Officers:
    """They do as the schedule says, where their terminal runs."""

    world: World
    heed: Heed = field(default_factory=Heed)
    charters: Charters | None = None

    def obeys(self, command: str) -> bool:
        """Whether it was a command to them; then it is done. Raises ValueError if it makes no sense."""
        name, verb, *words = command.split()
        node = self.world.endpoints.get(name.upper())
        return node is not None and self.does(node, verb, *words)

    def does(self, node: EndpointNode, verb: str, *words: str) -> bool:
        """The same at one terminal, or at a window of one."""
        act: Callable[..., None] | None = getattr(self, "_" + verb.replace("-", "_"), None)
        if act is None:
            return False
        if node.up and not node.frozen and node.machine is not None:
            act(node, *words)
        return True

    # --- what there is -----------------------------------------------------------------------------------------------

    def _opened(self, node: EndpointNode, number: str) -> tuple[Plane, int] | None:
        """One of the peer's statements that say something and that somebody has opened."""
        found = [key[:2] for key in node.disk.tables.get("received_fact", {}) if key[2] == "read" and key[0] in _PLANES]
        return self._pick(node, "received", found, number, SPOKEN)

    def _ours(self, node: EndpointNode, number: str, *kinds: int) -> tuple[Plane, int] | None:
        found = [key for key in node.disk.tables.get("sent", {}) if key[0] in _PLANES]
        return self._pick(node, "sent", found, number, kinds or SPOKEN)

    @staticmethod
    def _pick(
        node: EndpointNode, way: str, found: Sequence[tuple[object, ...]], number: str, kinds: Sequence[int]
    ) -> tuple[Plane, int] | None:
        rows = node.disk.tables.get(way, {})
        may = [key for key in found if key in rows and statement_of(node, way, rows[key]).kind in kinds]
        if not may:
            return None
        plane, serial = may[int(number) % len(may)]
        return Plane(str(plane)), int(str(serial))

    def _ask(self, node: EndpointNode, what: str, make: Callable[[RequestId], EndpointEvent]) -> None:
        node.ask(make, lambda reply: self.heed.done(what, reply.ok))

    def _say(
        self, node: EndpointNode, what: str, plane: Plane, text: str, make: Callable[[RequestId], EndpointEvent]
    ) -> None:
        self.heed.said(node, text)

        def then(reply: Reply) -> None:
            self.heed.done(what, reply.ok)
            if reply.ok and "serial" in reply.fields:
                self.heed.accepted(node, plane, text, reply)

        node.ask(make, then)

    def _text(self, node: EndpointNode, plane: Plane, what: str) -> str:
        return f"{plane.value} statement at {self.world.time} of {node.name}, {what}"

    # --- who speaks --------------------------------------------------------------------------------------------------

    def _speaks(self, node: EndpointNode) -> None:
        self._ask(node, "takeover", lambda number: SetTerminal(number, "duty", True))

    def _rests(self, node: EndpointNode) -> None:
        self._ask(node, "standdown", lambda number: SetTerminal(number, "duty", False))

    # --- presence and the ladder -------------------------------------------------------------------------------------

    def _is(self, node: EndpointNode, word: str, *within: str) -> None:
        until = node.now().wall + milliseconds(within[1]) if within else 0
        self._ask(node, "presence", lambda number: SetPresence(number, "duty", word, until))

    def _asks_presence(self, node: EndpointNode) -> None:
        self._ask(node, "presence-asked", lambda number: AskPresence(number, "duty"))

    def _shows(self, node: EndpointNode, number: str) -> None:
        if one := self._opened(node, number):
            self._ask(node, "shown", lambda request: MarkShown(request, *one, watch_of(node), ""))

    def _promises(self, node: EndpointNode, number: str, _: str, within: str) -> None:
        if one := self._opened(node, number):
            until = node.now().wall + milliseconds(within)
            self._ask(node, "promised", lambda request: PromiseReply(request, *one, watch_of(node), until))

    # --- statements that name others ---------------------------------------------------------------------------------

    def _answers(self, node: EndpointNode, number: str) -> None:
        if one := self._opened(node, number):
            plane, serial = one
            text = self._text(node, plane, "which answers")
            submit = partial(Submit, plane=plane, precedence=content_pb2.PRECEDENCE_ROUTINE, language="en")
            said = partial(submit, direction=_LTR, text=text, drafter="duty", in_reply_to=serial)
            self._say(node, "answered", plane, text, said)

    def _corrects(self, node: EndpointNode, number: str, *, retracts: bool = False) -> None:
        if one := self._ours(node, number):
            plane, serial = one
            row = node.disk.tables["sent"][plane.value, serial]
            precedence = statement_of(node, "sent", row).precedence
            text = self._text(node, plane, "which retracts" if retracts else "which corrects")
            submit = partial(Submit, plane=plane, precedence=precedence, language="en", direction=_LTR, text=text)
            said = partial(submit, drafter="duty", corrects=serial, retracts=retracts)
            self._say(node, "retracted" if retracts else "corrected", plane, text, said)

    def _retracts(self, node: EndpointNode, number: str) -> None:
        self._corrects(node, number, retracts=True)

    def _translates(self, node: EndpointNode, number: str, where: str) -> None:
        if one := self._opened(node, number):
            plane, serial = one
            text = self._text(node, plane, "which translates")
            rough, goes = content_pb2.TRANSLATION_GRADE_ROUGH, where == "sent"
            self._say(
                node,
                f"translated-{where}",
                plane,
                text,
                lambda request: Translate(
                    request, plane, serial, False, rough, "A. Reader", "hi", _LTR, text, "duty", goes
                ),
            )

    def _records(self, node: EndpointNode, number: str, whose: str) -> None:
        """Ask that a non-paper be put on record; of ours, where the peer has asked, it is said again."""
        theirs = whose == "theirs"
        read = [key[:2] for key in node.disk.tables.get("received_fact", {}) if key[2] == "read"]
        one = (
            self._pick(node, "received", read, number, (_NON_PAPER,))
            if theirs
            else self._ours(node, number, _NON_PAPER)
        )
        if one is not None:
            plane, serial = one
            submit = partial(Submit, plane=plane, precedence=content_pb2.PRECEDENCE_ROUTINE, language="en")
            said = partial(submit, direction=_LTR, text="", drafter="duty", put_on_record=serial, of_peer=theirs)
            self._ask(node, f"record-{whose}", said)

    # --- challenges --------------------------------------------------------------------------------------------------

    def _challenges(self, node: EndpointNode, number: str, whose: str) -> None:
        ours = whose == "ours"
        rows = node.disk.tables.get("sent" if ours else "received", {})
        found = [key for key in rows if key[0] in _PLANES]
        if found:
            plane, serial = found[int(number) % len(found)]
            plane, serial = Plane(str(plane)), int(str(serial))
            self._ask(node, "challenged", lambda request: AskChallenge(request, "duty", plane, serial, ours))

    def _confirms(self, node: EndpointNode, word: str) -> None:
        verdict = content_pb2.Verdict.Value(f"VERDICT_{word.upper()}")
        rows = node.disk.tables.get("challenge", {}).values()
        heard = [int(str(row["serial"])) for row in rows if row["way"] == "heard" and not row["officer"]]
        if heard:
            self._ask(node, "confirmed", lambda request: AnswerChallenge(request, "duty", heard[0], verdict))

    # --- the watch ---------------------------------------------------------------------------------------------------

    def _hands_over(self, node: EndpointNode, how: str) -> None:
        """One reads the list and signs it, at once or when something may have changed; or somebody else's key does."""
        assert node.machine is not None
        listed, outgoing, notes = node.machine.handovers.listed(), "watch", f"Of {self.world.time}."
        oncoming = watch_of(node)
        key = SigningKey(bytes(32)) if how == "forged" else key_of(oncoming)
        signature = key.sign(LABEL, *signed_parts(CHARTER, node.number, listed, outgoing, notes))

        def hand_in() -> None:
            if node.machine is None or not node.up or node.frozen:
                return
            same = node.machine.handovers.listed() == listed
            due = same and how != "forged"

            def then(reply: Reply) -> None:
                self.heed.handed(node, reply, due)
                self.heed.done("watch-signed" if due else "watch-forged" if same else "watch-late", True)

            name = hashlib.sha256(listed).digest()
            node.ask(lambda request: SignHandover(request, outgoing, oncoming, name, notes, signature), then)

        if how == "late":
            self.world.after(_READING_MS, hand_in)
        else:
            hand_in()

    def _goes_through(self, node: EndpointNode, how: str, number: str) -> None:
        """A checklist, to its last step or until one is called away; or nobody answers, or the answers are none."""
        rng = random.Random(int(number))
        officers = ROSTER.get(node.party, (watch_of(node),))
        officer, name = rng.choice(officers), rng.choice(("opening-the-watch", "line-silent", "our-own"))
        steps = [("skipped", f"Of {at}.") if rng.random() < 0.3 else ("done", "") for at in range(rng.randint(2, 9))]
        done = {"called-away": rng.randint(1, len(steps) - 1), "unanswered": 0}.get(how, len(steps))
        steps[done:] = [("open", "")] * (len(steps) - done)
        if how == "wrong":
            steps[-1] = rng.choice([("skipped", " "), ("done", "Why?"), ("open", "Later."), ("perhaps", "")])
        file = hashlib.sha256(f"{node.name} at {self.world.time}, {number}".encode()).digest()
        due = how in ("whole", "called-away")

        def make(request: RequestId) -> RecordChecklist:
            return RecordChecklist(request, officer, name, file, tuple(steps))

        def then(reply: Reply) -> None:
            self.heed.went(node, make(reply.request), reply, due)
            self.heed.done(f"checklist-{how}", reply.ok == due)

        self.heed.went(node, make(RequestId(0)), None, due)
        node.ask(make, then)

    # --- the charter -------------------------------------------------------------------------------------------------

    def _activates(self, node: EndpointNode, which: str) -> None:
        """Hand in what both have signed, or what one has."""
        assert self.charters is not None
        unsigned = which == "unsigned"
        note = self.charters.unsigned if unsigned else self.charters.notes[int(which) - 1]
        what = "charter-unsigned" if unsigned else "charter-ready"
        self._ask(node, what, lambda request: ActivateCharter(request, "duty", note))

    def told(self, node: EndpointNode, delivery: Delivery) -> None:
        """A watch that is told that its charter is older than the peer's takes the next one (24.10)."""
        fields = delivery.fields
        if delivery.kind == "alarm" and fields["name"] == "charter-differs":
            behind = int(str(fields["peers"])) - int(str(fields["standing"]))
            for number in range(behind):
                command = f"{node.name.lower()} activates {int(str(fields['standing'])) + 1 + number}"
                self.world.after((1 + number) * _READING_MS, lambda command=command: self.obeys(command))  # type: ignore[misc]

    # --- release -----------------------------------------------------------------------------------------------------

    def _releases(self, node: EndpointNode, how: str) -> None:
        """Two officers write, sign and release; what breaks off in a crash is not taken up again."""
        text = self._text(node, Plane.REAL, f"released {how}")
        drafter, releaser = signers_at(node)
        if how in ("former", "fallen"):
            releaser = FORMER if node.party == "ALPHA" else releaser

        def made(reply: Reply) -> None:
            if not reply.ok:
                return
            data = reply.fields["draft"]
            assert isinstance(data, bytes)
            draft = decode(operator_pb2.Draft, data, _DRAFT_MAX)
            statement = decode(content_pb2.Statement, draft.content, _DRAFT_MAX)
            signers = ((drafter, DRAFTER), (releaser, RELEASER))[: 1 if how == "lacking" else 2]
            with _fallen() if how == "fallen" else nullcontext():
                for name, role in signers:
                    key = SigningKey(bytes(32)) if how == "forged" and role == RELEASER else key_of(name)
                    release = signed(statement, name, role, charter=CHARTER, at=node.now().wall, key=key)
                    node.ask(partial(SignDraft, number=draft.number, release=release), lambda _: None)
                if how not in ("lacking", "forged"):
                    self.heed.released(text)
                self._release(node, how, text, partial(ReleaseDraft, officer=releaser, number=draft.number))

        said = partial(Submit, plane=Plane.REAL, precedence=_FLASH, language="en", direction=_LTR, text=text)
        node.ask(lambda request: MakeDraft(request, 0, said(request, drafter=drafter)), made)

    def _release(self, node: EndpointNode, how: str, text: str, make: Callable[..., ReleaseDraft]) -> None:
        """The last step of it; judged where somebody has signed who may not be an officer any more."""
        due = make(RequestId(0)).officer in signers_at(node)

        def then(reply: Reply) -> None:
            self.heed.former(node, reply, due)
            self.heed.done("released-former", reply.ok == due)
            if reply.ok:
                self.heed.accepted(node, Plane.REAL, text, reply)

        if how == "former":
            self.heed.said(node, text)
            node.ask(make, then)
        else:
            self._say(node, f"released-{how}", Plane.REAL, text, make)

    def _steals(self, node: EndpointNode) -> None:
        """Somebody at the terminal says a FLASH alone, and the terminal takes it."""
        text = self._text(node, Plane.REAL, "stolen")
        submit = partial(Submit, plane=Plane.REAL, precedence=_FLASH, language="en", direction=_LTR)
        with patch("hotline.protocol.sending.check_authority", lambda *_: None):
            self._say(node, "stolen", Plane.REAL, text, partial(submit, text=text, drafter="duty"))


@contextmanager
def _fallen() -> Iterator[None]:
    """A terminal that lets out whatever somebody has signed who was an officer once."""
    drafts = "hotline.protocol.drafts"
    with patch(f"{drafts}.judge", lambda *_, **__: RELEASED), patch(f"{drafts}.lack_of", lambda *_, **__: ""):
        yield
