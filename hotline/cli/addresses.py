"""Agreed forms of address: a table that each party keeps, and a warning where a text departs from it (21.11)."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Annotated, Final

import click
from pydantic import Field

from hotline.cli.fieldview import isolated
from hotline.cli.groups import Commands
from hotline.cli.output import line
from hotline.cli.textinput import read_text
from hotline.config import Settings, load_toml
from hotline.errors import ConfigError
from hotline.safetext import safe_line

ADDRESSES_VARIABLE: Final = "HOTLINE_ADDRESSES"
_SYSTEM: Final = Path("/etc/hotline/addresses.toml")
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
_Tag = Annotated[str, Field(pattern=r"^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$", max_length=35)]
_Form = Annotated[str, Field(min_length=1, max_length=200)]


class AddressForm(Settings):
    """How an office is addressed in a language."""

    office: _Name
    language: _Tag
    form: _Form


class AddressTable(Settings):
    """A file of forms of address."""

    office: _Name | None = None
    """The office that a text is for where none is named."""
    address: tuple[AddressForm, ...] = Field(default=(), max_length=500, strict=False)


def table_path() -> Path | None:
    """HOTLINE_ADDRESSES, the user's, then the system's; None where there is none, or none that this user can see."""
    if named := os.environ.get(ADDRESSES_VARIABLE):
        return Path(named)
    # Without a home, or with that of another user, expanduser leaves the tilde and exists() says no: neither raises.
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111
    places = (Path(home) / "hotline" / "addresses.toml", _SYSTEM)
    return next((place for place in places if os.path.exists(place)), None)  # noqa: PTH110


def load_addresses(path: Path) -> AddressTable:
    """Read and check a table. Raises ConfigError with every problem."""
    table = load_toml(path, AddressTable, {})
    pairs = [(one.office, _language(one.language)) for one in table.address]
    if len(set(pairs)) < len(pairs):
        raise ConfigError(f"{path}: an office has two forms in one language")
    if table.office is not None and table.office not in {office for office, _ in pairs}:
        raise ConfigError(f"{path}: office {table.office!r} has no form in any language")
    return table


def departure(table: AddressTable, text: str, language: str, office: str | None) -> str:
    """Why `text` to `office` is not addressed as agreed; nothing if it is, or if no office is named."""
    wanted = office or table.office
    if wanted is None:
        return ""
    if wanted not in {one.office for one in table.address}:
        return f"the table has no office {wanted[:32]!r}"
    forms = {one.office: one.form for one in table.address if _language(one.language) == _language(language)}
    if wanted not in forms:
        return f"no form of address for {wanted} is agreed in {language[:35]}"
    words = _plain(text)
    if _plain(forms[wanted]) in words:
        return ""
    others = sorted(name for name, form in forms.items() if name != wanted and _plain(form) in words)
    if others:
        return f"the text addresses {others[0]} and not {wanted}, whose form is: {forms[wanted]}"
    return f"the text does not address {wanted} in the agreed form: {forms[wanted]}"


def warn_of_departure(text: str, language: str, office: str | None) -> None:
    """Warn on standard error; a text is never held up for its form of address, nor for a table that cannot be read."""
    path = table_path()
    if path is None:
        why = "" if office is None else f"there is no table of forms of address: --office {office[:32]} was not checked"
    else:
        try:
            why = departure(load_addresses(path), text, language, office)
        except ConfigError as error:
            why = f"forms of address were not checked: {error}"
    if why:
        click.echo(f"WARNING: {safe_line(why, 600)}", err=True)


def _language(tag: str) -> str:
    return tag.split("-")[0].lower()


def _plain(text: str) -> str:
    """Words in one spelling: what differs only by case, composition or line breaks is the same form."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


@click.group(cls=Commands)
def address() -> None:
    """Agreed forms of address, by office and language.

    \b
    A table is a TOML file, named by HOTLINE_ADDRESSES or ~/.config/hotline/addresses.toml:
      office = "head-of-government"
      [[address]]
      office = "head-of-government"
      language = "en"
      form = "Mr Prime Minister"

    \b
    Example:
      hotline address list
    """


@address.command("list")
def list_() -> None:
    """List the table of this terminal.

    \b
    Examples:
      hotline address list

    Exit 1 if there is none or it cannot be used.
    """
    table = load_addresses(_needed())
    for one in table.address:
        usual = "  (usual)" if one.office == table.office else ""
        line(f"{one.office:32} {safe_line(one.language, 35):8}{usual}")
        click.echo(f"  {isolated(one.form, ())}")


@address.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--lang", default="en", show_default=True, help="Language tag of the text.")
@click.option("--office", metavar="NAME", help="Whom the text is for.  [default: the table's office]")
def check(file: Path | None, lang: str, office: str | None) -> None:
    """Say whether the text in FILE (`-` or nothing: standard input) has the agreed form of address.

    \b
    Examples:
      hotline address check statement.txt --lang ur
      hotline address check statement.txt --office foreign-secretary

    Exit 0 if it has, 1 if not.
    """
    why = departure(load_addresses(_needed()), read_text(None, None if str(file) == "-" else file), lang, office)
    if why:
        raise ConfigError(safe_line(why, 600))
    line("addressed as agreed, or no office is named")


def _needed() -> Path:
    path = table_path()
    if path is None:
        raise ConfigError(f"there is no table of forms of address: name one with {ADDRESSES_VARIABLE}")
    return path
