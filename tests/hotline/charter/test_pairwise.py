"""The secret that couriers carry."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pytest

from hotline.charter.pairwise import check_value, derive_pairwise
from hotline.errors import KeyFileError

SHARES = {"ALPHA": bytes(range(32)), "BRAVO": bytes(range(32, 64))}
IDENTITIES = {"ALPHA": b"key of alpha", "BRAVO": b"key of bravo"}


def test_both_sides_get_the_same_secret() -> None:
    """The hotline would never open an epoch."""
    turned = dict(reversed(SHARES.items())), dict(reversed(IDENTITIES.items()))
    secret = derive_pairwise(SHARES, IDENTITIES)
    assert derive_pairwise(*turned) == secret
    assert len(secret) == 32


def test_the_secret_depends_on_every_part() -> None:
    """Whoever knows one share, or exchanged an identity, would know the secret."""
    secret = derive_pairwise(SHARES, IDENTITIES)
    others = [
        derive_pairwise(SHARES | {"ALPHA": bytes(32)}, IDENTITIES),
        derive_pairwise(SHARES | {"BRAVO": bytes(32)}, IDENTITIES),
        derive_pairwise(SHARES, IDENTITIES | {"ALPHA": b"another key"}),
        derive_pairwise(SHARES, {"ALPHA": IDENTITIES["BRAVO"], "BRAVO": IDENTITIES["ALPHA"]}),
        derive_pairwise({"ALPHA": SHARES["BRAVO"], "BRAVO": SHARES["ALPHA"]}, IDENTITIES),
    ]
    assert len({secret, *others}) == 6


@pytest.mark.parametrize(
    "shares",
    [
        {"ALPHA": bytes(32)},
        {"ALPHA": bytes(32), "BRAVO": bytes(32)},
        {"ALPHA": bytes(32), "BRAVO": bytes(31)},
        {"ALPHA": bytes(32), "CHARLIE": bytes(range(32))},
    ],
)
def test_shares_that_do_not_fit_are_refused(shares: dict[str, bytes]) -> None:
    """A secret would be made to which one side, or nobody, had contributed."""
    with pytest.raises(KeyFileError):
        derive_pairwise(shares, IDENTITIES)


def test_the_check_value_tells_secrets_apart_and_no_more() -> None:
    """A wrong secret would be noticed only when messages fail to open; or the charter would give the secret away."""
    # docs/protocol.md 5.3
    secret = derive_pairwise(SHARES, IDENTITIES)
    assert check_value(secret) == check_value(bytes(secret))
    assert check_value(secret) != check_value(secret[::-1])
    assert secret.hex() not in check_value(secret)
    assert len(check_value(secret)) == 64


def test_the_derivation_is_the_one_that_is_written_down() -> None:
    """A party with another program would go home with another secret (docs/protocol.md 5.14)."""

    def pae(*parts: bytes) -> bytes:
        return b"HLv1" + b"".join(b" %d %s" % (len(part), part) for part in parts)

    def hmac256(key: bytes, data: bytes) -> bytes:
        return hmac.digest(key, data, "sha256")

    names = [part for party in ("ALPHA", "BRAVO") for part in (party.encode(), sha256(IDENTITIES[party]).digest())]
    extracted = hmac256(bytes(32), SHARES["ALPHA"] + SHARES["BRAVO"])
    secret = hmac256(extracted, pae(b"hotline/v1/pairwise", *names) + b"\1")
    assert derive_pairwise(SHARES, IDENTITIES) == secret
    assert check_value(secret) == sha256(pae(b"hotline/v1/pairwise-check", secret)).hexdigest()
