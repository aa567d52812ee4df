"""A key in a token: made there, kept there, and believed only as far as its signatures hold."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from hotline.crypto.signing import SigningKey, verify
from hotline.errors import ConfigError, KeyFileError
from hotline.token import TokenKey, logged_in, names_token
from tests.softhsm import PIN, SoftHsm, import_key, soft_hsm

KEY = "hotline ALPHA/duty-1"
PUBLIC = SigningKey(bytes(32)).public


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    made = soft_hsm(tmp_path / "hsm")
    monkeypatch.setenv("SOFTHSM2_CONF", str(made.config))
    return made


def test_a_key_is_made_signs_and_does_not_come_out(hsm: SoftHsm) -> None:
    """Whoever has the token for an hour would have the key for ever (docs/protocol.md 5.20 and 19.15)."""
    hsm.new_token("ALPHA-duty")
    with hsm.open("ALPHA-duty") as session:
        session.make_key(KEY, os.urandom(16))
        session.check_kept(KEY)
        signer = session.signer(KEY)
        verify(signer.public, signer.sign("hotline/v1/test", b"words"), "hotline/v1/test", b"words")
        with pytest.raises(ConfigError, match="has a key hotline ALPHA/duty-1 already"):
            session.make_key(KEY, os.urandom(16))
        with pytest.raises(KeyFileError, match="another than the one that was certified"):
            session.signer(KEY, PUBLIC)
    with logged_in(str(hsm.library), "ALPHA-duty", session.serial, lambda _: PIN.encode()) as again:
        assert again.signer(KEY, signer.public).public == signer.public


@pytest.mark.parametrize("kept", [{"EXTRACTABLE": True, "SENSITIVE": False}, {"EXTRACTABLE": False, "SENSITIVE": True}])
def test_a_key_that_was_ever_outside_is_not_taken(hsm: SoftHsm, kept: dict[str, bool]) -> None:
    """A copy of it would sign in another place, and the card would say nothing of that (docs/protocol.md 5.20)."""
    hsm.new_token("ALPHA-duty")
    with hsm.open("ALPHA-duty") as session:
        import_key(session, KEY, bytes(32), PUBLIC, **kept)
        with pytest.raises(KeyFileError, match="so that a copy may be elsewhere"):
            session.check_kept(KEY)


def test_a_token_must_say_each_of_four_things_of_its_key(hsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that is silent on one of them, or says the opposite, may have given a copy away (5.20)."""
    # docs/protocol.md 5.20
    pkcs11 = pytest.importorskip("pkcs11")
    names = ("SENSITIVE", "ALWAYS_SENSITIVE", "EXTRACTABLE", "NEVER_EXTRACTABLE")
    hsm.new_token("ALPHA-duty")
    with hsm.open("ALPHA-duty") as session:
        session.make_key(KEY, os.urandom(16))
        private = session._one("PRIVATE_KEY", KEY)
        said = {pkcs11.Attribute[name]: private[pkcs11.Attribute[name]] for name in names}
        for name in names:
            at = pkcs11.Attribute[name]
            monkeypatch.setattr(session, "_one", lambda *_, at=at: {**said, at: not said[at]})
            with pytest.raises(KeyFileError, match=f"does not say {name} is"):
                session.check_kept(KEY)
        monkeypatch.setattr(session, "_one", lambda *_: said)
        session.check_kept(KEY)


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_library_that_others_can_write_does_not_get_the_pin(tmp_path: Path, mode: int) -> None:
    """Whoever is of its group would exchange it, and have the PIN of every officer (docs/protocol.md 5.21)."""
    pytest.importorskip("pkcs11")
    library = tmp_path / "pkcs11.so"
    library.write_bytes(b"")
    library.chmod(mode)
    asked: list[str] = []
    with (
        pytest.raises(KeyFileError, match="others could exchange this library"),
        logged_in(str(library), "ALPHA-duty", "", lambda what: asked.append(what) or PIN.encode()),
    ):
        pytest.fail("it was loaded")
    assert asked == []


def test_what_does_not_hold_is_never_given_out(hsm: SoftHsm) -> None:
    """A token that fails, or another key behind the name, would be found out too late (docs/protocol.md 19.15)."""
    hsm.new_token("ALPHA-duty")
    with hsm.open("ALPHA-duty") as session:
        import_key(session, KEY, bytes(range(32)), PUBLIC, EXTRACTABLE=False, SENSITIVE=True)
        with pytest.raises(KeyFileError, match="does not hold under the key that was certified"):
            session.signer(KEY, PUBLIC).sign("hotline/v1/test", b"words")


def test_a_token_that_is_pulled_out_signs_nothing(hsm: SoftHsm) -> None:
    """The officer would not know whether something was signed (docs/protocol.md 5.23)."""
    token = hsm.new_token("ALPHA-duty")
    with hsm.open("ALPHA-duty") as session:
        session.make_key(KEY, os.urandom(16))
        signer = session.signer(KEY)
        shutil.rmtree(token)
        with pytest.raises(KeyFileError, match="token ALPHA-duty: gone, or failing"):
            signer.sign("hotline/v1/test", b"words")


def test_two_keys_of_one_name_are_not_guessed_between(hsm: SoftHsm) -> None:
    """The officer would sign with the key of somebody else (docs/protocol.md 5.23)."""
    hsm.new_token("ALPHA-duty")
    with hsm.open("ALPHA-duty") as session:
        for seed in (bytes(32), bytes(range(32))):
            import_key(session, KEY, seed, SigningKey(seed).public, EXTRACTABLE=False, SENSITIVE=True)
        with pytest.raises(KeyFileError, match="has 2 private key called"):
            session.signer(KEY)
        session.destroy(KEY)
        with pytest.raises(KeyFileError, match="has no private key called"):
            session.signer(KEY)


def test_a_token_key_file_has_one_spelling() -> None:
    """A word in it would be read in one way here and in another there (docs/protocol.md 5.21)."""
    where = TokenKey("ALPHA/duty-1", "/usr/lib/softhsm/libsofthsm2.so", "ALPHA-duty", "00ff", KEY, PUBLIC)
    data = where.file()
    assert TokenKey.read(data) == where
    assert names_token(data)
    assert not names_token(b'{"schema": "hotline.key/1"}')
    assert not names_token(b"[]")
    parts = json.loads(data)
    spoilt = [
        data[:-1],
        data.replace(b"\n ", b"\n  "),
        data.replace(b"}", b', "pin": "1"}'),
        *(_spelt({**parts, name: value}) for name in parts for value in (7, "\u0007", "x" * 5_000)),
        _spelt({**parts, "public": "AAAA"}),
        _spelt({**parts, "schema": "hotline.token-key/2"}),
    ]
    for one in spoilt:
        with pytest.raises(KeyFileError, match=r"damaged|another version"):
            TokenKey.read(one)


def _spelt(parts: dict[str, object]) -> bytes:
    return (json.dumps(parts, sort_keys=True, indent=1) + "\n").encode()
