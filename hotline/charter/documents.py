"""Signed JSON in one spelling: a C2SP note whose text is indented, sorted, ASCII JSON. The exact bytes are signed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError

from hotline.crypto.identity import IdentityKey, verify_composite
from hotline.errors import ConfigError, Malformed
from hotline.ledger.note import Signer, key_id, parse_note, sign_note

COMPOSITE: Final = b"\xffhotline/id-MLDSA65-Ed25519-SHA512"
"""Note signature type of a composite key: C2SP's 0xff with an identifier of its own."""
_CONTEXT: Final = b"hotline/v1/document"

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
"""Names of parties, terminals, officers, relays: letters, digits, dot, underscore, hyphen."""


def _day(text: str) -> str:
    year, month, day = (int(part) for part in text.split("-"))
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not (year >= 1970 and 1 <= month <= 12 and 1 <= day <= lengths[month - 1]):
        raise ValueError("no such day")
    return text


Date = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_day)]
"""A day (UTC) as YYYY-MM-DD; days compare as texts."""
Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=8_192)]

_NAME: Final[TypeAdapter[str]] = TypeAdapter(Name)

ModelT = TypeVar("ModelT", bound=BaseModel)
MadeT = TypeVar("MadeT")


class Document(BaseModel):
    """A model that is signed: frozen, nothing extra, no coercion."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class IdentitySigner:
    """Signs documents with a party's identity key."""

    def __init__(self, party: str, key: IdentityKey) -> None:
        self.name = party
        self.key_id = key_id(party, COMPOSITE, key.public)
        self._key = key

    def sign(self, text: bytes) -> bytes:
        """3373 bytes."""
        return self._key.sign(text, _CONTEXT)


class IdentityVerifier:
    """Verifies documents with a party's identity key."""

    def __init__(self, party: str, public: bytes) -> None:
        self.name = party
        self.key_id = key_id(party, COMPOSITE, public)
        self._public = public

    def verify(self, text: bytes, signature: bytes) -> None:
        """Raises Untrusted."""
        verify_composite(self._public, signature, text, _CONTEXT)


def spell(model: BaseModel) -> bytes:
    """The one text of a model; a member that says nothing is left out."""
    members = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return (json.dumps(members, indent=1, sort_keys=True) + "\n").encode("ascii")


def issue(model: BaseModel, signers: list[Signer]) -> bytes:
    """The signed note of a model."""
    return sign_note(spell(model), signers)


def read_text(kind: type[ModelT], text: bytes) -> ModelT:
    """Parse a document's text. Raises Malformed with every problem; says nothing about signatures."""
    try:
        model = kind.model_validate_json(text)
    except ValidationError as error:
        raise Malformed("document", _other_kind(error) or problems(error)) from error
    if spell(model) != text:
        raise Malformed("document", "not in its one spelling: the file was altered or rewritten by another program")
    return model


def read_unverified(kind: type[ModelT], data: bytes) -> ModelT:
    """The model of a note whose signatures the caller verifies next. Raises Malformed."""
    return read_text(kind, parse_note(data).text)


def lawful(make: Callable[[], MadeT]) -> MadeT:
    """What `make` makes of what a person gave. Raises ConfigError with every problem and its field."""
    try:
        return make()
    except ValidationError as error:
        raise ConfigError(problems(error)) from error


def check_name(field: str, name: str) -> None:
    """Raises ConfigError unless `name` can stand in a charter."""
    try:
        _NAME.validate_python(name)
    except ValidationError as error:
        raise ConfigError(
            f"{field}: {name!r} is no name: letters, digits, dot, underscore, hyphen, 32 at most"
        ) from error


def _other_kind(error: ValidationError) -> str:
    """What to say of a document of another schema; nothing for one of the right schema. Its fields are no news then."""
    for item in error.errors(include_url=False, include_input=False):
        if item["loc"] == ("schema",) and "ctx" in item:
            return f"a document of another kind, {item['ctx']['expected']} is wanted: name the right file"
    return ""


def problems(error: ValidationError) -> str:
    """Every problem that pydantic found, in one line each."""
    found = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in item["loc"]) or "document"
        found.append(f"{place}: {item['msg']}")
    return "; ".join(found[:20])
