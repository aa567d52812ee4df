"""Contents: statements, receipts, heartbeats, prekeys (docs/protocol.md 7.2, 8, 9, 10). Bounds are those of 4.3."""

from __future__ import annotations

import datetime
import decimal
import hmac
import re
from typing import Any

from tests.oracle.primitives import SUITE, hkdf, need, pae, sealable, sha256, signed
from tests.oracle.protobuf import Value, read, shown

TEXT_MAX, SERIAL_MAX, TIME_MAX, ITEMS_MAX = 32_768, 2**40, 253_402_300_799_999, 256
CHALLENGE, ANSWERS, TERMINAL = 13, (14, 15), "terminal-record"
TALK_MAX = 1_000
FIELDS_MAX = 16
CONTENT_MAX, HEARTBEAT_MAX, PREKEY_MAX = 34_816, 8_192, 2_048
CHECKPOINT_MAX, NAME_MAX, GROUP_MAX, LANGUAGE_MAX, PROOF_MAX = 1_024, 64, 16, 35, 63
TEXT, VOID, TEST, TEST_VOID, CORRECTION, RETRACTION, TRANSLATION = 1, 2, 3, 4, 5, 6, 7
QUIET, RECORDED, FLASH = 10, 11, 4
QUIET_FIELDS = {
    "serial", "previous_in_precedence", "precedence", "kind", "date_time_group", "composed_ms", "language", "direction",
    "from_party", "to_party", "drafter", "text", "body_salt", "valid_for_ms", "first_serial", "in_reply_to",
    "put_on_record", "of_recipient",
}  # fmt: skip
DELIVERED, READ, NOTED, SHOWN, REPLY_BY, SETTLED, TOLD = 1, 2, 3, 5, 6, 9, 10
WITH_TIME = (3, 5, 6)
BUNDLE_LINE, BUNDLE_MAX = b"hotline-courier/1\n", 48 * 1_048_576
raw = bytes.fromhex
Json = dict[str, Any]


def word(number: int) -> bytes:
    """A u16."""
    return number.to_bytes(2, "big")


WITHOUT_PREJUDICE = 5


def quiet_key(pairwise: bytes, charter: bytes, plane: str, sender: int, recipient: int) -> bytes:
    """Clause 22.2."""
    info = pae(
        "hotline/v1/without-prejudice",
        SUITE,
        plane.encode(),
        charter,
        word(sender) + word(recipient),
    )
    return hkdf(b"", pairwise, info, 32)


def quiet_mac(key: bytes, charter: bytes, plane: str, sender: int, recipient: int, content: bytes) -> bytes:
    """Clause 22.2."""
    label = f"hotline/v1/without-prejudice/{plane}"
    return hmac.digest(key, pae(label, charter, word(sender), word(recipient), content), "sha512")


def statement(given: Json, asked: Json) -> Json:
    """Clauses 8.1 to 8.5."""
    content = raw(asked["content"])
    made = _statement(given, asked, quiet=False)
    label = f"hotline/v1/statement/{asked['plane']}"
    name = sha256(pae(label, raw(given["charter"]), word(given["from"]), content))
    is_test = made["kind"] == TEST_VOID or (made["kind"] == TEST and made["text"] in given["test_texts"])
    return {"statement": shown(made), "name": name.hex(), "test": is_test}


def non_paper(given: Json, asked: Json) -> Json:
    """Clauses 22.2 to 22.4."""
    content, ends = raw(asked["content"]), (given["from"], given["to"])
    charter, plane = raw(given["charter"]), asked["plane"]
    key = quiet_key(raw(given["pairwise"]), charter, plane, *ends)
    need(quiet_mac(key, charter, plane, *ends, content) == raw(asked["mac"]), "signature")
    made = _statement(given, asked, quiet=True)
    return {"statement": shown(made), "name": made["body_salt"].hex(), "key": key.hex()}


def _statement(given: Json, asked: Json, *, quiet: bool) -> Value:
    content = raw(asked["content"])
    made = read("Statement", content, CONTENT_MAX)
    need(0 < made["serial"] <= SERIAL_MAX and made["previous_in_precedence"] < made["serial"], "serial")
    need(not made["first_serial"] or made["first_serial"] < made["serial"], "serial")
    need(made["precedence"] in (1, 2, 3, 4), "precedence")
    need(made["direction"] in (1, 2), "direction")
    need(len(made["body_salt"]) == 32, "salt")
    names = (made["from_party"], made["to_party"], made["drafter"])
    need(len(made["date_time_group"]) <= GROUP_MAX and max(map(len, names)) <= NAME_MAX, "field-length")
    need(max(made["composed_ms"], made["valid_for_ms"]) <= TIME_MAX, "field-length")
    need(len(made["checkpoint"]) <= CHECKPOINT_MAX, "field-length")
    _release(made)
    _references(made)
    _translation(made)
    _fields(made)
    _addressees(made)
    _challenge(made)
    _kind(made)
    need((made["kind"] == QUIET) == quiet, "content-type")
    need((made["from_party"], made["to_party"]) == (given["from_party"], given["to_party"]), "party")
    need(asked["plane"] != "exercise" or made["kind"] not in (TEST, TEST_VOID), "kind")
    if asked["plane"] == "service":
        need(made["precedence"] == 1, "precedence")
        need(made["kind"] in (TEXT, VOID, CHALLENGE, *ANSWERS), "kind")
        need(not made["field"] and made["phrase"] is None, "field")
        need(not (made["action"] or made["info"] or made["originator_reference"]), "addressee")
        need(len(made["text"].encode()) <= TALK_MAX, "text")
    else:
        need(made["kind"] not in (CHALLENGE, *ANSWERS), "kind")
    return made


def _release(made: Value) -> None:
    """Clause 19.8."""
    draft, signed_by = made["draft"], made["release"]
    if not draft and not signed_by:
        return
    need(
        made["kind"] not in (VOID, TEST, TEST_VOID, QUIET) and len(draft) == 16 and 1 <= len(signed_by) <= 4,
        "release",
    )
    for one in signed_by:
        need(1 <= len(one["officer"]) <= NAME_MAX and 1 <= one["role"] <= 4, "release")
        need(one["signed_ms"] <= TIME_MAX and len(one["signature"]) == 64, "release")
        need(len(one["mandate"]) <= 8_192, "release")


def _references(made: Value) -> None:
    """Clause 8.1: what answers or corrects names a statement, and nothing else corrects."""
    for name, highest in (("in_reply_to", SERIAL_MAX), ("corrects", made["serial"] - 1)):
        named = made[name]
        need(named is None or (0 < named["serial"] <= highest and len(named["statement"]) == 32), "reference")
    need((made["corrects"] is not None) == (made["kind"] in (CORRECTION, RETRACTION)), "reference")
    answering = (TEXT, CORRECTION, RETRACTION, TRANSLATION, QUIET, RECORDED, *ANSWERS)
    need(made["in_reply_to"] is None or made["kind"] in answering, "reference")
    named, of_recipient = made["put_on_record"], made["of_recipient"]
    need(named is None or made["kind"] in (QUIET, RECORDED), "reference")
    need(named is not None or made["kind"] != RECORDED, "reference")
    need(not of_recipient or (made["kind"] == QUIET and named is not None), "reference")
    highest = SERIAL_MAX if of_recipient else made["serial"] - 1
    need(named is None or (0 < named["serial"] <= highest and len(named["statement"]) == 32), "reference")


def _translation(made: Value) -> None:
    """Clause 21.2."""
    tie = made["translation"]
    need((tie is not None) == (made["kind"] == TRANSLATION), "translation")
    if tie is None:
        return
    need(1 <= tie["grade"] <= 4 and 1 <= len(tie["translator"]) <= NAME_MAX, "translation")
    named = tie["original"] or {"serial": 0, "statement": b""}
    highest = made["serial"] - 1 if tie["grade"] == 1 else SERIAL_MAX
    need(0 < named["serial"] <= highest and len(named["statement"]) == 32, "translation")
    need(made["in_reply_to"] is None, "translation")


def _fields(made: Value) -> None:
    """Clauses 21.7 to 21.9."""
    given, phrase = made["field"], made["phrase"]
    need(made["kind"] in (TEXT, CORRECTION, RETRACTION) or not (given or phrase is not None), "field")
    need(len({one["name"] for one in given}) == len(given) <= FIELDS_MAX, "field")
    need(all(_field(one) for one in given), "field")
    size = len(made["text"].encode()) + sum(16 + len((one["name"] + one["value"]).encode()) for one in given)
    need(not given or size <= TEXT_MAX, "field")
    if phrase is not None:
        need(_like("[A-Z][A-Z0-9-]{0,15}", phrase["code"]) and len(phrase["book"]) == 32, "field")


def _addressees(made: Value) -> None:
    """Clause 8.13."""
    named, own = [*made["action"], *made["info"]], made["originator_reference"]
    need(made["kind"] in (TEXT, CORRECTION, RETRACTION) or not (named or own), "addressee")
    need(len(set(named)) == len(named) <= 16, "addressee")
    need(all(_in_one_line(one, 64) for one in (*named, *([own] if own else ()))), "addressee")


def _in_one_line(text: str, most: int) -> bool:
    hidden = (0x061C, 0x200B, 0x200E, 0x200F, 0xFEFF)
    ranges = ((0, 0x1F), (0x7F, 0x9F), (0x2028, 0x202E), (0x2060, 0x206F), (0xFFF9, 0xFFFB), (0xE0000, 0xE007F))
    clean = all(ord(c) not in hidden and not any(a <= ord(c) <= b for a, b in ranges) for c in text)
    return 1 <= len(text) <= most and clean and text == text.strip()


def _like(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text, re.ASCII) is not None


def _field(one: Value) -> bool:
    text, kind = one["value"], one["kind"]
    if not _like("[a-z][a-z0-9-]{0,15}", one["name"]):
        return False
    if kind == 1:
        if not _like(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z", text):
            return False
        try:
            datetime.datetime.fromisoformat(text)
        except ValueError:
            return False
        return True
    if kind == 2:
        return _in_one_line(text, 100)
    if kind == 3:
        if not _like(r"\d\d\.\d{1,6}[NS] \d{3}\.\d{1,6}[EW]", text):
            return False
        north, east = (decimal.Decimal(part[:-1]) for part in text.split())
        signed = (north > 0 or "N" in text) and (east > 0 or "E" in text)
        return signed and north <= 90 and east <= 180
    return kind == 4 and _like(r"0|[1-9]\d{0,14}", text)


def _challenge(made: Value) -> None:
    """Clause 25.5: a challenge names a statement, an answer a challenge and a verdict."""
    asks, answers = made["kind"] == CHALLENGE, made["kind"] in ANSWERS
    challenge = made["challenge"]
    need((challenge is not None) == asks, "reference")
    if challenge is not None:
        named = challenge["named"]
        need(named is not None and 0 < named["serial"] <= SERIAL_MAX and len(named["statement"]) == 32, "reference")
    need((1 <= made["verdict"] <= 3) if answers else made["verdict"] == 0, "reference")
    need(not answers or made["in_reply_to"] is not None, "reference")
    need(not answers or (made["kind"] == ANSWERS[0]) == (made["drafter"] == TERMINAL), "kind")


def _kind(made: Value) -> None:
    kind = made["kind"]
    need(TEXT <= kind <= TRANSLATION or kind in (QUIET, RECORDED, CHALLENGE, *ANSWERS), "kind")
    if kind == QUIET:
        others = [value for name, value in made.items() if name not in QUIET_FIELDS]
        need(made["precedence"] != FLASH and not any(others), "kind")
    need(kind not in (TEST, TEST_VOID) or made["precedence"] == 1, "kind")
    if kind in (VOID, TEST_VOID):
        silent = not (made["text"] or made["language"] or made["drafter"] or made["first_serial"])
        need(silent and made["body_salt"] == bytes(32), "kind")
        return
    need(kind != TEST or made["drafter"] == "channel-test", "kind")
    text, tag = made["text"], made["language"]
    need(0 < len(text.encode()) <= TEXT_MAX and "\0" not in text and not text.isspace(), "text")
    need(len(tag) <= LANGUAGE_MAX, "text")
    need(all(part.isascii() and part.isalnum() and len(part) <= 8 for part in tag.split("-")), "text")


def receipt(given: Json, asked: Json) -> Json:
    """Clauses 9.1 to 9.3 and 20.2."""
    made = read("Receipt", raw(asked["content"]), CONTENT_MAX)
    stage, noted = made["stage"], made["noted"]
    need(stage in (1, 2, 3, 4, SHOWN, REPLY_BY, SETTLED, TOLD), "stage")
    need(
        0 < len(made["item"]) <= (1 if stage in (SHOWN, REPLY_BY, TOLD) else ITEMS_MAX)
        and made["received_through"] <= SERIAL_MAX,
        "items",
    )
    need(all(0 < item["serial"] <= SERIAL_MAX and len(item["statement"]) == 32 for item in made["item"]), "items")
    need(len(made["checkpoint"]) <= (CHECKPOINT_MAX if made["stage"] == DELIVERED else 0), "field-length")
    need(made["time_ms"] <= TIME_MAX, "field-length")
    need(stage == SETTLED or not made["expired"], "stage")
    need((stage in (READ, SHOWN, REPLY_BY)) == bool(made["officer"]) and len(made["officer"]) <= NAME_MAX, "officer")
    need(len(made["principal"]) <= (NAME_MAX if stage == SHOWN else 0), "officer")
    need(not noted or (stage == NOTED and noted in (SHOWN, REPLY_BY)), "stage")
    need((REPLY_BY in (stage, noted)) == bool(made["reply_by_ms"]) and made["reply_by_ms"] <= TIME_MAX, "stage")
    need(made["answered"] <= (SERIAL_MAX if stage == REPLY_BY else 0), "stage")
    told = made["told"]
    need((stage == TOLD) == (told is not None), "stage")
    need(told is None or (1 <= told["terminal"] <= 65_535 and len(told["signature"]) == 64), "items")
    return {"receipt": shown(made)}


def heartbeat(given: Json, asked: Json) -> Json:
    """Clauses 10.1 to 10.4 and the form of what 13.6 sends."""
    need(asked["transient"], "durable-heartbeat")
    made = read("Heartbeat", raw(asked["content"]), HEARTBEAT_MAX)
    serials = ("sent_through", "received_through", "exercise_sent_through", "exercise_received_through", "log_size")
    need(made["beat"] and max(made[name] for name in serials) <= SERIAL_MAX, "beat")
    service = (made["service_sent"], made["service_received"])
    need(max(service) <= SERIAL_MAX and (0 in service) == (service == (0, 0)), "beat")
    need(made["time_ms"] <= TIME_MAX and 1 <= made["presence"] <= 6, "beat")
    need(max(made["turn"], made["peer_turn"], made["other_turn"]) <= SERIAL_MAX * 256, "beat")
    need(made["silent_ms"] <= SERIAL_MAX, "beat")
    if made["lacking"] is not None:
        lacking = made["lacking"]
        for plane in ("", "exercise_", "service_"):
            first, last = f"{plane}first", f"{plane}last"
            need(lacking[first] <= lacking[last] <= SERIAL_MAX, "beat")
    need(made["presence_until_ms"] <= (TIME_MAX if made["presence"] in WITH_TIME else 0), "beat")
    charters = {len(made[name]) for name in ("charter", "charter_next")}
    need(made["charter_serial"] <= SERIAL_MAX and charters <= {0, 32}, "beat")
    log = made["log"]
    if log is not None:
        sizes = ("proof_from", "claimed_from", "claimed_to", "linked", "linked_epoch")
        need(max(log[name] for name in sizes) <= SERIAL_MAX, "beat")
        need(max(len(log["proof"]), len(log["claimed_proof"])) <= PROOF_MAX, "beat")
        need(max(len(log["checkpoint"]), len(log["seen"])) <= CHECKPOINT_MAX, "beat")
        need(all(len(step) == 32 for step in log["proof"] + log["claimed_proof"]), "beat")
    thirds = [one["terminal"] for one in made["gossip"]]
    need(len(set(thirds)) == len(thirds) <= 5, "beat")
    for one in made["gossip"]:
        items = (*one["heard"], *one["exercise_heard"])
        need(max(len(one["heard"]), len(one["exercise_heard"])) <= 8, "beat")
        need(1 <= one["terminal"] <= 65_535 and len(one["checkpoint"]) <= CHECKPOINT_MAX, "beat")
        need(all(0 < item["serial"] <= SERIAL_MAX and len(item["statement"]) == 32 for item in items), "beat")
    need(made["path"] == given["path"], "wrong-path")
    return {"heartbeat": shown(made)}


def read_prekey(
    charter: bytes, terminal: int, public: bytes, body: bytes, signature: bytes, label: str = "hotline/v1/prekey"
) -> tuple[Value, bytes]:
    """Clause 7.2: the fields of a prekey and its name. Raises Refused."""
    covered = pae(label, charter, word(terminal), body)
    need(signed(public, signature, covered), "signature")
    made = read("PrekeyBody", body, PREKEY_MAX)
    need(made["generation"] and sealable(made["public_key"]), "prekey")
    need(made["not_after_ms"] > made["created_ms"], "prekey")
    return made, sha256(covered)


def prekey(given: Json, asked: Json, label: str = "hotline/v1/prekey") -> Json:
    """Clause 7.2."""
    charter, signer = raw(given["charter"]), raw(given["public"])
    made, name = read_prekey(charter, given["terminal"], signer, raw(asked["body"]), raw(asked["signature"]), label)
    return {"prekey": shown(made), "name": name.hex(), "tag": int.from_bytes(name[:4], "big") or 1}


def courier_prekey(given: Json, asked: Json) -> Json:
    """Clause 17.1."""
    return prekey(given, asked, "hotline/v1/courier-prekey")


def bundle(given: Json, asked: Json) -> Json:
    """Clauses 17.3 and 17.5."""
    data = raw(asked["bytes"])
    need(data.startswith(BUNDLE_LINE), "version")
    outer = read("Bundle", data[len(BUNDLE_LINE) :], BUNDLE_MAX)
    made = read("BundleBody", outer["body"], BUNDLE_MAX)
    ends = (made["from_terminal"], made["to_terminal"])
    need(len(made["charter"]) == 32 and ends[0] != ends[1], "address")
    need(max(ends) < 2**16 and made["made_ms"] <= TIME_MAX, "field-length")
    need(len(made["envelope"]) <= 2_500 and all(len(one) <= 36_864 for one in made["envelope"]), "too-long")
    need(len(outer["signature"]) == 64, "signature")
    need((made["charter"], ends) == (raw(given["charter"]), (given["from"], given["to"])), "address")
    covered = pae("hotline/v1/courier", made["charter"], word(ends[0]) + word(ends[1]), outer["body"])
    need(signed(raw(given["public"]), outer["signature"], covered), "signature")
    return {
        "name": sha256(data).hex(),
        "made_ms": made["made_ms"],
        "prekey": shown(made["prekey"] or {}),
        "envelopes": shown(made["envelope"]),
    }


def custody(given: Json, asked: Json) -> Json:
    """Clause 5.6."""
    body = raw(asked["body"])
    made = read("CustodyBody", body, 40_960)
    need((made["charter"], made["terminal"]) == (raw(given["charter"]), given["terminal"]), "custody-address")
    need(signed(raw(given["relay"]), raw(asked["signature"]), pae("hotline/v1/custody", body)), "signature")
    return {"custody": shown(made)}
