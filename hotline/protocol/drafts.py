"""Drafts at a terminal, from the first word to the release (docs/protocol.md 19.9 to 19.11)."""

from __future__ import annotations

from hotline.errors import LocalError, Malformed, PolicyError
from hotline.limits import DRAFTS_FINISHED_KEPT, DRAFTS_MAX, OPERATOR_REQUEST_BYTES_MAX
from hotline.machine import Delete, Instant, Plane, Private, Put, Reply
from hotline.protocol.branding import acting
from hotline.protocol.composing import check_room, compose
from hotline.protocol.context import Context
from hotline.protocol.events import MakeDraft, RejectDraft, ReleaseDraft, SignDraft, Submit, Translate
from hotline.protocol.neutral import NON_PAPER
from hotline.protocol.release import DRAFT_SIZE, LACKS, RELEASED, ROLES, check_form, fault_of, judge, lack_of, missing
from hotline.protocol.sending import Sending
from hotline.protocol.statements import check_size
from hotline.protocol.tables import Saved
from hotline.protocol.translations import Translations
from hotline.wire.codec import decode, encode
from hotline.wire.v1 import content_pb2, operator_pb2

REASON_MAX = 1_000
"""Characters of the reason for which a draft is rejected."""


class Drafts:
    """What officers write and sign before it is said."""

    def __init__(self, context: Context, sending: Sending, translations: Translations) -> None:
        self._ctx = context
        self._sending = sending
        self._translations = translations
        self._drafts: dict[int, operator_pb2.Draft] = {}
        self._last = 0

    def restore(self, saved: Saved) -> None:
        """Take up the drafts of earlier runs."""
        for row in saved.rows("draft"):
            content = row["content"]
            assert isinstance(content, bytes)
            draft = decode(operator_pb2.Draft, content, 2 * OPERATOR_REQUEST_BYTES_MAX)
            self._drafts[draft.number] = draft
        counters = {str(row["name"]): row["value"] for row in saved.rows("counter")}
        value = counters.get("draft")
        # A draft whose content key was destroyed is gone; its number is not given to another.
        self._last = max([*self._drafts, value if isinstance(value, int) else 0])

    def listed(self) -> list[tuple[operator_pb2.Draft, list[str]]]:
        """Every draft with the roles that have yet to sign it, by number."""
        return [(draft, self._missing(draft)) for _, draft in sorted(self._drafts.items())]

    def _missing(self, draft: operator_pb2.Draft) -> list[str]:
        statement = _statement(draft)
        return missing(self._ctx.setup.release.roles(_plane(draft), statement.precedence), statement.release)

    def take(self, event: MakeDraft | SignDraft | RejectDraft | ReleaseDraft, now: Instant) -> None:
        """One step of a draft, or a sentence that says why not; then nothing has changed."""
        try:
            match event:
                case MakeDraft():
                    self._make(event, now)
                case SignDraft():
                    self._sign(event, now)
                case RejectDraft():
                    self._reject(event, now)
                case ReleaseDraft():
                    self._release(event, now)
        except LocalError as error:
            code = "policy" if isinstance(error, PolicyError) else "draft"
            self._ctx.out.replies.append(Reply(event.request, False, code, str(error)))

    def _make(self, event: MakeDraft, now: Instant) -> None:
        """A new draft, or another wording of an open one: then its name is another, and nobody has signed it."""
        old = self._open(event.number) if event.number else None
        statement = self._composed(event.statement)
        if old is not None and _statement(old).HasField("translation") != statement.HasField("translation"):
            raise LocalError(f"draft {event.number} is not of that kind: nothing was kept; reject it and make another")
        if old is None and sum(draft.state == "open" for draft in self._drafts.values()) >= DRAFTS_MAX:
            raise LocalError(f"{DRAFTS_MAX} drafts are open: nothing was kept; release or reject one")
        statement.draft = self._ctx.entropy(DRAFT_SIZE)
        statement.from_party, statement.to_party = self._ctx.setup.local.party, self._ctx.setup.said_to
        plane, officer = event.statement.plane, statement.drafter
        if old is None:
            self._last += 1
        draft = operator_pb2.Draft(number=event.number or self._last, exercise=plane is Plane.EXERCISE, state="open")
        draft.content, draft.by, draft.at_ms = encode(statement), officer, now.wall
        if old is not None and old.exercise != draft.exercise:
            self._forget(old)
        self._keep(draft)
        edit, named = int(old is not None), statement.draft.hex()
        self._ctx.record(
            "draft.made",
            {"body": Private(statement.text.encode()), "officers": Private(officer.encode())},
            plane=plane.value,
            number=draft.number,
            draft=named,
            edit=edit,
        )
        self._told(draft, "edited" if edit else "made")
        fields: dict[str, str | int | bytes | None] = {"draft": encode(draft)}
        self._ctx.out.replies.append(Reply(event.request, True, "draft", f"draft {draft.number} is kept", fields))

    def _composed(self, handed_in: Submit | Translate) -> content_pb2.Statement:
        """What would be said. Raises LocalError for what officers do not sign, or what cannot be said."""
        if isinstance(handed_in, Translate):
            statement = self._translations.compose(handed_in)
            check_size(statement)
            return statement
        if handed_in.plane is Plane.SERVICE:
            raise LocalError("what operators say to operators needs no draft: nothing was kept")
        if handed_in.without_prejudice:
            raise LocalError("nobody signs what is said without prejudice: nothing was kept; use hotline send")
        statement = compose(self._ctx, handed_in)
        if statement.kind == NON_PAPER:  # the wish that something be put on record
            raise LocalError("nobody signs what is said without prejudice: nothing was kept; use hotline record-it")
        return statement

    def _sign(self, event: SignDraft, now: Instant) -> None:
        """An officer's signature, if it holds for the draft as it is now."""
        draft = self._open(event.number)
        statement, plane, release = _statement(draft), _plane(draft), event.release
        if any(one.officer == release.officer for one in statement.release):
            raise LocalError(f"{release.officer} has signed draft {event.number} already: another officer must")
        statement.release.append(release)
        check_size(statement)
        self._check(plane, statement, release, now)
        draft.content, draft.by, draft.at_ms = encode(statement), release.officer, now.wall
        self._keep(draft)
        role = ROLES[release.role]
        self._ctx.record(
            "draft.signed",
            acting([release]),
            plane=plane.value,
            number=draft.number,
            draft=statement.draft.hex(),
            role=role,
        )
        self._told(draft, "signed")
        text = f"draft {draft.number} is signed by {release.officer} as {role}"
        fields: dict[str, str | int | bytes | None] = {"missing": " ".join(self._missing(draft))}
        self._ctx.out.replies.append(Reply(event.request, True, "signed", text, fields))

    def _check(
        self, plane: Plane, statement: content_pb2.Statement, release: content_pb2.Release, now: Instant
    ) -> None:
        """Raises PolicyError for a signature that the other side would not take, LocalError for one that is none."""
        setup = self._ctx.setup
        try:
            check_form(statement)
        except Malformed as error:
            raise LocalError(f"the draft is not signed: {error}") from error
        lacks = lack_of(setup.release, plane, setup.charter, statement, release, now.wall)
        if lacks:
            why = {
                "mandate": f"{release.officer} may not act by this mandate: {self._fault(release, now)}",
                "role": self._roles(release),
                "officer": f"the charter names no officer {release.officer} of {setup.local.party}",
                "signature": "the signature is not one on the draft as it is now: look at it and sign again",
            }.get(lacks, LACKS[lacks])
            raise PolicyError(f"the draft is not signed: {why}")

    def _roles(self, release: content_pb2.Release) -> str:
        officer = self._ctx.setup.release.officers.get((self._ctx.setup.local.party, release.officer))
        roles = " and ".join(officer.roles) if officer is not None else ""
        has = f"has the role {roles}" if roles else "has no role"
        return f"{release.officer} is no {ROLES[release.role]} and {has}: use that (--role), or a mandate (--mandate)"

    def _fault(self, release: content_pb2.Release, now: Instant) -> str:
        policy = self._ctx.setup.release
        officer = policy.officers.get((self._ctx.setup.local.party, release.officer))
        return fault_of(policy, officer, release, now.wall) if officer and release.mandate else ""

    def _reject(self, event: RejectDraft, now: Instant) -> None:
        """Put a draft aside; the reason stays."""
        draft = self._open(event.number)
        if not event.reason.strip() or len(event.reason) > REASON_MAX:
            raise LocalError(f"a rejection has a reason, of at most {REASON_MAX} characters: nothing was done")
        draft.state, draft.by, draft.reason, draft.at_ms = "rejected", event.officer, event.reason, now.wall
        self._keep(draft)
        self._ctx.record(
            "draft.rejected",
            {"officers": Private(event.officer.encode()), "reason": Private(event.reason.encode())},
            plane=_plane(draft).value,
            number=draft.number,
            draft=_statement(draft).draft.hex(),
        )
        self._told(draft, "rejected")
        self._ctx.out.replies.append(Reply(event.request, True, "rejected", f"draft {draft.number} is rejected"))

    def _release(self, event: ReleaseDraft, now: Instant) -> None:
        """Say it, if the other side will find what the charter asks for."""
        setup = self._ctx.setup
        draft = self._open(event.number)
        statement, plane = _statement(draft), _plane(draft)
        lacking = judge(setup.release, plane, setup.charter, statement, now.wall)
        if lacking not in ("", RELEASED):
            yet = f": {', '.join(self._missing(draft))}" if lacking == "missing" else ""
            raise PolicyError(f"draft {draft.number} is not released: {LACKS[lacking]}{yet}")
        check_room(self._ctx, plane)
        named = statement.draft.hex()
        if not statement.release:
            statement.ClearField("draft")  # nobody's signature is asked for, and nobody has signed
        item = self._sending.hand_in(event.request, plane, statement, now)
        draft.state, draft.by, draft.at_ms, draft.serial = "released", event.officer, now.wall, item.serial
        self._keep(draft)
        self._ctx.record(
            "draft.released",
            acting(statement.release),
            plane=plane.value,
            serial=item.serial,
            number=draft.number,
            draft=named,
            statement=item.hash.hex(),
        )
        self._told(draft, "released")

    # --- keeping -----------------------------------------------------------------------------------------------------

    def _open(self, number: int) -> operator_pb2.Draft:
        """The open draft of this number, to be changed. Raises LocalError."""
        draft = self._drafts.get(number)
        if draft is None:
            raise LocalError(f"there is no draft {number}: hotline draft list shows them")
        if draft.state != "open":
            what = f"released as #{draft.serial}" if draft.state == "released" else "rejected"
            raise LocalError(f"draft {number} is {what} already: nothing was done")
        copy = operator_pb2.Draft()
        copy.CopyFrom(draft)
        return copy

    def _keep(self, draft: operator_pb2.Draft) -> None:
        changes = self._ctx.out.changes
        self._drafts[draft.number] = draft
        changes.append(Put("draft", {"plane": _plane(draft).value, "serial": draft.number, "content": encode(draft)}))
        changes.append(Put("counter", {"name": "draft", "value": self._last}))
        finished = [number for number, one in sorted(self._drafts.items()) if one.state != "open"]
        for number in finished[:-DRAFTS_FINISHED_KEPT]:
            self._forget(self._drafts.pop(number))

    def _forget(self, draft: operator_pb2.Draft) -> None:
        row: dict[str, str | int | bytes] = {"plane": _plane(draft).value, "serial": draft.number}
        self._ctx.out.changes.append(Delete("draft", row))

    def _told(self, draft: operator_pb2.Draft, what: str) -> None:
        self._ctx.tell("draft", plane=_plane(draft).value, number=draft.number, state=what, by=draft.by)


def _statement(draft: operator_pb2.Draft) -> content_pb2.Statement:
    return decode(content_pb2.Statement, draft.content, OPERATOR_REQUEST_BYTES_MAX)


def _plane(draft: operator_pb2.Draft) -> Plane:
    return Plane.EXERCISE if draft.exercise else Plane.REAL
