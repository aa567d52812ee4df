"""Whether the disk of this machine stood still: what is measured meanwhile says nothing about the hotline."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

STANDSTILL_MS: Final = 100
"""A sync of one page takes less than a millisecond, and ten where others write."""
_EVERY_SECONDS: Final = 0.05
_PAGES: Final = 64


class WatchedDisk:
    """Syncs a page of a file of its own twenty times a second while it is open; `worst_ms` is the slowest sync."""

    def __init__(self, folder: Path) -> None:
        self.worst_ms = 0.0
        self._path = folder / "watched-disk"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watched-disk", daemon=True)

    def __enter__(self) -> Self:
        self._path.write_bytes(bytes(4_096 * _PAGES))
        os.sync()  # what others have left to be written
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        descriptor = os.open(self._path, os.O_RDWR)
        try:
            turn = 0
            while not self._over.wait(_EVERY_SECONDS):
                os.pwrite(descriptor, os.urandom(4_096), turn % _PAGES * 4_096)
                begun = time.monotonic()
                os.fdatasync(descriptor)
                self.worst_ms = max(self.worst_ms, (time.monotonic() - begun) * 1_000)
                turn += 1
        finally:
            os.close(descriptor)

    @property
    def stood_still(self) -> bool:
        """So far."""
        return self.worst_ms > STANDSTILL_MS
