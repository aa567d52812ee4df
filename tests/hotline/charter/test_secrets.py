"""The private halves as key files."""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode

import pytest

from hotline.charter.secrets import RelaySecret, TerminalSecret, decode_secret, encode_secret
from hotline.crypto.tls import public_key
from hotline.crypto.vault import plain_secret
from hotline.errors import KeyFileError
from tests.hotline.charter.conftest import Ceremony
from tests.hotline.crypto.test_tls import public_key_of

PASSPHRASE = b"a sober passphrase"


def test_a_terminal_key_comes_back_as_it_was(ceremony: Ceremony) -> None:
    """The daemon would start with keys that the charter does not name."""
    secret = ceremony.secrets["ALPHA"]
    assert decode_secret(TerminalSecret, encode_secret("main", secret, None, os.urandom), None) == ("main", secret)
    assert public_key_of(secret.tls_private_pem) == public_key(secret.tls_certificate_der)
    assert secret.identity == ceremony.keys["ALPHA"].public
    assert len({secret.signing, secret.ledger, secret.storage}) == 3


def test_a_sealed_key_opens_with_its_passphrase_only(ceremony: Ceremony) -> None:
    """A stolen disk would be a stolen terminal."""
    secret = ceremony.secrets["ALPHA"]
    data = encode_secret("main", secret, PASSPHRASE, os.urandom)
    assert decode_secret(TerminalSecret, data, PASSPHRASE) == ("main", secret)
    with pytest.raises(KeyFileError, match="passphrase does not open"):
        decode_secret(TerminalSecret, data, b"another passphrase")
    with pytest.raises(KeyFileError, match="is sealed"):
        decode_secret(TerminalSecret, data, None)


def test_kinds_do_not_stand_for_one_another(ceremony: Ceremony) -> None:
    """A relay would run with the keys of a terminal."""
    data = encode_secret("main", ceremony.secrets["ALPHA"], None, os.urandom)
    with pytest.raises(KeyFileError, match="kind terminal, not relay"):
        decode_secret(RelaySecret, data, None)


@pytest.mark.parametrize("payload", [b"", b"[]", b"7", b"{}", b'{"signing": 1}', b"\xff", b"[" * 40_000])
def test_a_damaged_key_file_is_told_as_such(payload: bytes) -> None:
    """The daemon would end in a traceback instead of naming the file."""
    with pytest.raises(KeyFileError):
        decode_secret(RelaySecret, plain_secret("relay", "relay-1", payload), None)


def test_a_key_of_the_wrong_length_is_refused(ceremony: Ceremony) -> None:
    """A cut seed would make another key, which no charter names."""
    data = json.loads(encode_secret("main", ceremony.secrets["ALPHA"], None, os.urandom))
    parts = json.loads(b64decode(data["box"]))
    parts["ledger"] = b64encode(bytes(31)).decode()
    with pytest.raises(KeyFileError, match="wrong length"):
        decode_secret(TerminalSecret, plain_secret("terminal", "main", json.dumps(parts).encode()), None)


def test_a_secret_does_not_print_itself(ceremony: Ceremony) -> None:
    """A key would stand in a log or a traceback."""
    secret = ceremony.secrets["ALPHA"]
    assert secret.signing.hex() not in repr(secret)
    assert str(secret.signing) not in repr(secret)
    assert "PRIVATE" not in repr(secret)
