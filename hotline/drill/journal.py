"""What happened in a drill, one JSON object a line, in order of time: everything the report says comes from here.

Every entry has `t`, milliseconds since the steady state was reached (negative before it), and `kind`:

| kind | further fields |
|---|---|
| `drill` | first entry: `plan` (the file's content as JSON), `digest`, `seed`, `started` (ISO, UTC), `simulated`, `environment` |
| `steady` | `holds`, `within_ms` |
| `said` | `id`, `from`, `serial`, `plane`, `precedence`, `lang`, `bytes`, `label` (a `say`'s text, else empty) |
| `stage` | `id`, `stage` (relayed, delivered, read, expired, renumbered), `by` |
| `shown` | `id`, `by` (party), `repeat` |
| `refused-to-say` | `from`, `text`: a terminal did not accept a statement |
| `inject`, `undo` | `n` (index in the file), `name`, `fault`, `target`, `text` |
| `path` | `by`, `path`, `state` |
| `alarm` | `by`, `name`, `text` |
| `refused` | `by`, `path`, `reason` |
| `event` | `by`, `event`: any other event that a terminal told |
| `poll` | `by`, `heard_ms`, `up`, `waiting`: what `status` says, several times a second |
| `steady-again` | both sides have every path up and nothing waits |
| `exit` | `process`, `code`, `asked` (whether the drill had asked for it) |
| `memory` | `process`, `mib` |
| `ledger` | `by`, `size`, `log_epoch`, `root`, `verified`, `text` |
| `agree` | `holds`, `text`: both ledgers compared |
| `plaintext` | `place`: a text of the drill was found there |
| `note` | `text` |
| `end` | `outcome` (ended, aborted, interrupted), `text` |

`id` is SENDER/plane/serial.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hotline.errors import Malformed

Entry = dict[str, Any]


class Journal:
    """The entries of one run, kept in memory and, if a file is given, written line by line as they come."""

    def __init__(self, path: Path | None = None) -> None:
        self.entries: list[Entry] = []
        self._file = path.open("w", encoding="utf-8") if path is not None else None

    def add(self, at_ms: float, kind: str, **fields: object) -> Entry:
        """One more entry."""
        entry: Entry = {"t": round(at_ms, 3), "kind": kind, **fields}
        self.entries.append(entry)
        if self._file is not None:
            self._file.write(spell(entry))
            self._file.flush()
        return entry

    def close(self) -> None:
        """No more entries."""
        if self._file is not None:
            self._file.close()


def spell(entry: Entry) -> str:
    """The line of one entry."""
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n"


def read_journal(path: Path) -> list[Entry]:
    """The entries of a journal file. Raises Malformed naming the line, OSError."""
    entries: list[Entry] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise Malformed("journal", f"line {number} is not JSON") from error
        if (
            not isinstance(entry, dict)
            or not isinstance(entry.get("kind"), str)
            or not isinstance(entry.get("t"), int | float)
        ):
            raise Malformed("journal", f"line {number} is no entry")
        entries.append(entry)
    if not entries or entries[0]["kind"] != "drill":
        raise Malformed("journal", "does not begin with the entry `drill`")
    return entries


def of_kind(entries: Iterable[Entry], *kinds: str) -> list[Entry]:
    """The entries of these kinds, in order."""
    return [entry for entry in entries if entry["kind"] in kinds]
