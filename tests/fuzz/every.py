"""Every target by its name."""

from __future__ import annotations

from tests.fuzz.agreement import AGREEMENT
from tests.fuzz.evidence import EVIDENCE
from tests.fuzz.machines import MACHINES
from tests.fuzz.operators import OPERATORS
from tests.fuzz.papers import PAPERS
from tests.fuzz.several import SEVERAL
from tests.fuzz.siblings import TERMINALS
from tests.fuzz.targets import TARGETS

PARSERS = {**TARGETS, **PAPERS, **EVIDENCE, **AGREEMENT}
"""What reads bytes, and keeps nothing of them."""
EVERY = {**PARSERS, **MACHINES, **SEVERAL, **TERMINALS, **OPERATORS}
