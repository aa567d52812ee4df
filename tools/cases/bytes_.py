"""Cases without keys: PAE, frames, parcels, headers, contents as they are sealed."""

from __future__ import annotations

from google.protobuf.message import Message

from hotline.wire.codec import encode
from hotline.wire.envelope import FLAG_CLEAR, FLAG_OPENER, FLAG_TRANSIENT, Header
from hotline.wire.inner import ContentType, Inner, encode_inner
from hotline.wire.v1 import frame_pb2, relay_pb2
from tools.cases.keys import ALPHA, BRAVO, CHARTER, seed
from tools.cases.writing import Cases


def made() -> list[Cases]:
    """Five kinds."""
    return [_pae(), _frames(), _parcels(), _headers(), _inners()]


def _pae() -> Cases:
    cases = Cases("pae", "2.2", "The bytes that signatures and derivations cover.")
    cases.good("no part", label="hotline/v1/x", parts=[])
    cases.good("an empty label", label="", parts=[])
    cases.good("an empty part", label="hotline/v1/x", parts=[""])
    cases.good("two parts", label="hotline/v1/x", parts=["61", "6263"])
    cases.good("the same bytes in one part", label="hotline/v1/x", parts=["616263"])
    cases.good("a part that looks like a length", label="hotline/v1/x", parts=[b" 3 abc".hex()])
    cases.good("a part of 300 bytes", label="hotline/v1/x", parts=["ff" * 300])
    return cases


def _frame(**body: Message | bytes) -> bytes:
    return encode(frame_pb2.Frame(**body))  # type: ignore[arg-type]


HELLO = _frame(hello=frame_pb2.Hello(version=1, charter=CHARTER, terminal=ALPHA))
TAKEN = _frame(taken=frame_pb2.Taken(envelope_id=[seed("one identifier", 18), seed("another identifier", 18)]))


def _frames() -> Cases:
    cases = Cases("frame", "4.2, 4.5, 4.6, 5.5 to 5.8", "One frame between a terminal and a relay.")
    good = {
        "Hello": HELLO,
        "Welcome": _frame(welcome=frame_pb2.Welcome(version=1, relay="relay-1", waiting=3)),
        "Welcome with nothing waiting": _frame(welcome=frame_pb2.Welcome(version=1, relay="relay-1")),
        "an envelope": _frame(envelope=Header(0, BRAVO, ALPHA, seed("epoch", 12), 7).encode() + bytes(48)),
        "an envelope of no bytes: a lawful frame": _frame(envelope=b""),
        "Custody": _frame(custody=frame_pb2.Custody(body=seed("a body"), signature=seed("a signature", 64))),
        "Taken": TAKEN,
        "Taken that names nothing": _frame(taken=frame_pb2.Taken()),
        "a Refusal that ends the stream": _frame(refusal=frame_pb2.Refusal(reason=frame_pb2.REFUSAL_REASON_REPLACED)),
        "a reason of a later version": _frame(refusal=frame_pb2.Refusal(reason=99)),  # type: ignore[arg-type]
        "the largest frame": _frame(envelope=bytes(40_960 - 4)),
    }
    for name, number in frame_pb2.RefusalReason.items():
        refusal = frame_pb2.Refusal(envelope_id=seed("one identifier", 18), reason=number)
        good[f"Refusal, {name.removeprefix('REFUSAL_REASON_')}"] = _frame(refusal=refusal)
    for why, data in good.items():
        cases.good(why, bytes=data.hex())
    body = HELLO[2:]
    for word, why, data in (
        ("empty", "nothing at all", b""),
        ("too-long", "one byte more than FRAME_BYTES_MAX", _frame(envelope=bytes(40_960 - 3))),
        ("unreadable", "cut in its last byte", HELLO[:-1]),
        ("unreadable", "cut after its first", HELLO[:1]),
        ("unreadable", "a length beyond the end", b"\x0a\x7f" + body),
        ("unreadable", "a length of eleven bytes", b"\x0a" + b"\x80" * 10 + b"\x01" + body),
        ("unreadable", "field number 0", b"\x02" + HELLO[1:]),
        ("unreadable", "wire type 7", b"\x0f" + HELLO[1:]),
        ("unreadable", "a group without end", HELLO + b"\x3b"),
        ("unreadable", "the end of a group", HELLO + b"\x3c"),
        ("unreadable", "a name that is not UTF-8", b"\x12\x05\x08\x01\x12\x01\xff"),
        ("spelling", "the same frame twice", HELLO + HELLO),
        ("spelling", "two bodies", HELLO + TAKEN),
        ("spelling", "two bodies, not ascending", TAKEN + HELLO),
        ("spelling", "an unknown field", HELLO + b"\xc2\x3e\x01x"),
        ("spelling", "an unknown field alone", b"\xc2\x3e\x01x"),
        ("spelling", "an unknown group", HELLO + b"\x3b\x3c"),
        ("spelling", "a known field as a number", b"\x08\x01"),
        ("spelling", "a length in two bytes", b"\x0a" + bytes((len(body) | 0x80, 0)) + body),
        ("spelling", "a key in two bytes", b"\x8a\x00" + HELLO[1:]),
        ("spelling", "a version in two bytes", b"\x0a\x03\x08\x81\x00"),
        ("spelling", "a version beyond 32 bits", b"\x0a\x06\x08\x81\x80\x80\x80\x10"),
        ("spelling", "a default value spelled out", b"\x0a\x02\x08\x00"),
        ("spelling", "an empty name spelled out", b"\x12\x04\x08\x01\x12\x00"),
        ("spelling", "fields not ascending", b"\x0a\x04\x18\x01\x08\x01"),
        ("spelling", "a field twice", b"\x0a\x04\x08\x01\x08\x01"),
        ("spelling", "a reason beyond 32 bits", b"\x32\x06\x10\x83\x80\x80\x80\x10"),
    ):
        cases.bad(word, why, bytes=data.hex())
    return cases


def _parcels() -> Cases:
    cases = Cases("parcel", "4.3, 4.8", "One gRPC message: the frames of it that are looked at, and how many are not.")
    pack = relay_pb2.AttachRequest
    cases.good("no frame", bytes="")
    cases.good("two frames", bytes=encode(pack(frame=[HELLO, TAKEN])).hex())
    cases.good("an empty frame between others", bytes=encode(pack(frame=[HELLO, b"", TAKEN])).hex())
    cases.good("as many frames as are looked at", bytes=encode(pack(frame=[b"\1"] * 256)).hex())
    cases.good("one frame more", bytes=encode(pack(frame=[b"\1"] * 257)).hex())
    cases.good("a frame that is too long for a frame", bytes=encode(pack(frame=[bytes(40_961)])).hex())
    cases.bad("too-long", "one byte more than PARCEL_BYTES_MAX", bytes=encode(pack(frame=[bytes(65_533)])).hex())
    cases.bad("unreadable", "cut", bytes=encode(pack(frame=[HELLO]))[:-1].hex())
    return cases


def _headers() -> Cases:
    cases = Cases("header", "6.1, 6.3, 6.5", "The header of an envelope; the rest need not be anything.")
    epoch = seed("epoch", 12)
    for flags in (0, FLAG_OPENER, FLAG_TRANSIENT, FLAG_OPENER | FLAG_TRANSIENT, FLAG_CLEAR | FLAG_TRANSIENT):
        cases.good(f"flags {flags}", bytes=(Header(flags, BRAVO, ALPHA, epoch, 3).encode() + b"\0").hex())
    good = Header(FLAG_OPENER, BRAVO, ALPHA, epoch, 3).encode() + b"\0"
    cases.good("the highest numbers", bytes=(Header(0, 65_535, 65_534, epoch, 2**32 - 1).encode() + b"\0").hex())
    cases.good("as long as may be", bytes=good.ljust(36_864, b"\0").hex())

    def changed(at: int, value: int) -> str:
        return (good[:at] + bytes((value,)) + good[at + 1 :]).hex()

    for version in (0, 2, 255):
        cases.bad("version", f"version {version}", bytes=changed(0, version))
    for flags in (4, 5, 7, 8, 0x80, 0xFF):
        cases.bad("flags", f"flags {flags}", bytes=changed(1, flags))
    cases.bad("address", "to itself", bytes=changed(3, ALPHA))
    cases.bad("address", "to nobody", bytes=changed(3, 0))
    cases.bad("address", "from nobody", bytes=changed(5, 0))
    cases.bad("too-short", "a header and no more", bytes=good[:22].hex())
    cases.bad("too-short", "one byte less than a header", bytes=good[:21].hex())
    cases.bad("too-short", "nothing", bytes="")
    cases.bad("too-short", "another version, and short: length comes first", bytes=changed(0, 2)[:40])
    cases.bad("too-long", "one byte more than ENVELOPE_BYTES_MAX", bytes=good.ljust(36_865, b"\0").hex())
    cases.bad(
        "version", "another version with unlawful flags: version comes first", bytes=changed(0, 2)[:2] + "ff" * 30
    )
    return cases


def _inners() -> Cases:
    cases = Cases("inner", "7.4, 7.11", "Type, length, content, signature and padding, as they are sealed.")
    signature = seed("a signature", 64)

    def of(size: int, kind: int = ContentType.RECEIPT, *, padded: bool = True) -> bytes:
        return encode_inner(Inner(ContentType(kind), b"\xa5" * size, signature), padded=padded)

    for kind in ContentType:
        cases.good(f"type {int(kind)}", bytes=of(10, kind).hex(), padded=True)
        cases.good(f"type {int(kind)} without padding", bytes=of(10, kind, padded=False).hex(), padded=False)
    for size in (128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 34_816):
        cases.good(f"fills {size} bytes exactly", bytes=of(size - 68).hex(), padded=True)
        if size < 34_816:
            cases.good(f"one byte more than {size}", bytes=of(size - 67).hex(), padded=True)
    cases.good("no content", bytes=of(0).hex(), padded=True)
    good = of(10)
    for word, why, data in (
        ("padding", "the last byte of padding is not zero", good[:-1] + b"\1"),
        ("padding", "the first byte of padding is not zero", good[:78] + b"\1" + good[79:]),
        ("padding", "twice the padding class", good + bytes(128)),
        ("padding", "no padding", good[:78]),
        ("padding", "between two classes", good + b"\0"),
        ("inner", "shorter than it says", good[:70]),
        ("inner", "nothing", b""),
        ("inner", "a length of 2^24 - 1", good[:1] + b"\xff\xff\xff" + good[4:]),
        ("inner", "type 0", b"\0" + good[1:]),
        ("inner", "type 127", b"\x7f" + good[1:]),
    ):
        cases.bad(word, why, bytes=data.hex(), padded=True)
    cases.bad("inner", "longer than it says, without padding", bytes=(of(10, padded=False) + b"\0").hex(), padded=False)
    return cases
