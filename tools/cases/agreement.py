"""Cards, the charter, the pairwise secret."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hotline.charter.body import (
    AmendsEntry,
    CharterText,
    PartyEntry,
    PolicyEntry,
    ProfileEntry,
    RelayEntryText,
    TerminalEntry,
    TermsEntry,
    TravelsEntry,
)
from hotline.charter.cards import IdentityCard, OfficerCard, PartyOffer, RelayCard, TerminalCard, encode
from hotline.charter.documents import IdentitySigner, issue, spell
from hotline.charter.mandates import Mandate
from hotline.charter.pairwise import check_value, derive_pairwise
from hotline.charter.profiles import PROFILES
from hotline.crypto.derivation import SUITE
from hotline.crypto.signing import SigningKey
from hotline.crypto.words import EVEN, ODD
from hotline.ledger.note import Ed25519Signer, parse_note, sign_note
from tools.cases.keys import FixedIdentity, seed
from tools.cases.writing import Cases

DAY = "2026-11-18"
IDENTITIES = {name: FixedIdentity(name) for name in ("ALPHA", "BRAVO", "CHARLIE")}
SHARES = {party: seed(f"share of {party}") for party in ("ALPHA", "BRAVO")}
WEEK = 7 * 86_400_000


def made() -> list[Cases]:
    """Four kinds."""
    return [_pairwise(), _fingerprints(), _cards(), _charters()]


def signer(name: str, key: str = "") -> IdentitySigner:
    """Signs documents as `name`, with its own identity key or with that of `key`."""
    return IdentitySigner(name, IDENTITIES[key or name])  # type: ignore[arg-type]


@cache
def certificate(
    name: str, first: str = "2026-11-16", years: int = 10, curve: ec.EllipticCurve | None = None, key_of: str = ""
) -> bytes:
    """A self-signed certificate as terminals and relays had them first (5.16), without any randomness."""
    number = int.from_bytes(seed(f"TLS key of {key_of or name}"), "big") % (2**255)
    key = ec.derive_private_key(number, curve or ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name}.hotline.invalid")])
    begin = datetime.fromisoformat(first).replace(tzinfo=UTC)
    return (
        x509.CertificateBuilder(
            subject, subject, key.public_key(), int.from_bytes(seed(f"number of {name}", 16), "big") >> 1
        )
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=365 * years))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(f"{name}.hotline.invalid")]), critical=False)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
        .public_bytes(Encoding.DER)
    )


def ed25519(name: str) -> str:
    """A public key as cards hold it."""
    return encode(SigningKey(seed(name)).public)


@cache
def terminal(party: str, by: str = "", **changes: Any) -> str:
    """A terminal's card."""
    fields = {
        "schema": "hotline.terminal-card/1", "party": party, "name": "main", "signing": ed25519(f"signing of {party}"),
        "ledger": ed25519(f"ledger of {party}"), "tls": encode(certificate(f"{party.lower()}-main")),
        "not_before": DAY, "not_after": "2028-11-17",
    }  # fmt: skip
    return issue(TerminalCard(**{**fields, **changes}), [signer(party, by)]).decode()


@cache
def officer(party: str, by: str = "", **changes: Any) -> str:
    """An officer's card."""
    fields = {
        "schema": "hotline.officer-card/1", "party": party, "name": "duty-1", "roles": ("duty", "drafter"),
        "signing": ed25519(f"officer of {party}"), "not_before": DAY, "not_after": "2028-11-17",
    }  # fmt: skip
    return issue(OfficerCard(**{**fields, **changes}), [signer(party, by)]).decode()


@cache
def mandate(by: str = "", **changes: Any) -> str:
    """ALPHA's duty-1 may release for a month."""
    fields = {
        "schema": "hotline.mandate/1", "party": "ALPHA", "officer": "duty-1", "signing": ed25519("officer of ALPHA"),
        "role": "releaser", "founding": seed("founding charter").hex(), "not_before": DAY, "not_after": "2026-12-18",
        "grounds": "Order 12: the releaser is abroad.",
    }  # fmt: skip
    return issue(Mandate(**{**fields, **changes}), [signer("ALPHA", by)]).decode()


@cache
def relay(name: str = "relay-1", key: str = "", **changes: Any) -> str:
    """A relay's card."""
    fields = {
        "schema": "hotline.relay-card/1", "name": name, "operator": "neutral", "address": "127.0.0.1:41001",
        "profile": "fibre", "signing": ed25519(f"signing of {name}"), "tls": encode(certificate(name)),
    }  # fmt: skip
    own = Ed25519Signer(name, SigningKey(seed(key or f"signing of {name}")))
    return issue(RelayCard(**{**fields, **changes}), [own]).decode()


def _pairwise() -> Cases:
    identities = {party: IDENTITIES[party].public.hex() for party in SHARES}
    cases = Cases("pairwise", "5.3, 5.14", "The pairwise secret of two shares.", {"identities": identities})
    cases.good("two shares", shares={party: share.hex() for party, share in SHARES.items()})
    cases.good("exchanged", shares={"ALPHA": SHARES["BRAVO"].hex(), "BRAVO": SHARES["ALPHA"].hex()})
    cases.bad("", "one share twice", shares=dict.fromkeys(SHARES, SHARES["ALPHA"].hex()))
    cases.bad("", "a share of 31 bytes", shares={"ALPHA": SHARES["ALPHA"].hex(), "BRAVO": SHARES["BRAVO"].hex()[2:]})
    cases.bad("", "one share", shares={"ALPHA": SHARES["ALPHA"].hex()})
    cases.bad("", "of another party", shares={"ALPHA": SHARES["ALPHA"].hex(), "CHARLIE": SHARES["BRAVO"].hex()})
    return cases


def _fingerprints() -> Cases:
    about = "What people compare of a key; `safety_number` is that of `key` and `other`, whichever side reads it out."
    cases = Cases("fingerprint", "5.15", about, {"even": list(EVEN), "odd": list(ODD)})
    alpha, bravo = (IDENTITIES[party].public.hex() for party in ("ALPHA", "BRAVO"))
    cases.good("one side", kind="identity", name="ALPHA", key=alpha, other=bravo)
    cases.good("the other side", kind="identity", name="BRAVO", key=bravo, other=alpha)
    cases.good("one key twice", kind="identity", name="ALPHA", key=alpha, other=alpha)
    cases.good("a key of another kind", kind="relay", name="relay-1", key="00" * 32, other="ff" * 32)
    return cases


def _cards() -> Cases:
    about = "A card. `identity` is ALPHA's key; a relay's card, an identity card and an offer bring their own."
    cases = Cases("card", "5.2, 5.9 to 5.12, 19.12", about, {"identity": IDENTITIES["ALPHA"].public.hex()})
    identity = IdentityCard(
        schema="hotline.identity-card/1", party="ALPHA", identity=encode(IDENTITIES["ALPHA"].public)
    )
    cards = {"terminal-card": terminal("ALPHA"), "officer-card": officer("ALPHA"), "relay-card": relay()}
    cards["identity-card"] = issue(identity, [signer("ALPHA")]).decode()
    cases.copies.update(cards)
    offer = PartyOffer(
        schema="hotline.offer/1", party="ALPHA", identity=identity.identity, terminals=(cards["terminal-card"],),
        officers=(), relays=(cards["relay-card"],),
    )  # fmt: skip
    cards["offer"] = issue(offer, [signer("ALPHA")]).decode()
    cards["mandate"] = mandate()
    for name, note in cards.items():
        cases.good(name, schema=f"hotline.{name}/1", note=note)
    also = signer("ALPHA"), signer("CHARLIE")
    cases.good("a second signature by a stranger is passed over", schema="hotline.identity-card/1",
               note=issue(identity, list(also)).decode())  # fmt: skip

    def bad(why: str, name: str, note: str) -> None:
        cases.bad("", why, schema=f"hotline.{name}/1", note=note)

    bad("certified by another party", "terminal-card", terminal("ALPHA", "BRAVO"))
    bad("of another party", "terminal-card", terminal("BRAVO"))
    bad("a mandate by another party", "mandate", mandate("BRAVO"))
    bad("a mandate's last day altered", "mandate", cards["mandate"].replace("2026-12-18", "2027-12-18"))
    for why, old, new in (
        ("a mandate for no day", "2026-12-18", DAY),
        ("a mandate without grounds", "Order 12: the releaser is abroad.", ""),
        ("a mandate with grounds of 201 characters", "Order 12: the releaser is abroad.", "x" * 201),
        ("a mandate for an unknown role", '"releaser"', '"witness"'),
    ):
        text = cards["mandate"].rpartition("\n\n")[0].replace(old, new) + "\n"
        bad(why, "mandate", sign_note(text.encode(), [signer("ALPHA")]).decode())
    many = "".join(f"\u2014 CHARLIE-{n} {encode(seed(f'a stranger {n}') * 16)}\n" for n in range(8))
    bad("a mandate of more than 8192 bytes", "mandate", cards["mandate"] + many)
    bad("of another schema", "officer-card", cards["terminal-card"])
    bad("a role altered", "officer-card", cards["officer-card"].replace("drafter", "principal"))
    bad("an address altered", "relay-card", cards["relay-card"].replace("41001", "41002"))
    bad("a relay's card by another key", "relay-card", relay(key="another key"))
    bad("an identity card by another key", "identity-card", issue(identity, [signer("ALPHA", "BRAVO")]).decode())
    head, gap, tail = cards["terminal-card"].rpartition("\n\n")
    bad("no signature", "terminal-card", head + "\n")
    bad("the signature twice", "terminal-card", head + gap + tail + tail)
    bad("half of the signature altered: ML-DSA", "terminal-card", _altered(cards["terminal-card"], 400))
    bad("half of the signature altered: Ed25519", "terminal-card", _altered(cards["terminal-card"], 4_480))
    for why, text in (
        ("an unknown member", head.replace('"name"', '"mame": "x",\n "name"') + "\n"),
        ("not sorted", '{\n "tls": "AAAA",' + head[1:] + "\n"),
        ("on one line", head.replace("\n ", " ") + "\n"),
        ("no such day", head.replace(DAY, "2026-11-31") + "\n"),
        ("a name of 33 characters", head.replace('"main"', f'"{"m" * 33}"') + "\n"),
        ("a key that is no base64", head.replace(ed25519("ledger of ALPHA"), "-_-_") + "\n"),
    ):
        bad(f"{why}, well signed", "terminal-card", sign_note(text.encode(), [signer("ALPHA")]).decode())
    return cases


def _altered(note: str, at: int) -> str:
    """One base64 sign of the signature exchanged."""
    place = note.rindex("\n\n") + at
    return note[:place] + ("A" if note[place] != "A" else "B") + note[place + 1 :]


# --- the charter -----------------------------------------------------------------------------------------------------


def officers() -> tuple[str, ...]:
    """Two of each party who draft and release."""
    both = {"roles": ("drafter", "releaser")}
    return tuple(
        officer(party, name=name, signing=ed25519(f"{name} of {party}"), **both)
        for party in ("ALPHA", "BRAVO")
        for name in ("duty-1", "duty-2")
    )


def charter_text(**changes: Any) -> CharterText:
    """The text of a charter of two parties."""
    parties = ("ALPHA", "BRAVO")
    shares = derive_pairwise(SHARES, {party: IDENTITIES[party].public for party in SHARES})
    policy = PolicyEntry(
        text_bytes_max=32_768, validity_ms=(WEEK,) * 4, witnesses="quorum none\n", channel_test_ms=0, release=()
    )
    fields: dict[str, Any] = {
        "schema": "hotline.charter/1", "hotline": "alpha-bravo", "serial": 1, "created": DAY, "suite": SUITE,
        "parties": tuple(PartyEntry(name=party, identity=encode(IDENTITIES[party].public)) for party in parties),
        "terminals": tuple(TerminalEntry(number=n, card=terminal(party)) for n, party in enumerate(parties, 1)),
        "officers": officers(), "relays": (RelayEntryText(number=1, card=relay()),),
        "profiles": (ProfileEntry(**asdict(PROFILES["fibre"])),), "policy": policy,
        "pairwise_check": check_value(shares),
    }  # fmt: skip
    return CharterText.model_construct(**{**fields, **changes})


def signed(text: CharterText | bytes, *signers: IdentitySigner) -> str:
    """A charter with these signatures, or with both parties'."""
    data = text if isinstance(text, bytes) else spell(text)
    return sign_note(data, signers or [signer("ALPHA"), signer("BRAVO")]).decode()


def _release_policies(cases: Cases) -> None:
    """Clause 19.3."""

    def charter(held: tuple[str, ...], *entries: tuple[str, str, tuple[str, ...]]) -> str:
        text = json.loads(spell(charter_text(officers=held)))
        names = ("plane", "precedence", "roles")
        text["policy"]["release"] = [dict(zip(names, entry, strict=True)) for entry in entries]
        return signed((json.dumps(text, indent=1, sort_keys=True) + "\n").encode())

    flash, two = ("real", "flash"), ("drafter", "releaser")
    cases.good("release by two", note=charter(officers(), (*flash, two), ("exercise", "routine", two[:1])))
    for why, held, entries in (
        ("a party without officers to release", officers()[:3], [(*flash, two)]),
        ("a role that no officer has", officers(), [(*flash, ("principal",))]),
        ("one plane and precedence twice", officers(), [(*flash, two), (*flash, two[:1])]),
        ("a release in an unknown role", officers(), [(*flash, ("witness",))]),
    ):
        cases.bad("", f"{why}, well signed", note=charter(held, *entries))


def _charters() -> Cases:
    cases = Cases(
        "charter",
        "5.1, 5.2, 5.9 to 5.13, 5.16, 24.1, 24.2",
        "A whole charter, and the founding charter that everything is bound to.",
    )
    good = signed(charter_text())
    cases.copies["good"] = good
    cases.good("both parties have signed", note=good)
    cases.good("signed in the other order", note=signed(charter_text(), signer("BRAVO"), signer("ALPHA")))
    amends = AmendsEntry(founding="01" * 32, previous="02" * 32, terminal_number=2, relay_number=1)
    terms = TermsEntry(notice_days=90, depositary="The secretariat")
    cases.good("an amendment, and terms", note=signed(charter_text(serial=2, amends=amends, terms=terms)))
    _release_policies(cases)
    more = {"objective_ms": (60_000, 30_000, 2_000, 1_000), "takeover_after_ms": 4_000}
    policy = charter_text().policy.model_copy(update=more)
    new = charter_text(serial=2, amends=amends, terms=terms, policy=policy)
    cases.good("an amendment, terms, time objectives and a rule of takeover", note=signed(new))
    spare = {"name": "plane", "signing": ed25519("signing of a plane"), "ledger": ed25519("ledger of a plane")}
    plane = terminal("ALPHA", tls=encode(certificate("alpha-plane")), **spare)
    span = TravelsEntry(from_ms=1_795_000_000_000, until_ms=1_795_000_000_000 + 90 * 86_400_000)
    homes = charter_text().terminals
    flying = charter_text(terminals=(*homes, TerminalEntry(number=3, card=plane, travels=span)))
    cases.good("a terminal that travels", note=signed(flying))
    grounded = tuple(entry.model_copy(update={"travels": span}) for entry in homes)
    cases.bad("", "the first terminal of a party travels", note=signed(charter_text(terminals=(grounded[0], homes[1]))))
    hasty = policy.model_copy(update={"takeover_after_ms": 3_999})
    cases.bad("", "a rule of takeover that an ordinary silence fulfils", note=signed(charter_text(policy=hasty)))
    text = parse_note(good.encode()).text
    assert hashlib.sha256(text).hexdigest() == cases.cases[0]["expect"]["output"]["hash"]

    def bad(why: str, note: str) -> None:
        cases.bad("", why, note=note)

    def unlawful(why: str, **changes: Any) -> None:
        bad(f"{why}, well signed", signed(charter_text(**changes)))

    bad("half signed", signed(text, signer("ALPHA")))
    bad("a day altered", good.replace(f'"created": "{DAY}"', '"created": "2026-11-19"', 1))
    bad("signed by one party under both names", signed(text, signer("ALPHA"), signer("BRAVO", "ALPHA")))
    bad("a third signature", signed(text, signer("ALPHA"), signer("BRAVO"), signer("CHARLIE")))
    bad("the text without signatures", text.decode())
    bad("another spelling, well signed", signed(text.replace(b'"serial": 1', b'"serial": 1.0', 1)))
    bad("an unknown suite, well signed", signed(text.replace(SUITE.encode(), b"HL2", 1)))
    bad("an unknown member, well signed", signed(text.replace(b'"serial"', b'"sequel": 1,\n "serial"', 1)))
    unlawful("a first one that amends", amends=amends)
    one, two = charter_text().terminals

    def card(number: int, data: str) -> TerminalEntry:
        return TerminalEntry(number=number, card=data)

    unlawful("one terminal number twice", terminals=(one, card(1, two.card)))
    unlawful("a terminal number beyond 65535", terminals=(one, card(65_536, two.card)))
    unlawful("a party without a terminal", terminals=(one, card(2, terminal("ALPHA", name="spare",
             signing=ed25519("1"), ledger=ed25519("2"), tls=encode(certificate("alpha-spare"))))))  # fmt: skip
    unlawful("one key in two places", terminals=(one, card(2, terminal("BRAVO", ledger=ed25519("signing of BRAVO")))))
    unlawful(
        "one certificate twice", terminals=(one, card(2, terminal("BRAVO", tls=encode(certificate("alpha-main")))))
    )
    unlawful("a key of small order", terminals=(one, card(2, terminal("BRAVO", signing=encode(bytes(32))))))
    unlawful("a card that has expired", terminals=(one, card(2, terminal("BRAVO", not_after=DAY))))
    unlawful("a card of later", terminals=(one, card(2, terminal("BRAVO", not_before="2026-11-19"))))
    expired = encode(certificate("bravo-main", "2015-11-16"))
    unlawful("a certificate that has expired", terminals=(one, card(2, terminal("BRAVO", tls=expired))))
    unlawful("a certificate of another curve", terminals=(one, card(2, terminal(
             "BRAVO", tls=encode(certificate("bravo-main", curve=ec.SECP384R1()))))))  # fmt: skip
    broken = certificate("bravo-main")[:-1] + bytes((certificate("bravo-main")[-1] ^ 1,))
    unlawful("a certificate not signed by itself", terminals=(one, card(2, terminal("BRAVO", tls=encode(broken)))))
    unlawful("a terminal certified by the other party", terminals=(one, card(2, terminal("BRAVO", "ALPHA"))))
    unlawful("an officer of no party", officers=(officer("CHARLIE"),))
    unlawful("an officer twice", officers=(officer("BRAVO"), officer("BRAVO", signing=ed25519("3"))))
    unlawful("a relay of an unknown profile", relays=(RelayEntryText(number=1, card=relay(profile="narrow")),))
    unlawful("two certificates of one name", terminals=(
             one, card(2, terminal("BRAVO", tls=encode(certificate("alpha-main", key_of="other"))))))  # fmt: skip
    unlawful("one TLS key in two certificates", terminals=(
             one, card(2, terminal("BRAVO", tls=encode(certificate("bravo-main", key_of="alpha-main"))))))  # fmt: skip
    spare = {"signing": ed25519("1"), "ledger": ed25519("2"), "tls": encode(certificate("bravo-spare"))}
    unlawful("one terminal name twice", terminals=(one, two, card(3, terminal("BRAVO", **spare))))
    other = {"address": "127.0.0.1:41002", "signing": ed25519("signing of relay-2")}
    twin = relay("relay-1", "signing of relay-2", tls=encode(certificate("relay-2")), **other)
    unlawful(
        "one relay name twice", relays=tuple(RelayEntryText(number=n, card=c) for n, c in ((1, relay()), (2, twin)))
    )
    far = relay("relay-2", address="127.0.0.1:41002")
    unlawful("one relay number twice", relays=tuple(RelayEntryText(number=1, card=data) for data in (relay(), far)))
    second = relay("relay-2")
    unlawful(
        "one address of two relays",
        relays=tuple(RelayEntryText(number=n, card=data) for n, data in ((1, relay()), (2, second))),
    )
    profile = ProfileEntry(**asdict(PROFILES["fibre"]))
    unlawful("a profile twice", profiles=(profile, profile))
    policy = charter_text().policy
    unlawful("a policy that names logs", policy=policy.model_copy(update={"witnesses": "log x\nquorum none\n"}))
    unlawful("a policy without quorum", policy=policy.model_copy(update={"witnesses": ""}))
    for name, old, new in (
        ("silent_floor_ms", 1_250, 500),
        ("silent_ceiling_ms", 2_000, 1_249),
        ("retransmit_max_ms", 10_000, 999),
        ("heartbeat_ms", 500, 49),
        ("channel_test_ms", 0, 999),
        ("text_bytes_max", 32_768, 32_769),
    ):
        line = f'"{name}": {old}'.encode()
        assert text.count(line) == 1
        bad(f"{name} out of its bounds, well signed", signed(text.replace(line, f'"{name}": {new}'.encode())))
    return cases
