"""What survives a power cut in the simulator: tables and, at a terminal, its logs."""

from __future__ import annotations

from dataclasses import dataclass, field

from hotline.drill.simulator.memorylog import MemoryLog
from hotline.machine import Change, Put
from hotline.protocol.tables import Row


@dataclass(slots=True)
class Disk:
    """What survives a crash: operational tables and, at an endpoint, the ledger."""

    tables: dict[str, dict[tuple[object, ...], Row]] = field(default_factory=dict)
    log: MemoryLog = field(default_factory=MemoryLog)

    stages: dict[tuple[object, ...], str] = field(default_factory=dict)
    """Index of the table `sent_fact`: plane, serial and stage, and by whom last; before them the party that a table of
    its own belongs to."""

    def copy(self) -> Disk:
        """A backup."""
        tables = {name: dict(rows) for name, rows in self.tables.items()}
        return Disk(tables, self.log.copy(), dict(self.stages))

    def apply(self, change: Change, key: tuple[str, ...]) -> None:
        """One change; `key` names the columns of the table's key."""
        rows = self.tables.setdefault(change.table, {})
        if isinstance(change, Put):
            place = tuple([change.row[column] for column in key])
            rows[place] = change.row
            name, _, party = change.table.partition("@")
            if name == "sent_fact":
                self.stages[*([party] if party else []), *place[:3]] = str(change.row["by"])
        elif len(change.match) == len(key):
            rows.pop(tuple([change.match[column] for column in key]), None)
        else:
            for found in [k for k, row in rows.items() if all(row[c] == v for c, v in change.match.items())]:
                del rows[found]
