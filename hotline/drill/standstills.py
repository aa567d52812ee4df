"""When the machine that a drill runs on stands still: what is measured meanwhile says nothing about the hotline.

A statement is delivered when it is stored, and no hotline stores faster than its disk. On a machine that shares its
disk with others, one sync of one page has been seen to take 578 ms; on a quiet disk it takes less than one.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

STANDSTILL_MS: Final = 100.0
"""A sync of one page takes less than a millisecond, and ten where others write."""
EVERY_MS: Final = 50.0
"""How often it is tried: a standstill is up to so much longer than what was seen of it."""
_PAGE: Final = 4_096
_PAGES: Final = 64

Told = Callable[[str, float], None]
"""What stood still (disk, processor), and for how many milliseconds until now."""


class Watch:
    """Syncs a page of a file of its own, and looks at the clock, twenty times a second while it is open.

    `told` is called from a thread of its own for each sync and each waking that came STANDSTILL_MS late. The file is
    made in `folder`, which is to be on the disk of what is measured. Raises OSError if it cannot be made.
    """

    def __init__(self, folder: Path, told: Told) -> None:
        self._told = told
        self._path = folder / "watched-disk"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="standstills", daemon=True)
        self._path.write_bytes(bytes(_PAGE * _PAGES))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._path.unlink(missing_ok=True)

    def _watch(self) -> None:
        descriptor = os.open(self._path, os.O_RDWR)
        try:
            os.fsync(descriptor)  # from now on a sync writes one page and no file
            turn = 0
            while True:
                slept = time.monotonic()
                if self._over.wait(EVERY_MS / 1_000):
                    return
                self._look("processor", slept + EVERY_MS / 1_000)
                begun = time.monotonic()
                os.pwrite(descriptor, os.urandom(_PAGE), turn % _PAGES * _PAGE)
                os.fdatasync(descriptor)
                self._look("disk", begun)
                turn += 1
        finally:
            os.close(descriptor)

    def _look(self, what: str, due: float) -> None:
        late = (time.monotonic() - due) * 1_000
        if late > STANDSTILL_MS:
            self._told(what, late)
