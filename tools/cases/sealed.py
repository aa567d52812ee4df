"""Prekeys of both sorts, epochs, chains, envelopes, custody, bundles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hotline.crypto.sealing import KemKey
from hotline.crypto.signing import SigningKey
from hotline.machine import Plane
from hotline.protocol.bundle import MAGIC
from hotline.protocol.nonpapers import authenticate
from hotline.protocol.prekeys import COURIER_LABEL, prekey_hash
from hotline.protocol.statements import Ends, sign_content
from hotline.wire.codec import encode
from hotline.wire.envelope import FLAG_CLEAR, FLAG_OPENER, FLAG_TRANSIENT, HEADER_SIZE, Header
from hotline.wire.inner import ContentType, encode_inner
from hotline.wire.v1 import bundle_pb2, content_pb2, frame_pb2
from tools.cases.contents import heartbeat, receipt, statement
from tools.cases.keys import (
    ALPHA,
    BRAVO,
    BRAVO_OLD_PREKEY,
    BRAVO_PREKEY,
    CHARTER,
    NAME,
    NOW,
    OLD_NAME,
    OLD_PREKEY,
    OUT,
    PAIRWISE,
    PREKEY,
    SIGNING,
    Epoch,
    flip,
    resigned_prekey,
    seed,
    signed_prekey,
)
from tools.cases.writing import Cases

Add = Callable[..., None]
NO_POINT = bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")
ORDER = 2**252 + 27742317777372353535851937790883648493


def made() -> list[Cases]:
    """Eight kinds."""
    return [_prekeys(), _courier_prekeys(), _epochs(), _chains(), _windows(), _envelopes(), _custody(), _bundles()]


def unlawful(signature: bytes) -> list[tuple[str, bytes]]:
    """Signatures that some verifiers take and libsodium does not, and ones that nobody takes."""
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    return [
        ("no signature", b""),
        ("a signature of 63 bytes", signature[:-1]),
        ("a signature of 65 bytes", signature + b"\0"),
        ("a signature of zeros", bytes(64)),
        ("a signature with S + L", signature[:32] + scalar.to_bytes(32, "little")),
        ("a signature whose R has a small order", (1).to_bytes(32, "little") + signature[32:]),
        ("a signature whose R is no canonical point", NO_POINT + signature[32:]),
        ("a signature with one bit turned in R", flip(signature, 3)),
        ("a signature with one bit turned in S", flip(signature, 40)),
    ]


_MLKEM, _SHARE = PREKEY.public[:1184], PREKEY.public[1184:]
_ORDER_8 = bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")
_NO_KEYS = [
    ("a public key of zeros", bytes(1216)),
    ("an X25519 part of zeros", _MLKEM + bytes(32)),
    (
        "an X25519 part of order 8",
        _MLKEM + bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    ),
    ("an X25519 part of 1, spelled as p + 1", _MLKEM + (2**255 - 18).to_bytes(32, "little")),
    ("an ML-KEM coefficient of 3329", b"\x01\x0d" + _MLKEM[2:] + _SHARE),
]
"""Public keys of the right size that nothing can be sealed to."""


def _prekeys() -> Cases:
    given = {"charter": CHARTER.hex(), "terminal": BRAVO, "public": SIGNING["BRAVO"].public.hex()}
    cases = Cases("prekey", "7.2, 7.10, 2.7", "A signed prekey of terminal 2.", given)

    def add(word: str, why: str, signed: content_pb2.SignedPrekey) -> None:
        asked = {"body": signed.body.hex(), "signature": signed.signature.hex()}
        cases.bad(word, why, **asked) if word else cases.good(why, **asked)

    add("", "as it should be", BRAVO_PREKEY)
    add("", "of a minute before the first", signed_prekey("BRAVO", PREKEY, BRAVO, created_ms=0, not_after_ms=1))
    add("", "of the first generation", signed_prekey("BRAVO", OLD_PREKEY, BRAVO, generation=1))
    add("signature", "signed for terminal 3", signed_prekey("BRAVO", PREKEY, 3))
    add("signature", "signed by the other side", signed_prekey("ALPHA", PREKEY, BRAVO))
    add("signature", "one bit of the body turned", _with(flip(BRAVO_PREKEY.body, 40), BRAVO_PREKEY.signature))
    other = SIGNING["BRAVO"].sign("hotline/v1/custody", CHARTER, BRAVO.to_bytes(2, "big"), BRAVO_PREKEY.body)
    add("signature", "signed as something else", _with(BRAVO_PREKEY.body, other))
    for why, signature in unlawful(BRAVO_PREKEY.signature):
        add("signature", why, _with(BRAVO_PREKEY.body, signature))
    add("prekey", "generation 0", signed_prekey("BRAVO", PREKEY, BRAVO, generation=0))
    add("prekey", "expires as it begins", signed_prekey("BRAVO", PREKEY, BRAVO, not_after_ms=NOW))
    add("prekey", "expires before it begins", signed_prekey("BRAVO", PREKEY, BRAVO, not_after_ms=NOW - 1))
    add("prekey", "a public key of 1215 bytes", signed_prekey("BRAVO", PREKEY, BRAVO, public_key=PREKEY.public[:-1]))
    add("prekey", "a public key of 1217 bytes", signed_prekey("BRAVO", PREKEY, BRAVO, public_key=PREKEY.public + b"\0"))
    for why, public in _NO_KEYS:
        add("prekey", why, signed_prekey("BRAVO", PREKEY, BRAVO, public_key=public))
    body = BRAVO_PREKEY.body
    add("spelling", "a field twice", resigned_prekey("BRAVO", body + body[-7:], BRAVO))
    add("spelling", "an unknown field", resigned_prekey("BRAVO", body + b"\x28\x01", BRAVO))
    add("unreadable", "cut", resigned_prekey("BRAVO", body[:-1], BRAVO))
    add("too-long", "2049 bytes", resigned_prekey("BRAVO", body + b"\x2a" + bytes(2_049 - len(body) - 1), BRAVO))
    return cases


COURIER_PREKEY = KemKey(seed("courier prekey of BRAVO"))
_COURIER_BODY = signed_prekey("BRAVO", COURIER_PREKEY, BRAVO).body
BRAVO_COURIER_PREKEY = content_pb2.SignedPrekey(
    body=_COURIER_BODY, signature=SIGNING["BRAVO"].sign(COURIER_LABEL, CHARTER, BRAVO.to_bytes(2, "big"), _COURIER_BODY)
)
COURIER_NAME = prekey_hash(CHARTER, BRAVO, _COURIER_BODY, COURIER_LABEL)


def _courier_prekeys() -> Cases:
    given = {"charter": CHARTER.hex(), "terminal": BRAVO, "public": SIGNING["BRAVO"].public.hex()}
    cases = Cases("courier-prekey", "17.1, 7.2, 7.10", "A signed courier prekey of terminal 2.", given)
    body = _COURIER_BODY

    def asked(body: bytes = body, label: str = COURIER_LABEL, terminal: int = BRAVO) -> dict[str, str]:
        signature = SIGNING["BRAVO"].sign(label, CHARTER, terminal.to_bytes(2, "big"), body)
        return {"body": body.hex(), "signature": signature.hex()}

    cases.good("as it should be", **asked())
    cases.bad("signature", "a prekey of the other sort", **asked(label="hotline/v1/prekey"))
    cases.bad("signature", "signed for terminal 1", **asked(terminal=ALPHA))
    for why, signature in unlawful(bytes.fromhex(asked()["signature"])):
        cases.bad("signature", why, body=body.hex(), signature=signature.hex())
    cases.bad("prekey", "generation 0", **asked(signed_prekey("BRAVO", PREKEY, BRAVO, generation=0).body))
    cases.bad("prekey", "expires as it begins", **asked(signed_prekey("BRAVO", PREKEY, BRAVO, not_after_ms=NOW).body))
    for why, public in _NO_KEYS:
        cases.bad("prekey", why, **asked(signed_prekey("BRAVO", PREKEY, BRAVO, public_key=public).body))
    cases.bad("spelling", "a field twice", **asked(body + body[-7:]))
    return cases


def _with(body: bytes, signature: bytes) -> content_pb2.SignedPrekey:
    return content_pb2.SignedPrekey(body=body, signature=signature)


def _keys() -> dict[str, str | int]:
    return {
        "charter": CHARTER.hex(), "pairwise": PAIRWISE.hex(), "from": ALPHA, "to": BRAVO,
        "seed": PREKEY.seed.hex(), "prekey": NAME.hex(),
    }  # fmt: skip


def _epochs() -> Cases:
    about = "From the seed of a prekey and an opener to the secret and the roots of both chains."
    cases = Cases("epoch", "7.3, 7.10", about, dict(_keys()))
    real, exercise = Epoch("real", Plane.REAL), Epoch("exercise", Plane.EXERCISE)
    third, foreign = Epoch("third", Plane.REAL), Epoch("foreign", Plane.REAL, OLD_PREKEY, OLD_NAME)
    for epoch in (real, exercise, third, Epoch("service", Plane.SERVICE)):
        cases.good("as it should be", plane=epoch.plane.value, epoch=epoch.id.hex(), opener=epoch.opener.hex())
    asked = {"plane": "real", "epoch": real.id.hex()}
    cases.bad("not-opened", "on the other plane", **asked | {"plane": "exercise"}, opener=real.opener.hex())
    cases.bad("not-opened", "among operators' talk", **asked | {"plane": "service"}, opener=real.opener.hex())
    cases.bad("not-opened", "of another epoch", **asked, opener=third.opener.hex())
    cases.bad("not-opened", "for another prekey", **asked | {"epoch": foreign.id.hex()}, opener=foreign.opener.hex())
    for why, at in (("ML-KEM ciphertext", 5), ("X25519 key", 1_100), ("sealed secret", 1_125), ("its tag", 1_167)):
        cases.bad("not-opened", f"one bit turned in the {why}", **asked, opener=flip(real.opener, at).hex())
    cases.bad("not-opened", "an X25519 key of small order", **asked,
              opener=(real.opener[:1_088] + bytes(32) + real.opener[1_120:]).hex())  # fmt: skip
    for why, opener in (("cut", real.opener[:-1]), ("too long", real.opener + b"\0"), ("empty", b"")):
        cases.bad("not-opened", why, **asked, opener=opener.hex())
    return cases


def _chains() -> Cases:
    cases = Cases("chain", "7.5, 7.14", "The keys of envelope `number` of a chain that begins with `root`.")
    for name, number in (("zeros", 0), ("a", 0), ("a", 1), ("a", 2), ("b", 100), ("b", 4_096)):
        root = bytes(32) if name == "zeros" else seed(f"chain {name}")
        cases.good(f"number {number}", root=root.hex(), number=number)
    return cases


def _windows() -> Cases:
    epoch = Epoch("real", Plane.REAL)
    given = {**_keys(), "plane": "real", "epoch": epoch.id.hex(), "opener": epoch.opener.hex()}
    about = "Envelopes of one chain arrive with these numbers: the commitment of each, or why there is no key for it."
    cases = Cases("window", "7.5, 7.11", about, given)
    for why, transient, numbers in (
        ("in order", False, [0, 1, 2]),
        ("in order, transient", True, [0, 1, 2]),
        ("repeated", False, [0, 0, 1, 1, 0]),
        ("overtaken", False, [3, 1, 0, 2, 1]),
        ("overtaken, transient", True, [3, 1, 0, 2, 1]),
        ("as far ahead as may be", False, [4_096, 4_095, 0, 4_096]),
        ("one further", False, [4_097, 0, 4_097, 4_098]),
        ("one further, transient", True, [4_097, 4_096]),
        ("the last number", False, [2**32 - 1, 0]),
        ("the 64 newest of those overtaken are kept", True, [66, 0, 1, 2, 65]),
        ("and no more when others are overtaken later", True, [40, 100, 10, 36, 37, 39, 40, 41]),
        ("a durable chain keeps 4096", False, [4_096, 4_098, 0, 1]),
    ):
        cases.good(why, transient=transient, numbers=numbers)
    return cases


# --- envelopes -------------------------------------------------------------------------------------------------------


def _receiver() -> dict[str, object]:
    def kept(seed_: bytes, signed: content_pb2.SignedPrekey) -> dict[str, str]:
        return {"seed": seed_.hex(), "body": signed.body.hex(), "signature": signed.signature.hex()}

    return {
        "charter": CHARTER.hex(),
        "pairwise": PAIRWISE.hex(),
        "sender": {"number": ALPHA, "public": SIGNING["ALPHA"].public.hex()},
        "recipient": {
            "number": BRAVO,
            "signing_seed": SIGNING["BRAVO"].seed.hex(),
            "prekeys": [kept(OLD_PREKEY.seed, BRAVO_OLD_PREKEY), kept(PREKEY.seed, BRAVO_PREKEY)],
            "courier_prekeys": [kept(COURIER_PREKEY.seed, BRAVO_COURIER_PREKEY)],
        },
    }


def _envelopes() -> Cases:
    real, exercise = Epoch("real", Plane.REAL), Epoch("exercise", Plane.EXERCISE)
    older = Epoch("older", Plane.REAL, OLD_PREKEY, OLD_NAME)
    kinds, words, beat = ContentType, statement(), heartbeat()
    arrived = {
        "first": real.send(kinds.STATEMENT, words, FLAG_OPENER, 0),
        "beat": real.send(kinds.HEARTBEAT, beat, FLAG_OPENER | FLAG_TRANSIENT, 0),
        "receipt": real.send(kinds.RECEIPT, receipt(), 0, 1),
        "later": real.send(kinds.STATEMENT, words, 0, 4),
        "exercise": exercise.send(kinds.STATEMENT, words, FLAG_OPENER, 0),
    }
    given = {**_receiver(), "arrived": {name: data.hex() for name, data in arrived.items()}}
    about = "An envelope reaches terminal 2 after the ones in `before`; prekeys are named oldest first."
    cases = Cases("envelope", "4.1, 6.1 to 6.5, 7.3 to 7.11", about, given)

    def good(why: str, data: bytes, *before: str) -> None:
        cases.good(why, before=list(before), envelope=data.hex())

    def bad(word: str, why: str, data: bytes, *before: str) -> None:
        cases.bad(word, why, before=list(before), envelope=data.hex())

    good("a statement with the opener", arrived["first"])
    good("a heartbeat with the opener", arrived["beat"])
    good("a heartbeat with the opener of an epoch that is open", arrived["beat"], "first")
    good("a statement with the opener, the epoch opened by a heartbeat", arrived["first"], "beat")
    good("a receipt without the opener", arrived["receipt"], "first")
    good("a statement that overtook two", arrived["later"], "first", "receipt")
    good("one that was overtaken", real.send(kinds.STATEMENT, words, 0, 2), "first", "later")
    good("a transient receipt", real.send(kinds.RECEIPT, receipt(stage=3), FLAG_TRANSIENT, 1), "first")
    good("a statement of an exercise", arrived["exercise"])
    good("a non-paper", real.seal(_quiet(statement(kind=10)), FLAG_OPENER, 0))
    good("both planes side by side", exercise.send(kinds.STATEMENT, words, 0, 1), "first", "exercise")
    talk = statement(precedence=1)
    service = Epoch("service", Plane.SERVICE)
    good("operators' talk", service.send(kinds.STATEMENT, talk, FLAG_OPENER, 0), "first", "exercise")
    bad("signature", "operators' talk signed as a statement",
        service.seal(encode_inner(real.content(kinds.STATEMENT, talk), padded=True), FLAG_OPENER, 0))  # fmt: skip
    good("sealed to the older prekey", older.send(kinds.STATEMENT, words, FLAG_OPENER, 0))
    good("sealed to the older prekey after the newer one", older.send(kinds.HEARTBEAT, beat, 3, 5), "first")
    by_hand = Epoch("by hand", Plane.REAL, COURIER_PREKEY, COURIER_NAME)
    good("sealed to the courier prekey", by_hand.send(kinds.STATEMENT, words, FLAG_OPENER, 0))
    confused = Epoch("confused", Plane.REAL, COURIER_PREKEY, prekey_hash(CHARTER, BRAVO, BRAVO_COURIER_PREKEY.body))
    bad("unknown-prekey", "sealed to the courier prekey under the name of the other sort",
        confused.send(kinds.STATEMENT, words, FLAG_OPENER, 0))  # fmt: skip
    good("as far ahead as may be", real.send(kinds.STATEMENT, words, 0, 4_097), "first")
    good("the largest padding class", real.send(kinds.STATEMENT, statement(text="x" * 32_768), FLAG_OPENER, 0))
    _refused_headers(bad, arrived["first"])
    _refused_seals(bad, real, exercise, arrived)
    _requests(good, bad)
    return cases


OUT_AGAIN = Ends(CHARTER, BRAVO, ALPHA)


def _quiet(content: bytes, plane: Plane = Plane.REAL, ends: Ends = OUT) -> bytes:
    return encode_inner(authenticate(PAIRWISE, plane, ends, content), padded=True)


def _refused_headers(bad: Add, first: bytes) -> None:
    bad("too-long", "too long", first.ljust(36_865, b"\0"))
    bad("too-short", "a header alone", first[:22])
    bad("version", "version 2", b"\2" + first[1:])
    bad("flags", "unlawful flags", first[:1] + b"\x09" + first[2:])
    bad("address", "to nobody", first[:2] + b"\0\0" + first[4:])
    bad("address", "to another terminal", first[:2] + b"\0\3" + first[4:])
    bad("address", "from another terminal", first[:4] + b"\0\3" + first[6:])
    bad("address", "reflected to its sender", first[:2] + b"\0\1\0\2" + first[6:])


def _refused_seals(bad: Add, real: Epoch, exercise: Epoch, arrived: dict[str, bytes]) -> None:
    kinds, words, first, later = ContentType, statement(), arrived["first"], arrived["receipt"]
    padded = encode_inner(real.content(kinds.STATEMENT, words), padded=True)
    bad("unknown-epoch", "no opener, an epoch that is not known", later)
    bad("unknown-epoch", "the epoch altered", flip(later, 8), "first")
    bad("unknown-prekey", "another prekey tag", flip(first, HEADER_SIZE))
    bad("used", "the same again", first, "first")
    bad("used", "an overtaken one again", arrived["receipt"], "first", "later", "receipt")
    bad("too-far", "one too far ahead", real.send(kinds.STATEMENT, words, 0, 4_098), "first")
    bad("too-far", "too far ahead with the opener", real.send(kinds.STATEMENT, words, FLAG_OPENER, 4_097))
    for why, at in (("ML-KEM ciphertext", 5), ("X25519 key", 1_100), ("sealed secret", 1_125)):
        wrong = flip(first, HEADER_SIZE + 4 + at)
        bad("not-opened", f"one bit turned in the {why} of the opener", wrong)
        bad("not-opened", f"one bit turned in the {why} of the opener, epoch open", wrong, "beat")
    bad("not-opened", "the prekey tag altered, epoch open", flip(first, HEADER_SIZE), "beat")
    bad("not-opened", "the opener of another epoch, epoch open",
        first[:26] + exercise.opener + first[26 + 1_168 :], "beat")  # fmt: skip
    bad("not-opened", "cut within the opener", first[:600])
    bad("not-opened", "the opener and nothing behind it", first[: 22 + 4 + 1_168])
    for why, wrong in (
        ("one bit of the commitment turned", flip(later, HEADER_SIZE)),
        ("one bit of the ciphertext turned", flip(later, HEADER_SIZE + 32)),
        ("one bit of the tag turned", flip(later, -1)),
        ("cut", later[:-1]),
        ("one byte more", later + b"\0"),
        ("shorter than commitment and tag", later[: HEADER_SIZE + 47]),
        ("under another number", later[:21] + b"\7" + later[22:]),
        ("as transient", later[:1] + b"\2" + later[2:]),
    ):
        bad("not-opened", why, wrong, "first")
    bad(
        "not-opened",
        "the body of one envelope behind the header of another",
        later[:22] + arrived["later"][22:],
        "first",
    )
    for word, why, plain in (
        ("padding", "padding that is not zero", padded[:-1] + b"\1"),
        ("padding", "padding of the next class", padded.ljust(1_024, b"\0")),
        ("padding", "no padding", padded[: 4 + len(words) + 64]),
        ("inner", "no content type", b"\0" + padded[1:]),
        ("inner", "an unknown content type", b"\x7f" + padded[1:]),
        ("inner", "a length beyond the end", padded[:1] + b"\xff" + padded[2:]),
        ("inner", "nothing", b""),
        ("signature", "signed for the other plane",
         encode_inner(exercise.content(kinds.STATEMENT, words), padded=True)),
        ("signature", "a statement called a receipt", b"\2" + padded[1:]),
        ("signature", "a statement called a non-paper", b"\5" + padded[1:]),
        ("signature", "a non-paper with the MAC of an exercise", _quiet(words, Plane.EXERCISE)),
        ("signature", "a non-paper with the MAC of the other direction", _quiet(words, ends=OUT_AGAIN)),
        ("signature", "a non-paper called a statement", b"\1" + _quiet(words)[1:]),
        ("signature", "signed by the recipient",
         encode_inner(sign_content(SIGNING["BRAVO"], kinds.STATEMENT, Plane.REAL, OUT, words), padded=True)),
        ("signature", "signed under another charter",
         encode_inner(sign_content(SIGNING["ALPHA"], kinds.STATEMENT, Plane.REAL,
                                   Ends(seed("another charter"), ALPHA, BRAVO), words), padded=True)),
        ("signature", "a receipt for another terminal",
         encode_inner(sign_content(SIGNING["ALPHA"], kinds.RECEIPT, Plane.REAL,
                                   Ends(CHARTER, ALPHA, 3), receipt()), padded=True)),
        ("content-type", "a key request under seal", encode_inner(real.content(kinds.KEY_REQUEST, b""), padded=True)),
    ):  # fmt: skip
        bad(word, why, real.seal(plain, 0, 1), "first")
    signature = real.content(kinds.STATEMENT, words).signature
    for why, wrong in unlawful(signature):
        if len(wrong) == 64:
            end = 4 + len(words)
            bad("signature", why, real.seal(padded[:end] + wrong + padded[end + 64 :], 0, 1), "first")


def _requests(good: Add, bad: Add) -> None:
    """Key requests, in the clear."""
    kind, head = (
        ContentType.KEY_REQUEST,
        Header(FLAG_CLEAR | FLAG_TRANSIENT, BRAVO, ALPHA, seed("clear", 12), 0).encode(),
    )

    def request(**changes: object) -> bytes:
        fields = {"unknown_epoch": seed("an epoch of BRAVO", 12), "prekey": signed_prekey("ALPHA", PREKEY, ALPHA)}
        return encode(content_pb2.KeyRequest(**{**fields, "time_ms": NOW, **changes}))  # type: ignore[arg-type]

    def clear(content: bytes, plane: Plane = Plane.REAL, kind: ContentType = kind) -> bytes:
        return head + encode_inner(sign_content(SIGNING["ALPHA"], kind, plane, OUT, content), padded=False)

    asked = clear(request())
    good("a key request", asked)
    good("a key request that names no epoch", clear(request(unknown_epoch=b"")))
    good("a key request of first contact after others", clear(request(unknown_epoch=b"")), "first")
    bad("content-type", "a statement in the clear", clear(statement(), kind=ContentType.STATEMENT))
    bad("inner", "a key request with padding", asked + b"\0")
    bad("inner", "a key request, cut", asked[:-1])
    bad("signature", "a key request, one bit turned", flip(asked, -1))
    bad("signature", "a key request signed for the exercise plane", clear(request(), Plane.EXERCISE))
    bad("prekey", "a key request without a prekey", clear(request(prekey=None)))
    bad("signature", "a key request whose prekey is not signed",
        clear(request(prekey=_with(BRAVO_PREKEY.body, bytes(64)))))  # fmt: skip
    bad("signature", "a key request with the prekey of the recipient", clear(request(prekey=BRAVO_PREKEY)))
    bad("prekey", "a key request whose prekey has no generation",
        clear(request(prekey=signed_prekey("ALPHA", PREKEY, ALPHA, generation=0))))  # fmt: skip
    bad("spelling", "a key request with a field twice", clear(request() + b"\x18\x01"))
    bad("unreadable", "a key request, its content cut", clear(request()[:-1]))
    bad("too-long", "a key request of 4097 bytes", clear(request(unknown_epoch=bytes(4_097))))


def _custody() -> Cases:
    relay = SigningKey(seed("signing key of relay-1"))
    given = {"relay": relay.public.hex(), "charter": CHARTER.hex(), "terminal": ALPHA}
    cases = Cases("custody", "5.6, 5.19", "The signed word of a relay to terminal 1.", given)

    def body(**changes: object) -> bytes:
        fields: dict[str, object] = {
            "charter": CHARTER,
            "terminal": ALPHA,
            "envelope": [seed("envelope")],
            "time_ms": NOW,
        }
        return encode(frame_pb2.CustodyBody(**{**fields, **changes}))  # type: ignore[arg-type]

    def signed(data: bytes, label: str = "hotline/v1/custody") -> dict[str, str]:
        return {"body": data.hex(), "signature": relay.sign(label, data).hex()}

    cases.good("one envelope", **signed(body()))
    cases.good("256 envelopes", **signed(body(envelope=[seed(f"envelope {n}") for n in range(256)])))
    cases.good("no envelope", **signed(body(envelope=[])))
    cases.bad("custody-address", "of another charter", **signed(body(charter=seed("another charter"))))
    cases.bad("custody-address", "to another terminal", **signed(body(terminal=BRAVO)))
    cases.bad("custody-address", "to nobody", **signed(body(terminal=0)))
    cases.bad("signature", "signed as something else", **signed(body(), "hotline/v1/prekey"))
    cases.bad("signature", "signed by the sender", body=body().hex(),
              signature=SIGNING["ALPHA"].sign("hotline/v1/custody", body()).hex())  # fmt: skip
    for why, signature in unlawful(relay.sign("hotline/v1/custody", body())):
        cases.bad("signature", why, body=body().hex(), signature=signature.hex())
    cases.bad("spelling", "a field twice", **signed(body() + b"\x20\x01"))
    cases.bad("unreadable", "cut", **signed(body()[:-1]))
    cases.bad("too-long", "longer than a frame", **signed(body(charter=bytes(40_960))))
    return cases


def _bundles() -> Cases:
    given = {"charter": CHARTER.hex(), "from": ALPHA, "to": BRAVO, "public": SIGNING["ALPHA"].public.hex()}
    about = "A bundle that a courier brought to terminal 2. Its envelopes are not opened."
    cases = Cases("bundle", "17.3, 17.5", about, given)
    epoch = Epoch("courier", Plane.REAL, OLD_PREKEY, OLD_NAME)
    envelopes = [epoch.send(ContentType.RECEIPT, receipt(), FLAG_OPENER, 0)]
    envelopes.append(epoch.send(ContentType.STATEMENT, statement(), 0, 1))
    prekey = signed_prekey("ALPHA", PREKEY, ALPHA)

    def body(**changes: Any) -> bytes:
        fields = {"charter": CHARTER, "from_terminal": ALPHA, "to_terminal": BRAVO, "made_ms": NOW, "prekey": prekey}
        return encode(bundle_pb2.BundleBody(**{**fields, "envelope": envelopes, **changes}))

    def file(data: bytes, label: str = "hotline/v1/courier", by: str = "ALPHA", ends: bytes = b"\0\1\0\2") -> bytes:
        signature = SIGNING[by].sign(label, CHARTER, ends, data)
        return MAGIC + encode(bundle_pb2.Bundle(body=data, signature=signature))

    good = file(body())
    cases.good("a receipt and a statement", bytes=good.hex())
    cases.good("a prekey alone", bytes=file(body(envelope=[])).hex())
    cases.good("no prekey", bytes=file(body(prekey=None)).hex())
    cases.good("as many envelopes as may be", bytes=file(body(envelope=[b"x"] * 2_500)).hex())
    signature = SIGNING["ALPHA"].sign("hotline/v1/courier", CHARTER, b"\0\1\0\2", body())
    for word, why, data in (
        ("version", "another version", good.replace(b"/1\n", b"/2\n", 1)),
        ("version", "no first line", good[len(MAGIC) :]),
        ("version", "a carriage return", good.replace(b"\n", b"\r\n", 1)),
        ("version", "nothing", b""),
        ("address", "the first line and nothing more", MAGIC),
        ("address", "of another charter", file(body(charter=seed("another charter")))),
        ("address", "a charter of 31 bytes", file(body(charter=bytes(31)))),
        ("address", "from another terminal", file(body(from_terminal=3))),
        ("address", "to another terminal", file(body(to_terminal=3))),
        ("address", "back to its sender", file(body(from_terminal=BRAVO, to_terminal=ALPHA))),
        ("address", "to itself", file(body(to_terminal=ALPHA))),
        ("field-length", "a terminal beyond 65535", file(body(to_terminal=65_536))),
        ("field-length", "made beyond TIME_MAX", file(body(made_ms=253_402_300_800_000))),
        ("too-long", "one envelope too many", file(body(envelope=[b"x"] * 2_501))),
        ("too-long", "an envelope that is too long", file(body(envelope=[bytes(36_865)]))),
        ("signature", "signed by its recipient", file(body(), by="BRAVO")),
        ("signature", "signed as a prekey", file(body(), label="hotline/v1/courier-prekey")),
        ("signature", "signed for other ends", file(body(), ends=b"\0\2\0\1")),
        ("signature", "one bit turned", flip(good, len(good) - 1)),
        ("spelling", "a field of the body twice", file(body() + b"\x32\x01x\x20\x01")),
        ("spelling", "a field of the bundle twice", good + good[-66:]),
        ("unreadable", "cut", good[:-1]),
    ):
        cases.bad(word, why, bytes=data.hex())
    for why, wrong in unlawful(signature):
        data = MAGIC + encode(bundle_pb2.Bundle(body=body(envelope=[]), signature=wrong))
        cases.bad("signature", why, bytes=data.hex())
    return cases
