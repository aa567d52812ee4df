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

    def copy(self) -> Disk:
        """A backup."""
        tables = {name: dict(rows) for name, rows in self.tables.items()}
        return Disk(tables, self.log.copy())

    def apply(self, change: Change, key: tuple[str, ...]) -> None:
        """One change; `key` names the columns of the table's key."""
        rows = self.tables.setdefault(change.table, {})
        if isinstance(change, Put):
            rows[tuple(change.row[column] for column in key)] = change.row
        else:
            for found in [k for k, row in rows.items() if all(row[c] == v for c, v in change.match.items())]:
                del rows[found]
