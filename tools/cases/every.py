"""Every kind of case."""

from __future__ import annotations

from tools.cases import agreement, bytes_, contents, record, sealed, several, signed
from tools.cases.writing import Cases


def made() -> list[Cases]:
    """All of them, checked against the product's own answers."""
    first = [*bytes_.made(), *contents.made(), *sealed.made(), *agreement.made(), *several.made()]
    return [*first, *record.made(), *signed.made()]
