"""An officer's key in a token as people use it, and everything that can be wrong with it."""

from __future__ import annotations

import shutil
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import hotline.token as token_room
from hotline.charter.cards import decode, open_officer_card
from hotline.cli.artefacts import identity_of, read_identity_card
from hotline.crypto.signing import SigningKey
from hotline.token import TokenKey
from tests.hotline.cli.conftest import Ran, Run, call
from tests.schemas import printed
from tests.softhsm import FINAL_TRY, LOCKED, PIN, SoftHsm, import_key, soft_hsm

LABEL = "ALPHA-release-1"
KEY = "hotline ALPHA/release-1"


@dataclass(frozen=True, slots=True)
class Desk:
    """A ceremony's folder, a token, and the commands of an officer."""

    table: Path
    hsm: SoftHsm
    token: Path
    run: Run

    @property
    def key(self) -> Path:
        return self.table / "ALPHA.release-1.officer.key"

    def make(self, *more: object) -> Ran:
        """`hotline key officer --token`."""
        return self.run("key", "officer", *_officer(self.table, self.table, self.hsm), *more)

    def use(self) -> Ran:
        """A command that wants the key. With a key that can be used it gets as far as to miss the daemon."""
        return self.run(
            *("handover", "sign", "--key", self.key, "--pin-file", self.hsm.pin, "--yes"),
            *("--socket", self.table / "no.sock"),
        )

    def rewrite(self, **changes: object) -> None:
        """Another token key file in the place of this one."""
        self.key.write_bytes(replace(TokenKey.read(self.key.read_bytes()), **changes).file())  # type: ignore[arg-type]


@pytest.fixture
def desk(table: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A token without a key."""
    hsm = soft_hsm(tmp_path / "hsm")
    monkeypatch.setenv("SOFTHSM2_CONF", str(hsm.config))
    return Desk(table, hsm, hsm.new_token(LABEL), run)


@pytest.fixture(scope="module")
def certified(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a token and the certified key in it; use `held`, not this."""
    folder = tmp_path_factory.mktemp("token")
    hsm = soft_hsm(folder / "hsm")
    hsm.new_token(LABEL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(hsm.config))
        assert call(("key", "officer", *_officer(made, folder, hsm))) == 0
    return folder


@pytest.fixture
def held(certified: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A token with the certified key, to be spoilt."""
    shutil.copytree(certified, tmp_path / "held")
    hsm = soft_hsm(tmp_path / "held" / "hsm")
    monkeypatch.setenv("SOFTHSM2_CONF", str(hsm.config))
    (token,) = hsm.tokens.iterdir()
    return Desk(tmp_path / "held", hsm, token, run)


def _officer(table: Path, out: Path, hsm: SoftHsm) -> tuple[object, ...]:
    """Options of `hotline key officer --token`."""
    files = ("--identity", table / "ALPHA.identity.key", "--passphrase-file", table / "word")
    officer = ("--name", "release-1", "--roles", "releaser", "--out", out, "--pin-file", hsm.pin)
    return (*files, *officer, "--token", LABEL, "--module", hsm.library)


def test_a_key_in_a_token_is_certified_like_one_in_a_file(desk: Desk) -> None:
    """The other side would have to know where ALPHA keeps its keys (docs/protocol.md 5.20 and 5.21)."""
    done = desk.make()
    assert done.code == 0, done.err
    identity = identity_of(read_identity_card(desk.table / "ALPHA.identity.pub"))
    card = open_officer_card((desk.table / "ALPHA.release-1.officer.card").read_bytes(), identity)
    where = TokenKey.read(desk.key.read_bytes())
    assert (card.name, card.roles, decode(card.signing)) == ("release-1", ("releaser",), where.public)
    assert (where.name, where.token, where.key) == ("ALPHA/release-1", LABEL, KEY)
    assert stat.S_IMODE(desk.key.stat().st_mode) == 0o600
    with desk.hsm.open(LABEL) as session:
        assert session.signer(KEY).public == where.public
    assert "no.sock" in desk.use().err


def test_a_key_that_the_token_made_before_is_certified(desk: Desk) -> None:
    """An officer who came with a key would have to make another (docs/protocol.md 5.20)."""
    assert desk.make("--existing").code == 9
    with desk.hsm.open(LABEL) as session:
        session.make_key("my own", bytes(16))
        public = session.signer("my own").public
    done = desk.make("--existing", "--key-label", "my own")
    assert done.code == 0, done.err
    assert TokenKey.read(desk.key.read_bytes()).public == public
    (desk.table / "ALPHA.release-1.officer.card").unlink()
    taken = desk.make("--key-label", "my own")
    assert (taken.code, "certify it with --existing" in taken.err) == (1, True)


def test_a_key_that_does_not_sign_for_its_public_half_is_not_certified(desk: Desk) -> None:
    """The charter would name an officer who is mute when it matters (docs/protocol.md 5.20)."""
    with desk.hsm.open(LABEL) as session:
        session.make_key(KEY, bytes(16))
        (public,) = session._objects("PUBLIC_KEY", KEY)
        public.destroy()
        import_key(session, KEY, b"", SigningKey(bytes(32)).public)
    done = desk.make("--existing")
    assert (done.code, "does not hold under the key" in done.err) == (9, True), done.err
    assert not desk.key.exists()


def test_where_a_file_is_in_the_way_no_key_is_left_in_the_token(desk: Desk) -> None:
    """Keys that nobody has certified would gather in the token (docs/protocol.md 5.20 and 5.23)."""
    in_the_way = desk.table / "ALPHA.release-1.officer.card"
    in_the_way.write_bytes(b"another officer's")
    refused = desk.make()
    assert (refused.code, "not overwritten" in refused.err) == (1, True)
    assert not desk.key.exists()
    with desk.hsm.open(LABEL) as session:
        assert not session._objects("PRIVATE_KEY", KEY) + session._objects("PUBLIC_KEY", KEY)


def test_options_that_do_not_fit_together_are_refused(desk: Desk) -> None:
    """A key would lie in a file that everybody believes in the token."""
    rest = ("--name", "x", "--roles", "duty", "--out", desk.table)
    named = ("key", "officer", "--identity", desk.table / "ALPHA.identity.key", *rest)
    for options in (("--token", LABEL), ("--module", desk.hsm.library), ("--existing",), ("--pin-file", desk.hsm.pin)):
        assert desk.run(*named, *options).code == 2
    assert desk.make("--new-passphrase-file", desk.table / "word").code == 2


def _unsafe_module(desk: Desk) -> None:
    copy = desk.table / "library.so"
    shutil.copy(desk.hsm.library, copy)
    copy.chmod(0o666)
    desk.rewrite(module=str(copy))


def _no_library(desk: Desk) -> None:
    (desk.table / "library.so").write_bytes(b"no library")
    desk.rewrite(module=str(desk.table / "library.so"))


def _another_key(desk: Desk) -> None:
    with desk.hsm.open(LABEL) as session:
        session.destroy(KEY)
        session.make_key(KEY, bytes(16))


def _no_key(desk: Desk) -> None:
    with desk.hsm.open(LABEL) as session:
        session.destroy(KEY)


def _readable(desk: Desk) -> None:
    desk.hsm.pin.chmod(0o644)


def _pin(desk: Desk, text: str = "00000000\n") -> None:
    desk.hsm.pin.write_text(text)


def _final_try(desk: Desk) -> None:
    _pin(desk)
    desk.hsm.flag(desk.token, FINAL_TRY)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda desk: desk.rewrite(module="/nonexistent/library.so"), "no PKCS#11 library there"),
        (lambda desk: desk.rewrite(module="libsofthsm2.so"), "not an absolute path"),
        (_unsafe_module, "others could exchange this library"),
        (_no_library, "no PKCS#11 library, or not set up for this user"),
        (lambda desk: shutil.rmtree(desk.token), "put it in and repeat; there is none\n"),
        (lambda desk: desk.rewrite(serial="00"), "there is ALPHA-release-1 (serial "),
        (_no_key, "has no private key called hotline ALPHA/release-1"),
        (_another_key, "another than the one that was certified"),
        (_pin, "not its PIN; it was tried once\n"),
        (_final_try, "another wrong PIN locks it"),
        (lambda desk: desk.hsm.flag(desk.token, LOCKED), "its PIN is locked: unlock it"),
        (lambda desk: _pin(desk, "\n"), "an empty PIN"),
        (lambda desk: desk.hsm.pin.write_bytes(b"\xff\xff"), "a PIN is UTF-8 text"),
        (_readable, "others can read it"),
        (lambda desk: desk.key.chmod(0o644), "chmod 600"),
        (lambda desk: desk.key.write_bytes(desk.key.read_bytes()[:-3]), "damaged"),
        (lambda desk: desk.hsm.config.unlink(), "no PKCS#11 library, or not set up for this user"),
        (lambda desk: desk.rewrite(name="ALPHA"), "does not say whose key it is"),
    ],
)
def test_whatever_is_wrong_with_it_is_one_sentence(held: Desk, spoil: Callable[[Desk], None], said: str) -> None:
    """In a crisis an officer would stand before a name out of a library's manual (docs/protocol.md 5.22 and 5.23)."""
    spoil(held)
    done = held.use()
    assert (done.code, said in done.err, done.err.count("\n"), done.out) == (9, True, 1, ""), done.err
    assert PIN not in done.err
    assert "00000000" not in done.err


class Counted:
    """A token of the library that counts how often it is asked to take a PIN."""

    tries = 0

    def __init__(self, token: Any) -> None:
        self._token = token

    def __getattr__(self, name: str) -> Any:
        return getattr(self._token, name)

    def open(self, **how: Any) -> Any:
        Counted.tries += 1
        return self._token.open(**how)


def test_a_wrong_pin_is_tried_once_and_a_locked_one_never(held: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token would lock itself, and the officer out, on one slip of the finger (docs/protocol.md 5.22)."""
    find = token_room._find
    monkeypatch.setattr(token_room, "_find", lambda *where: Counted(find(*where)))
    monkeypatch.setattr(Counted, "tries", 0)
    assert held.use().code != 9
    assert Counted.tries == 1
    _pin(held)
    assert held.use().code == 9
    assert Counted.tries == 2
    held.hsm.flag(held.token, LOCKED)
    assert held.use().code == 9
    assert Counted.tries == 2


def test_a_pin_that_locks_itself_by_this_try_is_told(held: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The officer would go on guessing at a token that listens no more (docs/protocol.md 5.22)."""
    find = token_room._find

    class Locking(Counted):
        def open(self, **how: Any) -> Any:
            try:
                return super().open(**how)
            finally:
                held.hsm.flag(held.token, LOCKED)

    monkeypatch.setattr(token_room, "_find", lambda *where: Locking(find(*where)))
    _pin(held)
    done = held.use()
    assert (done.code, "its PIN is locked: unlock it" in done.err) == (9, True), done.err


def test_a_key_is_tried_before_it_is_needed(held: Desk, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That a token is broken, or its card too old, would be found out too late (docs/protocol.md 5.20 and 19.15)."""
    charter, word = ("--charter", table / "charter.note"), ("--passphrase-file", table / "word")
    tried = held.run("key", "try", table / "ALPHA.duty-1.officer.key", *word, *charter)
    assert (tried.code, "ALPHA/duty-1: signs as drafter, duty, until 2" in tried.out) == (0, True), tried.err
    pin = ("--pin-file", held.hsm.pin)
    unnamed = held.run("key", "try", held.key, *pin, *charter)
    assert (unnamed.code, "release-1" in unnamed.err) == (1, True), unnamed.err
    held.rewrite(name="ALPHA/duty-1")
    other = held.run("key", "try", held.key, *pin, *charter)
    assert (other.code, "has another key of ALPHA/duty-1" in other.err, other.out) == (4, True, "")
    (shown,) = printed(held.run("key", "show", held.key, "--json").out)
    assert (shown["kind"], shown["token"], shown["name"]) == ("token-key", LABEL, "duty-1")
    assert held.run("key", "verify", held.key).code == 1
    monkeypatch.setattr("hotline.cli.trykey.now_ms", lambda: 4_102_444_800_000)
    late = held.run("key", "try", table / "ALPHA.duty-1.officer.key", *word, *charter)
    assert (late.code, "the card of ALPHA/duty-1 holds from" in late.err, late.out) == (4, True, "")


def test_without_the_package_the_extra_is_named(held: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has a token would not know what is missing; who has none would need it too (docs/protocol.md 5.23)."""
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    done = held.use()
    assert (done.code, "its extra `hsm`" in done.err) == (9, True)


def test_what_cannot_be_certified_is_told_and_nothing_is_left(desk: Desk) -> None:
    """A ceremony would end with a card whose key is nowhere, or in two places (docs/protocol.md 5.20 and 5.23)."""
    with desk.hsm.open(LABEL) as session:
        seed = bytes(range(32))
        import_key(session, "imported", seed, SigningKey(seed).public, EXTRACTABLE=False, SENSITIVE=True)
    imported = desk.make("--existing", "--key-label", "imported")
    assert (imported.code, "a copy may be elsewhere" in imported.err) == (9, True)
    desk.hsm.configure("slots.mechanisms = -CKM_EDDSA,CKM_EC_EDWARDS_KEY_PAIR_GEN")
    old = desk.make()
    assert (old.code, "makes no Ed25519 keys" in old.err) == (9, True), old.err
    desk.hsm.configure()
    desk.hsm.new_token(LABEL)
    two = desk.make()
    assert (two.code, "2 tokens are called" in two.err, "--serial" in two.err) == (9, True, True)
    assert not list(desk.table.glob("*release-1*"))
    serial = two.err.rpartition(", ")[2].rstrip(")\n")
    assert desk.make("--serial", serial).code == 0
    assert desk.use().code != 9
