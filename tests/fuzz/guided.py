"""One target under Atheris (libFuzzer): python -m tests.fuzz.guided TARGET [libFuzzer's options and folders].

Atheris is no dependency of the project: it exists for few platforms, and only long runs need it (docs/decisions/0011).
"""

from __future__ import annotations

import gc
import sys

import atheris  # type: ignore[import-not-found]

with atheris.instrument_imports(include=["hotline", "relay", "tomllib"]):
    from tests.fuzz.every import EVERY
    from tests.fuzz.targets import refused


def main() -> None:
    """Never returns: libFuzzer ends the process."""
    target = EVERY[sys.argv[1]]

    def one(data: bytes) -> None:
        refused(target.run, data)

    refused(target.run, b"")  # what is made once is made now, and is no longer looked through for what to throw away
    gc.freeze()
    gc.set_threshold(200_000)
    atheris.Setup([sys.argv[0], *sys.argv[2:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
