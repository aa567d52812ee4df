"""`hotline charter` as two delegations use it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from hotline.charter.ceremony import checks
from hotline.charter.model import load_charter, load_draft
from hotline.charter.pairwise import check_value
from hotline.config import load_endpoint_config
from hotline.drill.rehearsal import rehearse
from hotline.errors import ConfigError, KeyFileError
from hotline.materials import load_materials
from hotline.protocol.bundle import MAGIC
from tests.hotline.cli.conftest import Ran, Run, sign

NEW = ("charter", "new", "--release-policy", "one")


def _shares(table: Path, first: str = "ALPHA", second: str = "BRAVO") -> tuple[object, ...]:
    return ("--share", table / f"{first}.share", "--share", table / f"{second}.share")


def test_the_whole_ceremony_ends_in_force(made: Path, run: Run) -> None:
    """Two capitals could not found a hotline at all."""
    charter = load_charter((made / "charter.note").read_bytes())
    assert set(charter.signed_by) == {"ALPHA", "BRAVO"}
    identities = ("--identity", made / "ALPHA.identity.pub", "--identity", made / "BRAVO.identity.pub")
    verified = run("charter", "verify", made / "charter.note", *identities)
    assert verified.code == 0, verified.err
    assert f"IN FORCE  alpha-bravo, charter {charter.hash.hex()}" in verified.out
    secret = bytes.fromhex((made / "pairwise.key").read_text().strip())
    assert check_value(secret) == charter.pairwise_check


def test_both_sides_read_out_the_same_number(made: Path, run: Run) -> None:
    """An exchanged identity would go unnoticed, or an honest one be taken for exchanged (docs/protocol.md 5.15)."""
    pictures = [json.loads(run("charter", "show", made / name, "--json").out) for name in ("half.note", "charter.note")]
    numbers = {picture["joint_safety_number"] for picture in pictures}
    assert len(numbers) == 1
    number = numbers.pop()
    assert len(number.split(" ")) == 12
    assert number in " ".join(run("charter", "show", made / "draft.note").out.split())
    assert [picture["in_force"] for picture in pictures] == [False, True]
    assert pictures[0]["hash"] == pictures[1]["hash"]
    assert pictures[1]["schema"] == "hotline.charter-show/1"


@pytest.mark.parametrize(("name", "missing"), [("draft.note", "ALPHA and BRAVO"), ("half.note", "BRAVO")])
def test_a_charter_that_one_side_has_not_signed_is_refused(made: Path, run: Run, name: str, missing: str) -> None:
    """One side could dictate keys and relays to the other."""
    refused = run("charter", "verify", made / name)
    assert refused.code == 4
    assert f"not signed by {missing}" in refused.err
    assert name in refused.err
    assert json.loads(run("charter", "verify", made / name, "--json").out)["in_force"] is False


def test_another_identity_than_the_compared_one_is_refused(table: Path, run: Run) -> None:
    """Somebody in between could found two hotlines and sit in the middle."""
    imposter = table / "imposter"
    assert run("key", "init", "--party", "BRAVO", "--out", imposter, "--passphrase-file", table / "word").code == 0
    refused = run("charter", "verify", table / "charter.note", "--identity", imposter / "BRAVO.identity.pub")
    assert refused.code == 4
    assert "another identity key for BRAVO" in refused.err


@pytest.mark.parametrize("name", ["charter.note", "ALPHA.offer", "ALPHA.main.terminal.card", "relay-1.card"])
def test_an_altered_file_is_refused(table: Path, run: Run, name: str) -> None:
    """What travelled between the capitals could be changed on the way."""
    path = table / name
    whole = path.read_bytes()
    new = (
        "charter",
        "new",
        "--release-policy",
        "one",
        "--name",
        "x",
        "--offer",
        path,
        "--offer",
        table / "BRAVO.offer",
        *_shares(table),
    )
    make = {
        "charter.note": ("charter", "verify", path),
        "ALPHA.offer": (*new, "--out", table / "x", "--pairwise-out", table / "y"),
        "ALPHA.main.terminal.card": ("key", "verify", path, "--identity", table / "ALPHA.identity.pub"),
        "relay-1.card": ("key", "verify", path),
    }[name]
    for place in range(3, len(whole), len(whole) // 25):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        done = run(*make)
        assert done.code == 4, (place, done.err)
        assert name in done.err
    assert not (table / "x").exists()
    assert not (table / "y").exists()


def test_sign_shows_first_and_asks(table: Path, run: Run) -> None:
    """A script, or a hurried person, would sign what nobody looked at."""
    before = (table / "half.note").read_bytes()
    key = ("--identity", table / "BRAVO.identity.key", "--passphrase-file", table / "word")
    asked = run("charter", "sign", table / "half.note", *key)
    assert asked.code == 2
    assert "JOINT SAFETY NUMBER" in asked.out
    assert "127.0.0.1:41001" in asked.out
    assert (table / "half.note").read_bytes() == before


def test_signing_twice_or_as_a_stranger_changes_nothing(table: Path, run: Run) -> None:
    """A charter in force could be spoilt by repeating a command."""
    before = (table / "half.note").read_bytes()
    again = run(*sign(table, "half.note", "ALPHA"))
    assert again.code == 1
    assert "already" in again.err
    strange = table / "strange"
    assert run("key", "init", "--party", "CHARLIE", "--out", strange, "--passphrase-file", table / "word").code == 0
    shutil.copy(strange / "CHARLIE.identity.key", table)
    assert run(*sign(table, "half.note", "CHARLIE")).code == 1
    assert (table / "half.note").read_bytes() == before


def test_signatures_may_come_in_any_order(table: Path, run: Run) -> None:
    """The capital that signs first would decide whether there is a hotline."""
    assert run(*sign(table, "draft.note", "BRAVO")).code == 0
    assert run(*sign(table, "draft.note", "ALPHA")).code == 0
    first, second = (load_charter((table / name).read_bytes()) for name in ("draft.note", "charter.note"))
    assert first.hash == second.hash


def test_either_side_derives_the_same_pairwise_secret(table: Path, run: Run) -> None:
    """The hotline would never open an epoch."""
    command = ("charter", "pairwise", "--charter", table / "charter.note", "--out", table / "again.key")
    assert run(*command, *_shares(table, "BRAVO", "ALPHA")).code == 0
    assert (table / "again.key").read_bytes() == (table / "pairwise.key").read_bytes()
    assert (table / "again.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("option", "file", "code", "sentence"),
    [
        ("--terminal", "ALPHA.duty-1.officer.card", 4, "'hotline.terminal-card/1' is wanted: name the right file"),
        ("--officer", "ALPHA.main.terminal.card", 4, "'hotline.officer-card/1' is wanted: name the right file"),
        ("--relay", "ALPHA.main.terminal.card", 4, "'hotline.relay-card/1' is wanted: name the right file"),
        ("--terminal", "BRAVO.main.terminal.card", 4, "no signature by a key that was given"),
        ("--terminal", "ALPHA.main.terminal.card", 1, "one card is given twice"),
    ],
)
def test_a_card_that_cannot_be_offered_is_told_by_its_file(
    table: Path, run: Run, option: str, file: str, code: int, sentence: str
) -> None:
    """Among ten cards an administrator would have to find the wrong one, and would read of fields that it lacks."""
    parts = ("--identity", table / "ALPHA.identity.key", "--passphrase-file", table / "word")
    cards = ("--terminal", table / "ALPHA.main.terminal.card", option, table / file)
    done = run("charter", "offer", *parts, *cards, "--out", table / "other" / "ALPHA.offer")
    assert (done.code, sentence in done.err) == (code, True), done.err
    assert code == 1 or str(table / file) in done.err
    assert "Field required" not in done.err
    assert not (table / "other").exists()


def test_an_offer_is_no_charter(table: Path, run: Run) -> None:
    """A screenful of missing fields would hide that the wrong file was named."""
    done = run("charter", "verify", table / "ALPHA.offer")
    assert done.code == 4
    assert done.err.count("\n") == 1
    assert "'hotline.charter/1' is wanted" in done.err


def test_shares_that_do_not_belong_to_the_charter_are_refused(table: Path, run: Run) -> None:
    """A side would go home with a secret that opens nothing."""
    command = ("charter", "pairwise", "--charter", table / "charter.note", "--out", table / "again.key")
    other = table / "other"
    parts = ("--identity", table / "ALPHA.identity.key", "--passphrase-file", table / "word")
    card = ("--terminal", table / "ALPHA.main.terminal.card", "--out", other / "ALPHA.offer")
    assert run("charter", "offer", *parts, *card).code == 0
    exchanged = run(*command, "--share", other / "ALPHA.share", "--share", table / "BRAVO.share")
    assert exchanged.code == 4
    assert "do not give the secret" in exchanged.err
    twice = run(*command, *_shares(table, "ALPHA", "ALPHA"))
    assert twice.code == 9
    assert "a second share of ALPHA" in twice.err
    (table / "BRAVO.share").chmod(0o644)
    assert run(*command, *_shares(table)).code == 9
    assert not (table / "again.key").exists()


def test_new_leaves_nothing_behind_when_it_fails(table: Path, run: Run) -> None:
    """A pairwise secret without its charter would lie about, for nobody to clear away."""
    offers = ("--offer", table / "ALPHA.offer", "--offer", table / "BRAVO.offer")
    outputs = ("--out", table / "charter.note", "--pairwise-out", table / "second.key")
    before = hashlib.sha256((table / "charter.note").read_bytes()).digest()
    failed = run(*NEW, "--name", "alpha-bravo", *offers, *_shares(table), *outputs)
    assert failed.code == 1
    assert not (table / "second.key").exists()
    assert hashlib.sha256((table / "charter.note").read_bytes()).digest() == before
    one = ("--offer", table / "ALPHA.offer", "--offer", table / "ALPHA.offer")
    assert (
        run(
            "charter",
            "new",
            "--release-policy",
            "one",
            "--name",
            "x",
            *one,
            *_shares(table),
            "--out",
            table / "a",
            *outputs[2:],
        ).code
        == 1
    )


def test_a_hotline_needs_a_lawful_name(table: Path, run: Run) -> None:
    """A name that leads out of a folder, or to a traceback, would be signed by two states."""
    offers = ("--offer", table / "ALPHA.offer", "--offer", table / "BRAVO.offer")
    outputs = ("--out", table / "a", "--pairwise-out", table / "b")
    refused = run(*NEW, "--name", "../x", *offers, *_shares(table), *outputs)
    assert refused.code == 1, refused.err
    assert "hotline: " in refused.err


@pytest.mark.parametrize(
    ("given", "interval", "said"),
    [((), 3_600_000, "every 60 min"), (("90m",), 5_400_000, "every 90 min"), (("none",), 0, "TESTS    none")],
)
def test_both_sides_see_how_the_line_is_tested(
    table: Path, run: Run, given: tuple[str, ...], interval: int, said: str
) -> None:
    """Two capitals would sign a schedule that nobody has read out."""
    offers = ("--offer", table / "ALPHA.offer", "--offer", table / "BRAVO.offer")
    outputs = ("--out", table / "a", "--pairwise-out", table / "b")
    option = ("--channel-tests", *given) if given else ()
    done = run(*NEW, "--name", "x", *offers, *_shares(table), *outputs, *option)
    assert done.code == 0, done.err
    assert said in done.out
    assert load_draft((table / "a").read_bytes()).channel_test_ms == interval
    shown = run("charter", "show", table / "a", "--json")
    assert json.loads(shown.out)["channel_test_ms"] == interval
    (check,) = [check for check in checks(load_draft((table / "a").read_bytes())) if check.name == "channel tests"]
    assert check.ok == bool(interval)


@pytest.mark.parametrize(("given", "code"), [("soon", 2), ("2d", 1), ("0h", 2), ("", 2)])
def test_a_schedule_that_is_none_is_refused(table: Path, run: Run, given: str, code: int) -> None:
    """A typing error would be signed, and the line tested once a month or without end."""
    offers = ("--offer", table / "ALPHA.offer", "--offer", table / "BRAVO.offer")
    outputs = ("--out", table / "a", "--pairwise-out", table / "b")
    done = run(
        "charter",
        "new",
        "--release-policy",
        "one",
        "--name",
        "x",
        *offers,
        *_shares(table),
        *outputs,
        "--channel-tests",
        given,
    )
    assert done.code == code, done.err
    assert "channel_test_ms" in done.err or ("not a duration" in done.err and "or none" in done.err)
    assert not (table / "a").exists()


def test_a_missing_file_is_named(table: Path, run: Run) -> None:
    """An administrator would not know which of nine files is missing."""
    done = run("charter", "verify", table / "nothing.note")
    assert done.code == 1
    assert "nothing.note: no such file" in done.err


def test_a_rehearsal_gives_everything_a_daemon_needs(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training and the demo would not work, and the real ceremony would be the first try."""
    monkeypatch.chdir(tmp_path)
    done = run("charter", "rehearse", "--out", "r", "--relays", 2, "--port", 42_001)
    assert done.code == 0, done.err
    told = [line.split("=")[1] for line in done.out.splitlines() if "HOTLINE_SOCKET" in line]
    homes = [tmp_path / "r" / party for party in ("ALPHA", "BRAVO")]
    assert [str(load_endpoint_config(home / "endpoint.toml").operator.socket) for home in homes] == told
    assert [Path(socket).parent for socket in told] == homes
    charter = load_charter((tmp_path / "r" / "charter.note").read_bytes())
    assert [relay.address for relay in charter.relays] == ["127.0.0.1:42001", "127.0.0.1:42002"]
    officer = (
        "ALPHA/ALPHA.duty-1.officer.key"  # a watch is taken over by a signature, also where nobody signs what is said
    )
    for name in ("ALPHA/terminal.key", "BRAVO/pairwise.key", "relay-2/relay.key", officer):
        assert (tmp_path / "r" / name).stat().st_mode & 0o777 == 0o600
    again = run("charter", "rehearse", "--out", tmp_path / "r", "--relays", 2)
    assert again.code == 1


def test_a_rehearsal_that_fails_leaves_nothing(tmp_path: Path, run: Run) -> None:
    """Half of its keys would be in the way of the next attempt."""
    whole = tmp_path / "r"
    deep = whole.joinpath(*(["x" * 200] * 20))  # so long that nothing below it has a path
    while len(str(deep)) > 4_060:
        deep = deep.parent
    deep = deep / ("y" * (4_070 - len(str(deep))))
    done = run("charter", "rehearse", "--out", deep)
    assert done.code == 1
    assert "cannot be" in done.err
    assert deep.parent.is_dir()
    assert not deep.exists()


def test_a_rehearsed_pairwise_secret_is_the_charter_s(tmp_path: Path) -> None:
    """The rehearsed endpoints would refuse to start."""
    played = rehearse(tmp_path, [("relay-1", "127.0.0.1:41001")], profile="narrow")
    charter = load_charter(played.charter.read_bytes())
    for terminal in played.terminals:
        secret = bytes.fromhex((terminal.folder / "pairwise.key").read_text().strip())
        assert check_value(secret) == charter.pairwise_check
    assert charter.relay("relay-1").profile.name == "narrow"


def test_a_terminal_with_another_pairwise_secret_does_not_start(tmp_path: Path) -> None:
    """It would run, and nothing that either side says could ever be opened (docs/protocol.md 5.14)."""
    played = rehearse(tmp_path, [("relay-1", "127.0.0.1:41001")], profile="narrow")
    terminal = played.terminals[0]
    config = load_endpoint_config(Path(terminal.config))
    assert load_materials(config).charter.hash == load_charter(played.charter.read_bytes()).hash
    secret = terminal.folder / "pairwise.key"
    secret.write_text(f"{bytes(32).hex()}\n")
    with pytest.raises(KeyFileError, match="not the pairwise secret of this charter"):
        load_materials(config)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("one", "nobody signs"),
        ('[{"plane": "real", "precedence": "flash", "roles": ["drafter"]}]', "real flash: drafter"),
    ],
)
def test_both_sides_see_who_signs(table: Path, run: Run, given: str, shown: str) -> None:
    """Two capitals would sign a release policy that nobody has read out (docs/protocol.md 19.3)."""
    if given != "one":
        (table / "policy.json").write_text(given)
    policy = given if given == "one" else str(table / "policy.json")
    done = _draw_up(table, run, policy)
    assert done.code == 0, done.err
    assert f"RELEASE  {shown}" in done.out
    picture = run("charter", "show", table / "a", "--json")
    assert json.loads(picture.out)["release"] == ([] if given == "one" else json.loads(given))


def _draw_up(table: Path, run: Run, policy: str) -> Ran:
    offers = ("--offer", table / "ALPHA.offer", "--offer", table / "BRAVO.offer")
    outputs = ("--out", table / "a", "--pairwise-out", table / "b", "--release-policy", policy)
    return run("charter", "new", "--name", "x", *offers, *_shares(table), *outputs)


@pytest.mark.parametrize(
    "given",
    [
        "", "{}", "[[]]", '[{"plane": "real", "precedence": "flash", "roles": []}]',
        '[{"plane": "real", "precedence": "flash", "roles": ["witness"]}]',
        '[{"plane": "sea", "precedence": "flash", "roles": ["drafter"]}]',
        '[{"plane": "real", "precedence": "flash", "roles": ["drafter"], "more": 1}]',
    ],
)  # fmt: skip
def test_a_release_policy_that_is_none_is_refused(table: Path, run: Run, given: str) -> None:
    """A slip of the pen would leave a precedence to whoever sits at a terminal (docs/protocol.md 19.3)."""
    (table / "policy.json").write_text(given)
    done = _draw_up(table, run, str(table / "policy.json"))
    assert done.code == 1
    assert "policy.json" in done.err
    assert not (table / "a").exists()


def test_a_policy_by_two_needs_two(table: Path, run: Run) -> None:
    """The usual policy, and offers with one officer each: the first crisis would find both sides mute."""
    # docs/protocol.md 19.3
    done = _draw_up(table, run, "two")
    assert done.code == 1
    remedy = "no one of them twice: offer their cards, or agree on another release policy"
    assert done.err == f"ALPHA and BRAVO have not the officers to sign as drafter and releaser, {remedy}\n"
    assert not (table / "a").exists()


def test_both_sides_see_in_what_time_a_statement_should_be_read(table: Path, run: Run) -> None:
    """Two capitals would sign objectives that nobody has read out (docs/protocol.md 20.7)."""
    offers = ("--offer", table / "ALPHA.offer", "--offer", table / "BRAVO.offer")
    outputs = ("--out", table / "a", "--pairwise-out", table / "b")
    words = ("charter", "new", "--name", "x", *offers, *_shares(table), *outputs, "--release-policy", "one")
    assert run(*words, "--objectives", "2h,1h,10m").code == 2
    done = run(*words, "--objectives", "2h,1h,10m,2m")
    assert done.code == 0, done.err
    assert "OBJECTIVES ROUTINE 2 h, PRIORITY 60 min, IMMEDIATE 10 min, FLASH 2 min" in done.out
    shown = run("charter", "show", table / "a", "--json")
    assert json.loads(shown.out)["objective_ms"] == [7_200_000, 3_600_000, 600_000, 120_000]


def test_both_sides_see_whether_a_terminal_may_take_over_by_itself(table: Path, run: Run) -> None:
    """A capital would learn of the rule when the other's alternate speaks (docs/protocol.md 23.13)."""
    offers = ("--offer", table / "ALPHA.offer", "--offer", table / "BRAVO.offer")
    outputs = ("--out", table / "a", "--pairwise-out", table / "b")
    words = ("charter", "new", "--name", "x", *offers, *_shares(table), *outputs, "--release-policy", "one")
    assert run(*words, "--takeover-after", "soon").code == 2
    assert run(*words, "--takeover-after", "1s").code == 1
    assert not (table / "a").exists()
    done = run(*words, "--takeover-after", "10m")
    assert done.code == 0, done.err
    assert "TAKEOVER by the rule after 10 min of silence, or by an officer" in done.out
    assert json.loads(run("charter", "show", table / "a", "--json").out)["takeover_after_ms"] == 600_000


def test_a_party_that_the_charter_does_not_know_is_told_with_those_that_it_knows(made: Path) -> None:
    """An auditor would be told that there is no terminal, where the party was mistyped."""
    charter = load_charter((made / "charter.note").read_bytes())
    for look in (charter.terminal, charter.officer):
        with pytest.raises(ConfigError, match="no party named ALFA; it knows: ALPHA, BRAVO"):
            look("ALFA", "main")
    with pytest.raises(ConfigError, match="no terminal of ALPHA named second; it knows: main"):
        charter.terminal("ALPHA", "second")


def test_what_is_no_bundle_is_told_by_its_name(tmp_path: Path, run: Run) -> None:
    """A courier has brought three files, and one of them is something else."""
    (tmp_path / "letter.txt").write_text("A letter, and no bundle.")
    done = run("courier", "show", tmp_path / "letter.txt")
    assert (done.code, "letter.txt: not a courier bundle" in done.err) == (4, True), done.err


def test_a_bundle_that_is_cut_off_is_told_in_words(tmp_path: Path, run: Run) -> None:
    """The name of a message of the wire code was all that was said of it."""
    (tmp_path / "cut.bundle").write_bytes(MAGIC + b"\x0a\xff\x7f")
    done = run("courier", "show", tmp_path / "cut.bundle")
    assert done.code == 4
    assert "cut.bundle: no courier bundle, or a damaged one" in done.err


def test_a_secret_file_in_the_place_of_a_card_is_told_to_be_another(table: Path, run: Run) -> None:
    """That it has no signatures told nobody that the file was the wrong one."""
    key = ("--identity", table / "ALPHA.identity.key", "--passphrase-file", table / "word")
    refused = run("charter", "offer", *key, "--terminal", table / "ALPHA.main.terminal.key", "--out", table / "x")
    assert refused.code == 4
    assert (
        "ALPHA.main.terminal.key: no signatures: cut off, or a file of another kind; name the right one" in refused.err
    )
