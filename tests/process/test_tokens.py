"""Two officers, one with a key file and one with a token, release a statement between real daemons."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hotline.charter.body import release_by_two
from hotline.charter.cards import Role
from hotline.charter.ceremony import make_officer
from hotline.cli.officerkeys import Place, certify_in_token
from hotline.crypto.identity import IdentityKey
from hotline.machine import Entropy
from tests.process.conftest import Stage, until
from tests.schemas import printed
from tests.softhsm import SoftHsm, soft_hsm

pytestmark = pytest.mark.process

TOKEN = "ALPHA-release-1"


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    made = soft_hsm(tmp_path / "hsm")
    monkeypatch.setenv("SOFTHSM2_CONF", str(made.config))
    made.new_token(TOKEN)
    return made


@pytest.fixture
def stage(hsm: SoftHsm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A rehearsal whose releaser of ALPHA comes with a token."""

    def ceremony(
        identity: IdentityKey, party: str, name: str, roles: Sequence[Role], entropy: Entropy, unix_ms: int
    ) -> tuple[bytes, bytes]:
        if (party, name) != ("ALPHA", "release-1"):
            return make_officer(identity, party, name, roles, entropy, unix_ms)
        place = Place(hsm.library, TOKEN)
        certify_in_token(identity, (party, name), roles, place, hsm.pin, tmp_path / "ceremony")
        return b"", (tmp_path / "ceremony" / "ALPHA.release-1.officer.card").read_bytes()

    monkeypatch.setattr("hotline.drill.rehearsal.make_officer", ceremony)
    made = Stage(tmp_path / "stage", 1, release=release_by_two())
    shutil.copy(tmp_path / "ceremony" / "ALPHA.release-1.officer.key", made.folder / "ALPHA")
    yield made
    made.end()


def test_an_officer_with_a_token_releases(stage: Stage, hsm: SoftHsm) -> None:
    """A state whose officers have tokens could not speak, or the other side would not believe it.

    docs/protocol.md 5.20, 5.22 and 19.15
    """
    stage.start(*stage.relays, "ALPHA", "BRAVO")
    until(lambda: stage.up("ALPHA") and stage.up("BRAVO"), "every path up")

    def key(name: str) -> tuple[str, str, str]:
        return ("--key", str(stage.folder / "ALPHA" / f"ALPHA.{name}.officer.key"), "--yes")

    assert stage.cli("ALPHA", "draft", "new", "We shall not fire.", "-p", "flash").returncode == 0
    assert stage.cli("ALPHA", "draft", "sign", "1", *key("duty-1")).returncode == 0
    wrong = hsm.pin.with_name("wrong")
    wrong.write_text("00000000\n")
    wrong.chmod(0o600)
    refused = stage.cli("ALPHA", "release", "1", *key("release-1"), "--pin-file", str(wrong))
    assert (refused.returncode, "not its PIN" in refused.stderr) == (9, True), refused.stderr
    (open_still,) = printed(stage.cli("ALPHA", "draft", "show", "1", "--json").stdout)
    assert open_still["missing"] == ["releaser"]
    gone = stage.cli("ALPHA", "release", "1", *key("release-1"), "--pin-file", str(hsm.pin), "--wait", "delivered")
    assert gone.returncode == 0, gone.stderr
    (told,) = printed(stage.cli("BRAVO", "read", "1", "--json").stdout)
    assert (told["authority"], [one["officer"] for one in told["releases"]]) == ("released", ["duty-1", "release-1"])
    log = stage.log("ALPHA").read_text() + gone.stdout + gone.stderr
    assert hsm.pin.read_text().strip() not in log
