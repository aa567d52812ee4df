"""What happened in a drill, one JSON object a line, in order of time: everything the report says comes from here.

Every entry has `t`, milliseconds since the steady state was reached (negative before it), and `kind`:

| kind | further fields |
|---|---|
| `drill` | first: `plan` (the file as JSON), `digest`, `seed`, `started` (ISO, UTC), `simulated`, `environment` |
| `steady` | `holds`, `within_ms` |
| `said` | `id`, `from`, `serial`, `plane`, `precedence`, `lang`, `bytes`, `label` (a `say`'s text, else empty) |
| `stage` | `id`, `stage` (relayed, delivered, read, expired, renumbered), `by` |
| `shown` | `id`, `by` (party), `repeat` |
| `refused-to-say` | `from`, `text`: a terminal did not accept a statement |
| `inject`, `undo` | `n` (index in the file), `name`, `fault`, `target`, `text` |
| `inject-failed` | the same; `text`: why it could not be brought about. A drill with one proves nothing |
| `path` | `by`, `path`, `state` |
| `alarm` | `by`, `name`, `text` |
| `refused` | `by`, `path`, `reason` |
| `presence` | `by` (who was told), `of` (party whose word it is), `word` |
| `corrected` | `id` (what was corrected or retracted), `by` (who was told), `state`, `correction` (serial) |
| `speaks` | `by` (who was told), `terminal` (PARTY/name, which speaks for its party from now on), `term` |
| `promise` | `by` (who was told), `id` (a statement to which an answer is promised) |
| `promise-kept` | `by`, `id`, `late`: the answer has come |
| `phrase` | `by` (who opened it), `id`, `code`, `agrees` (with his book), `text` (what is wrong) |
| `challenge` | `from`, `serial` (of the question), `id` (the statement that is doubted) |
| `challenge-answered` | `by` (who was told), `serial` (of the question), `verdict`, `whose` (record, officer) |
| `checklist` | `from`, `name`, `done`, `skipped` (steps): an officer went through it, and it is on record |
| `charter` | `by` (who was told), `state` (ready, in-force, agreed), `serial` |
| `event` | `by`, `event`: any other event that a terminal told |
| `poll` | `by`, `heard_ms`, `up`, `waiting`: what `status` says, several times a second |
| `steady-again` | both sides have every path up and nothing waits |
| `exit` | `process`, `code`, `asked` (whether the drill had asked for it) |
| `version` | `process`, `to` (the version that was asked for), `outcome` (serves, refused, failed), `text` |
| `memory` | `process`, `mib` |
| `standstill` | `what` (disk, processor), `ms`: this machine, not the hotline, stood still from `t` on |
| `ledger` | `by`, `size`, `log_epoch`, `root`, `verified`, `text` |
| `agree` | `holds`, `text`: both ledgers compared |
| `plaintext` | `place`: a text of the drill was found there |
| `note` | `text` |
| `end` | `outcome` (ended, aborted, interrupted), `text` |

`by` names a terminal: PARTY, and PARTY-alt for an alternate. So does `terminal` on `said`, `refused-to-say` and
`stage`: the alternate at which it was said or told; without it, the first one of the sender. `id` is
SENDER/plane/serial; for the stage `renumbered`, `by` is the new serial. `late` on a stage or a showing: its time is
that of a question afterwards, so it is too late, never too early. On `refused-to-say`, `code` is the terminal's word
for it, empty if it did not answer, and `label` that of `said`. `hears` on a poll: the terminals that travel and are
heard there, as PARTY/name.
Among three parties SENDER is PARTY:READER, and a statement is `said` once to each reader. FIELDS says what an entry
must have at least.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from hotline.errors import Malformed

Entry = dict[str, Any]

SCHEMA: Final = "hotline.drill-journal/1"
"""Stands in the first entry."""

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "drill": {
        "plan": "object",
        "digest": "text",
        "seed": "integer",
        "started": "text",
        "simulated": "truth",
        "environment": "object",
    },
    "steady": {"holds": "truth", "within_ms": "number or null"},
    "said": {
        "id": "text",
        "from": "text",
        "serial": "integer",
        "plane": "text",
        "precedence": "text",
        "lang": "text",
        "bytes": "integer",
        "label": "text",
    },
    "stage": {"id": "text", "stage": "text", "by": "text"},
    "shown": {"id": "text", "by": "text", "repeat": "truth"},
    "refused-to-say": {"from": "text", "text": "text"},
    "inject": {"n": "integer", "name": "text", "fault": "text", "target": "text", "text": "text"},
    "undo": {"n": "integer", "name": "text", "fault": "text", "target": "text", "text": "text"},
    "inject-failed": {"n": "integer", "name": "text", "fault": "text", "target": "text", "text": "text"},
    "path": {"by": "text", "path": "text", "state": "text"},
    "alarm": {"by": "text", "name": "text", "text": "text"},
    "refused": {"by": "text", "path": "text", "reason": "text"},
    "presence": {"by": "text", "of": "text", "word": "text"},
    "corrected": {"id": "text", "by": "text", "state": "text", "correction": "integer"},
    "speaks": {"by": "text", "terminal": "text", "term": "integer"},
    "promise": {"by": "text", "id": "text"},
    "promise-kept": {"by": "text", "id": "text", "late": "truth"},
    "phrase": {"by": "text", "id": "text", "code": "text", "agrees": "truth", "text": "text"},
    "challenge": {"from": "text", "serial": "integer", "id": "text"},
    "challenge-answered": {"by": "text", "serial": "integer", "verdict": "text", "whose": "text"},
    "checklist": {"from": "text", "name": "text", "done": "integer", "skipped": "integer"},
    "charter": {"by": "text", "state": "text", "serial": "integer"},
    "event": {"by": "text", "event": "text"},
    "poll": {"by": "text", "heard_ms": "number or null", "up": "integer", "waiting": "integer or null"},
    "steady-again": {},
    "exit": {"process": "text", "code": "integer", "asked": "truth"},
    "version": {"process": "text", "to": "text", "outcome": "text", "text": "text"},
    "memory": {"process": "text", "mib": "number"},
    "standstill": {"what": "text", "ms": "number"},
    "ledger": {
        "by": "text",
        "size": "integer",
        "log_epoch": "integer",
        "root": "text",
        "verified": "truth",
        "text": "text",
    },
    "agree": {"holds": "truth", "text": "text"},
    "plaintext": {"place": "text"},
    "note": {"text": "text"},
    "end": {"outcome": "text", "text": "text"},
}
"""Kind to the fields that an entry of it has, each with its type: what whoever reads a journal may rely upon."""
_FARTHEST_MS: Final = 1e12
"""No time of a drill is farther from its steady state: thirty years."""


class Journal:
    """The entries of one run, kept in memory and, if a file is given, written line by line as they come."""

    def __init__(self, path: Path | None = None) -> None:
        self.entries: list[Entry] = []
        self._file = path.open("w", encoding="utf-8") if path is not None else None

    def add(self, at_ms: float, kind: str, **fields: object) -> Entry:
        """One more entry."""
        schema = {"schema": SCHEMA} if kind == "drill" else {}
        entry: Entry = {"t": round(at_ms, 3), "kind": kind, **schema, **fields}
        self.entries.append(entry)
        if self._file is not None:
            self._file.write(spell(entry))
            self._file.flush()
        return entry

    def finish(self) -> None:
        """No more entries. The file is written anew in order of time: some entries are told late."""
        head, rest = self.entries[:1], self.entries[1:]
        self.entries = [*head, *sorted(rest, key=lambda entry: (entry["kind"] == "end", entry["t"]))]
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
            self._file.writelines(spell(entry) for entry in self.entries)
            self._file.close()
            self._file = None


def spell(entry: Entry) -> str:
    """The line of one entry, in ASCII: no text of a peer can act on the screen of whoever looks at the file."""
    return json.dumps(entry, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n"


def read_journal(path: Path) -> list[Entry]:
    """The entries of a journal file. Raises Malformed naming the line, OSError.

    A last line without an end is left out: it is what a run leaves that was killed while it wrote.
    """
    *lines, unfinished = path.read_bytes().split(b"\n")
    del unfinished
    entries: list[Entry] = []
    for number, line in enumerate(lines, 1):
        try:
            value = json.loads(line, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise Malformed("journal", f"line {number} is not JSON") from error
        problem = problem_of(value)
        if problem:
            raise Malformed("journal", f"line {number}: {problem}")
        entries.append(value)
    if not entries or entries[0]["kind"] != "drill":
        raise Malformed("journal", "does not begin with the entry `drill`")
    return entries


def problem_of(value: object) -> str:
    """Why `value` is no entry, or what it lacks; empty if it is one. Unknown kinds may have anything."""
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        return "no entry"
    kind = str(value["kind"])
    for name, type_ in {"t": "number", **FIELDS.get(kind, {})}.items():
        if name not in value:
            return f"{kind} without {name}"
        if not any(_IS[one](value[name]) for one in type_.split(" or ")):
            return f"{kind}: {name} is not: {type_}"
    return "" if abs(value["t"]) <= _FARTHEST_MS else f"{kind}: t is no time of a drill"


def _no_number(word: str) -> float:
    raise ValueError(word)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_IS: Final[Mapping[str, Callable[[object], bool]]] = {
    "text": lambda value: isinstance(value, str),
    "integer": _is_integer,
    "number": lambda value: _is_integer(value) or (isinstance(value, float) and math.isfinite(value)),
    "truth": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}


def of_kind(entries: Iterable[Entry], *kinds: str) -> list[Entry]:
    """The entries of these kinds, in order."""
    return [entry for entry in entries if entry["kind"] in kinds]
