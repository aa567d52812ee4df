"""What we hand to administrators must start, and must not give an intruder in the daemon more than the daemon had."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.supply import WHEEL_INPUTS

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
UNITS = ["hotline-endpoint@.service", "hotline-relay@.service", "hotline-witness@.service"]
EXPOSURE_LIMIT = 15
"""In tenths, as systemd-analyze takes its threshold: 1.5 of 10."""

RELAYS = ["relay-1", "relay-2", "relay-3"]


def _text(*parts: str) -> str:
    return DEPLOY.joinpath(*parts).read_text(encoding="utf-8")


def _settings(unit: str) -> dict[str, list[str]]:
    """Each setting of a unit with its values in order."""
    found: dict[str, list[str]] = {}
    for line in _text("systemd", unit).splitlines():
        if "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def _services() -> dict[str, str]:
    """The services of compose.yaml by name: a service is a line indented by two, and what is indented further."""
    body = _text("container", "compose.yaml").split("\nservices:\n")[1].split("\n# A network each")[0]
    parts = re.split(r"^  (\S+):\n", body, flags=re.MULTILINE)
    assert parts[0] == ""
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture
def analyze() -> str:
    """The program that judges units, or a reported skip."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on this machine: units are checked by their text only")
    return program


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_understood(unit: str, analyze: str, tmp_path: Path) -> None:
    """A misspelt setting is ignored at start, and the sandbox it stood for is not there."""
    # The programs are not installed where tests run, and a missing one would hide what else is wrong.
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", _text("systemd", unit), flags=re.MULTILINE)
    (tmp_path / unit).write_text(text, encoding="utf-8")
    done = subprocess.run([analyze, "verify", str(tmp_path / unit)], capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if unit.split("@")[0] in line] == []


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_exposed_little(unit: str, analyze: str) -> None:
    """An intruder in the daemon could reach the rest of the host from there."""
    path = DEPLOY / "systemd" / unit
    arguments = ["security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE_LIMIT}", str(path)]
    done = subprocess.run([analyze, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout.splitlines()[-1:] + done.stderr.splitlines()


@pytest.mark.parametrize(
    ("unit", "start", "credentials", "variables", "user"),
    [
        (
            UNITS[0],
            "hotline endpoint run --config /etc/hotline/%i.toml",
            ["terminal.key:/etc/hotline/%i.key", "pairwise.key:/etc/hotline/%i.pairwise"],
            "HOTLINE_KEY=%d/terminal.key HOTLINE_PAIRWISE=%d/pairwise.key HOTLINE_RATCHET=%S/hotline-ratchet/%i/head",
            "hotline",
        ),
        (
            UNITS[1],
            "hotline-relay run --config /etc/hotline-relay/%i.toml",
            ["relay.key:/etc/hotline-relay/%i.key"],
            "HOTLINE_RELAY_KEY=%d/relay.key",
            "hotline-relay",
        ),
        (
            UNITS[2],
            "hotline-relay witness run --config /etc/hotline-witness/%i.toml",
            ["witness.key:/etc/hotline-witness/%i.key"],
            "HOTLINE_WITNESS_KEY=%d/witness.key",
            "hotline-witness",
        ),
    ],
)
def test_a_unit_starts_the_daemon_with_its_key(
    unit: str, start: str, credentials: list[str], variables: str, user: str
) -> None:
    """The daemon would not start, or its key would have to lie readable to the service user for good."""
    settings = _settings(unit)
    assert settings["ExecStart"] == [start]
    assert settings["LoadCredential"] == credentials
    assert settings["Environment"] == [variables]  # where the secrets are, never the secrets
    assert settings["User"] == settings["Group"] == [user]
    assert settings["RuntimeDirectory"] == [f"{user}/%i"]
    ratchet = " hotline-ratchet/%i" if user == "hotline" else ""
    assert settings["StateDirectory"] == [f"{user}/%i{ratchet}"]
    assert not {"EnvironmentFile", "SetCredential"} & settings.keys()


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Type", "notify"),
        ("Restart", "always"),
        ("StartLimitIntervalSec", "0"),
        ("LimitCORE", "0"),
        ("MemorySwapMax", "0"),
        ("StateDirectoryMode", "0700"),
        ("RuntimeDirectoryMode", "0750"),
        ("UMask", "0077"),
    ],
)
def test_what_the_exposure_number_does_not_count(unit: str, name: str, value: str) -> None:
    """A link would stay down after a fault, or keys would reach the disk by a core file or by swap."""
    assert _settings(unit)[name] == [value]


@pytest.mark.parametrize("unit", UNITS)
def test_the_watchdog_is_set(unit: str) -> None:
    """A daemon that hangs would look alive for ever."""
    (period,) = _settings(unit)["WatchdogSec"]
    assert 0 < int(period) <= 60


def test_every_service_user_is_made() -> None:
    """A unit would fail at its first start because its user does not exist."""
    made = re.findall(r"^u\s+(\S+)", _text("sysusers.d", "hotline.conf"), flags=re.MULTILINE)
    assert sorted(made) == sorted(_settings(unit)["User"][0] for unit in UNITS)


def test_no_directory_is_open_to_everyone() -> None:
    """Any user of the host could read who speaks with whom."""
    lines = [line.split() for line in _text("tmpfiles.d", "hotline.conf").splitlines() if not line.startswith("#")]
    assert {line[1] for line in lines} >= {"/etc/hotline", "/etc/hotline-relay"}
    assert {line[2] for line in lines} == {"0750"}


def test_compose_runs_three_relays_and_no_terminal() -> None:
    """A terminal beside the relays would put keys and words on a host that need not be trusted."""
    services = _services()
    assert list(services) == RELAYS
    assert all("endpoint" not in text for text in services.values())


@pytest.mark.parametrize("relay", RELAYS)
@pytest.mark.parametrize(
    "line",
    [
        'user: "10001:10001"',
        "read_only: true",
        'cap_drop: ["ALL"]',
        'security_opt: ["no-new-privileges:true"]',
        'test: ["CMD", "hotline-relay", "check", "--health", "--config", "/etc/hotline-relay/relay.toml"]',
        '- "./charter.note:/etc/hotline-relay/charter.note:ro"',
        "core: 0",
    ],
)
def test_each_relay_is_confined_and_watched(relay: str, line: str) -> None:
    """An intruder in one relay could reach its host, or a dead relay would be taken for a live one."""
    assert line in [found.strip() for found in _services()[relay].splitlines()]


@pytest.mark.parametrize("relay", RELAYS)
def test_relays_share_nothing(relay: str) -> None:
    """One relay's key, store or network in another's hands would make two paths one."""
    others = [other for other in RELAYS if other != relay]
    assert not [line for line in _services()[relay].splitlines() if any(other in line for other in others)]
    assert "privileged" not in _services()[relay]
    assert re.search(r'ports: \["127\.0\.0\.1:', _services()[relay])


def test_the_image_is_built_from_checked_files_and_not_as_root() -> None:
    """A package changed on its way into the image would run in the relay, as root."""
    lines = _text("container", "Containerfile").splitlines()
    assert "ARG BASE=python:3.11-slim-bookworm" in lines
    assert all(line.startswith("FROM ${BASE}") for line in lines if line.startswith("FROM"))
    installs = [line for line in lines if re.search(r"\bpip (install|download|wheel)\b", line)]
    assert installs
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001:10001"]


def test_the_image_has_all_that_the_wheel_is_made_of() -> None:
    """The build would end where the wheel asks for a file that was not copied, and there would be no image."""
    copied = {
        name
        for line in _text("container", "Containerfile").splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    }
    assert set(WHEEL_INPUTS) <= copied


def test_no_deployed_file_names_a_registry() -> None:
    """A name in the image would decide, for every site, whom it trusts for its packages."""
    for path in sorted(DEPLOY.rglob("*")):
        if path.is_file() and "container" in path.parts:
            text = path.read_text(encoding="utf-8")
            assert "://" not in text, path
            assert not re.search(r"^(\s*image:|ARG BASE=|FROM).*\w\.\w+/", text, flags=re.MULTILINE), path
