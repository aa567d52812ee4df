"""Generate the wire code from proto/: `gen_proto.py` writes it, `gen_proto.py --check` says whether it is fresh.

    python tools/gen_proto.py           write hotline/wire/v1/*_pb2*.py and .pyi
    python tools/gen_proto.py --check   compare with a fresh run; exit 1 and name the files that differ

The generated files are committed, so that an installation needs no compiler, and the release of grpcio-tools fixed in
pyproject.toml is part of what they are: with another release a run differs from the committed files, and says so.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("hotline/wire/v1")
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


class GenerationError(Exception):
    """The compiler or one of its plugins is missing or refused the schema."""


def _plugin(name: str) -> str:
    """The plugin of this very environment: one found on PATH could be of another release."""
    beside = Path(sys.executable).parent / name
    if not beside.is_file():
        raise GenerationError(f"{beside} is missing: install the dev dependencies into this environment")
    return str(beside)


def _sources(root: Path) -> list[str]:
    found = sorted(path.relative_to(root / "proto").as_posix() for path in (root / "proto" / PACKAGE).glob("*.proto"))
    if not found:
        raise GenerationError(f"no .proto file in {root / 'proto' / PACKAGE}")
    return found


def _has_service(path: Path) -> bool:
    return any(line.startswith("service ") for line in path.read_text(encoding="utf-8").splitlines())


def generate(root: Path, target: Path) -> list[Path]:
    """Write the code for every schema under `root`/proto into `target` and return the files, relative to `target`.

    Raises GenerationError with the compiler's own words if it refuses.
    """
    sources = _sources(root)
    arguments = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"--proto_path={root / 'proto'}",
        f"--plugin=protoc-gen-mypy={_plugin('protoc-gen-mypy')}",
        f"--plugin=protoc-gen-mypy_grpc={_plugin('protoc-gen-mypy_grpc')}",
        *(f"--{kind}_out={target}" for kind in ("python", "grpc_python")),
        *(f"--{kind}_out=quiet:{target}" for kind in ("mypy", "mypy_grpc")),
        *sources,
    ]
    target.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GenerationError(done.stderr.strip() or f"protoc left with {done.returncode}")
    for source in sources:
        if not _has_service(root / "proto" / source):
            for suffix in (".py", ".pyi"):
                (target / source.replace(".proto", f"_pb2_grpc{suffix}")).unlink(missing_ok=True)
    return generated_in(target)


def generated_in(root: Path) -> list[Path]:
    """The generated files that stand under `root`, relative to it, sorted."""
    return sorted(path.relative_to(root) for pattern in GENERATED for path in (root / PACKAGE).glob(pattern))


def stale(root: Path) -> list[str]:
    """One line for each committed file that a fresh run would change, add or remove; empty if all are fresh."""
    with tempfile.TemporaryDirectory() as folder:
        fresh_root = Path(folder)
        fresh = set(generate(root, fresh_root))
        present = set(generated_in(root))
        return [
            *(f"missing: {path}" for path in sorted(fresh - present)),
            *(f"left over: {path}" for path in sorted(present - fresh)),
            *(
                f"differs: {path}"
                for path in sorted(fresh & present)
                if (root / path).read_bytes() != (fresh_root / path).read_bytes()
            ),
        ]


def write(root: Path) -> list[Path]:
    """Replace the generated files under `root` and return those that stand there now."""
    with tempfile.TemporaryDirectory() as folder:
        fresh_root = Path(folder)
        fresh = generate(root, fresh_root)
        for path in set(generated_in(root)) - set(fresh):
            (root / path).unlink()
        for path in fresh:
            shutil.copyfile(fresh_root / path, root / path)
    return fresh


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Run as a program. Exit status: 0 written or fresh, 1 stale, 2 the compiler refused."""
    parser = argparse.ArgumentParser(description="Generate the wire code from proto/.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 naming files that are not fresh")
    try:
        if not parser.parse_args(arguments).check:
            for path in write(root):
                print(path)
            return 0
        lines = stale(root)
    except GenerationError as error:
        print(error, file=sys.stderr)
        return 2
    for line in lines:
        print(line, file=sys.stderr)
    if lines:
        print("run: python tools/gen_proto.py", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
