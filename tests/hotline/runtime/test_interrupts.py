"""Signals to this very process: which are heard, how often, and what they leave whole."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

import pytest

from hotline.runtime import interrupts

ALL = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


@pytest.fixture(autouse=True)
def started_from_a_terminal() -> Iterator[None]:
    """Whoever runs the tests may ignore what they send."""
    former = {number: signal.signal(number, signal.default_int_handler) for number in ALL}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


@contextlib.contextmanager
def interrupted(where: contextlib.AbstractContextManager[None] | None = None) -> Iterator[None]:
    """In `once`, or elsewhere: what is done here is interrupted."""
    with pytest.raises(KeyboardInterrupt), where or interrupts.once():
        yield


@pytest.mark.parametrize("number", ALL)
def test_only_the_first_is_an_interrupt(number: signal.Signals) -> None:
    """A second Ctrl-C, or the second SIGHUP of a terminal that is closed, would end what ends the processes."""
    cleaned = []
    with interrupted():
        try:
            signal.raise_signal(number)
            cleaned.append("too late")
        finally:
            for again in ALL:
                signal.raise_signal(again)
            cleaned.append("all")
    assert cleaned == ["all"]
    assert not interrupts.heard()
    for last in ALL:  # at the end of the interpreter
        signal.raise_signal(last)


def test_what_is_whole_is_done_to_its_end() -> None:
    """A process that was started, and not yet written down, would run for ever."""
    done = []
    with interrupted():
        with interrupts.whole():
            with interrupts.whole():
                signal.raise_signal(signal.SIGINT)
                done.append("inner")
            assert interrupts.heard()
            done.append("outer")
        done.append("after")
    assert done == ["inner", "outer"]


def test_an_interrupt_is_looked_for_where_nothing_is_torn() -> None:
    """A drill would be played to its end before anybody heard that it was to be given up."""
    done = []
    with interrupts.once(), interrupts.whole():
        interrupts.look()
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            interrupts.look()
        interrupts.look()
        done.append("told once")
    assert done == ["told once"]


def test_a_part_that_takes_long_is_interrupted_anywhere() -> None:
    """Nobody would wait for it."""
    done = []
    with interrupts.once(), interrupts.whole():
        with interrupted(interrupts.listening()):
            signal.raise_signal(signal.SIGHUP)
            done.append("too late")
        done.append("the rest")
    assert done == ["the rest"]


def test_a_part_that_takes_long_is_not_begun_after_an_interrupt() -> None:
    """The second drill of a series would begin for nothing."""
    with interrupts.once(), interrupts.whole():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), interrupts.listening():
            pytest.fail("begun")


def test_what_was_ignored_stays_ignored() -> None:
    """`nohup hotline drill run` would end with its terminal, and a script's Ctrl-C would end its background."""
    # docs/protocol.md 3.8
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert interrupts.to_end() == [signal.SIGTERM]
    with interrupted():
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGINT)
        assert not interrupts.heard()
        signal.raise_signal(signal.SIGTERM)


def test_another_thread_holds_up_nobody() -> None:
    """A fault that is just being made by a hand would hold up the word that ends the drill."""
    inside, over = threading.Event(), threading.Event()

    def hold() -> None:
        with interrupts.whole():
            inside.set()
            over.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(10)
    with interrupted():
        signal.raise_signal(signal.SIGINT)
    over.set()
    thread.join()


def test_without_an_interrupt_everything_is_as_it_was() -> None:
    """What a program does after it would hear nothing, or what it does not expect."""
    with interrupts.once():
        pass
    assert [signal.getsignal(number) for number in ALL] == [signal.default_int_handler] * 3
