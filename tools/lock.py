"""Write requirements.lock: every dependency at one version with the SHA-256 of its files, and no address of any index.

    python tools/lock.py            write requirements.lock for the bounds in pyproject.toml; what it has stays as it is
    python tools/lock.py --upgrade  the same with the newest version of everything

The lock holds what the programs need, with a token (extra hsm) and without, what the tests need, and the build backend,
so that a fresh environment can do

    pip install --require-hashes -r requirements.lock
    pip install --no-build-isolation --no-deps -e .

Where packages come from is each site's own affair (a mirror, a folder of wheels): the hashes decide what is accepted.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What hatchling asks for at the moment of an editable installation, without naming it among its own dependencies.
EDITABLE = "editables~=0.3"

HEADER = "# Written by tools/lock.py from pyproject.toml; do not edit.\n"


class LockError(Exception):
    """No lock was written; the text says why."""


def wanted(root: Path) -> list[str]:
    """The requirements of pyproject.toml: the programs', the extras hsm and dev, and the build backend's, sorted."""
    with (root / "pyproject.toml").open("rb") as file:
        described = tomllib.load(file)
    project = described["project"]
    extras = project["optional-dependencies"]
    groups = (project["dependencies"], extras["hsm"], extras["dev"], described["build-system"]["requires"])
    return sorted({line for group in groups for line in group} | {EDITABLE})


def resolve(requirements: list[str], kept: str = "") -> str:
    """Ask pip-tools for versions and hashes, those of the lock `kept` first. Raises LockError with its words if it
    finds no solution."""
    tool = Path(sys.executable).parent / "pip-compile"
    if not tool.is_file():
        raise LockError(f"{tool} is missing: install pip-tools into this environment")
    with tempfile.TemporaryDirectory() as folder:
        # From a list, not from pyproject.toml itself: pip-tools would build the project to ask it for its needs.
        source = Path(folder) / "requirements.in"
        source.write_text("".join(f"{line}\n" for line in requirements), encoding="utf-8")
        result = Path(folder) / "requirements.lock"
        result.write_text(kept, encoding="utf-8")
        command = [str(tool), "--quiet", "--generate-hashes", "--no-strip-extras", "--allow-unsafe", "--no-header"]
        command += ["--no-annotate", "--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links"]
        done = subprocess.run(
            [*command, f"--output-file={result}", str(source)], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise LockError(done.stderr.strip() or f"pip-compile left with {done.returncode}")
        return result.read_text(encoding="utf-8")


def checked(lock: str) -> str:
    """The lock with its header. Raises LockError if it names an address, an index, or a package without a hash."""
    entries = lock.replace("\\\n", " ").splitlines()
    for entry in entries:
        if "://" in entry or " @ " in entry:
            raise LockError(f"refusing to write an address into the lock: {entry.split()[0]}")
        if entry.startswith("-"):
            raise LockError(f"refusing to write an option into the lock: {entry.split()[0]}")
        if entry and not entry.startswith("#") and "--hash=sha256:" not in entry:
            raise LockError(f"no hash for {entry.split()[0]}")
    return HEADER + lock


def main(root: Path = ROOT, *, upgrade: bool = False) -> int:
    """Run as a program. Exit status: 0 written, 2 nothing written."""
    file = root / "requirements.lock"
    try:
        kept = file.read_text(encoding="utf-8") if file.is_file() and not upgrade else ""
        lock = checked(resolve(wanted(root), kept))
    except LockError as error:
        print(error, file=sys.stderr)
        return 2
    file.write_text(lock, encoding="utf-8")
    print(f"requirements.lock: {lock.count('==')} packages, {lock.count('--hash=')} hashes")
    return 0


if __name__ == "__main__":
    sys.exit(main(upgrade=sys.argv[1:] == ["--upgrade"]))
