"""What the programs are built from, and whether it is what the lock says.

    python tools/supply.py check     the environment against requirements.lock, every installed file against its hash
    python tools/supply.py sbom      build/sbom.cdx.json: the bill of materials (CycloneDX 1.6)
    python tools/supply.py wheel     build the wheel twice, from two copies of the tree, and compare the bytes

`check` also runs pip-audit, if it is installed, and then says what that found or that no advisories could be reached.
Nothing else here asks the network. Exit status: 0 good, 1 not.
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parent.parent
PROJECT: Final = "hotline"
_INSTALLERS: Final = frozenset({"pip", "setuptools", "pip-audit"})
"""What an environment may hold without the lock: the installer itself, and the one tool that `check` may use."""

_PIN: Final = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>\S+)")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_NAMESPACE: Final = uuid.UUID("5d0f8f0e-7c3f-5a0b-9a53-3c1f0f2b6f11")
OPTIONAL: Final = frozenset({"hsm"})
"""Extras that a site may install; the others serve those who work on the programs."""

WHEEL_INPUTS: Final = ("hotline", "relay", "docs/vectors", "pyproject.toml", "README.md")


class Locked:
    """One line of the lock: a version, and the hashes of all its files."""

    def __init__(self, version: str, hashes: Iterable[str]) -> None:
        self.version = version
        self.hashes = tuple(hashes)


def read_lock(text: str) -> dict[str, Locked]:
    """The lock by canonical name. Raises ValueError for a line that pins nothing."""
    locked = {}
    for entry in text.replace("\\\n", " ").splitlines():
        if not entry.strip() or entry.startswith("#"):
            continue
        pin = _PIN.match(entry)
        if pin is None:
            raise ValueError(f"not a pinned requirement: {entry[:60]}")
        locked[canonicalize_name(pin["name"])] = Locked(pin["version"], _HASH.findall(entry))
    return locked


def installed() -> dict[str, Distribution]:
    """What this environment holds, by canonical name."""
    return {canonicalize_name(one.name): one for one in distributions()}


def differences(locked: Mapping[str, Locked], present: Mapping[str, str]) -> Iterator[str]:
    """How an environment, name to version, departs from the lock."""
    for name, version in sorted(present.items()):
        if name == PROJECT or (name in _INSTALLERS and name not in locked):
            continue
        if name not in locked:
            yield f"{name} {version} is installed and not in the lock"
        elif locked[name].version != version:
            yield f"{name} {version} is installed, the lock says {locked[name].version}"
    for name in sorted(locked.keys() - present.keys()):
        yield f"{name} {locked[name].version} is in the lock and not installed"


def altered(one: Distribution) -> Iterator[str]:
    """The files of a distribution that are not what its wheel held, by the hashes in its RECORD."""
    # `Distribution.files` passes over what is missing, from Python 3.12 on.
    for name, hashed, _ in csv.reader((one.read_text("RECORD") or "").splitlines()):
        if not hashed:
            continue
        algorithm, _, value = hashed.partition("=")
        path = Path(str(one.locate_file(name)))
        if not path.is_file():
            yield f"{one.name}: {name} is missing"
        elif _digest(path, algorithm) != value:
            yield f"{one.name}: {name} is not the file that was installed"


def _digest(path: Path, algorithm: str) -> str:
    return base64.urlsafe_b64encode(hashlib.new(algorithm, path.read_bytes()).digest()).rstrip(b"=").decode()


def needed(roots: Iterable[str], present: Mapping[str, Distribution]) -> dict[str, list[str]]:
    """Everything that `roots` need in this environment, each with what it needs itself."""
    graph: dict[str, list[str]] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in graph or name not in present:
            continue
        wants = [Requirement(line) for line in present[name].requires or ()]
        # No extra is asked for: what a marker binds to one is not needed.
        applies = [one for one in wants if one.marker is None or one.marker.evaluate({"extra": ""})]
        graph[name] = sorted({canonicalize_name(one.name) for one in applies} & present.keys())
        waiting += graph[name]
    return graph


def asked_by_extras(present: Mapping[str, Distribution]) -> list[str]:
    """What the extras of OPTIONAL name themselves."""
    wants = [Requirement(line) for line in present[PROJECT].requires or ()]
    return [
        canonicalize_name(one.name)
        for one in wants
        if one.marker is not None
        and not one.marker.evaluate({"extra": ""})
        and any(one.marker.evaluate({"extra": extra}) for extra in OPTIONAL)
    ]


def bill(locked: Mapping[str, Locked], present: Mapping[str, Distribution]) -> dict[str, Any]:
    """The bill of materials. The same environment and lock give the same bytes: it holds no time and no chance."""
    scopes = dict.fromkeys(needed(asked_by_extras(present), present), "optional")
    scopes |= dict.fromkeys(needed([PROJECT], present), "required")
    names = sorted((locked.keys() | scopes.keys()) & present.keys() - {PROJECT})
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": _component(present[PROJECT], None, "required")},
        "components": [_component(present[name], locked.get(name), scopes.get(name, "excluded")) for name in names],
        "dependencies": [
            {"ref": _reference(present[name]), "dependsOn": [_reference(present[one]) for one in needs]}
            for name, needs in sorted(needed([PROJECT, *names], present).items())
        ],
    }
    content = json.dumps(document, sort_keys=True)
    return {**document, "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, content)}"}


def _component(one: Distribution, pin: Locked | None, scope: str) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "application" if pin is None else "library",
        "bom-ref": _reference(one),
        "name": canonicalize_name(one.name),
        "version": one.version,
        "purl": _reference(one),
        "scope": scope,
    }
    expression = one.metadata.get("License-Expression")
    named = one.metadata.get("License")
    if expression:
        component["licenses"] = [{"expression": expression}]
    elif named and "\n" not in named:
        component["licenses"] = [{"license": {"name": named}}]
    if pin is not None:
        # One for each file of this version that the lock accepts: which of them fits is the platform's affair.
        component["hashes"] = [{"alg": "SHA-256", "content": digest} for digest in pin.hashes]
    return component


def _reference(one: Distribution) -> str:
    return f"pkg:pypi/{canonicalize_name(one.name)}@{one.version}"


def build_wheel(source: Path, target: Path) -> Path:
    """Build the wheel of the tree at `source` with this environment's hatchling. Raises CalledProcessError."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, text=True)
    (wheel,) = target.glob("*.whl")
    return wheel


def wheel_twice(root: Path, folder: Path) -> tuple[Path, Path]:
    """Two wheels from two copies of the tree that differ in path, times and permissions."""
    wheels = []
    for name, mode in (("one", 0o022), ("a second place", 0o077)):
        before = os.umask(mode)
        try:
            source = folder / name / "source"
            source.mkdir(parents=True)
            for part in WHEEL_INPUTS:
                copy_plainly(root / part, source / part)
            wheels.append(build_wheel(source, folder / name / "dist"))
        finally:
            os.umask(before)
    return wheels[0], wheels[1]


def copy_plainly(origin: Path, target: Path) -> None:
    """Contents without times or permissions, as another person's checkout would have them."""
    if origin.is_dir():
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(origin, target, ignore=skip, copy_function=shutil.copyfile)
    else:
        shutil.copyfile(origin, target)


def _check() -> int:
    locked = read_lock((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    present = installed()
    found = list(differences(locked, {name: one.version for name, one in present.items()}))
    for name in sorted(present.keys() - {PROJECT}):
        found += altered(present[name])
    for line in found:
        print(line, file=sys.stderr)
    if not found:
        print(f"{len(locked)} packages are what requirements.lock says, and every file is as it was installed")
    return 1 if found or not _advisories() else 0


def _advisories() -> bool:
    """Ask pip-audit, where it is installed. Being without an answer is said and is no failure: it says nothing."""
    tool = Path(sys.executable).parent / "pip-audit"
    if not tool.is_file():
        print("advisories: not asked, pip-audit is not in this environment")
        return True
    lock = str(ROOT / "requirements.lock")
    command = [str(tool), "--format", "json", "--require-hashes", "--disable-pip", "-r", lock]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        answers = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print("advisories: pip-audit could not reach them")
        return True
    asked = [one for one in answers if "vulns" in one]
    hit = [one for one in asked if one["vulns"]]
    for one in hit:
        print(f"{one['name']} {one['version']}: " + ", ".join(each["id"] for each in one["vulns"]), file=sys.stderr)
    print(f"advisories: asked about {len(asked)} of {len(answers)} packages, {len(hit)} have some")
    return not hit


def _sbom() -> int:
    target = ROOT / "build" / "sbom.cdx.json"
    target.parent.mkdir(exist_ok=True)
    document = bill(read_lock((ROOT / "requirements.lock").read_text(encoding="utf-8")), installed())
    target.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    shipped = sum(one["scope"] == "required" for one in document["components"])
    print(f"{target.relative_to(ROOT)}: {shipped} packages that are shipped with, {len(document['components'])} in all")
    return 0


def _wheel() -> int:
    with tempfile.TemporaryDirectory() as folder:
        one, other = wheel_twice(ROOT, Path(folder))
        digest = hashlib.sha256(one.read_bytes()).hexdigest()
        if one.read_bytes() != other.read_bytes():
            print(f"{one.name}: two builds differ", file=sys.stderr)
            return 1
        (ROOT / "build").mkdir(exist_ok=True)
        shutil.copyfile(one, ROOT / "build" / one.name)
    print(f"build/{one.name}: sha256 {digest}, the same twice")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("check", "sbom", "wheel"))
    return {"check": _check, "sbom": _sbom, "wheel": _wheel}[parser.parse_args(arguments).what]()


if __name__ == "__main__":
    sys.exit(main())
