"""One target under Atheris (libFuzzer): python -m tests.fuzz.guided TARGET [libFuzzer's options and folders].

Atheris is no dependency of the project: it exists for few platforms, and only long runs need it (docs/decisions/0011).
"""

from __future__ import annotations

import sys

import atheris  # type: ignore[import-not-found]

with atheris.instrument_imports(include=["hotline", "relay", "tomllib"]):
    from tests.fuzz.machines import MACHINES
    from tests.fuzz.operators import OPERATORS
    from tests.fuzz.papers import PAPERS
    from tests.fuzz.targets import TARGETS, refused


def main() -> None:
    """Never returns: libFuzzer ends the process."""
    target = {**TARGETS, **PAPERS, **MACHINES, **OPERATORS}[sys.argv[1]]

    def one(data: bytes) -> None:
        refused(target.run, data)

    atheris.Setup([sys.argv[0], *sys.argv[2:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
