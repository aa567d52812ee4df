"""Writes docs/vectors: the cases of the conformance kit, from fixed inputs alone (docs/conformance.md).

    python -m tools.cases [--check]      with --check: write nothing, exit 1 if a file would change

What a case is refused for is written here by hand, and the product must agree; what an accepted case is read as is
the product's answer, and tests/oracle must agree.
"""
