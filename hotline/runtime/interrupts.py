"""Ctrl-C, SIGTERM and a terminal that was closed: who hears them, and that nothing is torn by them.

What is ignored when a program begins stays ignored: whoever started it (nohup, a script that runs it in the background)
has decided that the keyboard, or the end of its terminal, is not meant for it. SIGTERM is meant for whom it is sent to.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass


def to_end() -> list[signal.Signals]:
    """The signals that end a program in order: SIGTERM, and of SIGINT and SIGHUP what was not ignored at its begin."""
    heeded = [one for one in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(one) is not signal.SIG_IGN]
    return [signal.SIGTERM, *heeded]


@dataclass(slots=True)
class _State:
    """Of the main thread, the only one in which Python handles signals."""

    heard: bool = False
    raised: bool = False
    holding: int = 0

    def hear(self, *_: object) -> None:
        """A signal has come; of several only the first is told."""
        self.heard = True
        if not self.holding:
            self.tell()

    def tell(self) -> None:
        if self.heard and not self.raised:
            self.raised = True
            raise KeyboardInterrupt


_state = _State()


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def once() -> Iterator[None]:
    """The first signal of `to_end` is a KeyboardInterrupt; what comes later does not disturb what that one began.

    For the main thread. Afterwards everything is as it was; but after an interrupt nothing is heard any more, for only
    the end of the program is left.
    """
    _state.heard = _state.raised = False
    former = {number: signal.signal(number, _state.hear) for number in to_end()}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, signal.SIG_IGN if _state.heard else handler)
        _state.heard = _state.raised = False


@contextlib.contextmanager
def whole() -> Iterator[None]:
    """What is done in here is done to its end: an interrupt that comes meanwhile is raised by `look`, or at the end.

    Nothing outside `once`, and in other threads, where no interrupt is raised.
    """
    if not _is_main():
        yield
        return
    _state.holding += 1
    try:
        yield
    finally:
        _state.holding -= 1
        if not _state.holding:
            _state.tell()


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """A part of something `whole` that may be interrupted anywhere, as what takes long should be."""
    if not _is_main():
        yield
        return
    _state.tell()
    holding, _state.holding = _state.holding, 0
    try:
        yield
    finally:
        _state.holding = holding


def look() -> None:
    """Raise the interrupt that has come, if one has: in here nothing is torn by it."""
    if _is_main():
        _state.tell()


def heard() -> bool:
    """Whether an interrupt has come, raised or not."""
    return _state.heard
