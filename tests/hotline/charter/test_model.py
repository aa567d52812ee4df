"""A charter: in force only as both parties signed it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotline.charter.body import CharterText, RelayEntryText, ReleaseEntry, TerminalEntry
from hotline.charter.cards import (
    OfficerCard,
    RelayCard,
    Role,
    TerminalCard,
    encode,
    open_terminal_card,
    read_unverified,
)
from hotline.charter.ceremony import checks, make_offer, make_officer, make_relay, make_terminal
from hotline.charter.documents import IdentitySigner, issue, read_text
from hotline.charter.model import load_charter, load_draft, new_charter, sign_charter, split
from hotline.charter.profiles import PROFILES
from hotline.crypto.identity import IdentityKey
from hotline.crypto.signing import SigningKey
from hotline.crypto.tls import fingerprint
from hotline.errors import ConfigError, Malformed, RemoteError, Untrusted
from hotline.ledger.note import Ed25519Signer, Note, parse_note
from tests.hotline.charter.conftest import NOW, TODAY, Ceremony
from tests.hotline.crypto.test_tls import certificate_on

Change = Callable[[CharterText], CharterText]


def test_a_charter_says_who_is_who(ceremony: Ceremony) -> None:
    """A terminal would speak to the wrong machine, or pin the wrong certificate (docs/protocol.md 5.10)."""
    charter = load_charter(ceremony.signed)
    text, _ = split(ceremony.signed)
    assert charter.hash == hashlib.sha256(text).digest()
    assert charter.signed_by == ("BRAVO", "ALPHA")
    assert [(t.number, t.party, t.name) for t in charter.terminals] == [(1, "ALPHA", "main"), (2, "BRAVO", "main")]
    bravo = charter.terminal("BRAVO", "main")
    assert charter.terminal_number(2) is bravo
    assert bravo.signing == SigningKey(ceremony.secrets["BRAVO"].signing).public
    assert bravo.ledger == SigningKey(ceremony.secrets["BRAVO"].ledger).public
    assert bravo.tls_fingerprint == fingerprint(ceremony.secrets["BRAVO"].tls_certificate_der)
    assert charter.peer_of("ALPHA").name == "BRAVO"
    assert charter.peer_of("BRAVO").identity == ceremony.keys["ALPHA"].public
    assert charter.officer("ALPHA", "duty-1").roles == ("drafter", "duty")
    assert charter.relay("relay-2").address == "127.0.0.1:41002"
    assert charter.relay("relay-2").profile == PROFILES["fibre"]
    assert charter.relay("relay-1").tls_fingerprint != charter.relay("relay-2").tls_fingerprint
    assert charter.log_origin(bravo, 3) == "hotline/alpha-bravo/BRAVO/main/3"


@pytest.mark.parametrize(
    "ask",
    [
        lambda charter: charter.party("CHARLIE"),
        lambda charter: charter.peer_of("CHARLIE"),
        lambda charter: charter.terminal("ALPHA", "alternate"),
        lambda charter: charter.terminal_number(3),
        lambda charter: charter.officer("BRAVO", "duty-2"),
        lambda charter: charter.relay("relay-9"),
    ],
)
def test_who_is_not_in_the_charter_is_told_as_such(ceremony: Ceremony, ask: Callable[[object], object]) -> None:
    """A typing error in a configuration would end in a traceback, or in another's entry."""
    with pytest.raises(ConfigError, match="knows no"):
        ask(load_charter(ceremony.signed))


@pytest.mark.parametrize("interval", [-1, 1, 999, 86_400_001, 2**60])
def test_an_interval_of_channel_tests_has_bounds(ceremony: Ceremony, interval: int) -> None:
    """Both ledgers would be filled by tests, or nobody would notice a dead line for a month."""
    check = hashlib.sha256(b"check").hexdigest()
    with pytest.raises(ConfigError, match="channel_test_ms"):
        new_charter("alpha-bravo", TODAY, ceremony.offers, check, channel_test_ms=interval, release=())
    text = ceremony.draft.replace(b'"channel_test_ms": 3600000', f'"channel_test_ms": {interval}'.encode())
    assert text != ceremony.draft
    with pytest.raises(Malformed, match="channel_test_ms"):
        load_draft(text)


@pytest.mark.parametrize("interval", [0, 1_000, 86_400_000])
def test_an_interval_of_channel_tests_is_what_was_agreed(ceremony: Ceremony, interval: int) -> None:
    """Each side would keep to another schedule and ring for the other's."""
    check = hashlib.sha256(b"check").hexdigest()
    text = new_charter("alpha-bravo", TODAY, ceremony.offers, check, channel_test_ms=interval, release=())
    assert load_draft(text).channel_test_ms == interval
    assert load_draft(ceremony.draft).channel_test_ms == 3_600_000


def test_time_objectives_are_what_was_agreed(ceremony: Ceremony) -> None:
    """One side would ring after ten minutes and the other after an hour (docs/protocol.md 20.7)."""
    check = hashlib.sha256(b"check").hexdigest()
    spans = (60_000, 30_000, 2_000, 1_000)
    text = new_charter("alpha-bravo", TODAY, ceremony.offers, check, release=(), objective_ms=spans)
    assert load_draft(text).objective_ms == spans
    assert load_draft(ceremony.draft).objective_ms == (21_600_000, 10_800_000, 1_800_000, 600_000)
    with pytest.raises(ConfigError, match="objective_ms"):
        new_charter("alpha-bravo", TODAY, ceremony.offers, check, release=(), objective_ms=(60_000, 30_000, 2_000, 49))


def test_one_signature_is_not_enough(ceremony: Ceremony) -> None:
    """One side could dictate keys and relays to the other (docs/protocol.md 5.1)."""
    half = sign_charter(ceremony.draft, "ALPHA", ceremony.keys["ALPHA"])
    with pytest.raises(Untrusted, match="not signed by BRAVO"):
        load_charter(half)
    with pytest.raises(Untrusted, match="not signed by ALPHA and BRAVO"):
        load_charter(ceremony.draft)
    assert load_draft(half).signed_by == ("ALPHA",)
    assert load_draft(ceremony.draft).signed_by == ()
    assert [check.ok for check in checks(load_draft(half))][:2] == [True, False]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_no_byte_of_a_charter_can_be_changed(ceremony: Ceremony, place: float, flip: int) -> None:
    """Somebody on the way could exchange a key, an address or a timer (docs/protocol.md 5.1 and 5.9)."""
    data = bytearray(ceremony.signed)
    data[int(place * len(data))] ^= flip
    with pytest.raises(RemoteError):
        load_charter(bytes(data))


def test_no_byte_near_an_edge_can_be_changed(ceremony: Ceremony) -> None:
    """The spots that chance rarely hits: beginning, end, and the joint between text and signatures."""
    text, _ = split(ceremony.signed)
    edges = [
        *range(24),
        *range(len(text) - 12, len(text) + 60),
        *range(len(ceremony.signed) - 24, len(ceremony.signed)),
    ]
    for place in edges:
        for flip in (1, 0x20, 0x80):
            data = bytearray(ceremony.signed)
            data[place] ^= flip
            with pytest.raises(RemoteError):
                load_charter(bytes(data))


@pytest.mark.parametrize(
    "spoil", [lambda d: d[:-1], lambda d: d + b"\n", lambda d: b" " + d, lambda d: d[: len(d) // 2]]
)
def test_nothing_can_be_added_or_cut(ceremony: Ceremony, spoil: Callable[[bytes], bytes]) -> None:
    """Two files that read differently would pass for one charter."""
    with pytest.raises(RemoteError):
        load_charter(spoil(ceremony.signed))


def test_another_spelling_of_the_same_text_is_refused(ceremony: Ceremony) -> None:
    """The hash that every key is bound to would differ between the sides (docs/protocol.md 5.9)."""
    text, signatures = split(ceremony.signed)
    loose = text.replace(b'"serial": 1', b'"serial":  1')
    assert loose != text
    with pytest.raises(Malformed, match="spelling"):
        load_charter(Note(loose, signatures).encode())


def test_a_signature_of_another_charter_does_not_count(ceremony: Ceremony) -> None:
    """A party's signature could be carried over to a text it never saw."""
    other = new_charter("bravo-alpha", TODAY, ceremony.offers, hashlib.sha256(b"check").hexdigest(), release=())
    _, signatures = split(ceremony.signed)
    with pytest.raises(Untrusted):
        load_charter(Note(other, signatures).encode())
    with pytest.raises(Untrusted):
        sign_charter(Note(other, signatures[:1]).encode(), "ALPHA", ceremony.keys["ALPHA"])


def test_a_signature_on_a_card_is_none_on_a_charter(ceremony: Ceremony) -> None:
    """Certifying a terminal would at once put the party's name under a charter."""
    card = parse_note(ceremony.terminals["ALPHA"])
    with pytest.raises(Untrusted):
        load_draft(Note(ceremony.draft, card.signatures).encode())


def test_nobody_signs_twice_or_for_another(ceremony: Ceremony) -> None:
    """One party could fill both places."""
    half = sign_charter(ceremony.draft, "ALPHA", ceremony.keys["ALPHA"])
    with pytest.raises(ConfigError, match="already"):
        sign_charter(half, "ALPHA", ceremony.keys["ALPHA"])
    with pytest.raises(Untrusted, match="another identity key"):
        sign_charter(half, "BRAVO", ceremony.keys["ALPHA"])
    with pytest.raises(ConfigError, match="knows no party"):
        sign_charter(half, "CHARLIE", IdentityKey.generate(os.urandom))
    _, signatures = split(half)
    with pytest.raises(RemoteError):
        load_charter(Note(ceremony.draft, (*signatures, *signatures)).encode())


def test_a_stranger_s_signature_is_refused(ceremony: Ceremony) -> None:
    """A third party's name under a charter would look like its consent."""
    stranger = IdentitySigner("CHARLIE", IdentityKey.generate(os.urandom))
    text, signatures = split(ceremony.signed)
    foreign = parse_note(issue(read_text(CharterText, text), [stranger])).signatures
    with pytest.raises(Untrusted, match="does not name"):
        load_charter(Note(text, (*signatures, *foreign)).encode())


def test_exchanged_identities_are_noticed(ceremony: Ceremony) -> None:
    """ALPHA's words would be signed, lawfully, by BRAVO."""

    def exchange(text: CharterText) -> CharterText:
        first, second = text.parties
        parties = (
            first.model_copy(update={"identity": second.identity}),
            second.model_copy(update={"identity": first.identity}),
        )
        return text.model_copy(update={"parties": parties})

    swapped = ceremony.resigned(exchange)
    with pytest.raises(Untrusted):
        load_charter(swapped)
    text, _ = split(swapped)
    with pytest.raises(Untrusted, match=r"terminals\.0: .*terminals\.1: .*officers\.0: .*officers\.1: "):
        load_draft(text)


def _with_officer(card: bytes) -> Change:
    return lambda text: text.model_copy(update={"officers": (*text.officers, card.decode())})


def _officer_with_key(ceremony: Ceremony, public: bytes) -> bytes:
    card = OfficerCard(
        schema="hotline.officer-card/1",
        party="ALPHA",
        name="duty-9",
        roles=("duty",),
        signing=encode(public),
        not_before=TODAY,
        not_after="2027-11-18",
    )
    return issue(card, [IdentitySigner("ALPHA", ceremony.keys["ALPHA"])])


@pytest.mark.parametrize("which", ["signing", "ledger", "identity", "bravo", "relay"])
def test_no_key_stands_twice(ceremony: Ceremony, which: str) -> None:
    """A signature made for one purpose would hold for another, or one side's for the other's (docs/protocol.md 5.2)."""
    secret = ceremony.secrets["ALPHA"]
    key = {
        "signing": SigningKey(secret.signing).public,
        "ledger": SigningKey(secret.ledger).public,
        "identity": ceremony.keys["ALPHA"].public[-32:],
        "bravo": SigningKey(ceremony.secrets["BRAVO"].signing).public,
        "relay": load_charter(ceremony.signed).relays[0].signing,
    }[which]
    with pytest.raises(Untrusted, match="a key stands twice"):
        load_charter(ceremony.resigned(_with_officer(_officer_with_key(ceremony, key))))
    fresh = SigningKey(os.urandom(32)).public
    assert len(load_charter(ceremony.resigned(_with_officer(_officer_with_key(ceremony, fresh)))).officers) == 3


def test_a_weak_key_is_refused(ceremony: Ceremony) -> None:
    """With a key of small order, one signature of zeros fits every message."""
    weak = bytes([1]) + bytes(31)
    with pytest.raises(Untrusted, match=r"officers\.2: weak-key"):
        load_charter(ceremony.resigned(_with_officer(_officer_with_key(ceremony, weak))))


def _relay(name: str, address: str, number: int = 3) -> Change:
    card = make_relay(name, "neutral", address, "narrow", os.urandom, NOW)[1].decode()
    entry = RelayEntryText(number=number, card=card)
    return lambda text: text.model_copy(update={"relays": (*text.relays, entry)})


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (_relay("relay-1", "127.0.0.1:41009"), "relay name stands twice"),
        (_relay("relay-9", "127.0.0.1:41001"), "relay address stands twice"),
        (_relay("relay-9", "127.0.0.1:41009", 2), "relay number stands twice"),
        (_relay("relay-9", "127.0.0.1:41009", 65_536), "number is beyond 65535"),
        (lambda text: text.model_copy(update={"relays": (text.relays[0], text.relays[0])}), "TLS key stands twice"),
        (lambda text: text.model_copy(update={"officers": text.officers[:1] * 2}), "officer name stands twice"),
        (lambda text: text.model_copy(update={"terminals": text.terminals[:1] * 2}), "BRAVO has no terminal"),
        (lambda text: text.model_copy(update={"profiles": text.profiles[1:]}), "profile fibre"),
        (lambda text: text.model_copy(update={"profiles": text.profiles * 2}), "profile stands twice"),
        (lambda text: text.model_copy(update={"created": "2026-11-17"}), "ALPHA/main does not hold on 2026-11-17"),
        (lambda text: text.model_copy(update={"created": "2028-11-18"}), "BRAVO/duty-1 does not hold on 2028-11-18"),
        (lambda text: text.model_copy(update={"created": "2037-01-01"}), "certificate of relay-1 does not hold"),
    ],
)
def test_a_charter_that_contradicts_itself_is_refused(ceremony: Ceremony, change: Change, fault: str) -> None:
    """Both sides would sign it, and each would read it another way (docs/protocol.md 5.13)."""
    with pytest.raises(Untrusted, match=fault):
        load_charter(ceremony.resigned(change))


def test_a_card_brings_no_other_kind_of_certificate(ceremony: Ceremony) -> None:
    """Both sides would pin a key that no handshake can use, of an authority or of many names (5.13 and 5.16)."""
    # docs/protocol.md 5.16
    tls = encode(certificate_on(ec.SECP384R1(), ["odd.hotline.invalid"]))
    terminal = read_unverified(TerminalCard, ceremony.terminals["BRAVO"]).model_copy(update={"tls": tls})
    issued = issue(terminal, [IdentitySigner("BRAVO", ceremony.keys["BRAVO"])]).decode()
    key = SigningKey(os.urandom(32))
    relay = read_unverified(RelayCard, ceremony.relays[0]).model_copy(
        update={"tls": tls, "signing": encode(key.public)}
    )
    own = issue(relay, [Ed25519Signer("relay-1", key)]).decode()

    def terminals(text: CharterText) -> CharterText:
        return text.model_copy(update={"terminals": (text.terminals[0], TerminalEntry(number=2, card=issued))})

    def relays(text: CharterText) -> CharterText:
        return text.model_copy(update={"relays": (RelayEntryText(number=1, card=own), text.relays[1])})

    for change, place in ((terminals, r"terminals\.1"), (relays, r"relays\.0")):
        with pytest.raises(Untrusted, match=f"{place}: certificate"):
            load_charter(ceremony.resigned(change))


def test_every_fault_is_told_at_once(ceremony: Ceremony) -> None:
    """Two delegations would meet again for each fault (docs/protocol.md 5.13)."""

    def spoil(text: CharterText) -> CharterText:
        return _relay("relay-1", "127.0.0.1:41001")(text.model_copy(update={"created": "2026-11-17"}))

    with pytest.raises(Untrusted) as caught:
        load_charter(ceremony.resigned(spoil))
    for fault in ("relay name", "relay address", "ALPHA/main does not hold", "BRAVO/duty-1 does not hold"):
        assert fault in str(caught.value)


def test_faults_of_form_name_their_fields(ceremony: Ceremony) -> None:
    """An administrator would search a file of 38 kB for a fault without a place."""

    def spoil(text: CharterText) -> CharterText:
        return text.model_copy(update={"created": "2026-02-30", "serial": 0, "suite": "HL2"})

    with pytest.raises(Malformed, match=r"serial: .*created: .*no such day.*suite: "):
        load_charter(ceremony.resigned(spoil))


def test_a_terminal_of_a_third_party_is_refused(ceremony: Ceremony) -> None:
    """A stranger's machine would have a number in the hotline."""
    key = IdentityKey.generate(os.urandom)
    _, card = make_terminal(key, "CHARLIE", "main", os.urandom, NOW)
    assert open_terminal_card(card, key.public).party == "CHARLIE"
    entry = TerminalEntry(number=3, card=card.decode())
    with pytest.raises(Untrusted, match=r"terminals\.2: .*CHARLIE, who is no party"):
        load_charter(ceremony.resigned(lambda t: t.model_copy(update={"terminals": (*t.terminals, entry)})))


def test_an_officer_whom_nobody_certified_is_refused(ceremony: Ceremony) -> None:
    """Anyone could be an officer of ALPHA."""
    _, card = make_officer(IdentityKey.generate(os.urandom), "ALPHA", "duty-7", ("duty",), os.urandom, NOW)
    with pytest.raises(Untrusted, match=r"officers\.2: "):
        load_charter(ceremony.resigned(_with_officer(card)))


def test_a_charter_needs_two_parties(ceremony: Ceremony) -> None:
    """A party could found a hotline with itself."""
    for offers in (ceremony.offers[:1], [ceremony.offers[0], ceremony.offers[0]]):
        with pytest.raises(ConfigError, match="two to 5 different parties"):
            new_charter("alpha-alpha", TODAY, offers, hashlib.sha256(b"check").hexdigest(), release=())


def test_a_charter_is_the_same_whoever_draws_it_up(ceremony: Ceremony) -> None:
    """The sides would hold two texts that differ in the order of things, and neither would be in force."""
    check = hashlib.sha256(b"check").hexdigest()
    assert new_charter("alpha-bravo", TODAY, ceremony.offers[::-1], check, release=()) == ceremony.draft


# --- who signs what --------------------------------------------------------------------------------------------------


def offers_with(ceremony: Ceremony, *roles: tuple[Role, ...]) -> list[bytes]:
    """Both parties' offers with officers who hold these roles."""
    made = []
    for party in ("ALPHA", "BRAVO"):
        key = ceremony.keys[party]
        cards = [
            make_officer(key, party, f"officer-{number}", held, os.urandom, NOW)[1]
            for number, held in enumerate(roles, 1)
        ]
        made.append(make_offer(key, party, [ceremony.terminals[party]], cards, ceremony.relays))
    return made


def test_the_usual_charter_asks_for_two_on_the_real_plane(ceremony: Ceremony) -> None:
    """Whoever sits at a terminal would speak for the state (docs/protocol.md 19.3)."""
    check = hashlib.sha256(b"check").hexdigest()
    offers = offers_with(ceremony, ("drafter",), ("releaser",))
    rules = load_draft(new_charter("alpha-bravo", TODAY, offers, check)).release
    assert [(rule.plane, rule.precedence) for rule in rules] == [
        ("real", precedence) for precedence in ("routine", "priority", "immediate", "flash")
    ]
    assert {rule.roles for rule in rules} == {("drafter", "releaser")}
    with pytest.raises(ConfigError, match="ALPHA and BRAVO have not the officers to sign as drafter and releaser"):
        new_charter("alpha-bravo", TODAY, ceremony.offers, check)


@pytest.mark.parametrize(
    ("wanted", "held", "enough"),
    [
        (("drafter", "releaser"), [("drafter", "releaser")], False),
        (("drafter", "releaser"), [("drafter", "releaser"), ("duty",)], False),
        (("drafter", "releaser"), [("drafter", "releaser"), ("drafter",)], True),
        (("releaser", "releaser"), [("releaser",), ("drafter", "releaser")], True),
        (("releaser", "releaser"), [("releaser",), ("drafter",)], False),
        (("drafter", "duty", "principal"), [("drafter",), ("drafter", "duty"), ("duty", "principal")], True),
        (("drafter", "duty", "principal"), [("principal",), ("drafter", "duty"), ("principal",)], False),
    ],
)
def test_a_charter_asks_nobody_for_officers_that_are_not_there(
    ceremony: Ceremony, wanted: tuple[Role, ...], held: list[tuple[Role, ...]], enough: bool
) -> None:
    """A party would be mute from the first day, and learn it in the crisis (docs/protocol.md 19.3 and 5.13)."""
    entry = ReleaseEntry(plane="exercise", precedence="flash", roles=wanted)
    offers, check = offers_with(ceremony, *held), hashlib.sha256(b"check").hexdigest()
    if enough:
        text = new_charter("alpha-bravo", TODAY, offers, check, release=[entry])
        assert [rule.roles for rule in load_draft(text).release] == [wanted]
    else:
        lacking = f"ALPHA and BRAVO have not the officers to sign as {' and '.join(wanted)}, no one of them twice"
        with pytest.raises(ConfigError, match=lacking):
            new_charter("alpha-bravo", TODAY, offers, check, release=[entry])


def test_a_choice_is_the_fault_of_its_makers_and_of_nobody_who_is_handed_it(ceremony: Ceremony) -> None:
    """Whoever draws it up would be told that a signature is not trusted, or whoever reads it take it for sound
    (docs/protocol.md 19.3 and 5.13)."""
    both = ReleaseEntry(plane="real", precedence="flash", roles=("drafter", "duty"))
    alone = ReleaseEntry(plane="real", precedence="routine", roles=("principal",))
    offers, check = offers_with(ceremony, ("drafter",), ("duty",)), hashlib.sha256(b"check").hexdigest()
    offers[0] = offers_with(ceremony, ("drafter",))[0]
    with pytest.raises(ConfigError) as told:
        new_charter("alpha-bravo", TODAY, offers, check, release=[both, alone])
    remedy = "no one of them twice: offer their cards, or agree on another release policy"
    assert str(told.value) == (
        f"ALPHA has not the officers to sign as drafter and duty, or as principal, {remedy}; "
        f"BRAVO has not the officers to sign as principal, {remedy}"
    )

    def choose(text: CharterText) -> CharterText:
        return text.model_copy(update={"policy": text.policy.model_copy(update={"release": (alone,)})})

    with pytest.raises(Untrusted, match="ALPHA and BRAVO have not the officers to sign as principal"):
        load_draft(ceremony.resigned(choose))
    with pytest.raises(Untrusted, match="does not hold on 2036-01-01"):
        new_charter("alpha-bravo", "2036-01-01", offers, check, release=[alone])


def test_one_plane_and_precedence_has_one_rule(ceremony: Ceremony) -> None:
    """Two readers would take another of two rules for the one that holds (docs/protocol.md 19.3)."""
    entry = ReleaseEntry(plane="real", precedence="flash", roles=("drafter",))
    offers, check = offers_with(ceremony, ("drafter",)), hashlib.sha256(b"check").hexdigest()
    with pytest.raises(ConfigError, match="stands twice"):
        new_charter("alpha-bravo", TODAY, offers, check, release=[entry, entry])
