"""Agreed forms of address: warned of, never refused (docs/protocol.md 21.11)."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotline.cli.addresses import departure, load_addresses, warn_of_departure
from hotline.errors import ConfigError
from tests.hotline.cli.conftest import Run

TABLE = """
office = "head-of-government"
[[address]]
office = "head-of-government"
language = "en"
form = "Mr Prime Minister"
[[address]]
office = "head-of-government"
language = "ur"
form = "محترم وزیرِ اعظم"
[[address]]
office = "foreign-secretary"
language = "en"
form = "Dear Foreign Secretary"
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "addresses.toml"
    path.write_text(TABLE, encoding="utf-8")
    monkeypatch.setenv("HOTLINE_ADDRESSES", str(path))
    return path


@pytest.mark.parametrize(
    ("text", "language", "office", "words"),
    [
        ("Mr Prime Minister, we propose ...", "en", None, ""),
        ("mr prime\n  minister, we propose ...", "en-GB", None, ""),
        ("محترم وزیرِ اعظم، ...", "ur", "head-of-government", ""),
        ("Comrade, we propose ...", "en", None, "does not address head-of-government in the agreed form: Mr Prime"),
        ("Dear Foreign Secretary, ...", "en", None, "addresses foreign-secretary and not head-of-government"),
        ("Mr Prime Minister, ...", "en", "foreign-secretary", "addresses head-of-government and not foreign-secretary"),
        ("वह", "hi", None, "no form of address for head-of-government is agreed in hi"),
        ("Sir", "en", "admiral", "no office"),
    ],
)
def test_what_departs_from_the_table(table: Path, text: str, language: str, office: str | None, words: str) -> None:
    """In 1967 operators addressed the other side in a form that gave offence (docs/protocol.md 21.11)."""
    why = departure(load_addresses(table), text, language, office)
    assert bool(why) == bool(words)
    assert words in why


def test_a_text_is_never_held_up(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """docs/protocol.md 21.11: a FLASH would wait for a table."""
    warn_of_departure("Sir, ...", "en", None)
    assert "WARNING: the text does not address" in capsys.readouterr().err
    warn_of_departure("Mr Prime Minister, ...", "en", None)
    assert capsys.readouterr().err == ""
    table.write_text("office = 3", encoding="utf-8")
    warn_of_departure("Sir, ...", "en", None)
    assert "WARNING: forms of address were not checked" in capsys.readouterr().err
    table.write_text('[[address]]\noffice = "x"\nlanguage = "en"\nform = "\\u001b[2J"\n', encoding="utf-8")
    warn_of_departure("Sir, ...", "en", "x")
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("place", ["no home", "/" + 300 * "x"])
def test_a_home_that_cannot_be_looked_at_holds_up_nothing(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """A FLASH was refused for the folder of another user, as `sudo -u` leaves it (docs/protocol.md 21.11)."""
    monkeypatch.delenv("HOTLINE_ADDRESSES", raising=False)
    monkeypatch.setattr("hotline.cli.addresses._SYSTEM", Path("/nowhere"))
    monkeypatch.setenv("XDG_CONFIG_HOME", place)
    if place == "no home":
        for variable in ("XDG_CONFIG_HOME", "HOME"):
            monkeypatch.delenv(variable)

        def nobody(uid: int) -> None:
            raise KeyError(uid)

        monkeypatch.setattr("pwd.getpwuid", nobody)
    warn_of_departure("Sir", "en", None)


def test_without_a_table_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Run
) -> None:
    """docs/protocol.md 21.11: who keeps none is not warned of it with every text."""
    monkeypatch.delenv("HOTLINE_ADDRESSES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    warn_of_departure("Sir, ...", "en", None)
    assert capsys.readouterr().err == ""
    warn_of_departure("Sir, ...", "en", "head-of-government")
    assert "was not checked" in capsys.readouterr().err
    assert run("address", "list").code == 1
    (tmp_path / "hotline").mkdir()
    (tmp_path / "hotline" / "addresses.toml").write_text(TABLE, encoding="utf-8")
    assert "head-of-government" in run("address", "list").out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("foreign-secretary", "head-of-government"), "two forms in one language"),
        (('office = "head-of-government"\n[[', 'office = "nobody"\n[['), "has no form"),
        (("Dear Foreign Secretary", ""), "form"),
        (('language = "ur"', 'language = "u r"'), "language"),
        (('form = "Mr Prime Minister"', 'shape = "Mr Prime Minister"'), "shape"),
    ],
)
def test_a_table_that_is_none_is_refused(table: Path, run: Run, change: tuple[str, str], words: str) -> None:
    """docs/protocol.md 21.11: half a table would warn of half of what departs from it."""
    table.write_text(TABLE.replace(*change), encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        load_addresses(table)
    assert run("address", "list").code == 1


def test_the_table_on_the_screen(table: Path, tmp_path: Path, run: Run) -> None:
    """docs/protocol.md 21.11."""
    listed = run("address", "list").out
    assert "محترم وزیرِ اعظم" in listed
    assert "(usual)" in listed
    file = tmp_path / "text"
    file.write_text("Sir, we propose ...\n")
    assert "agreed form: Mr Prime Minister" in run("address", "check", file).err
    file.write_text("Mr Prime Minister, we propose ...\n")
    assert run("address", "check", file).code == 0
    assert run("address", "check", file, "--office", "foreign-secretary").code == 1
