"""Key files: a passphrase opens the right one, and nothing damaged, foreign or hostile is ever taken for a key."""

from __future__ import annotations

import base64
import json
import os
import re

import pytest

from hotline.crypto import vault
from hotline.crypto.vault import FILE_BYTES_MAX, SCHEMA, is_sealed, open_secret, plain_secret, seal_secret
from hotline.errors import KeyFileError

PASSPHRASE = b"a sober passphrase"
SECRET = bytes(range(64))


@pytest.fixture(scope="module")
def sealed() -> bytes:
    """One sealed file for all tests: sealing is slow by design."""
    return seal_secret("identity", "ALPHA", SECRET, PASSPHRASE, os.urandom)


@pytest.fixture
def swift(monkeypatch: pytest.MonkeyPatch) -> None:
    """A derivation that costs nothing, where not its cost but what is bound is in question."""

    class Swift:
        def __init__(self, *, salt: bytes, length: int, iterations: int, lanes: int, memory_cost: int) -> None:
            self._salt = salt

        def derive(self, passphrase: bytes) -> bytes:
            return (passphrase + self._salt).ljust(32, b"\0")[:32]

    monkeypatch.setattr(vault, "Argon2id", Swift)


def spelled(data: bytes, **changes: object) -> bytes:
    """The file with some parts changed, in the one lawful spelling."""
    return (json.dumps({**json.loads(data), **changes}, sort_keys=True, indent=1) + "\n").encode("ascii")


def kdf_of(data: bytes, **changes: object) -> dict[str, object]:
    """The derivation parameters with some of them changed."""
    return {**json.loads(data)["kdf"], **changes}


def refusal(data: bytes, kind: str = "identity", passphrase: bytes | None = PASSPHRASE) -> str:
    """What is said when the file is refused."""
    with pytest.raises(KeyFileError) as caught:
        open_secret(data, kind, passphrase)
    said = str(caught.value)
    assert said
    assert said.isprintable()
    return said


def test_a_sealed_file_opens_with_its_passphrase_only(sealed: bytes) -> None:
    """A stolen stick would be a stolen state."""
    assert open_secret(sealed, "identity", PASSPHRASE) == ("ALPHA", SECRET)
    assert "passphrase does not open" in refusal(sealed, passphrase=b"a sober passphrasf")
    assert "is sealed" in refusal(sealed, passphrase=None)
    assert is_sealed(sealed)


def test_the_file_shows_what_it_costs_and_not_what_it_holds(sealed: bytes) -> None:
    """A guess at the passphrase would be cheap, or not needed at all."""
    parts = json.loads(sealed)
    salt = parts["kdf"].pop("salt")
    assert parts["kdf"] == {"name": "argon2id", "memory_kib": 65_536, "iterations": 3, "lanes": 4}
    assert len(bytes.fromhex(salt)) == 16
    assert (parts["schema"], parts["kind"], parts["name"]) == (SCHEMA, "identity", "ALPHA")
    assert SECRET not in base64.b64decode(parts["box"])
    assert len(base64.b64decode(parts["box"])) == 24 + len(SECRET) + 16


def test_the_passphrase_key_is_argon2ids(sealed: bytes) -> None:
    """Another program could not open the file: checked with libsodium, which has one lane only."""
    from nacl.bindings import crypto_pwhash_alg, crypto_pwhash_ALG_ARGON2ID13

    kdf = kdf_of(sealed, lanes=1, memory_kib=1_024)
    other = crypto_pwhash_alg(32, PASSPHRASE, bytes.fromhex(str(kdf["salt"])), 3, 1 << 20, crypto_pwhash_ALG_ARGON2ID13)
    assert vault._derive(PASSPHRASE, kdf) == other


def test_two_files_of_one_secret_share_nothing(swift: None) -> None:
    """Whoever sees two backups would learn that they are the same, and try a passphrase on both at once."""
    first, second = (json.loads(seal_secret("identity", "ALPHA", SECRET, PASSPHRASE, os.urandom)) for _ in range(2))
    assert first["kdf"]["salt"] != second["kdf"]["salt"]
    assert first["box"][:32] != second["box"][:32]


@pytest.mark.parametrize("make", ["sealed", "plain"])
def test_every_cut_and_every_added_byte_is_refused(sealed: bytes, swift: None, make: str) -> None:
    """Half a file on a bad stick would be another key."""
    data = sealed if make == "sealed" else plain_secret("identity", "ALPHA", SECRET)
    for size in range(len(data)):
        assert "not a key file" in refusal(data[:size])
    for extra in (b"\0", b"\n", b" ", b"}", b"x"):
        assert "not a key file" in refusal(data + extra)
        assert "not a key file" in refusal(extra + data)


def test_every_altered_bit_of_a_sealed_file_is_refused(swift: None) -> None:
    """A party could be given another party's name, another kind of key, or another secret."""
    data = seal_secret("identity", "ALPHA", SECRET, PASSPHRASE, os.urandom)
    assert open_secret(data, "identity", PASSPHRASE) == ("ALPHA", SECRET)
    for bit in range(len(data) * 8):
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << bit % 8
        refusal(bytes(altered))


@pytest.mark.parametrize("change", [{"name": "BRAVO"}, {"name": ""}, {"kind": "officer"}])
def test_kind_and_name_are_bound_into_the_seal(swift: None, change: dict[str, str]) -> None:
    """One officer's key file could be passed off as another's."""
    data = seal_secret("identity", "ALPHA", SECRET, PASSPHRASE, os.urandom)
    assert "does not open" in refusal(spelled(data, **change), change.get("kind", "identity"))


@pytest.mark.parametrize("change", [{"iterations": 4}, {"lanes": 3}, {"memory_kib": 65_535}, {"salt": "00" * 16}])
def test_the_parameters_are_bound_into_the_seal(swift: None, change: dict[str, object]) -> None:
    """A file could be made cheaper to guess without anybody seeing it."""
    data = seal_secret("identity", "ALPHA", SECRET, b"p" * 32, os.urandom)
    assert "does not open" in refusal(spelled(data, kdf=kdf_of(data, **change)), passphrase=b"p" * 32)


@pytest.mark.parametrize(
    "change",
    [
        {"memory_kib": 1_048_577},
        {"memory_kib": 31},
        {"memory_kib": 10**400},
        {"memory_kib": 65_536.0},
        {"memory_kib": "65536"},
        {"iterations": 17},
        {"iterations": 0},
        {"iterations": -1},
        {"iterations": True},
        {"iterations": None},
        {"lanes": 17},
        {"lanes": 0},
        {"salt": "00" * 15},
        {"salt": "00" * 17},
        {"salt": "0G" * 16},
        {"salt": "AA" * 16},
        {"salt": 7},
        {"name": "scrypt"},
        {"name": "none"},
        {"name": None},
        {"more": 1},
    ],
    ids=str,
)
def test_hostile_parameters_are_refused_before_they_cost_anything(
    sealed: bytes, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    """A file on a stick could fill the memory of the machine or hold it for a day."""

    def never(**parameters: object) -> None:
        pytest.fail(f"derived with {parameters}")

    monkeypatch.setattr(vault, "Argon2id", never)
    assert "damaged" in refusal(spelled(sealed, kdf=kdf_of(sealed, **change)))


@pytest.mark.parametrize("change", [{"memory_kib": 1_048_576}, {"iterations": 16}, {"lanes": 16}, {"memory_kib": 32}])
def test_parameters_at_the_limit_are_tried(sealed: bytes, swift: None, change: dict[str, object]) -> None:
    """A later version that asks for more work would be locked out."""
    assert "does not open" in refusal(spelled(sealed, kdf=kdf_of(sealed, **change)))


def test_too_little_memory_is_told_as_such(sealed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small machine would end in a traceback, and its officer would think the key is lost."""

    class Short:
        def __init__(self, **parameters: object) -> None:
            pass

        def derive(self, passphrase: bytes) -> bytes:
            raise MemoryError

    monkeypatch.setattr(vault, "Argon2id", Short)
    assert "65536 KiB of memory" in refusal(sealed)


def test_a_passphrase_has_bounds_on_both_sides(sealed: bytes, swift: None) -> None:
    """An empty one would protect nothing, and a wrong file given as one would be read for ever."""
    for passphrase, said in ((b"", "empty passphrase"), (b"p" * 1_025, "at most 1024 bytes")):
        assert said in refusal(sealed, passphrase=passphrase)
        with pytest.raises(KeyFileError, match=said):
            seal_secret("identity", "ALPHA", SECRET, passphrase, os.urandom)
    data = seal_secret("identity", "ALPHA", SECRET, b"p" * 1_024, os.urandom)
    assert open_secret(data, "identity", b"p" * 1_024) == ("ALPHA", SECRET)


def test_a_plain_file_needs_no_passphrase() -> None:
    """A terminal could not start by itself after a power cut."""
    data = plain_secret("terminal", "main", SECRET)
    assert not is_sealed(data)
    assert open_secret(data, "terminal") == ("main", SECRET)
    assert json.loads(data)["kdf"] == {"name": "none"}


def test_a_sealed_file_cannot_be_declared_plain(sealed: bytes) -> None:
    """A box of noise would be taken for a key, and the seal would be gone."""
    name, secret = open_secret(spelled(sealed, kdf={"name": "none"}), "identity")
    assert (name, secret[24:-16] == SECRET, len(secret)) == ("ALPHA", False, 104)


def test_a_file_of_another_kind_names_both(sealed: bytes) -> None:
    """An officer would not know which of the files in the folder to give."""
    assert "kind identity, not terminal" in refusal(sealed, "terminal")


@pytest.mark.parametrize("part", ["kind", "name"])
@pytest.mark.parametrize("text", ["\ud800", "\x1b[2J", "a\nb", "\u202eAHPLA", "\x00"], ids=ascii)
def test_a_hostile_name_is_refused_and_not_shown(sealed: bytes, part: str, text: str) -> None:
    """A file on a stick could clear the officer's screen, or end the program in a traceback."""
    for data in (sealed, plain_secret("identity", "ALPHA", SECRET)):
        assert text not in refusal(spelled(data, **{part: text}))
        with pytest.raises(KeyFileError):
            is_sealed(spelled(data, **{part: text}))
    names = {"kind": "identity", "name": "ALPHA", part: text}
    with pytest.raises(KeyFileError, match="printable"):
        plain_secret(names["kind"], names["name"], SECRET)
    with pytest.raises(KeyFileError, match="printable"):
        seal_secret(names["kind"], names["name"], SECRET, PASSPHRASE, os.urandom)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"7",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"schema": "hotline.key/1"}',
        b"9" * 5_000,
        b"NaN",
        b" " * (FILE_BYTES_MAX + 1),
        b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
    ],
    ids=lambda data: repr(data[:12]),
)
def test_what_is_no_key_file_is_told_as_such(data: bytes) -> None:
    """The wrong file would end in a traceback instead of a sentence."""
    assert "not a key file" in refusal(data)


@pytest.mark.parametrize(
    "change",
    [{"kind": 7}, {"name": None}, {"box": 7}, {"box": "é"}, {"box": "AA"}, {"box": "AB=="}, {"kdf": []}, {"more": 1}],
    ids=str,
)
def test_a_part_of_the_wrong_shape_is_refused(change: dict[str, object]) -> None:
    """A field could be read in two ways by two programs."""
    assert "not a key file" in refusal(spelled(plain_secret("identity", "ALPHA", SECRET), **change))


def test_a_second_spelling_is_refused() -> None:
    """Two files with one meaning would have two checksums, and a part could be named twice."""
    data = plain_secret("identity", "ALPHA", SECRET)
    compact = json.dumps(json.loads(data), sort_keys=True).encode()
    twice = data.replace(b'"kind": "identity"', b'"kind": "officer",\n "kind": "identity"')
    escaped = data.replace(b"ALPHA", b"\\u0041LPHA")
    for other in (compact, twice, escaped, re.sub(rb"\n", b"\r\n", data)):
        assert other != data
        assert "damaged" in refusal(other)


def test_another_schema_is_told_apart_from_damage(sealed: bytes) -> None:
    """An officer with a newer key would throw it away as broken."""
    assert "another version" in refusal(spelled(sealed, schema="hotline.key/2"))


def test_a_file_of_the_largest_size_is_read_and_one_byte_more_is_not() -> None:
    """A lawful key would be refused, or a file without end be parsed."""
    empty = len(plain_secret("identity", "", b""))
    name = "A" * ((FILE_BYTES_MAX - empty) % 4)
    secret = bytes((FILE_BYTES_MAX - len(plain_secret("identity", name, b""))) // 4 * 3)
    data = plain_secret("identity", name, secret)
    assert len(data) == FILE_BYTES_MAX
    assert open_secret(data, "identity") == (name, secret)
    with pytest.raises(KeyFileError, match="too long"):
        open_secret(data + b" ", "identity")


def test_the_cheapest_lawful_derivation_is_accepted(sealed: bytes) -> None:
    """A file that another program sealed within the bounds would be called damaged."""
    kdf = json.loads(sealed)["kdf"] | {"iterations": 1, "lanes": 1, "memory_kib": 8}
    data = spelled(sealed, kdf=kdf)
    assert "passphrase does not open" in refusal(data, passphrase=b"x")
    for worse in ({"iterations": 0}, {"lanes": 0}, {"memory_kib": 7}, {"iterations": 17}, {"lanes": 17}):
        assert "not a key file" in refusal(spelled(sealed, kdf=kdf | worse))
