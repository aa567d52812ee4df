"""The officer's commands against real daemons: what is printed, what is refused, and with which code."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotline.limits import TEXT_BYTES_MAX
from tests.process import nursery
from tests.process.conftest import HOTLINE, ROOT, Stage, environment, until
from tests.schemas import printed

pytestmark = pytest.mark.process
Stages = Callable[[int], Stage]

HOSTILE = "Peace\x1b]0;owned\x07\x1b[2J \u202etxet\u202c \u2066x\u2069 \x9b31m end"


def _hotline(*words: object, stdin: bytes = b"", **more: str) -> subprocess.CompletedProcess[bytes]:
    return nursery.run("hotline", *words, environment={**environment(), **more}, given=stdin)


def test_an_hour_of_duty(stages: Stages, tmp_path: Path) -> None:
    """Every command an officer has, in the order of a watch, in words and in JSON that keeps its schema."""
    # docs/protocol.md 14.2
    stage = stages(2)
    stage.start(*stage.relays, "ALPHA")
    alpha = stage.socket("ALPHA")
    until(lambda: bool(stage.status("ALPHA")), "ALPHA's daemon")

    alone = _hotline("send", "Is anyone there?", "--wait", "delivered", "--timeout", "1s", HOTLINE_SOCKET=alpha)
    assert alone.returncode == 3
    assert b"stays queued" in alone.stdout
    assert _hotline("status", HOTLINE_SOCKET=alpha).returncode == 3

    stage.start("BRAVO")
    until(lambda: stage.up("ALPHA") and stage.up("BRAVO"), "every path up")
    unread = _hotline("send", "-", "--wait", "read", "--timeout", "1s", stdin=b"Typed.\n", HOTLINE_SOCKET=alpha)
    assert unread.returncode == 5
    assert b"not read in time" in unread.stdout

    file = tmp_path / "statement.txt"
    file.write_text("آئیے بات کرتے ہیں۔\n", encoding="utf-8")
    words = ("send", "--file", str(file), "--lang", "ur", "-p", "flash", "--wait", "delivered", "--json")
    (told,) = printed(stage.cli("ALPHA", *words).stdout)
    assert (told["state"], told["dir"], told["precedence"], told["serial"]) == ("delivered", "rtl", "flash", 3)

    listed = printed(stage.cli("BRAVO", "inbox", "--unread", "--json").stdout)
    assert [(view["serial"], view["text"]) for view in listed] == [(1, None), (2, None), (3, None)]
    (opened,) = printed(stage.cli("BRAVO", "read", "3", "--json").stdout)
    assert opened["text"] == "آئیے بات کرتے ہیں۔"
    assert "DUTY-2" not in stage.cli("BRAVO", "inbox", "--unread").stdout.upper()
    until(lambda: stage.statements("ALPHA", sent=True)[2].state == "read", "the READ receipt")
    assert [view["state"] for view in printed(stage.cli("ALPHA", "sent", "--json").stdout)][2] == "read"
    (picture,) = printed(stage.cli("ALPHA", "status", "--json").stdout)
    assert picture["link"] == "up"
    assert stage.cli("ALPHA", "read", "9").returncode == 1
    assert stage.cli("ALPHA", "sent", "9").returncode == 1
    _records(stage)


def test_a_mistake_is_corrected_a_side_consults_and_a_courier_rides(stages: Stages, tmp_path: Path) -> None:
    """What officers do when something has gone wrong (docs/protocol.md 8.10, 17.5 and 18.3)."""
    stage = stages(1)
    stage.start(*stage.relays, "ALPHA", "BRAVO")
    until(lambda: stage.up("ALPHA") and stage.up("BRAVO"), "every path up")
    stage.cli("ALPHA", "send", "It begins at 14:30.", "-p", "immediate", "--wait", "delivered")
    stage.cli("BRAVO", "read", "1")
    refused = stage.cli("ALPHA", "send", "At 15:30.", "--corrects", "1", "-p", "routine")
    assert (refused.returncode, "goes at least as high" in refused.stderr) == (1, True)
    (told,) = printed(
        stage.cli("ALPHA", "send", "At 15:30.", "--corrects", "1", "--wait", "delivered", "--json").stdout
    )
    assert (told["kind"], told["precedence"], told["corrects"]) == ("correction", "immediate", 1)
    stage.cli("ALPHA", "send", "It does not take place.", "--retracts", "2", "--wait", "delivered")
    first, second, third = printed(stage.cli("BRAVO", "inbox", "--json").stdout)
    assert (first["corrected_by"], first["retracted"], first["text"]) == (2, False, "It begins at 14:30.")
    assert (second["corrected_by"], second["retracted"], second["state"]) == (3, True, "unread")
    assert (third["kind"], third["corrects"], third["corrected_by"]) == ("retraction", 2, None)
    assert "CORRECTED BY #0002" in stage.cli("ALPHA", "sent", "1").stdout
    opened = stage.cli("BRAVO", "read", "2").stdout
    assert "*** RETRACTED BY #0003" in opened
    assert "*** CORRECTS #0001 ***" in opened
    answer = stage.cli("BRAVO", "send", "Noted.", "--reply-to", "3", "--wait", "delivered", "--json").stdout
    assert printed(answer)[0]["in_reply_to"] == 3

    assert stage.cli("BRAVO", "presence", "set", "consulting", "--for", "30m").returncode == 0
    until(lambda: stage.status("ALPHA")["peer"]["presence"] == "consulting", "the word of the other side")
    assert "we say that we are consulting until" in stage.cli("BRAVO", "status").stdout
    assert "says it is consulting until" in stage.cli("ALPHA", "status").stdout
    assert stage.cli("BRAVO", "presence", "set", "declined", "--for", "1h").returncode == 1
    assert stage.cli("ALPHA", "presence", "ask").returncode == 0

    stage.kill(stage.relays[0])
    stage.cli("ALPHA", "send", "By hand.", "-p", "flash")
    bundle = tmp_path / "to-bravo.bundle"
    (manifest,) = printed(stage.cli("ALPHA", "courier", "export", str(bundle), "--json").stdout)
    assert printed(_hotline("courier", "show", bundle, "--json").stdout.decode()) == [manifest]
    assert stage.cli("ALPHA", "courier", "export", str(bundle)).returncode == 1
    assert stage.cli("ALPHA", "courier", "import", str(bundle)).returncode == 4
    (came,) = printed(stage.cli("BRAVO", "courier", "import", str(bundle), "--json").stdout)
    assert (came["statements"], came["refused"], came["bundle"]) == (1, 0, manifest["sha256"])
    assert "By hand." in stage.cli("BRAVO", "read", "4").stdout


def test_a_word_without_prejudice(stages: Stages) -> None:
    """Nobody can mistake it for one of record, wherever it is shown; and both sides can make it one."""
    # docs/protocol.md 22.1, 22.5, 22.9 and 22.10
    stage = stages(1)
    stage.start(*stage.relays, "ALPHA", "BRAVO")
    until(lambda: stage.up("ALPHA") and stage.up("BRAVO"), "every path up")
    text = "We could live with the fifteenth."
    refused = stage.cli("ALPHA", "send", text, "--without-prejudice", "-p", "flash")
    assert (refused.returncode, "always of record" in refused.stderr) == (1, True)
    told = stage.cli("ALPHA", "send", text, "--without-prejudice", "--wait", "delivered").stdout
    assert told.startswith("#0001 ROUTINE WITHOUT PREJUDICE queued")
    assert "WITHOUT PREJUDICE UNREAD" in stage.cli("BRAVO", "inbox").stdout
    opened = stage.cli("BRAVO", "read", "1").stdout
    assert opened.startswith("WITHOUT PREJUDICE  #0001 ROUTINE from ALPHA to BRAVO")
    assert "signature        none" in opened
    assert text in opened
    wished = stage.cli("BRAVO", "record-it", "1", "--wait", "shown", "--json")
    (asked,) = printed(wished.stdout)
    assert (wished.returncode, asked["state"]) == (0, "delivered")  # nobody opens a wish
    assert (asked["mode"], asked["put_on_record"]) == ("without-prejudice", 1)
    until(lambda: "record-it 1 --ours" in stage.cli("ALPHA", "sent", "1").stdout, "the peer's wish")
    assert "says #0001 again, of record" in stage.cli("ALPHA", "record-it", "1", "--ours", "--wait", "delivered").stdout
    first, second = printed(stage.cli("BRAVO", "inbox", "--json").stdout)
    assert (first["mode"], first["kind"], first["recorded_as"]) == ("without-prejudice", "without-prejudice", 2)
    assert (second["mode"], second["kind"], second["put_on_record"]) == ("of-record", "put-on-record", 1)
    assert "SAYS AGAIN, OF RECORD, #0001 of ALPHA" in stage.cli("BRAVO", "read", "2").stdout
    for home in stage.rehearsal.terminals:
        listing = "sent" if home.party == "ALPHA" else "inbox"
        assert "ON RECORD AS #0002" in stage.cli(home.party, listing).stdout
        stage.terminate(home.party)
        rows = _hotline("audit", "list", "--store", home.folder / "store", "--json").stdout.decode()
        assert "nonpaper.recorded" in {entry["type"] for entry in printed(rows)}
        checked = _hotline("audit", "fsck", "--store", home.folder / "store")
        assert checked.returncode == 0, checked.stdout + checked.stderr


def _records(stage: Stage) -> None:
    """Offline commands and `doctor`, on what the watch has left."""
    home = next(item for item in stage.rehearsal.terminals if item.party == "ALPHA")
    charter = ("--charter", stage.rehearsal.charter, "--party", "ALPHA")
    (verdict,) = printed(
        _hotline("audit", "verify", "--store", home.folder / "store", *charter, "--json").stdout.decode()
    )
    assert verdict["outcome"] == "verified"
    entries = printed(_hotline("audit", "list", "--store", home.folder / "store", "--json").stdout.decode())
    assert {"msg.submit", "msg.delivered", "msg.read"} <= {entry["type"] for entry in entries}
    assert printed(_hotline("config", "show", home.config, "--json").stdout.decode())[0]["schema"] == "hotline.config/1"
    (fit,) = printed(_hotline("endpoint", "check", "--config", home.config, "--json").stdout.decode())
    assert fit["peer"] == "BRAVO"
    (found,) = printed(_hotline("doctor", "--config", home.config, "--json").stdout.decode())
    assert found["checks"]


def test_hostile_text_cannot_touch_the_readers_screen(stages: Stages) -> None:
    """A peer could rewrite what the officer sees, or the title of the window, with a statement."""
    # docs/protocol.md 8.8
    stage = stages(1)
    stage.start(*stage.relays, "ALPHA", "BRAVO")
    until(lambda: stage.up("ALPHA") and stage.up("BRAVO"), "every path up")
    assert _hotline("send", HOSTILE, HOTLINE_SOCKET=stage.socket("ALPHA")).returncode == 0
    until(lambda: bool(stage.received("BRAVO")), "the statement")
    done = stage.cli("BRAVO", "read", "1")
    assert done.returncode == 0
    assert "Peace" in done.stdout
    assert not {character for character in done.stdout if character in "\x1b\x07\x9b\u202e"}


@pytest.mark.parametrize(
    ("words", "stdin", "code", "text"),
    [
        (("send", ""), b"", 1, "nothing was queued"),
        (("send", "x" * (TEXT_BYTES_MAX + 1)), b"", 1, "nothing was queued"),
        (("send", "-"), b"\xff\xfe", 1, "not UTF-8"),
        (("send", "x", "--lang", "not a tag"), b"", 1, "language tag"),
        (("send", "x", "--timeout", "soon"), b"", 2, "duration"),
        (("send", "x", "--file", "/nowhere"), b"", 2, "not both"),
        (("send", "--file", "/nowhere"), b"", 1, "/nowhere"),
        (("read", "0"), b"", 2, "0"),
        (("read", "7"), b"", 1, "no statement #7"),
        (("test", "sing"), b"", 2, "No such command 'sing'"),
        (("test", "now", "Text of mine."), b"", 2, "unexpected extra argument"),
        (("test", "now", "--wait", "read"), b"", 2, "'read' is not one of"),
        (("test", "now", "--timeout", "soon"), b"", 2, "duration"),
        (("test", "history", "--limit", "0"), b"", 2, "--limit"),
    ],
)
def test_wrong_input_has_one_clear_answer(
    quiet: Stage, words: tuple[str, ...], stdin: bytes, code: int, text: str
) -> None:
    """An officer would not know whether it was sent."""
    done = _hotline(*words, stdin=stdin, HOTLINE_SOCKET=quiet.socket("ALPHA"))
    assert done.returncode == code, done.stderr
    assert text in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert quiet.statements("ALPHA", sent=True) == []


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> object:
    """One terminal on duty, nobody else."""
    stage = Stage(tmp_path_factory.mktemp("quiet"), 1)
    stage.start("ALPHA")
    until(lambda: bool(stage.status("ALPHA")), "ALPHA's daemon")
    yield stage
    stage.end()


def test_no_daemon_is_said_so(tmp_path: Path) -> None:
    """A stack trace at three in the morning helps nobody."""
    done = _hotline("status", HOTLINE_SOCKET=str(tmp_path / "none.sock"))
    assert done.returncode == 1
    assert str(tmp_path / "none.sock") in done.stderr.decode()


def test_a_caller_who_is_no_officer_may_look_and_not_send(stages: Stages) -> None:
    """Anyone with an account on the machine could speak for the leader (docs/protocol.md 14.1)."""
    stage = stages(1)
    home = next(item for item in stage.rehearsal.terminals if item.party == "ALPHA")
    config = Path(home.config)
    text = config.read_text()
    assert "[[operator.officer]]" in text
    config.write_text(text.split("[[operator.officer]]")[0])
    stage.start("ALPHA")
    until(lambda: bool(stage.status("ALPHA")), "ALPHA's daemon")
    for words in (("send", "x"), ("read", "1"), ("test", "now")):
        done = _hotline(*words, HOTLINE_SOCKET=stage.socket("ALPHA"))
        assert done.returncode == 8
        assert "no officer" in done.stderr.decode()


def test_ctrl_c_while_waiting_loses_nothing(quiet: Stage) -> None:
    """What was accepted must stay queued, and the officer must be told so."""
    waiting = subprocess.Popen(
        [*HOTLINE, "send", "Kept.", "--wait", "read", "--timeout", "1m"],
        cwd=ROOT,
        env={**environment(), "HOTLINE_SOCKET": quiet.socket("ALPHA"), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    until(lambda: len(quiet.statements("ALPHA", sent=True)) == 1, "the statement")
    waiting.send_signal(signal.SIGINT)
    _, error = waiting.communicate(timeout=10)
    assert waiting.returncode == 130
    assert "stays queued" in error.decode()
    assert quiet.statements("ALPHA", sent=True)[0].state == "queued"


def test_watch_tells_what_happens(quiet: Stage) -> None:
    """Events would pass a script by."""
    watching = subprocess.Popen(
        [*HOTLINE, "watch", "--json"],
        cwd=ROOT,
        env={**environment(), "HOTLINE_SOCKET": quiet.socket("ALPHA")},
        stdout=subprocess.PIPE,
        text=True,
    )
    events: list[dict[str, Any]] = []

    def collect() -> None:
        assert watching.stdout is not None
        with watching.stdout:
            for text in watching.stdout:
                events.extend(printed(text))

    collector = threading.Thread(target=collect)
    collector.start()

    def attached() -> bool:
        return bool(quiet.status("ALPHA")["paths"][0]["state"] == "attached")

    try:
        for _ in range(5):  # nobody tells us when the watch has begun: the first events may come before it
            quiet.start("relay-1")
            until(attached, "the relay lets ALPHA in")
            quiet.kill("relay-1")
            until(lambda: not attached(), "ALPHA sees that the relay is gone")
            if events:
                break
    finally:
        watching.terminate()
        watching.wait(10)
        collector.join(10)
    assert {event["kind"] for event in events} >= {"path"}
    assert all(event["path"] == "relay-1" for event in events if event["kind"] == "path")
