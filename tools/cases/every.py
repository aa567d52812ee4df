"""Every kind of case."""

from __future__ import annotations

from tools.cases import agreement, bytes_, contents, record, sealed, signed
from tools.cases.writing import Cases


def made() -> list[Cases]:
    """All of them, checked against the product's own answers."""
    return [*bytes_.made(), *contents.made(), *sealed.made(), *agreement.made(), *record.made(), *signed.made()]
