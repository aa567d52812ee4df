"""Another installation of the product, for drills that change versions.

    python -m tools.other build/other                      this tree, called by another version
    python -m tools.other build/other --commit v0.1.0      the tree of a commit
    python -m tools.other build/other --version 0.2.0

A wheel is built and unpacked into a new virtual environment, which borrows every dependency from this one: both
versions run on the same libraries. Exit status: 0 good, 1 not.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools.supply import ROOT, WHEEL_INPUTS, build_wheel, copy_plainly

_VERSION: Final = {
    "hotline/__init__.py": re.compile(r'(?<=__version__ = ")[^"]+'),
    "pyproject.toml": re.compile(r'(?<=^version = ")[^"]+', re.MULTILINE),
}

Edit = Callable[[Path], None]


def another_version(version: str) -> Edit:
    """Gives a source tree this version. Raises ValueError if the tree does not say its version where we look."""

    def edit(source: Path) -> None:
        for name, place in _VERSION.items():
            text, found = place.subn(version, (source / name).read_text(encoding="utf-8"))
            if found != 1:
                raise ValueError(f"{name} does not name its version once")
            (source / name).write_text(text, encoding="utf-8")

    return edit


def make_other(place: Path, *edits: Edit, commit: str | None = None) -> Path:
    """A virtual environment at `place` with the wheel of this tree, or of `commit`, after `edits` of its copy.

    Raises OSError if the place is taken, ValueError, CalledProcessError.
    """
    place.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        if commit is None:
            for part in WHEEL_INPUTS:
                copy_plainly(ROOT / part, source / part)
        else:
            _checkout(commit, source)
        for edit in edits:
            edit(source)
        wheel = build_wheel(source, Path(folder) / "dist")
        venv.create(place, symlinks=True, with_pip=False)
        packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(place), "platbase": str(place)}))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
    # Plain lines, so that what an editable installation adds to the path there adds nothing here.
    (packages / "borrowed.pth").write_text("".join(f"{path}\n" for path in _ours()), encoding="utf-8")
    return place


def _ours() -> list[str]:
    return sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})


def _checkout(commit: str, target: Path) -> None:
    packed = target.parent / "tree.tar"
    command = ["git", "archive", "--output", str(packed), commit]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    with tarfile.open(packed) as archive:
        archive.extractall(target, filter="data")


def main(words: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Make another installation of the product.")
    parser.add_argument("place", type=Path)
    parser.add_argument("--commit", help="the tree of this commit in the place of the working tree")
    parser.add_argument("--version", help="call it this [default: 0.0.0+COMMIT, 0.0.0+other]")
    args = parser.parse_args(words)
    version = args.version or ("0.0.0+" + (re.sub("[^a-z0-9]+", ".", args.commit.lower()) if args.commit else "other"))
    try:
        make_other(args.place, another_version(version), commit=args.commit)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(error.stderr.strip(), file=sys.stderr)
        shutil.rmtree(args.place, ignore_errors=True)
        return 1
    print(f"{args.place}: play `hotline drill run rolling-upgrade --other {args.place}`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
