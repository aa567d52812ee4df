"""Generate docs/tables.md from the code: `gen_tables.py` writes it, `gen_tables.py --check` says whether it is fresh.

    python tools/gen_tables.py           write docs/tables.md
    python tools/gen_tables.py --check   compare with a fresh run; exit 1 if it differs

What the code says is read from it: values by import, calls (records, alarms, refusals) from its syntax tree. What only
people know, the meaning of a record or of a field, stands below; a record, field or alarm of the code that is missing
there, or one there that the code does not have, is an error.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor
from pydantic import BaseModel

from hotline import limits
from hotline.charter import body, cards
from hotline.charter.profiles import PROFILES
from hotline.ledger.log import FREEZE, OPEN, VOUCHED
from hotline.protocol.neutral import TEXTS
from hotline.protocol.outbox import FOLLOWS, FOLLOWS_LOSS, SentState
from hotline.protocol.paths import IGNORED, TRANSITIONS, PathInput, PathState
from hotline.wire.inner import ContentType
from hotline.wire.v1 import bundle_pb2, content_pb2, frame_pb2, operator_pb2, relay_pb2

ROOT: Final = Path(__file__).resolve().parent.parent
TARGET: Final = Path("docs/tables.md")


class TableError(Exception):
    """The code says something that no table has words for, or the words speak of what the code does not have."""


# --- what only people know -------------------------------------------------------------------------------------------

HEAD_FIELDS: Final = ("peer_log_epoch", "peer_size", "peer_root")
CONSTANTS: Final = {"OPEN": OPEN, "FREEZE": FREEZE, "VOUCHED": VOUCHED}
EXPANDED: Final = {
    "f'audit.{event.kind}'": ("audit.destroy", "audit.disclose", "audit.export", "audit.prove", "audit.read"),
}
"""Kinds that are put together at run time."""
SPREAD: Final = {
    "references(statement)": ("reply_to", "corrects", "translates", "grade"),
    "ctx.whose": ("other",),
    "self._ctx.whose": ("other",),
    "line.whose": ("other",),
    "self.peer_logs[opened.author].said(statement.checkpoint)": (*HEAD_FIELDS, "other"),
    "head": HEAD_FIELDS,
    "receipt": ("receipt",),
    "fields": (),
}
"""Fields that a call takes over from a mapping; they are there only if there is something to say."""
PRIVATE: Final = {
    "said(statement)": ("body", "drafter", "precedence"),
    "acting(statement.release)": ("mandates", "officers"),
    "acting([release])": ("mandates", "officers"),
    "officer": ("officer",),
    "shown_to": ("officer", "principal"),
    "private": ("who", "what"),
    "private or {}": (),
}
ADDED: Final = {OPEN: ("previous", "size", "root"), "hb.summary": ("beats", *HEAD_FIELDS)}
"""Fields that are added to a record on its way."""

RECORDS: Final = {
    "alarm": "A condition that needs a person (11.4); the other fields are those of the alarm.",
    "audit.destroy": "A content key was destroyed (13.4).",
    "audit.disclose": "Somebody opened commitments of an entry for others.",
    "audit.export": "Somebody exported the record.",
    "audit.prove": "Somebody drew a proof of an entry for others.",
    "audit.read": "Somebody read the record.",
    "challenge.answered": "The peer's terminal, or an officer of the peer, answered a challenge of ours (25.7).",
    "challenge.asked": "An officer asks whether a statement is in the peer's record (25.5).",
    "challenge.heard": "The peer asks whether a statement is in our record; the record answered (25.6).",
    "challenge.word": "An officer of ours answered a challenge of the peer (25.7).",
    "charter.changed": "Another charter is in force than before (24.5).",
    "charter.ready": "An officer handed in the next charter, and the terminal is ready for it (24.7).",
    "peer.charter": "The peer said that it stands under another charter than before (24.8).",
    "clock.step": "The wall clock moved otherwise than the monotonic one (3.7).",
    "config.changed": "Another configuration is in force than at the last start.",
    "draft.made": "An officer wrote a draft, or another wording of one (19.9).",
    "draft.rejected": "An officer put a draft aside; the reason is a commitment (19.10).",
    "draft.released": "A draft was approved: it goes out under this serial (19.11).",
    "draft.signed": "An officer signed a draft (19.10).",
    "daemon.start": "The terminal started.",
    "courier.export": "A bundle was made for a courier (17.7).",
    "courier.import": "A bundle that a courier has brought was taken (17.7).",
    "daemon.stop": "The terminal stopped in good order.",
    "gap.closed": "What was reported missing is here (10.6).",
    "hb.summary": "Heartbeats of a minute, and how far the peer's log is linked.",
    "key.epoch.begun": "We opened an epoch (7.3).",
    "key.epoch.opened": "The peer opened an epoch (7.3).",
    "key.prekey": "We made a prekey (7.2).",
    "key.request.obeyed": "The peer could not open an epoch of ours; it was sealed again (7.7).",
    "key.request.sent": "We could not open an epoch of the peer (7.7).",
    "log.freeze": "The last entry of a log that is closed in good order (13.5).",
    "log.open": "The first entry of a new log; it says where the one before it ends (13.5).",
    "log.vouched": "All others, `by` last, or witnesses have told what they saw of it: it is shown now (13.5).",
    "msg.authority": "What the release of a received statement is worth here (19.5).",
    "mirror.conflict": "A sibling holds another statement of our party under a serial than we do (23.8).",
    "mirror.refused": "A sibling's statement of an earlier term is not taken: nobody has received it (23.6).",
    "msg.clock": "A statement's time of composition and our clock differ (3.7).",
    "msg.conflict": "A statement arrived under a serial that another one holds (9.3).",
    "msg.copied": "A terminal that is not the first of the peer to have them, or a sibling, holds statements (23.4).",
    "msg.custody": "A relay signed for statements (5.6).",
    "msg.delivered": "The peer's terminal holds statements (9.1); with the head that its receipt carried.",
    "msg.expired": "A statement was not delivered within its validity (8.4).",
    "msg.held": "A received statement lies beyond a gap (12.5).",
    "msg.mirrored": "A sibling has told a statement of our party (23.5).",
    "msg.opened": "An officer of ours opened a statement (9.2).",
    "msg.read": "An officer of the peer opened a statement (9.2).",
    "msg.recv": "A statement arrived and holds; with the head that it carried.",
    "msg.renumbered": "A statement of ours goes on under another serial (12.6).",
    "msg.repeat": "A received statement is the repeat of another (12.6).",
    "msg.sent": "A statement left in an envelope (12.2, 12.3).",
    "msg.shown": "Received statements became visible, other than the one that just arrived (12.5).",
    "msg.translated": "An officer handed in a translation that stays here (21.4).",
    "msg.submit": "A statement was accepted from an officer or from the schedule (12.1).",
    "nonpaper.asked": "The peer wants a non-paper of ours on record (22.9).",
    "nonpaper.custody": "A relay holds envelopes of non-papers; what it signed is not kept (22.5).",
    "nonpaper.destroyed": "The text of a non-paper is gone from here (22.7).",
    "nonpaper.recorded": "A non-paper has been said again, of record (22.9, 22.10).",
    "nonpaper.recv": "Something was said to us without prejudice (22.5).",
    "nonpaper.renumbered": "A non-paper of ours goes on under another serial (12.6).",
    "nonpaper.sent": "A non-paper left in an envelope (22.5).",
    "nonpaper.submit": "An officer has said something without prejudice (22.5).",
    "msg.voice": "Which terminal of the peer said a received statement, and in which term (23.9).",
    "path.state": "A path changed its state (11.1).",
    "peer.log": "The first head of a log of the peer (13.6).",
    "peer.presence": "The peer says something else of itself than before (10.13, 18.3).",
    "quorum.lost": "No quorum of witnesses for QUORUM_PATIENCE (13.7).",
    "quorum.regained": "A quorum has cosigned again (13.7).",
    "presence.ask": "The peer's duty officer is asked for a word (18.4).",
    "presence.asked": "The peer asks for a word (18.4).",
    "presence.heard": "The peer's terminal has told its people of our question (18.4).",
    "presence.set": "An officer, or the end of a time, changed what this side says of itself (18.1).",
    "msg.presented": "An officer of ours has shown a statement to the principal (20.1).",
    "msg.promised": "An officer of ours promises an answer until a time (20.1).",
    "peer.promised": "An officer of the peer promises an answer until a time (20.3).",
    "peer.shown": "An officer of the peer has shown a statement to the principal (20.3).",
    "promise.kept": "What was promised to be answered has been (20.4).",
    "refused": "Something that arrived was refused (15.1).",
    "refused.more": "How many refusals of a minute were not recorded one by one (15.1).",
    "terminal.ruled": "This terminal took over by the charter's rule, after so long a silence of the other (23.13).",
    "terminal.speaks": "This terminal speaks for its party from now on, as it has signed (23.2).",
    "terminal.standdown": "An officer made this terminal stand by (23.3).",
    "terminal.travels": "A travelling terminal is, or is no more, a part of the hotline by our clock (24.13).",
    "terminal.takeover": "An officer let this terminal speak for its party, after the other (23.2).",
    "test.asked": "An officer asked for a channel test (8.5).",
    "watch.checklist": "An officer went through a checklist (25.12).",
    "watch.handover": "The oncoming officer signed for what the watch leaves open (25.10).",
    "test.resumed": "A channel test arrived, or was acknowledged, after alarms (10.9).",
}
TEXT, NUMBER, EITHER = "string", "integer", "string or integer"
HASH, TIME = "string, 64 hex digits", "integer, Unix ms"
FIELDS: Final = {
    "at": (TIME, "when a test was missed"),
    "beats": (TEXT, "`path=sent/heard` for each path, in the charter's order"),
    "corrects": (NUMBER, "serial of the statement that this one corrects or retracts (8.10)"),
    "reply_to": (NUMBER, "serial of the peer's statement that this one answers (8.9)"),
    "translates": (NUMBER, "serial of the statement that this one is a translation of (21.1)"),
    "translation": (HASH, "name of a translation that stays here (21.4)"),
    "grade": (TEXT, "`courtesy`, `sight`, `rough` or `official` (21.1)"),
    "number": (NUMBER, "of a draft, of a translation that stays here, or of a handover"),
    "bundle": (HASH, "the bundle's file"),
    "by": (
        EITHER,
        "the peer's base, the witness, or `witnesses`; a serial; `record` or `officer` for a challenge",
    ),
    "by_ms": (NUMBER, "how far the wall clock moved against the monotonic one"),
    "delivered": (NUMBER, "statements of ours that the peer has, as the bundle told"),
    "envelopes": (NUMBER, "how many the bundle holds"),
    "refused": (NUMBER, "envelopes of the bundle that could not be used"),
    "statements": (NUMBER, "in a bundle that leaves: how many it holds; in one that came: how many were new"),
    "charter": (HASH, "the charter (5.1)"),
    "clock": (TIME, "what the wall clock said, if `ts` is ahead of it; any entry may have it"),
    "composed": (TIME, "the sender's time of composition"),
    "count": (NUMBER, "how many"),
    "dtg": (TEXT, "date-time group (8.8)"),
    "draft": ("string, 32 hex digits", "name of the draft (19.1); empty where none was given"),
    "edit": (NUMBER, "1 if the draft was there before in another wording"),
    "role": (TEXT, "`drafter`, `releaser`, `duty` or `principal`"),
    "verdict": (TEXT, "`released` or one of the words of 19.5; of a challenge `yes`, `no` or `unknown` (25.6)"),
    "envelope": (HASH, "`H(envelope)`"),
    "epoch": ("string, 24 hex digits", "epoch id (7.3)"),
    "first": (NUMBER, "first missing serial"),
    "generation": (NUMBER, "of the prekey (7.2)"),
    "hash": (HASH, "the charter (5.1)"),
    "standing": (NUMBER, "serial of the charter in force here"),
    "peers": (NUMBER, "serial of the charter that the peer stands under"),
    "held": (EITHER, "what we hold of it: hash, checkpoint, or number of entries"),
    "done": (NUMBER, "steps of a checklist that were done"),
    "file": (HASH, "`H(file)` of a checklist"),
    "list": (HASH, "`H(list)` of a handover"),
    "open": (NUMBER, "steps that nobody came to"),
    "signature": ("string, 128 hex digits", "of the oncoming officer (25.10)"),
    "skipped": (NUMBER, "steps that were skipped for a reason"),
    "here": (TIME, "our wall clock"),
    "kind": (TEXT, "of the statement: `text`, `void`, `test` and so on"),
    "lang": (TEXT, "language tag"),
    "late": (NUMBER, "1 if the time that was promised had come"),
    "last": (NUMBER, "last missing serial"),
    "log_epoch": (NUMBER, "of the new log, or of the peer's"),
    "missed": (NUMBER, "how many in a row"),
    "name": (TEXT, "of the alarm or checklist; of the prekey (hex, 64 digits)"),
    "new": (EITHER, "the new serial; the new charter or configuration (hex)"),
    "note": (TEXT, "a signed checkpoint"),
    "of": (NUMBER, "serial of the earlier statement, or of the one that is challenged"),
    "ours": (NUMBER, "1 if the challenger said the statement, 0 if it was received"),
    "offset_ms": (NUMBER, "peer's clock less ours"),
    "old": (TEXT, "the charter or configuration before (hex)"),
    "party": (TEXT, "in a charter of several parties, the one that an entry is about (26.6)"),
    "other": (TEXT, "party and name of another terminal, or of the one that speaks: `ALPHA/main`"),
    "path": (TEXT, "name of the relay"),
    "paths": (TEXT, "names of the relays, with a space between"),
    "peer": (NUMBER, "the peer's terminal"),
    "peer_log_epoch": (NUMBER, "log epoch of a head of the peer"),
    "peer_root": (HASH, "its root"),
    "until": (TIME, "until when a presence holds, 0 for no end; until when an answer is promised"),
    "peer_size": (NUMBER, "its size"),
    "plane": (TEXT, "`real`, `exercise` or `service`"),
    "presence": (TEXT, "`alive`, `closing`, `consulting`, `declined`, `principal-absent` or `degraded`"),
    "previous": (TEXT, "origin of the log before"),
    "reason": (TEXT, "one of the refusal words; why a log began or ended; why a statement expired"),
    "receipt": (HASH, "`H(content)` of the receipt, `H(body)` of the custody"),
    "relay": (TEXT, "name of the relay"),
    "root": (HASH, "of a log"),
    "serial": (NUMBER, "of the statement; of a charter where the record is of one"),
    "serials": (TEXT, "numbers and ranges: `3-5 8`"),
    "shown": (NUMBER, "1 if it became visible at once"),
    "silent_ms": (NUMBER, "how long the terminal that spoke had not been heard"),
    "size": (NUMBER, "entries of a log; padding class of a non-paper"),
    "state": (TEXT, "state of the path, in small letters"),
    "statement": (HASH, "name of the statement (8.2)"),
    "told": (HASH, "name of what its sender signed for another party under the same serial"),
    "term": (NUMBER, "of the terminal that speaks (23.1)"),
    "terminal": (NUMBER, "our terminal"),
    "through": (NUMBER, "every serial up to here is received, acknowledged or known to the peer"),
    "up": (NUMBER, "paths that are UP"),
    "version": (TEXT, "of the program"),
    "way": (TEXT, "`sent` or `received`"),
    "witnessed": (NUMBER, "entries that a quorum has cosigned"),
}
STATES: Final = {
    SentState.QUEUED: "accepted and durable at this terminal; told by the answer to the submit",
    SentState.RELAYED: "a relay signed for it",
    SentState.DELIVERED: "the peer's terminal signed that it holds it",
    SentState.READ: "an officer of the peer opened it",
    SentState.SHOWN: "an officer of the peer has shown it to the principal",
    SentState.EXPIRED: "its validity ran out, with the reason; an empty statement keeps the serial",
    SentState.RENUMBERED: "goes on under another serial, whose stages follow",
}


# --- reading the code ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Written:
    """A record or alarm as the code writes it: fields at every place, fields at some, commitments."""

    always: set[str]
    sometimes: set[str]
    private: set[str]
    text: str = ""


@cache
def _functions_of(path: Path) -> tuple[ast.FunctionDef, ...]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _functions(folders: Sequence[str], root: Path) -> Iterator[tuple[Path, ast.FunctionDef]]:
    for folder in folders:
        found = sorted((root / folder).glob("*.py")) if (root / folder).is_dir() else [root / folder]
        for path in found:
            yield from ((path.relative_to(root), function) for function in _functions_of(path))


@cache
def _all_calls(function: ast.FunctionDef) -> tuple[tuple[str, ast.Call], ...]:
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    return tuple((getattr(call.func, "attr", "") or getattr(call.func, "id", ""), call) for call in calls)


def _calls(function: ast.FunctionDef, names: Iterable[str]) -> Iterator[ast.Call]:
    yield from (call for name, call in _all_calls(function) if name in names)


def _kinds(argument: ast.expr) -> tuple[str, ...]:
    if isinstance(argument, ast.Constant):
        return (str(argument.value),)
    source = ast.unparse(argument)
    if source in CONSTANTS:
        return (CONSTANTS[source],)
    if source in EXPANDED:
        return EXPANDED[source]
    if source in ("kind", "name"):  # the definition of the call itself
        return ()
    raise TableError(f"a record of a kind that cannot be read: {source}")


def _fields(call: ast.Call) -> tuple[set[str], set[str]]:
    always = {word.arg for word in call.keywords if word.arg is not None}
    sometimes: set[str] = set()
    for word in call.keywords:
        if word.arg is None:
            source = ast.unparse(word.value)
            if source not in SPREAD:
                raise TableError(f"fields from a mapping that cannot be read: {source}")
            sometimes |= set(SPREAD[source])
    return always, sometimes


def _private(call: ast.Call) -> set[str]:
    found: set[str] = set()
    for argument in call.args[1:2]:
        if isinstance(argument, ast.Dict):
            found |= {str(key.value) for key in argument.keys if isinstance(key, ast.Constant)}
        elif (source := ast.unparse(argument)) in PRIVATE:
            found |= set(PRIVATE[source])
        else:
            raise TableError(f"commitments that cannot be read: {source}")
    return found


def _note(found: dict[str, Written], kind: str, always: set[str], sometimes: set[str], private: set[str]) -> Written:
    known = found.get(kind)
    if known is None:
        known = found[kind] = Written(set(always), set(sometimes), set(private))
        return known
    known.sometimes |= sometimes | (known.always ^ always)
    known.always &= always
    known.private |= private
    return known


def records(root: Path = ROOT) -> dict[str, Written]:
    """Every type of ledger entry that the protocol writes, by its type. Raises TableError."""
    found: dict[str, Written] = {}
    for _, function in _functions(["hotline/protocol"], root):
        for call in _calls(function, ["record"]):
            for kind in _kinds(call.args[0]):
                always, sometimes = _fields(call)
                _note(found, kind, always | set(ADDED.get(kind, ())), sometimes, _private(call))
    found["hb.summary"].always -= set(HEAD_FIELDS)
    found["hb.summary"].sometimes |= {*HEAD_FIELDS, "other"}
    _agree("records", found, RECORDS)
    _agree("audits", {f"audit.{kind}" for kind in _audits(root)}, EXPANDED["f'audit.{event.kind}'"])
    return found


def _audits(root: Path) -> set[str]:
    """What whoever looks into the record, or destroys of it, asks to be entered."""
    found = set()
    for _, function in _functions(["hotline/cli", "hotline/endpointd.py"], root):
        for call in _calls(function, ["announce", "request_audit"]):
            place = 1 if ast.unparse(call.func).endswith(("announce", "store.request_audit")) else 2
            if isinstance(call.args[place], ast.Constant):
                found.add(str(ast.literal_eval(call.args[place])))
    return found


def alarms(root: Path = ROOT) -> dict[str, Written]:
    """Every alarm, by its name; `text` is what people are told."""
    found: dict[str, Written] = {}
    accused: dict[str, list[ast.expr]] = {}
    for _, function in _functions(["hotline/protocol"], root):
        for call in _calls(function, ["_accuse"]):
            accused.setdefault(str(ast.literal_eval(call.args[0])), []).append(call.args[1])
    for _, function in _functions(["hotline/protocol"], root):
        for call in _calls(function, ["alarm"]):
            names = {name: [call.args[1]] for name in _kinds(call.args[0])} or accused
            for name, said in names.items():
                written = _note(found, name, *_fields(call), set())
                texts = [text for one in said for text in _texts(_meant(one, function))]
                written.text = " or: ".join(dict.fromkeys(texts))
    return found


def _meant(node: ast.expr, function: ast.FunctionDef) -> ast.expr:
    """What a name stands for: what the function gave it last before that place."""
    given = [
        one
        for one in ast.walk(function)
        if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == ast.unparse(node) and one.lineno < node.lineno
    ]
    return max(given, key=lambda one: one.lineno).value if given else node


def _texts(node: ast.expr) -> list[str]:
    """The words of an alarm; several where the code chooses between them."""
    return [*_texts(node.body), *_texts(node.orelse)] if isinstance(node, ast.IfExp) else [_text(node)]


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        parts = [str(part.value) if isinstance(part, ast.Constant) else "N" for part in node.values]
        return "".join(parts)
    # A text that was made elsewhere and is handed on: the function that makes it has its words.
    made = {
        "text": "our channel test #N has no receipt after N s, or could not be sent",
        "overdue(way, serial)": "the answer to #N that was promised has not come, or has not been given, in time",
    }
    return made.get(ast.unparse(node), "")


def refusals(root: Path = ROOT) -> dict[str, set[str]]:
    """Every refusal word of what comes over the wire, and the files that say it."""
    crypto = [f"hotline/crypto/{name}.py" for name in ("signing", "sealing", "epochs")]
    ledger = [f"hotline/ledger/{name}.py" for name in ("note", "checkpoint", "cosignature", "tree")]
    folders = ["hotline/wire", *crypto, "hotline/protocol", *ledger, "relay/machine.py"]
    found: dict[str, set[str]] = {}
    for path, function in _functions(folders, root):
        for call in _calls(function, ["Malformed", "Untrusted", "NotOpened", "RemoteError", "refuse", "_tell_refusal"]):
            place = 0 if ast.unparse(call.func)[0].isupper() else 1
            words = [part for part in call.args[place : place + 1] if isinstance(part, ast.Constant)]
            for word in words:
                found.setdefault(str(word.value), set()).add(path.as_posix())
    return found


def _agree(what: str, found: Iterable[str], words: Iterable[str]) -> None:
    missing, left = set(found) - set(words), set(words) - set(found)
    if missing or left:
        raise TableError(f"{what}: without words {sorted(missing)}, without code {sorted(left)}")


def _check_fields(*tables: Mapping[str, Written]) -> None:
    used = {name for table in tables for one in table.values() for name in one.always | one.sometimes}
    _agree("fields", used | {"clock", "party"}, FIELDS)


# --- rendering -------------------------------------------------------------------------------------------------------


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for row in rows:
        cells = [" ".join(str(cell).split()).replace("|", "\\|") for cell in row]
        lines.append(("| " + " | ".join(cells) + " |").replace("  |", " |"))
    return "\n".join(lines) + "\n"


def _limits() -> str:
    source = (ROOT / "hotline/limits.py").read_text(encoding="utf-8")
    parts = [(source[: match.start()].count("\n") + 1, match[1]) for match in re.finditer(r"# --- (.+?) -+\n", source)]
    nodes = ast.parse(source).body
    rows: dict[str, list[tuple[str, str, str]]] = {title: [] for _, title in parts}
    for node, after in itertools.pairwise([*nodes, ast.Pass()]):
        if isinstance(node, ast.AnnAssign):
            if not isinstance(after, ast.Expr) or not isinstance(after.value, ast.Constant):
                raise TableError(f"a bound of which nobody says what happens: {ast.unparse(node.target)}")
            name = ast.unparse(node.target)
            title = [title for line, title in parts if line < node.lineno][-1]
            value = getattr(limits, name)
            number = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            rows[title].append((f"`{name}`", number, str(after.value.value)))
    told = "Sizes in bytes, times in milliseconds but where a line says seconds; each says what its bound is for.\n\n"
    return told + "\n".join(
        f"### {title[0].upper()}{title[1:]}\n\n" + _table(["bound", "value", "meaning"], found)
        for title, found in rows.items()
    )


def _profiles() -> str:
    names = [field.name for field in fields(next(iter(PROFILES.values())))][1:]
    rows = [[f"`{name}`", *(getattr(profile, name) for profile in PROFILES.values())] for name in names]
    return _table(["", *PROFILES], rows)


def _comments(root: Path) -> dict[tuple[str, str], str]:
    """(message, field) to the words that stand above it in the schema; ('', message) for the message itself."""
    found: dict[tuple[str, str], str] = {}
    for path in sorted((root / "proto/hotline/wire/v1").glob("*.proto")):
        message, words = "", []
        for line in path.read_text(encoding="utf-8").splitlines():
            text = line.strip()
            if text.startswith("//"):
                words.append(text.removeprefix("//").strip())
                continue
            if begun := re.match(r"(?:message|enum) (\w+) \{", text):
                message = begun[1]
                found["", message] = " ".join(words)
            elif field := re.match(r"(?:repeated )?[\w.]+ (\w+) = \d+;|(\w+) = \d+;", text):
                found[message, field[1] or field[2]] = " ".join(words)
            words = []
    return found


def _type(field: FieldDescriptor) -> str:
    names = {
        getattr(FieldDescriptor, name): name.removeprefix("TYPE_").lower()
        for name in vars(FieldDescriptor)
        if name.startswith("TYPE_")
    }
    kind = field.message_type.name if field.message_type else field.enum_type.name if field.enum_type else ""
    kind = kind or names[field.type]
    return f"repeated {kind}" if field.is_repeated else kind


def _messages(files: Sequence[FileDescriptor]) -> str:
    words = _comments(ROOT)
    made = []
    for file in files:
        for message in file.message_types_by_name.values():
            made.append(_message(message, words))
    return "\n".join(made)


def _message(message: Descriptor, words: Mapping[tuple[str, str], str]) -> str:
    rows = [
        (field.number, f"`{field.name}`", _type(field), words.get((message.name, field.name), ""))
        for field in sorted(message.fields, key=lambda field: field.number)
    ]
    said = words.get(("", message.name), "")
    intro = f"{said}\n\n" if said else ""
    return f"### {message.name}\n\n{intro}" + _table(["number", "field", "type", ""], rows)


def _enumerations(files: Sequence[FileDescriptor]) -> str:
    words = _comments(ROOT)
    enums: list[EnumDescriptor] = [enum for file in files for enum in file.enum_types_by_name.values()]
    rows = [
        (enum.name, value.number, f"`{value.name}`", words.get((enum.name, value.name), ""))
        for enum in enums
        for value in enum.values
    ]
    return _table(["enumeration", "value", "name", ""], rows)


def _paths() -> str:
    rows = [
        [state.name, *(TRANSITIONS[state, what].name if (state, what) in TRANSITIONS else "" for what in PathInput)]
        for state in PathState
    ]
    ignored = [(state.name, what.name, why) for (state, what), why in IGNORED.items()]
    edges = [f"    {state.name} --> {new.name}: {what.name}" for (state, what), new in TRANSITIONS.items()]
    return (
        _table(["state", *(what.name for what in PathInput)], rows)
        + "\n```mermaid\nstateDiagram-v2\n    [*] --> DOWN\n"
        + "\n".join(edges)
        + "\n```\n\nIgnored:\n\n"
        + _table(["state", "input", "why"], ignored)
    )


def _sent() -> str:
    def names(found: frozenset[SentState]) -> str:
        return ", ".join(new.name for new in SentState if new in found)

    rows = [(state.name, STATES[state], names(FOLLOWS[state]), names(FOLLOWS_LOSS[state])) for state in SentState]
    edges = [f"    {state.name} --> {new.name}" for state in SentState for new in SentState if new in FOLLOWS[state]]
    lost = [
        f"    {state.name} --> {new.name}: after a loss of state"
        for state in SentState
        for new in SentState
        if new in FOLLOWS_LOSS[state]
    ]
    return (
        _table(["stage", "meaning", "next", "next, once a side has lost state"], rows)
        + "\n```mermaid\nstateDiagram-v2\n    [*] --> QUEUED\n"
        + "\n".join(edges + lost)
        + "\n```\n"
    )


def _named(written: Written) -> str:
    some = [f"({name})" for name in sorted(written.sometimes - written.always)]
    return ", ".join([*(f"{name}" for name in sorted(written.always)), *some])


def _records(found: Mapping[str, Written]) -> str:
    rows = [
        (f"`{kind}`", _named(found[kind]), ", ".join(sorted(found[kind].private)), RECORDS[kind])
        for kind in sorted(found)
    ]
    told = "Fields in parentheses are there only if there is something to say.\n\n"
    glossary = [(f"`{name}`", kind, meaning) for name, (kind, meaning) in FIELDS.items()]
    return (
        told
        + _table(["type", "fields", "committed", "meaning"], rows)
        + "\n### Fields of records and alarms\n\n"
        + _table(["field", "type", "meaning"], glossary)
    )


def _alarms(found: Mapping[str, Written]) -> str:
    return _table(
        ["alarm", "fields", "what people are told"],
        [(f"`{name}`", _named(found[name]), found[name].text) for name in sorted(found)],
    )


def _documents() -> str:
    models: list[type[BaseModel]] = [body.CharterText, body.PartyEntry, body.TerminalEntry, body.RelayEntryText]
    models += [body.ProfileEntry, body.PolicyEntry, body.AmendsEntry, body.TermsEntry, body.PairEntry]
    models += [cards.IdentityCard, cards.TerminalCard, cards.OfficerCard, cards.RelayCard, cards.PartyOffer]
    made = []
    for model in models:
        schema = model.model_json_schema(by_alias=True)
        rows = [(f"`{name}`", _json_type(part)) for name, part in sorted(schema["properties"].items())]
        said = " ".join((model.__doc__ or "").split("\n\n")[0].split())
        made.append(f"### {model.__name__}\n\n{said}\n\n" + _table(["member", "type"], rows))
    return "\n".join(made)


def _json_type(part: Mapping[str, Any]) -> str:
    if "anyOf" in part:
        return f"{_json_type(part['anyOf'][0])}, or left out"
    if "$ref" in part:
        return f"object {part['$ref'].rsplit('/', 1)[-1]}"
    if "const" in part:
        return f"`{part['const']}`"
    if "enum" in part:
        return " or ".join(f"`{value}`" for value in part["enum"])
    if part["type"] == "array":
        inner = part.get("items") or part["prefixItems"][0]
        least, most = part.get("minItems", 0), part.get("maxItems", "")
        count = f"{least}" if least == most else f"{least} to {most or 'any number'}"
        return f"list of {count}: {_json_type(inner)}"
    if part["type"] == "integer":
        least = part.get("minimum", part.get("exclusiveMinimum", -1) + 1)
        return f"integer, {least} to {part.get('maximum', 'any')}"
    pattern = f" `{part['pattern']}`" if "pattern" in part else ""
    longest = f", at most {part['maxLength']} characters" if "maxLength" in part else ""
    return f"string{pattern}{longest}"


def _labels(root: Path = ROOT) -> str:
    found: dict[str, set[str]] = {}
    types = ", ".join(kind.name.lower().replace("_", "-") for kind in ContentType)
    for folder in ("hotline", "hotline/crypto", "hotline/charter", "hotline/protocol", "hotline/cli", "relay"):
        for path in sorted((root / folder).glob("*.py")):
            source, name = path.read_text(encoding="utf-8"), path.relative_to(root).as_posix()
            labels = re.findall(r'b?"(hotline/v1/[a-z-]+)(?:"|\\x)', source)
            for begin in re.findall(r'f"(hotline/v1/[a-z-]*/?)\{', source):
                kind = begin if begin.count("/") > 2 else f"{begin}({types})/"
                labels.append(f"{kind}(real, exercise, service)")
            for text in labels:
                found.setdefault(text, set()).add(name)
    return _table(["label", "used in"], [(f"`{text}`", ", ".join(_rooms(found[text]))) for text in sorted(found)])


def _rooms(files: Iterable[str]) -> list[str]:
    """The rooms of files: what moves from one file to its neighbour is no news for a reader."""
    return sorted({name.rpartition("/")[0] for name in files})


def render() -> str:
    """The whole of docs/tables.md. Raises TableError."""
    wire = [frame_pb2.DESCRIPTOR, content_pb2.DESCRIPTOR, relay_pb2.DESCRIPTOR, bundle_pb2.DESCRIPTOR]
    written, raised = records(), alarms()
    _check_fields(written, raised)
    texts = _table(["number", "text"], enumerate(TEXTS))
    said = [(f"`{word}`", ", ".join(_rooms(files))) for word, files in sorted(refusals().items())]
    parts = {
        "Limits": _limits(),
        "Profiles": "Milliseconds, messages and bytes; a charter MAY give others.\n\n" + _profiles(),
        "Messages": _messages(wire),
        "Enumerations": _enumerations(wire),
        "Messages of the operator interface": _messages([operator_pb2.DESCRIPTOR]),
        "States of a path": _paths(),
        "States of a sent statement": _sent(),
        "Records": _records(written),
        "Alarms": _alarms(raised),
        "Refusals": "The words of section 15, and where each is said.\n\n" + _table(["word", "said in"], said),
        "Documents": _documents(),
        "Texts of channel tests": "Serial modulo the number of texts chooses.\n\n" + texts,
        "Labels": _labels(),
    }
    contents = "\n".join(f"- [{title}](#{title.lower().replace(' ', '-')})" for title in parts)
    head = (
        "# Tables of the protocol\n\nGenerated from the code by `tools/gen_tables.py`; do not edit. "
        "[protocol.md](protocol.md) says what is normative (2.6). Numbers in parentheses are its clauses.\n\n"
    )
    return head + contents + "\n\n" + "\n".join(f"## {title}\n\n{text}" for title, text in parts.items())


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Write or check; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    options = parser.parse_args(arguments)
    target = root / TARGET
    try:
        text = render()
    except TableError as error:
        print(f"gen_tables: {error}", file=sys.stderr)
        return 2
    if not options.check:
        target.write_text(text, encoding="utf-8")
        return 0
    if target.is_file() and target.read_text(encoding="utf-8") == text:
        return 0
    print(f"differs: {TARGET}; run python tools/gen_tables.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
