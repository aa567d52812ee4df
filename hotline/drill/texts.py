"""What officers say in a drill: neutral, invented, of a given size, and each one different."""

from __future__ import annotations

from typing import Final

from hotline.wire.v1 import content_pb2

_FILLING: Final = {
    "en": "The visibility at the border post is good and the patrols keep to the agreed line. ",
    "ur": "سرحدی چوکی پر حدِ نگاہ اچھی ہے اور گشت طے شدہ لکیر پر قائم ہے۔ ",
    "hi": "सीमा चौकी पर दृश्यता अच्छी है और गश्त तय रेखा पर बनी हुई है। ",
}
DIRECTIONS: Final = {
    "en": content_pb2.DIRECTION_LTR,
    "ur": content_pb2.DIRECTION_RTL,
    "hi": content_pb2.DIRECTION_LTR,
}
PRECEDENCES: Final = {
    "routine": content_pb2.PRECEDENCE_ROUTINE,
    "priority": content_pb2.PRECEDENCE_PRIORITY,
    "immediate": content_pb2.PRECEDENCE_IMMEDIATE,
    "flash": content_pb2.PRECEDENCE_FLASH,
}
VERDICTS: Final = {
    "yes": content_pb2.VERDICT_YES,
    "no": content_pb2.VERDICT_NO,
    "unknown": content_pb2.VERDICT_UNKNOWN,
}


def statement_text(sender: str, number: int, lang: str, size: int) -> str:
    """Statement `number` of a drill, at most `size` bytes of UTF-8 and at most four fewer."""
    head = f"EXERCISE {sender} {number}: "
    filling = _FILLING[lang]
    text = head + filling * (size // len(filling.encode()) + 1)
    return text.encode()[:size].decode(errors="ignore")


def needles(lang: str) -> bytes:
    """Bytes that every text of a language holds and nothing else does: what a search for plaintext looks for."""
    return _FILLING[lang].encode()[:24]
