"""The ports of a machine of the simulator: saved rows and committed history, as they lie on a disk of memory."""

from __future__ import annotations

from collections.abc import Mapping

from hotline.drill.simulator.disk import Disk
from hotline.machine import Plane
from hotline.protocol.tables import NO_CORRECTION, NO_RUNG, Correction, Row, Rung, SentRow, scoped


class Shelf:
    """What a disk holds of one other party; of the first, or only one, the tables have no name of their own."""

    def __init__(self, disk: Disk, party: str = "") -> None:
        self._disk, self._party = disk, party
        self._whose = (party,) if party else ()

    def _table(self, name: str) -> Mapping[tuple[object, ...], Row]:
        return self._disk.tables.get(scoped(name, self._party), {})

    def rows(self, table: str) -> list[Row]:
        """Every row of a live table, in an order that is the same in every run."""
        rows = self._table(table)
        return [rows[key] for key in sorted(rows, key=repr)]

    def sent(self, plane: Plane, serial: int) -> SentRow | None:
        """Our statement with this serial."""
        row = self._table("sent").get((plane.value, serial))
        return None if row is None else SentRow(*(octets(row[column]) for column in ("content", "signature", "hash")))

    def sent_hash(self, plane: Plane, serial: int) -> bytes | None:
        """Hash of our statement with this serial."""
        row = self._table("sent").get((plane.value, serial))
        return None if row is None else octets(row["hash"])

    def received(self, plane: Plane, serial: int) -> bytes | None:
        """Content of the peer's statement with this serial."""
        row = self._table("received").get((plane.value, serial))
        return None if row is None else octets(row["content"])

    def received_hash(self, plane: Plane, serial: int) -> bytes | None:
        """Hash of the peer's statement with this serial."""
        row = self._table("received").get((plane.value, serial))
        return None if row is None else octets(row["hash"])

    def received_signed(self, plane: Plane, serial: int) -> SentRow | None:
        """The peer's statement with this serial, with its signature."""
        row = self._table("received").get((plane.value, serial))
        return None if row is None else SentRow(*(octets(row[column]) for column in ("content", "signature", "hash")))

    def is_nonpaper(self, way: str, plane: Plane, serial: int) -> bool:
        """Whether the statement of this way and serial was said without prejudice: it alone has no signature."""
        row = self._table(way).get((plane.value, serial))
        return row is not None and not row["signature"]

    def received_draft(self, draft: bytes) -> tuple[Plane, int] | None:
        """Plane and serial of the released statement of the peer that has used this draft up."""
        row = self._table("received_draft").get((draft,))
        return None if row is None else (Plane(str(row["plane"])), int(str(row["serial"])))

    def authority(self, plane: Plane, serial: int) -> str:
        """What the release of the peer's statement was found to be worth."""
        row = self._table("received_fact").get((plane.value, serial, "authority"))
        return "" if row is None else str(row["by"])

    def has_sent_fact(self, plane: Plane, serial: int, stage: str) -> bool:
        """Whether this stage is already known of our statement."""
        return (*self._whose, plane.value, serial, stage) in self._disk.stages

    def moved_to(self, plane: Plane, serial: int) -> int:
        """The serial under which our statement of this one goes on; 0 if it was not renumbered."""
        return int(self._disk.stages.get((*self._whose, plane.value, serial, "renumbered"), 0))

    def correction(self, way: str, plane: Plane, serial: int, name: bytes) -> Correction:
        """The newest that corrects or retracts the statement of this serial and name; NO_CORRECTION if nothing does."""
        rows, wanted = self._table("correction"), (way, plane.value, serial)
        found = [row for key, row in rows.items() if key[:3] == wanted and row["named"] == name]
        made = [Correction(int(str(row["first"])), int(str(row["by"])), str(row["stage"])) for row in found]
        return max(made, default=NO_CORRECTION)

    def rung(self, way: str, plane: Plane, serial: int, stage: str) -> Rung:
        """What stands on this rung of a statement; NO_RUNG if nothing does."""
        row = self._table("ladder").get((way, plane.value, serial, stage))
        return NO_RUNG if row is None else Rung(*(int(str(row[column])) for column in Rung._fields))


def octets(value: str | int | bytes | None) -> bytes:
    """The value of a column that holds bytes."""
    assert isinstance(value, bytes)
    return value
