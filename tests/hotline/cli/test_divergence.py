"""Where two translations differ (docs/protocol.md 21.6)."""

from __future__ import annotations

import random
import time

from hotline.cli.divergence import Difference, differences

OFFICIAL = "The exercise near the line has been cancelled and the units go back."


def test_each_difference_says_where_it_is_and_what_either_has() -> None:
    """An officer would compare two pages word by word, at night (docs/protocol.md 21.6)."""
    rough = "The exercise near the line was called off and units go back today."
    assert differences(rough, OFFICIAL) == [
        Difference("exercise near the line", "was called off", "has been cancelled"),
        Difference("was called off and", "", "the"),
        Difference("off and units go", "back today.", "back."),
    ]
    assert differences(OFFICIAL, OFFICIAL) == []
    assert differences("We do not agree.", "We agree.") == [Difference("We", "do not", "")]
    assert differences("Now.", "") == [Difference("", "Now.", "")]


def test_what_unicode_holds_to_be_the_same_is_no_difference() -> None:
    """Nobody could see what was marked as different (docs/protocol.md 21.6)."""
    assert differences("caf\u00e9 क\u093c", "cafe\u0301 क\u093c") == []
    assert differences("one  two\nthree", "one two three") == []


def test_the_differences_make_the_one_text_of_the_other() -> None:
    """docs/protocol.md 21.6: nothing that differs is left out, whatever the texts are."""
    chance = random.Random(7)
    for _ in range(200):
        one, other = ([chance.choice("abcd") for _ in range(chance.randrange(12))] for _ in range(2))
        found = differences(" ".join(one), " ".join(other))
        assert bool(found) == (one != other)
        removed = sum(len(place.one.split()) for place in found)
        added = sum(len(place.other.split()) for place in found)
        assert len(one) - removed + added == len(other)


def test_the_longest_texts_are_compared_in_time() -> None:
    """An officer would wait for minutes for what the peer chose to send (docs/protocol.md 21.6)."""
    chance = random.Random(8)
    one, other = (" ".join(chance.choice("ab") for _ in range(16_384)) for _ in range(2))
    begun = time.process_time()
    differences(one, other)
    assert time.process_time() - begun < 2
