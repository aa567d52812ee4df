"""Configuration files: every mistake is named, all at once, with the file and the key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hotline.config import CONFIG_BYTES_MAX, example_endpoint_toml, load_endpoint_config, origins
from hotline.errors import ConfigError
from hotline.limits import OUTBOX_MAX
from relay.config import load_relay_config

GOOD = """config = 1
party = "ALPHA"
terminal = "main"
charter = "charter.note"
key = "terminal.key"
pairwise = "pairwise.key"
store = "store"
"""
RELAY = """config = 1
name = "relay-1"
key = "relay.key"
charters = ["a.note", "/abs/b.note"]
store = "store"
listen = "127.0.0.1:7443"
"""


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("HOTLINE_") and name != "HOTLINE_VECTORS"]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the configuration is."""
    return tmp_path / "endpoint.toml"


def _refusal(file: Path, text: str | bytes) -> str:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigError) as caught:
        load_endpoint_config(file)
    assert str(file) in str(caught.value)
    return str(caught.value)


def test_good_file_is_read_with_defaults(file: Path) -> None:
    """If the lawful file were refused too, the refusals below would prove nothing."""
    file.write_text(GOOD)
    config = load_endpoint_config(file)
    assert (config.party, config.terminal) == ("ALPHA", "main")
    assert config.charter == file.parent / "charter.note"
    assert config.store == file.parent / "store"
    assert config.operator.socket == Path("/run/hotline/operator.sock")
    assert config.limits.outbox_max == OUTBOX_MAX


def test_the_example_is_lawful(file: Path) -> None:
    """The file that administrators copy must load as it is, with every comment in it."""
    file.write_text(example_endpoint_toml("ALPHA", "main"))
    config = load_endpoint_config(file)
    assert config.operator.officer[0].name == "duty-1"
    uncommented = [
        line[2:] if line.startswith("# ") and "=" in line else line for line in file.read_text().splitlines()
    ]
    file.write_text("\n".join(uncommented))
    config = load_endpoint_config(file)
    assert config.relays == {"relay-1": "192.0.2.10:7443"}
    assert config.profile == {"relay-3": "narrow"}
    assert config.metrics.listen == "127.0.0.1:9464"


def test_variables_override_paths(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service manager hands credentials over by path in the environment: ignored, the wrong key is loaded."""
    file.write_text(GOOD)
    monkeypatch.setenv("HOTLINE_KEY", "/run/credentials/terminal.key")
    assert load_endpoint_config(file).key == Path("/run/credentials/terminal.key")
    assert ("key", "HOTLINE_KEY") in origins(file)
    assert ("party", str(file)) in origins(file)


# --- the file itself ------------------------------------------------------------------------------------------------


def test_missing_file(file: Path) -> None:
    """The first error of every installation must say which file was looked for."""
    with pytest.raises(ConfigError, match="no such file") as caught:
        load_endpoint_config(file)
    assert str(file) in str(caught.value)


def test_folder_in_its_place(file: Path) -> None:
    """A mount that made a folder of the file must not look like an empty configuration."""
    file.mkdir()
    with pytest.raises(ConfigError, match="not a plain file"):
        load_endpoint_config(file)


def test_fifo_in_its_place(file: Path) -> None:
    """A daemon that waits for ever on a FIFO never says why the hotline is down."""
    os.mkfifo(file)
    with pytest.raises(ConfigError, match="not a plain file"):
        load_endpoint_config(file)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"#" * (CONFIG_BYTES_MAX + 1), "longer than", id="too-large"),
        pytest.param(b"\xef\xbb\xbf" + GOOD.encode(), "byte order mark", id="bom"),
        pytest.param(GOOD.encode() + b"# \xff\n", f"not UTF-8 at byte {len(GOOD) + 2}", id="latin-1"),
        pytest.param(GOOD.encode("utf-16"), "not UTF-8", id="utf-16"),
        pytest.param(b"config: 1\n", "not TOML", id="yaml"),
        pytest.param(GOOD.encode() + b"party = 'BRAVO'\n", "not TOML", id="key-twice"),
        pytest.param(b"config = " + b"[" * 50_000, "not TOML", id="deep-nesting"),
        pytest.param(b"config = 1\0\n", "not TOML", id="nul"),
        pytest.param(b"config = " + b"1" * 5_000, "not TOML", id="huge-number"),
        pytest.param(b"", "is missing", id="empty"),
    ],
)
def test_unreadable_content(file: Path, data: bytes, says: str) -> None:
    """Each of these happens to administrators; a traceback would send them looking in the wrong place."""
    assert says in _refusal(file, data)


# --- keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("'inof'", "log.level: there is no 'inof'; known are debug, info, warning, error; did you mean 'info'?"),
        ("'zzz'", "log.level: there is no 'zzz'; known are debug, info, warning, error"),
        (f"'{'z' * 99}'", f"log.level: there is no '{'z' * 40}'; known are"),
        ("7", "log.level: Input should be 'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_a_word_that_is_none_of_those_known_is_refused_with_a_suggestion(file: Path, word: str, says: str) -> None:
    """The terms of a library stood where the administrator looked for the word that was meant."""
    (said,) = _refusal(file, f"{GOOD}[log]\nlevel = {word}\n").splitlines()
    assert says in said
    assert said.endswith("?") == ("inof" in word)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD + "partty = 'x'\n", "partty: unknown key; did you mean 'party'?"),
        (GOOD + "[operator]\nsokcet = 'x'\n", "operator.sokcet: unknown key; did you mean 'socket'?"),
        (GOOD + "[log]\nlvl = 'info'\n", "log.lvl: unknown key"),
        (GOOD + "[[operator.officer]]\nuid = 1\nname = 'a'\nnaem = 'b'\n", "naem: unknown key"),
        (GOOD + "[zzzzqqqq]\n", "zzzzqqqq: unknown key"),
    ],
)
def test_unknown_keys_are_refused_with_a_suggestion(file: Path, text: str, says: str) -> None:
    """A misspelt key that is ignored leaves the default in force: the administrator believes otherwise."""
    assert says in _refusal(file, text)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("config = 1", "config = 2", "config"),
        ("config = 1", "config = '1'", "config"),
        ('"ALPHA"', "7", "party"),
        ('"ALPHA"', '""', "party"),
        ('"ALPHA"', f'"{"A" * 33}"', "party"),
        ('"charter.note"', "['charter.note']", "charter"),
        ('"terminal.key"', '""', "key"),
        ('"store"', "1979-05-27", "store"),
        ('"store"', '"st\\u0000re"', "store"),
    ],
)
def test_wrong_types_are_refused_by_key(file: Path, old: str, new: str, key: str) -> None:
    """A value bent into shape in silence is a configuration that nobody wrote."""
    assert f"{file}: {key}: " in _refusal(file, GOOD.replace(old, new))


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("[limits]\noutbox_max = 0\n", "limits.outbox_max"),
        (f"[limits]\noutbox_max = {OUTBOX_MAX + 1}\n", "limits.outbox_max"),
        ("[limits]\noutbox_max = 10.0\n", "limits.outbox_max"),
        ("[log]\nlevel = 'loud'\n", "log.level"),
        ("[metrics]\nlisten = '0.0.0.0:9464'\n", "metrics.listen"),
        ("[relays]\nrelay-1 = 'no port'\n", "relays.relay-1"),
        ("[relays]\nrelay-1 = '192.0.2.1:99999'\n", "relays.relay-1"),
        ("[metrics]\nlisten = '127.0.0.1:70000'\n", "metrics.listen"),
        ("[profile]\nrelay-1 = 'pigeon'\n", "profile.relay-1"),
        ("[[operator.officer]]\nuid = -1\nname = 'a'\n", "operator.officer.0.uid"),
        ("[[operator.officer]]\nuid = true\nname = 'a'\n", "operator.officer.0.uid"),
    ],
)
def test_values_out_of_bounds_are_refused_by_key(file: Path, table: str, key: str) -> None:
    """Metrics offered to the world, or a port that does not exist, must be seen before the daemon starts."""
    assert f"{file}: {key}: " in _refusal(file, GOOD + table)


def test_every_error_is_told_at_once(file: Path) -> None:
    """An administrator who fixes one error per restart loses the half hour in which the hotline was needed."""
    text = GOOD.replace('party = "ALPHA"\n', "").replace('"main"', "3") + "[log]\nlevel = 'x'\ncolour = 'y'\n"
    lines = _refusal(file, text).splitlines()
    assert len(lines) == 4
    assert all(line.startswith(f"{file}: ") for line in lines)
    for key in ("party", "terminal", "log.level", "log.colour"):
        assert any(line.startswith(f"{file}: {key}: ") for line in lines)


def test_one_user_is_one_officer(file: Path) -> None:
    """If one account stood for two officers, a READ receipt would name whoever comes last in the file."""
    officers = "[[operator.officer]]\nuid = 5\nname = 'a'\n[[operator.officer]]\nuid = 5\nname = 'b'\n"
    assert "one uid" in _refusal(file, GOOD + officers)


@pytest.mark.parametrize("key", ["a" + ".a" * 120_000, "a . a" + '."b"' * 60_000, "[" + "a." * 64 + "a]"])
def test_a_key_without_end_is_refused(file: Path, key: str) -> None:
    """A file of dots would hold a daemon, or whoever looks at a drill, for minutes."""
    assert "parts" in _refusal(file, f"{key} = 1\n")


def test_prose_with_many_dots_is_no_key(file: Path) -> None:
    """A long text in a drill would be refused for its sentences."""
    text = "One. Two. " * 200 + "..." * 100 + " 1.2.3"
    assert "parts" not in _refusal(file, f"{GOOD}x = '{text}'\n")


# --- relay ----------------------------------------------------------------------------------------------------------


def test_relay_paths_are_taken_from_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay started from another folder must find the same mailboxes, not begin with empty ones."""
    file = tmp_path / "relay.toml"
    file.write_text(RELAY)
    monkeypatch.chdir("/")
    config = load_relay_config(file)
    assert config.charters == [str(tmp_path / "a.note"), "/abs/b.note"]
    assert (config.key, config.store) == (tmp_path / "relay.key", tmp_path / "store")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("127.0.0.1:7443", "7443", "listen"),
        ("127.0.0.1:7443", "127.0.0.1:65536", "listen"),
        ('["a.note", "/abs/b.note"]', "[]", "charters"),
        ('["a.note", "/abs/b.note"]', '"a.note"', "charters"),
        ('"relay-1"', '""', "name"),
        ("listen", "lisen", "lisen"),
    ],
)
def test_relay_mistakes_are_refused_by_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    """A relay that starts with half a configuration is a path that exists only on paper."""
    file = tmp_path / "relay.toml"
    file.write_text(RELAY.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_relay_config(file)
    assert f"{file}: {key}: " in str(caught.value)
