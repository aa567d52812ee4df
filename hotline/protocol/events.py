"""What an endpoint can be told, apart from the links' events in `hotline.machine`."""

from __future__ import annotations

from dataclasses import dataclass

from hotline.machine import FramesReceived, LinkClosed, LinkOpened, Plane, RequestId, Tick
from hotline.protocol.fields import Typed
from hotline.wire.v1 import content_pb2


@dataclass(frozen=True, slots=True)
class Submit:
    """An officer hands in a statement. `valid_for_ms` 0 means the charter's default for the precedence.

    `put_on_record` names what was said without prejudice, of ours or, `of_peer`, of the peer's; the text is then ours.
    `in_reply_to` is a serial of the peer's, `corrects` one of ours; 0 for none. `retracts`: it takes that one back.
    """

    request: RequestId
    plane: Plane
    precedence: content_pb2.Precedence.ValueType
    language: str
    direction: content_pb2.Direction.ValueType
    text: str
    drafter: str
    valid_for_ms: int = 0
    in_reply_to: int = 0
    corrects: int = 0
    retracts: bool = False
    phrase: str = ""
    """Code of a phrase, and the name of the book that it is in."""
    book: bytes = b""
    fields: tuple[Typed, ...] = ()
    without_prejudice: bool = False
    put_on_record: int = 0
    of_peer: bool = False
    action: tuple[str, ...] = ()
    """For whom it is, for action and for information, and the originator's reference."""
    info: tuple[str, ...] = ()
    reference: str = ""


@dataclass(frozen=True, slots=True)
class MakeDraft:
    """An officer writes a draft, or the open one of this number anew; `statement` is what would be handed in."""

    request: RequestId
    number: int
    statement: Submit | Translate


@dataclass(frozen=True, slots=True)
class SignDraft:
    """An officer's signature on a draft, made where the officer's key is."""

    request: RequestId
    number: int
    release: content_pb2.Release


@dataclass(frozen=True, slots=True)
class RejectDraft:
    """An officer puts a draft aside."""

    request: RequestId
    officer: str
    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReleaseDraft:
    """An officer has a draft said that bears the signatures it needs."""

    request: RequestId
    officer: str
    number: int


@dataclass(frozen=True, slots=True)
class MarkRead:
    """A named officer opens a received statement."""

    request: RequestId
    plane: Plane
    serial: int
    officer: str


@dataclass(frozen=True, slots=True)
class MarkShown:
    """An officer has shown a received statement to the principal; `principal` may be empty."""

    request: RequestId
    plane: Plane
    serial: int
    officer: str
    principal: str


@dataclass(frozen=True, slots=True)
class PromiseReply:
    """An officer promises an answer to a received statement; `until` is a written time."""

    request: RequestId
    plane: Plane
    serial: int
    officer: str
    until: int


@dataclass(frozen=True, slots=True)
class Translate:
    """An officer hands in a translation of statement `serial`, ours if `sent`, else the peer's."""

    request: RequestId
    plane: Plane
    serial: int
    sent: bool
    grade: content_pb2.TranslationGrade.ValueType
    translator: str
    language: str
    direction: content_pb2.Direction.ValueType
    text: str
    officer: str
    send: bool = False

    @property
    def goes(self) -> bool:
        """Whether the peer gets it: what we give along to our own words is of no use here."""
        return self.send or self.sent


@dataclass(frozen=True, slots=True)
class SendTest:
    """An officer asks for a channel test at once; the text is ours."""

    request: RequestId
    officer: str


@dataclass(frozen=True, slots=True)
class SetPresence:
    """An officer says what this side is; `until` is a written time, 0 for no end."""

    request: RequestId
    officer: str
    word: str
    until: int


@dataclass(frozen=True, slots=True)
class AskPresence:
    """An officer asks the peer's duty officer for a word."""

    request: RequestId
    officer: str


@dataclass(frozen=True, slots=True)
class AskChallenge:
    """An officer asks whether the peer's record holds this statement: one of ours, or one that it is said to be its."""

    request: RequestId
    officer: str
    plane: Plane
    serial: int
    ours: bool


@dataclass(frozen=True, slots=True)
class AnswerChallenge:
    """An officer answers the peer's challenge `serial`, by name; `text` may be empty."""

    request: RequestId
    officer: str
    serial: int
    verdict: content_pb2.Verdict.ValueType
    text: str = ""


@dataclass(frozen=True, slots=True)
class ActivateCharter:
    """An officer hands in the next charter, which both parties have signed."""

    request: RequestId
    officer: str
    note: bytes


@dataclass(frozen=True, slots=True)
class SetTerminal:
    """An officer lets this terminal speak for its party (take over), or stand by."""

    request: RequestId
    officer: str
    speak: bool


@dataclass(frozen=True, slots=True)
class ShowHandover:
    """An officer asks for the list that the next watch takes over; it is the text of the reply."""

    request: RequestId


@dataclass(frozen=True, slots=True)
class SignHandover:
    """The watch goes from `outgoing`, who asks, to `oncoming`, who has signed the list of this hash and the notes."""

    request: RequestId
    outgoing: str
    oncoming: str
    list_hash: bytes
    notes: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class RecordChecklist:
    """An officer went through a checklist: its name, the hash of its file, and outcome and reason of each step."""

    request: RequestId
    officer: str
    name: str
    file: bytes
    steps: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ExportBundle:
    """An officer asks for a bundle for the courier, to this terminal of the peer; empty: to the one that speaks."""

    request: RequestId
    officer: str
    terminal: str = ""


@dataclass(frozen=True, slots=True)
class ImportBundle:
    """An officer hands in a bundle file that a courier has brought."""

    request: RequestId
    officer: str
    bundle: bytes


@dataclass(frozen=True, slots=True)
class Closing:
    """The daemon is about to stop; the peer is told so in a last heartbeat."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Our log is not, or may not be, the largest that was signed: `reason` in one word, `epoch` the highest known."""

    reason: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Started:
    """The first event after construction: writes the start into the ledger and makes the first prekey."""

    suspicion: Suspicion | None = None


@dataclass(frozen=True, slots=True)
class HeadSeen:
    """A witness shows the largest head of ours that it holds, as we signed it; empty: it holds none."""

    witness: str
    note: bytes


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A witness answered with signature lines for the checkpoint `note` that it was sent."""

    note: bytes
    lines: bytes


@dataclass(frozen=True, slots=True)
class AlarmNotPassedOn:
    """The command for alarms did not take one: `reason` in one word."""

    reason: str


@dataclass(frozen=True, slots=True)
class Audited:
    """Somebody has read, exported or disclosed the record, or destroyed content: `kind` says which."""

    kind: str
    who: str
    what: str
    request: int
    """Row of the table of requests, which this event answers."""


EndpointEvent = (
    Submit
    | MakeDraft
    | SignDraft
    | RejectDraft
    | ReleaseDraft
    | MarkRead
    | MarkShown
    | PromiseReply
    | Translate
    | SendTest
    | SetPresence
    | AskPresence
    | AskChallenge
    | AnswerChallenge
    | ActivateCharter
    | SetTerminal
    | ShowHandover
    | SignHandover
    | RecordChecklist
    | ExportBundle
    | ImportBundle
    | Closing
    | Started
    | HeadSeen
    | Cosigned
    | Audited
    | AlarmNotPassedOn
    | FramesReceived
    | LinkOpened
    | LinkClosed
    | Tick
)
