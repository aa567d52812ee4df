"""The oracle: an implementation of its own, from the specification, on another library."""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotline.conformance.kit import CaseSet, check, default_vectors, is_right, load
from hotline.crypto.signing import check_public_key, verify_raw
from hotline.errors import Untrusted
from tests import oracle
from tests.oracle import primitives, protobuf

FOLDER = Path(oracle.__file__).parent
SETS = {one.kind: one for one in load(default_vectors())}
OURS = {"hotline", "relay", "google", "nacl", "cryptography", "pydantic", "grpc"}


def imported() -> Iterator[str]:
    """Every module that a file of the oracle imports, wherever it does."""
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module or "."


def test_it_imports_nothing_of_ours() -> None:
    """A fault of the product would be its own fault too, and both would agree."""
    names = set(imported())
    lawful = {name for name in names if name.split(".")[0] in sys.stdlib_module_names | {"Crypto"}}
    assert {name for name in names - lawful if not name.startswith("tests.oracle")} == set()
    assert "importlib" not in names


def test_it_runs_where_nothing_of_ours_is_loaded() -> None:
    """The same, by what is really loaded when it answers."""
    program = (
        "import sys; from tests import oracle; "
        f"oracle.answer('pae', {{}}, {{'label': 'x', 'parts': []}}); print({sorted(OURS)!r} and "
        f"sorted(set(name.split('.')[0] for name in sys.modules) & set({sorted(OURS)!r})))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=FOLDER.parents[1], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.parametrize("one", SETS.values(), ids=list(SETS))
def test_it_answers_every_case_as_expected(one: CaseSet) -> None:
    """The specification would not be enough to talk to us (docs/protocol.md 2.2, 6.2, 7.3, 7.5, 7.10, 7.14)."""
    wrong = {
        case.id: (case.why, case.expected, given)
        for case in one.cases
        if not is_right(case.expected, given := oracle.answer(one.kind, one.given, case.asked))
    }
    assert wrong == {}


def test_it_answers_files_of_questions(tmp_path: Path) -> None:
    """Whoever writes a third implementation would follow a format that nobody uses."""
    asked, answered = tmp_path / "questions", tmp_path / "answers"
    asked.mkdir()
    few = [SETS[kind] for kind in ("pae", "header", "leaf", "window")]
    for one in few:
        (asked / f"{one.kind}.json").write_text(json.dumps(one.questions()))
    oracle.answer_all(asked, answered)
    for result in check(few, answered):
        assert (result.wrong, result.missing, result.fault) == ([], [], "")
        assert result.right == len(SETS[result.kind].cases)


def test_its_messages_are_those_of_the_schema() -> None:
    """It would read fields that nobody writes, and not see the ones that somebody does (docs/protocol.md 4.5)."""
    from hotline.wire.v1 import bundle_pb2, content_pb2, frame_pb2, relay_pb2

    kinds = {"uint32": "u32", "uint64": "u64", "fixed32": "f32", "enum": "enum", "bool": "bool"}
    names = {13: "uint32", 4: "uint64", 7: "fixed32", 14: "enum", 8: "bool", 9: "string", 12: "bytes"}
    for name, fields in protobuf.MESSAGES.items():
        holder = "AttachRequest" if name == "Parcel" else name
        module = next(one for one in (content_pb2, frame_pb2, relay_pb2, bundle_pb2) if hasattr(one, holder))
        theirs: dict[int, Any] = {}
        for field in getattr(module, holder).DESCRIPTOR.fields:
            kind = field.message_type.name if field.message_type else names[field.type]
            label = "many" if field.is_repeated else "arm" if field.containing_oneof else ""
            theirs[field.number] = protobuf.Field(field.name, kinds.get(kind, kind), label)
        assert fields == theirs, name


@pytest.mark.parametrize(("kind", "overhead"), [(0, 138), (1, 1_310), (2, 138), (3, 1_310)])
def test_overhead_is_within_the_wire_budget(kind: int, overhead: int) -> None:
    """A statement would take longer on a slow line than was promised (docs/protocol.md 6.4)."""
    accepted = [case for case in SETS["envelope"].cases if case.expected["accept"]]
    of_kind = [bytes.fromhex(case.asked["envelope"]) for case in accepted]
    sealed = [envelope for envelope in of_kind if envelope[1] == kind]
    assert sealed
    for envelope in sealed:
        # Type, length and signature are counted as overhead, and lie in the padding.
        assert len(envelope) - overhead + 68 in (128, 256, 512, 1_024, 34_816)


def verdicts(public: bytes, signature: bytes, message: bytes) -> tuple[bool, bool]:
    """What the product says of a signature, and of its key at enrolment."""
    try:
        verify_raw(public, signature, message)
        holds = True
    except Untrusted:
        holds = False
    try:
        check_public_key(public)
    except Untrusted:
        return holds, False
    return holds, True


@pytest.mark.vectors
def test_its_ed25519_is_as_strict_as_libsodium(vectors: Path) -> None:
    """Two implementations would disagree on what is evidence (docs/protocol.md 5.2)."""
    cases = [
        (case["key"], case["sig"], case["msg"].encode().hex())
        for case in json.loads((vectors / "cctv_ed25519vectors.json").read_text())
    ]
    cases += [
        (case["pub_key"], case["signature"], case["message"])
        for case in json.loads((vectors / "novifinancial-ed25519-speccheck-cases.json").read_text())
    ]
    assert len(cases) == 926
    for texts in cases:
        public, signature, message = (bytes.fromhex(text) for text in texts)
        theirs = primitives.signed(public, signature, message), primitives.is_signing_key(public)
        assert theirs == verdicts(public, signature, message), texts


def test_its_ed25519_refuses_what_libsodium_refuses() -> None:
    """The same where the public vectors are not at hand: S + L, R and keys of small order (docs/protocol.md 5.2)."""
    prekey = SETS["prekey"]
    public = bytes.fromhex(prekey.given["public"])
    small = (1).to_bytes(32, "little")
    for case in prekey.cases:
        body, signature = bytes.fromhex(case.asked["body"]), bytes.fromhex(case.asked["signature"])
        message = primitives.pae(
            "hotline/v1/prekey", bytes.fromhex(prekey.given["charter"]), (2).to_bytes(2, "big"), body
        )
        assert primitives.signed(public, signature, message) == verdicts(public, signature, message)[0], case.why
    assert not primitives.signed(small, small + bytes(32), b"any message")
    assert not primitives.is_signing_key(small)
    assert primitives.is_signing_key(public)


def test_hkdf_of_the_rfc() -> None:
    """Both sides could share a fault of the derivation (docs/protocol.md 2.5; RFC 5869, appendix A.1)."""
    made = primitives.hkdf(bytes(range(13)), b"\x0b" * 22, bytes(range(0xF0, 0xFA)), 42)
    assert made.hex() == ("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
    assert primitives.sha256(b"") == hashlib.sha256(b"").digest()
