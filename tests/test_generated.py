"""The committed wire code must be what the schema says, or two terminals would read the same bytes differently."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = Path("proto/hotline/wire/v1/frame.proto")


def _tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


gen_proto = _tool("gen_proto")
lock = _tool("lock")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the schema and the generated code that a test may spoil."""
    for part in ("proto", "hotline/wire/v1"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_committed_code_is_what_the_schema_says(capsys: pytest.CaptureFixture[str]) -> None:
    """A field renumbered in the schema would be read under its old number by whoever installs this tree."""
    status = gen_proto.main(["--check"])
    assert (status, capsys.readouterr().err) == (0, "")


def test_a_changed_schema_is_reported(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check above would pass whatever the committed code says."""
    schema = tree / SCHEMA
    schema.write_text(schema.read_text(encoding="utf-8") + "message Extra { bytes added = 1; }\n", encoding="utf-8")
    assert gen_proto.main(["--check"], tree) == 1
    assert "differs: hotline/wire/v1/frame_pb2.py\n" in capsys.readouterr().err
    assert gen_proto.main([], tree) == 0
    assert gen_proto.main(["--check"], tree) == 0


def test_files_left_over_or_missing_are_reported(tree: Path) -> None:
    """Code of a schema that was removed would stay importable, and with it messages that nobody specified."""
    left = tree / "hotline/wire/v1/frame_pb2_grpc.py"
    left.write_text("", encoding="utf-8")
    (tree / "hotline/wire/v1/frame_pb2.pyi").unlink()
    assert gen_proto.stale(tree) == [
        "missing: hotline/wire/v1/frame_pb2.pyi",
        "left over: hotline/wire/v1/frame_pb2_grpc.py",
    ]
    gen_proto.write(tree)
    assert not left.exists()
    assert gen_proto.stale(tree) == []


def test_a_broken_schema_writes_nothing(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A typing error in the schema would leave half of the wire code new and half of it old."""
    before = {path: (tree / path).read_bytes() for path in gen_proto.generated_in(tree)}
    (tree / SCHEMA).write_text("this is no schema\n", encoding="utf-8")
    assert gen_proto.main([], tree) == 2
    assert "frame.proto" in capsys.readouterr().err
    assert {path: (tree / path).read_bytes() for path in gen_proto.generated_in(tree)} == before


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        ("--index-url https://packages.invalid/simple\n", "an address"),
        ("a @ https://packages.invalid/a.whl \\\n    --hash=sha256:00\n", "an address"),
        ("--find-links /srv/wheels\n", "an option"),
        ("a==1 \\\n    --hash=sha256:00\nb==2\n", "no hash for b==2"),
    ],
)
def test_a_lock_with_an_address_or_without_a_hash_is_refused(spoilt: str, words: str) -> None:
    """Who controls the named address, or the unhashed file, would control the terminals."""
    with pytest.raises(lock.LockError, match=words):
        lock.checked(spoilt)
    assert lock.checked("a==1 \\\n    --hash=sha256:00\n").endswith("a==1 \\\n    --hash=sha256:00\n")


def test_the_lock_covers_what_pyproject_asks_for() -> None:
    """An installation from the lock would lack a package, or take it unchecked from wherever it is found."""
    locked = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    asked = {requirement.split("=")[0].rstrip("<>!~").lower() for requirement in lock.wanted(ROOT)}
    assert "hatchling" in asked
    assert asked <= locked
