"""Fixtures that every test may use."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

import pytest

import hotline  # noqa: F401 - before any test imports gRPC, which reads its environment only once


def pytest_configure() -> None:
    """What tests start hears Ctrl-C and SIGHUP, also where whoever started them (nohup, a script) has them ignored.

    A signal that is ignored stays so across exec(3); one that is handled, if only by nothing, is at its default there.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files begin first: a worker that meets them last works alone at the end."""
    items.sort(key=lambda item: "simulator" not in item.path.parts)


def pytest_collection() -> None:
    """What is collected stays, so that there is no garbage to look for meanwhile."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Thousands of tests stay as they are: the collector need not look at them each time."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of public test vectors, or a reported skip where none is named."""
    named = os.environ.get("HOTLINE_VECTORS")
    if not named:
        pytest.skip("HOTLINE_VECTORS is not set: public test vectors are not on this machine")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"HOTLINE_VECTORS names {folder}, which is not a folder")
    return folder
