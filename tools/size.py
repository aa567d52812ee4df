"""Sizes of the trusted zones: code lines, lines, and the packages that each zone imports.

A code line holds at least one token that is neither a comment nor a docstring; generated files do not count. What a
reviewer must read before believing the hotline stays countable. Run: python tools/size.py [--check]
"""

from __future__ import annotations

import argparse
import ast
import io
import sys
import tokenize
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
GENERATED = "hotline/wire/v1"
ZONES = {
    "crypto": ("hotline/crypto",),
    "token": ("hotline/token.py",),
    "wire": ("hotline/wire",),
    "protocol": ("hotline/protocol",),
    "ledger": ("hotline/ledger",),
    "charter": ("hotline/charter",),
    "base": tuple(f"hotline/{name}.py" for name in ("machine", "errors", "limits", "civil", "safetext", "files")),
    "relay": ("relay",),
    "runtime": ("hotline/runtime", "hotline/endpointd.py", "hotline/materials.py", "hotline/config.py"),
    "cli": ("hotline/cli", "hotline/phrasebook.py", "hotline/__main__.py"),
    "drill": ("hotline/drill",),
    "conformance": ("hotline/conformance",),
}
"""Folders and files of each zone."""
BOUNDS = {"crypto": 600, "token": 280}
"""Code lines that a zone may have."""
_SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


class Size(NamedTuple):
    """What was counted of one zone."""

    files: int
    code: int
    lines: int
    packages: frozenset[str]


def _docstring_lines(tree: ast.AST) -> set[int]:
    """Lines of strings that stand alone as statements: docstrings, also those of attributes."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def code_lines(source: str) -> int:
    """Lines that hold code. A string over several lines that is a value counts with each of its lines."""
    counted: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _SILENT:
            counted.update(range(token.start[0], token.end[0] + 1))
    return len(counted - _docstring_lines(ast.parse(source)))


def packages(source: str) -> set[str]:
    """Foreign packages that `source` imports anywhere; the standard library and our own rooms do not count."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    # google.protobuf is the one package that lies in a shared namespace.
    return {name.replace("google", "protobuf") for name in names - sys.stdlib_module_names - {"hotline", "relay"}}


def files_of(zone: str, root: Path = ROOT) -> list[Path]:
    """The written Python files of a zone."""
    found: list[Path] = []
    for place in ZONES[zone]:
        path = root / place
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return [path for path in found if not path.is_relative_to(root / GENERATED)]


def measure(zone: str, root: Path = ROOT) -> Size:
    """Count one zone."""
    sources = [path.read_text(encoding="utf-8") for path in files_of(zone, root)]
    names = frozenset().union(*(packages(source) for source in sources))
    return Size(len(sources), sum(map(code_lines, sources)), sum(text.count("\n") for text in sources), names)


def excess(sizes: dict[str, Size]) -> list[str]:
    """What is larger than its bound, in words."""
    return [
        f"{zone}: {sizes[zone].code} code lines, {bound} are allowed: move out what need not be trusted with keys"
        for zone, bound in BOUNDS.items()
        if zone in sizes and sizes[zone].code > bound
    ]


def main() -> int:
    """Print the table; with --check, fail if a bound is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if a zone has more code lines than it may")
    check: bool = parser.parse_args().check
    sizes = {zone: measure(zone) for zone in ZONES}
    print(f"{'zone':<12}{'files':>6}{'code':>7}{'lines':>7}{'bound':>7}  packages")
    for zone, size in sizes.items():
        bound = str(BOUNDS.get(zone, ""))
        print(f"{zone:<12}{size.files:>6}{size.code:>7}{size.lines:>7}{bound:>7}  {' '.join(sorted(size.packages))}")
    total = [sum(size[part] for size in sizes.values()) for part in (0, 1, 2)]
    print(f"{'all':<12}{total[0]:>6}{total[1]:>7}{total[2]:>7}")
    wrong = excess(sizes)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
