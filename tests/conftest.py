"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import hotline  # noqa: F401 - before any test imports gRPC, which reads its environment only once


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
