"""Values that read alike in every script (docs/protocol.md 21.7 and 21.8)."""

from __future__ import annotations

import random

import pytest

from hotline.cli.fieldview import isolated, print_text, typed
from hotline.errors import TextError
from hotline.protocol.fields import COORDINATE, NUMBER, PLACE, TIME, canonical, coordinate
from hotline.safetext import controls_found
from hotline.wire.v1 import content_pb2
from tests.oracle.bidi import seen

FSI, PDI = "\u2068", "\u2069"
VALUES = {TIME: "2026-11-25T10:00Z", COORDINATE: "28.6139N 077.2090E", NUMBER: "1005"}
URDU_PLACE = "مقام ایک"
WORDS = (
    *("پیغام", "بجے", "آج", "کے", "معاندانہ", "۱۲", "14:30", "تا"),
    *("संदेश", "को", "begins", "at", "(", ")", "-", ",", ".", "17", "№", "+", "/", "%", "2026-11-25", "א", "٣"),
)


def field(name: str, kind: content_pb2.FieldKind.ValueType, value: str) -> content_pb2.Field:
    return content_pb2.Field(name=name, kind=kind, value=value)


def hebrew(text: str) -> str:
    """The notation of UAX #9: capitals stand for letters that run from right to left."""
    return "".join(chr(0x05D0 + ord(char) - 65) if "A" <= char <= "Z" else char for char in text)


@pytest.mark.parametrize(
    ("stored", "base", "shown"),
    [
        ("car means CAR.", 0, "car means RAC."),
        ("car MEANS CAR.", 1, ".RAC SNAEM car"),
        ("he said \u2067car MEANS CAR\u2069.", 0, "he said \u2067RAC SNAEM car\u2069."),
        ("HE SAID 2026-11-25", 1, "25-11-2026 DIAS EH"),
    ],
)
def test_the_order_of_the_standard(stored: str, base: int, shown: str) -> None:
    """The property below would be held against an order that no terminal has."""
    order = seen(hebrew(stored), base)
    if "2026" in stored:  # European digits behind Hebrew letters keep their order; behind Arabic ones they do not
        assert order == hebrew("2026-11-25 DIAS EH")
        assert seen("آج 2026-11-25", 1).startswith("25-11-2026")
    else:
        assert order == hebrew(shown)


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("base", [0, 1, None])
def test_a_value_survives_whatever_stands_around_it(kind: content_pb2.FieldKind.ValueType, base: int | None) -> None:
    """A time in an Urdu sentence is read from the wrong end: 25-11-2026, or another hour (docs/protocol.md 21.8)."""
    chance, value, broken = random.Random(int(kind)), VALUES[kind], 0
    for _ in range(400):
        before, after = (" ".join(chance.choices(WORDS, k=chance.randrange(5))) for _ in range(2))
        text = f"{before} {{value}} {after}"
        shown = seen(isolated(text, [field("value", kind, value)]), base)
        assert value in shown, (text, shown)
        plain = seen(text.replace("{value}", value), base)
        broken += value not in plain
        # To what stands around it a value is one thing without a direction, whatever it is.
        other = seen(text.replace("{value}", f"{FSI}x{PDI}"), base)
        assert shown.replace(value, "x") == other, (text, shown, other)
    assert broken or kind != TIME, "without isolates nothing is broken: the test shows nothing"


def test_a_place_in_another_script_moves_nothing() -> None:
    """docs/protocol.md 21.8: 'from A to B' would be read as from B to A."""
    text = "from {a} to {b} at 10:00"
    fields = [field("a", PLACE, URDU_PLACE), field("b", PLACE, "مقام دو")]
    shown = seen(isolated(text, fields), 0)
    first, second = (seen(one.value) for one in fields)
    assert shown.index(first) < shown.index(second) < shown.index("10:00")
    plain = seen(text.replace("{a}", URDU_PLACE).replace(" to {b}", " - مقام دو"), 0)
    assert plain.index(second) < plain.index(first), "and without isolates it is"


def test_only_our_own_isolates_are_in_what_is_shown() -> None:
    """The peer would close ours, and turn round what follows (docs/protocol.md 21.8)."""
    hostile = f"{PDI}\u202e {{value}} \u2066 {{other}} {{value}}"
    shown = isolated(hostile, [field("value", NUMBER, "17")])
    assert shown.count(f"{FSI}17{PDI}") == 2
    rest = shown.replace(f"{FSI}17{PDI}", "")
    assert controls_found(rest) == 0
    assert "{other}" in rest
    assert "⟦U+2069 PDI⟧" in rest
    raw = isolated("{value}", [field("value", PLACE, f"a{PDI}\u202eb")])
    assert raw.count(PDI) == 1, "not even where a value came past every check"


def test_each_field_stands_on_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/protocol.md 21.8: for terminals that do not know isolates."""
    print_text("آج {time}", [field("time", TIME, VALUES[TIME]), field("place", PLACE, URDU_PLACE)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["time", "time", VALUES[TIME]]
    assert lines[2].endswith(URDU_PLACE)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("time=2026-11-25T10:00Z", ("time", TIME, "2026-11-25T10:00Z")),
        ("time.begin=2026-11-25T10:00:30Z", ("begin", TIME, "2026-11-25T10:00:30Z")),
        ("coord=28.6139,77.209", ("coord", COORDINATE, "28.6139N 077.2090E")),
        ("coord.site=-0.5, -77", ("site", COORDINATE, "00.5S 077.0W")),
        ("coord=0,-0", ("coord", COORDINATE, "00.0N 000.0E")),
        ("coord=28.6139N 077.2090E", ("coord", COORDINATE, "28.6139N 077.2090E")),
        ("place=Point One = the tower", ("place", PLACE, "Point One = the tower")),
        ("number=17", ("number", NUMBER, "17")),
    ],
)
def test_a_field_on_the_command_line(given: str, made: tuple[str, int, str]) -> None:
    """docs/protocol.md 21.7: one spelling, whatever was typed."""
    assert tuple(typed(given)) == made
    assert canonical(typed(given).kind, made[2]) == made[2]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("2026", "not a field"),
        ("hour=10", "not a field"),
        ("time=2026-11-25 10:00", "a time is written"),
        ("time=2026-11-31T10:00Z", "a time is written"),
        ("time=2026-11-25T24:00Z", "a time is written"),
        ("time.Begin=2026-11-25T10:00Z", "small letters"),
        ("coord=91,0", "a coordinate is written"),
        ("coord=0,180.000001", "a coordinate is written"),
        ("coord=1", "a coordinate is written"),
        ("coord=00.0S 000.0E", "a coordinate is written"),
        ("coord=00.0N 000.0W", "a coordinate is written"),
        ("place=", "a place is named"),
        ("place=a\u202eb", "a place is named"),
        ("place=\ud800", "a place is named"),
        ("number=01", "a number has"),
    ],
)
def test_what_is_no_field_says_how_to_write_one(given: str, words: str) -> None:
    """docs/protocol.md 21.9: in a sentence, and nothing is queued."""
    with pytest.raises(TextError, match=words):
        typed(given)


def test_every_coordinate_has_one_spelling() -> None:
    """docs/protocol.md 21.7: two spellings of one place look like two places."""
    chance = random.Random(9)
    for _ in range(500):
        latitude, longitude = chance.uniform(-95, 95), chance.uniform(-185, 185)
        made = coordinate(f"{latitude:.4f}", f"{longitude:.4f}")
        within = abs(round(latitude, 4)) <= 90 and abs(round(longitude, 4)) <= 180
        assert (made is not None) == within
        if made is not None:
            north, east = made.split()
            assert float(north[:-1]) * (1 if north[-1] == "N" else -1) == pytest.approx(latitude, abs=6e-5)
            assert float(east[:-1]) * (1 if east[-1] == "E" else -1) == pytest.approx(longitude, abs=6e-5)
