"""Configuration files: TOML, unknown keys refused, every error at once with the file and the key."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from hotline.errors import ConfigError
from hotline.files import read_public
from hotline.limits import OUTBOX_MAX

CONFIG_BYTES_MAX = 262_144
_KEY_PARTS_MAX: Final = 64
_TOKEN: Final = re.compile(rb"""[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'|[^ \t]""")
_QUOTED: Final = re.compile(r"'([^']*)'")
_WORD_MAX: Final = 40
_PORT_MAX: Final = 65_535
ModelT = TypeVar("ModelT", bound="Settings")


def _path(value: object) -> object:
    return Path(value) if isinstance(value, str) and value and "\0" not in value else value


def _port(value: str) -> str:
    if int(value.rpartition(":")[2]) > _PORT_MAX:
        raise ValueError(f"the port is larger than {_PORT_MAX}")
    return value


FilePath = Annotated[Path, BeforeValidator(_path)]
LoopbackAddress = Annotated[str, Field(pattern=r"^(127\.[0-9.]+|localhost|\[::1\]):[0-9]{1,5}$"), AfterValidator(_port)]
Address = Annotated[
    str, Field(pattern=r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$", max_length=255), AfterValidator(_port)
]


class Settings(BaseModel):
    """A table of a configuration file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class LogSettings(Settings):
    """How the daemon writes its log to stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "text"] = "auto"


class MetricsSettings(Settings):
    """Where metrics are offered: loopback only."""

    listen: LoopbackAddress | None = None


class OfficerSettings(Settings):
    """A user of this machine who acts as an officer of the charter."""

    uid: int = Field(ge=0)
    name: str = Field(min_length=1, max_length=64)


class OperatorSettings(Settings):
    """The socket for officers, and who they are."""

    socket: FilePath = Path("/run/hotline/operator.sock")
    officer: list[OfficerSettings] = Field(default_factory=list)


class AlarmSettings(Settings):
    """A command that is given each alarm as JSON on its standard input."""

    command: list[Annotated[str, Field(min_length=1, max_length=4_096, pattern=r"^[^\x00]*$")]] = Field(
        default_factory=list, max_length=64
    )


class LimitSettings(Settings):
    """Local bounds that may be lowered."""

    outbox_max: int = Field(default=OUTBOX_MAX, ge=1, le=OUTBOX_MAX)


class EndpointConfig(Settings):
    """The configuration of one endpoint daemon. Relative paths are taken from the file's folder."""

    config: Literal[1]
    party: str = Field(min_length=1, max_length=32)
    terminal: str = Field(min_length=1, max_length=32)
    charter: FilePath
    key: FilePath
    pairwise: FilePath
    store: FilePath
    ratchet: FilePath | None = None
    retention_months: int = Field(default=0, ge=0, le=1_200)
    operator: OperatorSettings = OperatorSettings()
    relays: dict[str, Address] = Field(default_factory=dict)
    profile: dict[str, Literal["fibre", "satellite", "narrow"]] = Field(default_factory=dict)
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    limits: LimitSettings = LimitSettings()
    alarm: AlarmSettings = AlarmSettings()

    def strangers(self, known: Iterable[str]) -> list[str]:
        """Relays that are named here and are none of the `known`: a misspelt one, or one that was retired."""
        return sorted({*self.relays, *self.profile} - set(known))


_ENDPOINT_VARIABLES: Final = {
    "HOTLINE_STORE": "store",
    "HOTLINE_RATCHET": "ratchet",
    "HOTLINE_KEY": "key",
    "HOTLINE_PAIRWISE": "pairwise",
}

_EXAMPLE: Final = """\
# Configuration of one endpoint daemon. Relative paths are taken from the folder of this file.
config = 1                       # version of this format

party = "{party}"                  # our party, as the charter names it
terminal = "{terminal}"                # this machine, as the charter names it
charter = "charter.note"         # signed by both parties
key = "terminal.key"             # secret, mode 0600; or HOTLINE_KEY
pairwise = "pairwise.key"        # secret of the ceremony, mode 0600; or HOTLINE_PAIRWISE
store = "store"                  # ledger and queues; on a disk that keeps what fsync promised; or HOTLINE_STORE
ratchet = "store.ratchet"        # the last signed head; best on another disk, and in no backup; or HOTLINE_RATCHET
retention_months = 0             # whole months for which texts are kept; 0: for ever. The proof is kept in any case

[operator]
socket = "/run/hotline/operator.sock"   # who may connect is decided by its folder, its mode 0660 and its group

[[operator.officer]]             # one table for each user of this machine who acts as an officer
uid = 1000
name = "duty-1"

[relays]                         # another address for a relay of the charter, seen from here
# relay-1 = "192.0.2.10:7443"

[profile]                        # another link profile for a relay: fibre, satellite or narrow
# relay-3 = "narrow"

[log]
level = "info"                   # debug, info, warning, error
format = "auto"                  # json, text, or auto: json where stderr is not a terminal

[metrics]
# listen = "127.0.0.1:9464"      # loopback only

[alarm]
# command = ["/usr/local/bin/call-the-watch"]   # for each alarm: JSON on its standard input, at most 10 s, no shell

[limits]
outbox_max = 1000                # statements waiting to be delivered; at most 1000
"""


def example_endpoint_toml(party: str, terminal: str) -> str:
    """A commented configuration with every key."""
    return _EXAMPLE.format(party=party, terminal=terminal)


def origins(path: Path) -> list[tuple[str, str]]:
    """(key, where it comes from) of every key that is not a default: environment first, then the file."""
    found = [(key, variable) for variable, key in _ENDPOINT_VARIABLES.items() if variable in os.environ]
    values = tomllib.loads(read_public(path, CONFIG_BYTES_MAX).decode())
    for name, value in values.items():
        found += [(f"{name}.{inner}", str(path)) for inner in value] if isinstance(value, dict) else [(name, str(path))]
    return found


def load_endpoint_config(path: Path) -> EndpointConfig:
    """Read and check an endpoint's configuration. Raises ConfigError with every problem."""
    loaded = load_toml(path, EndpointConfig, _ENDPOINT_VARIABLES)
    here = path.absolute().parent
    operator = loaded.operator.model_copy(update={"socket": here / loaded.operator.socket})
    uids = [officer.uid for officer in operator.officer]
    if len(uids) != len(set(uids)):
        raise ConfigError(f"{path}: operator.officer: one uid is given to two officers")
    return loaded.model_copy(
        update={
            "charter": here / loaded.charter,
            "key": here / loaded.key,
            "pairwise": here / loaded.pairwise,
            "store": here / loaded.store,
            "ratchet": here / (loaded.ratchet or loaded.store.with_name(f"{loaded.store.name}.ratchet")),
            "operator": operator,
        }
    )


def load_toml(path: Path, model: type[ModelT], variables: Mapping[str, str]) -> ModelT:
    """Parse `path` as `model`; environment `variables` override top-level keys. Raises ConfigError."""
    return parse_toml(path, read_public(path, CONFIG_BYTES_MAX), model, variables)


def parse_toml(path: Path, data: bytes, model: type[ModelT], variables: Mapping[str, str]) -> ModelT:
    """Parse `data`, which was read from `path`, as `load_toml` does. Raises ConfigError with every problem."""
    if data.startswith(b"\xef\xbb\xbf"):
        raise ConfigError(f"{path}: begins with a byte order mark; save it as plain UTF-8")
    if _longest_key(data) > _KEY_PARTS_MAX:
        raise ConfigError(f"{path}: a key of more than {_KEY_PARTS_MAX} parts")
    try:
        values: dict[str, Any] = tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}") from error
    except ValueError as error:  # TOMLDecodeError, and numbers longer than Python converts
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: not TOML: nested too deeply") from error
    for variable, key in variables.items():
        if variable in os.environ:
            values[key] = os.environ[variable]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in _problems(error, model))) from error


def _longest_key(data: bytes) -> int:
    """Parts of the longest dotted key: reading one takes the square of that, minutes for a file of dots."""
    longest = parts = 0
    after_dot = False
    for token in _TOKEN.finditer(data):
        word = len(token[0]) > 1 or token[0].isalnum() or token[0] in b"_-"
        if word:
            parts = parts + 1 if after_dot else 1
            longest = max(longest, parts)
        elif token[0] != b".":
            parts = 0
        after_dot = token[0] == b"." and parts > 0
    return longest


def _problems(error: ValidationError, model: type[BaseModel]) -> list[str]:
    found = []
    for item in error.errors(include_url=False):
        place = ".".join(str(part) for part in item["loc"])
        context = item.get("ctx", {})
        if item["type"] == "extra_forbidden":
            found.append(f"{place}: unknown key{_meant(str(item['loc'][-1]), _keys(model, item['loc'][:-1]))}")
        elif item["type"] == "missing":
            found.append(f"{place}: is missing")
        elif item["type"] == "union_tag_invalid":
            key = context["discriminator"].strip("'")
            found.append(f"{place}.{key}: {_no(context['tag'], context['expected_tags'])}")
        elif item["type"] == "literal_error" and isinstance(item["input"], str):
            found.append(f"{place}: {_no(item['input'], context['expected'])}")
        else:
            found.append(f"{place}: {item['msg'].removeprefix('Value error, ')}")
    return found


def _meant(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _no(word: str, known: str) -> str:
    """That a word is none of those that may stand there, which are all named, in quotes, in `known`."""
    words = _QUOTED.findall(known)
    return f"there is no {word[:_WORD_MAX]!r}; known are {', '.join(words)}{_meant(word, words)}"


def _keys(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand at `place`, also in tables of a list and in those of which a word tells the kind."""
    inside = [model]
    for part in place:
        fields = [field for one in inside for name, field in one.model_fields.items() if part in (name, field.alias)]
        if fields:
            inside = [one for field in fields for one in _models(field.annotation)]
        elif isinstance(part, str):
            inside = [one for one in inside if any(part in get_args(f.annotation) for f in one.model_fields.values())]
    return [field.alias or name for one in inside for name, field in one.model_fields.items()]


def _models(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [one for part in get_args(annotation) for one in _models(part)]
