"""What the programs are built from: the lock, the bill of materials, the wheel."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tools import supply

LOCK = (supply.ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_this_environment_is_what_the_lock_says() -> None:
    locked = supply.read_lock(LOCK)
    assert not list(supply.differences(locked, {name: one.version for name, one in supply.installed().items()}))
    assert all(one.hashes for one in locked.values())


def test_a_departure_from_the_lock_is_named() -> None:
    locked = supply.read_lock("alpha==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\nbravo==2.0 --hash=sha256:" + "1" * 64)
    assert list(supply.differences(locked, {"alpha": "1.1", "charlie": "3", "pip": "1", "hotline": "0"})) == [
        "alpha 1.1 is installed, the lock says 1.0",
        "charlie 3 is installed and not in the lock",
        "bravo 2.0 is in the lock and not installed",
    ]
    with pytest.raises(ValueError, match="not a pinned requirement"):
        supply.read_lock("alpha>=1.0")


def test_an_installed_file_that_was_altered_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = distribution("segno")
    assert not list(supply.altered(one))
    here = tmp_path / "site"
    for file in one.files or ():
        origin = Path(str(one.locate_file(file)))
        if origin.is_file() and ".." not in file.parts:
            (here / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin, here / file)
    with (here / "segno" / "encoder.py").open("a", encoding="utf-8") as file:
        file.write("# one more line\n")
    (here / "segno" / "utils.py").unlink()
    monkeypatch.setattr(type(one), "locate_file", lambda _, path: here / path)
    found = [line for line in supply.altered(one) if ".." not in line]
    assert found == [
        "segno: segno/encoder.py is not the file that was installed",
        "segno: segno/utils.py is missing",
    ]


def test_the_bill_names_what_is_shipped_with_hash_and_licence() -> None:
    document = supply.bill(supply.read_lock(LOCK), supply.installed())
    assert json.dumps(document) == json.dumps(supply.bill(supply.read_lock(LOCK), supply.installed()))
    components = {one["name"]: one for one in document["components"]}
    for name in ("cryptography", "pynacl", "grpcio", "protobuf", "cffi"):
        assert components[name]["scope"] == "required"
        assert components[name]["hashes"]
    assert components["pytest"]["scope"] == "excluded"
    assert {components[name]["scope"] for name in ("python-pkcs11", "asn1crypto")} == {"optional"}
    assert components["cryptography"]["licenses"] == [{"expression": "Apache-2.0 OR BSD-3-Clause"}]
    references = {one["ref"]: one["dependsOn"] for one in document["dependencies"]}
    assert components["cffi"]["bom-ref"] in references[components["cryptography"]["bom-ref"]]


def test_the_wheel_is_the_same_from_two_places(tmp_path: Path) -> None:
    one, other = supply.wheel_twice(supply.ROOT, tmp_path)
    assert one.read_bytes() == other.read_bytes()
    source = tmp_path / "one" / "source"
    with (source / "hotline" / "limits.py").open("a", encoding="utf-8") as file:
        file.write("# another tree\n")
    (tmp_path / "third").mkdir()
    assert supply.build_wheel(source, tmp_path / "third").read_bytes() != one.read_bytes()
