"""The charter, the cards that it holds, and the pairwise secret (docs/protocol.md 5.1 to 5.3)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import date
from hashlib import sha512
from typing import Any

from tests.oracle.certificate import Certificate, read_certificate
from tests.oracle.content import Json, raw
from tests.oracle.notes import Key, Note, base64_of, is_name, read_note, read_policy, text_bytes, verified
from tests.oracle.primitives import Refused, hkdf, is_signing_key, need, pae, sha256, signed, signed_composite

COMPOSITE = b"\xffhotline/id-MLDSA65-Ed25519-SHA512"
CONTEXT = b"hotline/v1/document"
SUITE = "HL1_XWING_CHACHA20POLY1305_SHA256_ED25519"
IDENTITY, DAY = 1984, 86_400_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z", re.ASCII)
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}\Z", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}\Z", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", re.ASCII)
_CHECK = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
Test = Callable[[Any], bool]


# --- shapes ----------------------------------------------------------------------------------------------------------


def _text(pattern: re.Pattern[str], longest: int = 8_192) -> Test:
    return lambda value: isinstance(value, str) and len(value) <= longest and bool(pattern.match(value))


def _day(value: Any) -> bool:
    if not _text(_DATE)(value):
        return False
    try:
        return date.fromisoformat(value).year >= 1970
    except ValueError:
        return False


def _number(least: int, most: int = 2**63) -> Test:
    return lambda value: type(value) is int and least <= value <= most


def _each(test: Test, least: int = 0, most: int = 1_000_000) -> Test:
    return lambda value: isinstance(value, list) and least <= len(value) <= most and all(map(test, value))


def _object(fields: dict[str, Test]) -> Test:
    return lambda value: (
        isinstance(value, dict) and set(value) == set(fields) and all(fields[name](value[name]) for name in value)
    )


def _open_object(always: dict[str, Test], perhaps: dict[str, Test]) -> Test:
    """An object some of whose members are left out where they have nothing to say."""
    return lambda value: (
        isinstance(value, dict) and _object(always | {name: perhaps[name] for name in perhaps if name in value})(value)
    )


def _one_of(*words: str) -> Test:
    return lambda value: value in words and isinstance(value, str)


def _release(value: object) -> bool:
    """Clause 19.3: who signs what, each plane and precedence at most once."""
    entry = _object({
        "plane": _one_of("real", "exercise"), "precedence": _one_of("routine", "priority", "immediate", "flash"),
        "roles": _each(_one_of("drafter", "releaser", "duty", "principal"), 1, 4),
    })  # fmt: skip
    return _each(entry, 0, 8)(value) and len({(one["plane"], one["precedence"]) for one in value}) == len(value)  # type: ignore[attr-defined, arg-type]


NAME, KEY, ADDRESS = _text(_NAME), _text(_BASE64), _text(_ADDRESS, 255)
INTERVAL = _number(50, 30 * DAY)
_DATED: dict[str, Test] = {"party": NAME, "name": NAME, "signing": KEY, "not_before": _day, "not_after": _day}
_CARD: Test = _object({"number": _number(1), "card": lambda value: isinstance(value, str)})


def _travels(value: object) -> bool:
    """24.13: for what time it is activated, at most 90 days; or for none."""
    times = {"from_ms": _number(0, 253_402_300_799_999), "until_ms": _number(0, 253_402_300_799_999)}
    if not (isinstance(value, dict) and _object(times)(value)):
        return False
    return value == {"from_ms": 0, "until_ms": 0} or 0 < value["until_ms"] - value["from_ms"] <= 90 * DAY


_TERMINAL: Test = _open_object(
    {"number": _number(1), "card": lambda value: isinstance(value, str)}, {"travels": _travels}
)
_NOTES = _each(lambda value: isinstance(value, str))
_TIMERS = ("heartbeat_ms", "silent_floor_ms", "silent_ceiling_ms", "retransmit_ms", "retransmit_max_ms")


_PERHAPS_IN_POLICY: dict[str, Test] = {
    "objective_ms": _each(INTERVAL, 4, 4),
    "takeover_after_ms": _number(0, 30 * DAY),
}
"""In what time a statement should be read (20.7), and after what silence an alternate takes over (23.13)."""


SHAPES: dict[str, dict[str, Test]] = {
    "hotline.identity-card/1": {"party": NAME, "identity": KEY},
    "hotline.terminal-card/1": {**_DATED, "ledger": KEY, "tls": KEY},
    "hotline.officer-card/1": {**_DATED, "roles": _each(_one_of("drafter", "releaser", "duty", "principal"))},
    "hotline.relay-card/1": {
        "name": NAME, "operator": NAME, "address": ADDRESS, "signing": KEY, "tls": KEY,
        "profile": _one_of("fibre", "satellite", "narrow"),
    },
    "hotline.offer/1": {"party": NAME, "identity": KEY, "terminals": _NOTES, "officers": _NOTES, "relays": _NOTES},
    "hotline.mandate/1": {
        "party": NAME, "officer": NAME, "signing": KEY, "not_before": _day, "not_after": _day,
        "role": _one_of("drafter", "releaser", "duty", "principal"), "founding": _text(_CHECK),
        "grounds": lambda value: isinstance(value, str) and 1 <= len(value) <= 200,
    },
    "hotline.charter/1": {
        "hotline": NAME, "serial": _number(1), "created": _day, "suite": _one_of(SUITE),
        "parties": _each(_object({"name": NAME, "identity": KEY}), 2, 5),
        "terminals": _each(_TERMINAL, 2), "officers": _NOTES, "relays": _each(_CARD, 1, 16),
        "profiles": _each(_object(
            {"name": NAME, **dict.fromkeys((*_TIMERS, "prekey_rotation_ms", "checkpoint_ms"), INTERVAL),
             "window_messages": _number(1), "window_bytes": _number(1)}
        )),
        "policy": _open_object({
            "text_bytes_max": _number(1, 32_768), "validity_ms": _each(INTERVAL, 4, 4),
            "witnesses": lambda value: isinstance(value, str) and len(value) <= 65_536,
            "channel_test_ms": lambda value: _number(0, DAY)(value) and (value == 0 or value >= 1_000),
            "release": _release,
        }, _PERHAPS_IN_POLICY),
    },
}  # fmt: skip


_AMENDS = {
    "founding": _text(_CHECK),
    "previous": _text(_CHECK),
    "terminal_number": _number(1),
    "relay_number": _number(1),
}
PERHAPS: dict[str, dict[str, Test]] = {
    "hotline.charter/1": {
        "amends": _object(_AMENDS),
        "pairwise_check": _text(_CHECK),
        "pairwise_checks": _each(_object({"first": NAME, "second": NAME, "check": _text(_CHECK)})),
        "terms": _object({
            "notice_days": _number(0, 3_650), "depositary": lambda value: isinstance(value, str) and len(value) <= 1_000
        }),
    },
}  # fmt: skip


def read_document(schema: str, text: bytes) -> Json:
    """A signed text in its one spelling: indented, sorted, ASCII JSON. Raises Refused."""
    try:
        made = json.loads(text.decode("ascii"))
    except ValueError as error:
        raise Refused from error
    need(_open_object({"schema": _one_of(schema), **SHAPES[schema]}, PERHAPS.get(schema, {}))(made))
    need((json.dumps(made, indent=1, sort_keys=True) + "\n").encode() == text)
    return dict(made)


# --- keys and cards --------------------------------------------------------------------------------------------------


def _key(text: str, size: int) -> bytes:
    data = base64_of(text)
    need(len(data) == size and is_signing_key(data[-32:]))
    return data


def _check_document(key: Key, text: bytes, value: bytes) -> None:
    if key.kind == COMPOSITE:
        need(signed_composite(key.public, value, text, CONTEXT))
    else:
        need(signed(key.public, value, text))


def _open(note: Note, key: Key) -> None:
    verified(note, [key], _check_document)


def open_card(schema: str, data: bytes, identity: bytes | None) -> Json:
    """A card: by the party's identity key, a relay's by its own, an identity card and an offer by the one inside."""
    note = read_note(data)
    card = read_document(schema, note.text)
    if "operator" in card:
        _open(note, Key(card["name"], b"\x01", _key(card["signing"], 32)))
    else:
        public = _key(card["identity"], IDENTITY) if "identity" in card else identity
        need(public is not None)
        assert public is not None
        _open(note, Key(card["party"], COMPOSITE, public))
    if schema == "hotline.mandate/1":
        need(card["not_before"] < card["not_after"] and len(data) <= 8_192)
    return card


def card(given: Json, asked: Json) -> Json:
    """Clause 5.2."""
    data = text_bytes(asked["note"])
    made = open_card(asked["schema"], data, raw(given["identity"]))
    return {"owner": made.get("party", made.get("operator")), "hash": sha256(read_note(data).text).hex()}


def pairwise(given: Json, asked: Json) -> Json:
    """Clause 5.3."""
    shares = {party: raw(share) for party, share in asked["shares"].items()}
    need(set(shares) == set(given["identities"]) and all(len(share) == 32 for share in shares.values()))
    need(len(set(shares.values())) == len(shares))
    named = [part for party in sorted(shares) for part in (party.encode(), sha256(raw(given["identities"][party])))]
    secret = hkdf(b"", b"".join(shares[party] for party in sorted(shares)), pae("hotline/v1/pairwise", *named), 32)
    return {"secret": secret.hex(), "check": sha256(pae("hotline/v1/pairwise-check", secret)).hex()}


def _digits(value: bytes) -> str:
    made = sha512(pae("hotline/v1/fingerprint-digits", value)).digest()
    return " ".join(f"{int.from_bytes(made[at : at + 5], 'big') % 100_000:05d}" for at in range(0, 60, 5))


def fingerprint(given: Json, asked: Json) -> Json:
    """Clause 5.15."""
    mine, other = (
        sha256(pae("hotline/v1/fingerprint", asked["kind"].encode(), raw(asked[name]))) for name in ("key", "other")
    )
    joint = sha256(pae("hotline/v1/joint-safety-number", min(mine, other), max(mine, other)))
    return {
        "fingerprint": mine.hex(),
        "digits": _digits(mine),
        "words": [given["odd" if place % 2 else "even"][byte] for place, byte in enumerate(mine[:16])],
        "code": f"HOTLINE-FP:1:{asked['kind']}:{asked['name']}:{mine.hex()}",
        "safety_number": _digits(joint),
    }


# --- the charter -----------------------------------------------------------------------------------------------------


def charter(given: Json, asked: Json) -> Json:
    """Clauses 5.1 and 5.2."""
    note = read_note(text_bytes(asked["note"]))
    text = read_document("hotline.charter/1", note.text)
    identities = {entry["name"]: _key(entry["identity"], IDENTITY) for entry in text["parties"]}
    need(2 <= len(identities) == len(text["parties"]) and all(is_name(name) for name in identities))
    _secrets(text, sorted(identities))
    keys = [Key(name, COMPOSITE, public) for name, public in identities.items()]
    signers = verified(note, keys, _check_document)
    need(len(signers) == len(note.lines) == len(identities))
    terminals, officers, relays = [], [], []
    certificates: list[tuple[str, Certificate]] = []
    for entry in text["terminals"]:
        made = _of_party("hotline.terminal-card/1", entry["card"], identities)
        certificates.append((made["tls"], read_certificate(base64_of(made["tls"]))))
        terminals.append({**made, "number": entry["number"]})
    for data in text["officers"]:
        officers.append(_of_party("hotline.officer-card/1", data, identities))
    for entry in text["relays"]:
        made = open_card("hotline.relay-card/1", entry["card"].encode(), None)
        certificates.append((made["tls"], read_certificate(base64_of(made["tls"]))))
        relays.append({**made, "number": entry["number"]})
    _check_whole(text, terminals, officers, relays, [certificate for _, certificate in certificates])
    return _shown(text, sha256(note.text), terminals, officers, relays)


def _secrets(text: Json, names: list[str]) -> None:
    """Clauses 5.3 and 26.1: two parties have one secret; of several each pair has one."""
    if len(names) == 2:
        need("pairwise_check" in text and "pairwise_checks" not in text)
        return
    need("pairwise_check" not in text and "pairwise_checks" in text and "amends" not in text)
    pairs = [(one["first"], one["second"]) for one in text["pairwise_checks"]]
    need(pairs == [(first, second) for at, first in enumerate(names) for second in names[at + 1 :]])
    need(len(text["terminals"]) == len(names))


def _of_party(schema: str, data: str, identities: dict[str, bytes]) -> Json:
    party = read_document(schema, read_note(data.encode()).text)["party"]
    need(party in identities)
    made = open_card(schema, data.encode(), identities[party])
    for name in ("signing", "ledger"):
        if name in made:
            _key(made[name], 32)
    return made


def _check_whole(
    text: Json, terminals: list[Json], officers: list[Json], relays: list[Json], certificates: list[Certificate]
) -> None:
    """Clause 5.2: nothing stands twice, and everything holds on the day of the charter; 24.2: who amends says so."""
    need((text["serial"] == 1) == ("amends" not in text))
    day = text["created"]
    identities = [base64_of(entry["identity"]) for entry in text["parties"]]
    keys = [half for whole in identities for half in (whole[:-32], whole[-32:])]
    keys += [base64_of(card[name]) for card in terminals for name in ("signing", "ledger")]
    keys += [base64_of(card["signing"]) for card in (*officers, *relays)]
    for values in (
        keys,
        [card["number"] for card in terminals],
        [card["number"] for card in relays],
        [(card["party"], card["name"]) for card in terminals],
        [(card["party"], card["name"]) for card in officers],
        [card["name"] for card in relays],
        [card["address"].lower() for card in relays],
        [profile["name"] for profile in text["profiles"]],
        [one.name for one in certificates],
        [one.key for one in certificates],
    ):
        need(len(values) == len(set(values)))
    need({card["party"] for card in terminals} == {entry["name"] for entry in text["parties"]})
    need(max(card["number"] for card in (*terminals, *relays)) <= 65_535)
    travelling = {entry["number"] for entry in text["terminals"] if "travels" in entry}
    for entry in text["parties"]:
        need(min(card["number"] for card in terminals if card["party"] == entry["name"]) not in travelling)
    need(all(card["not_before"] <= day < card["not_after"] for card in (*terminals, *officers)))
    need(all(one.first <= day < one.last for one in certificates))
    profiles = {profile["name"]: profile for profile in text["profiles"]}
    need(all(card["profile"] in profiles for card in relays))
    for one in profiles.values():
        need(one["heartbeat_ms"] < one["silent_floor_ms"] <= one["silent_ceiling_ms"])
        need(2 * one["heartbeat_ms"] <= one["silent_ceiling_ms"])
        need(one["retransmit_ms"] <= one["retransmit_max_ms"])
    silences = [profiles[card["profile"]]["silent_ceiling_ms"] for card in relays]
    rotations = [profiles[card["profile"]]["prekey_rotation_ms"] for card in relays]
    need(min(rotations) >= max(silences))
    after = text["policy"].get("takeover_after_ms", 0)
    need(after == 0 or after >= 2 * max(silences))
    need(not read_policy(text["policy"]["witnesses"].encode()).logs)
    for entry in text["parties"]:
        held = [set(card["roles"]) for card in officers if card["party"] == entry["name"]]
        need(all(_filled(rule["roles"], held) for rule in text["policy"]["release"]))


def _filled(roles: list[str], held: list[set[str]]) -> bool:
    """Clause 19.3: each role by another officer."""
    if not roles:
        return True
    places = [at for at, one in enumerate(held) if roles[0] in one]
    return any(_filled(roles[1:], held[:at] + held[at + 1 :]) for at in places)


def _shown(text: Json, hash_: bytes, terminals: list[Json], officers: list[Json], relays: list[Json]) -> Json:
    def named(card: Json, *names: str) -> Json:
        hidden = {"signing", "ledger"}
        return {name: base64_of(card[name]).hex() if name in hidden else card[name] for name in names}

    def tls(card: Json) -> Json:
        return {"tls": sha256(base64.b64decode(card["tls"])).hex()}

    return {
        "hash": hash_.hex(),
        "founding": text["amends"]["founding"] if "amends" in text else hash_.hex(),
        "hotline": text["hotline"],
        "parties": [entry["name"] for entry in text["parties"]],
        "terminals": [named(card, "number", "party", "name", "signing", "ledger") | tls(card) for card in terminals],
        "officers": [named(card, "party", "name", "roles", "signing") for card in officers],
        "relays": [named(card, "number", "name", "operator", "address", "signing") | tls(card) for card in relays],
        "pairwise_check": " ".join(
            one["check"] for one in text.get("pairwise_checks", [{"check": text.get("pairwise_check")}])
        ),
    }
