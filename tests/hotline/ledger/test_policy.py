"""Policies: one reading of each file, and a quorum that counts each witness once."""

from __future__ import annotations

import itertools

import pytest

from hotline.crypto.signing import SigningKey
from hotline.errors import Malformed, RemoteError, Untrusted
from hotline.ledger.checkpoint import Checkpoint, sign_checkpoint
from hotline.ledger.cosignature import Ed25519CosignatureVerifier, Ed25519Cosigner
from hotline.ledger.note import Ed25519Signer, Ed25519Verifier, Note, parse_note
from hotline.ledger.policy import POLICY_BYTES_MAX, open_cosigned, parse_policy, policy_text, require_quorum
from tests.hotline.ledger.specimen import KEY, ORIGIN, VERIFIER

WITNESSES = {f"w{n}": Ed25519Cosigner(f"witness.example/w{n}", SigningKey(bytes([n] * 32))) for n in range(1, 5)}
LINES = {name: f"witness {name} {one.verifier.vkey()}\n" for name, one in WITNESSES.items()}
LOG = f"log {VERIFIER.vkey()}\n"
THREE_OF_FOUR = LOG + "".join(LINES.values()) + "group all4 3 w1 w2 w3 w4\nquorum all4\n"
HEAD = Checkpoint(ORIGIN, 5, bytes(range(32)))
NOTE = sign_checkpoint(HEAD, Ed25519Signer(ORIGIN, KEY))


def cosigned(*names: str, time: int = 100) -> bytes:
    note = parse_note(NOTE)
    return Note(note.text, (*note.signatures, *(WITNESSES[name].cosign(note.text, time) for name in names))).encode()


def test_a_quorum_is_what_the_file_says() -> None:
    """Two witnesses under one roof would pass for three, or an honest majority for none."""
    policy = parse_policy(THREE_OF_FOUR.encode())
    for count in range(5):
        for names in itertools.combinations(WITNESSES, count):
            vouched = open_cosigned(cosigned(*names), policy)
            assert vouched.witnesses == dict.fromkeys(names, 100)
            if count >= 3:
                require_quorum(vouched, policy)
            else:
                with pytest.raises(Untrusted, match="no-quorum"):
                    require_quorum(vouched, policy)


def test_groups_of_groups() -> None:
    """Relays under one operator could not be counted as one."""
    text = LOG + "".join(LINES.values())
    text += "group one any w1 w2\ngroup other all w3 w4\ngroup both all one other\nquorum both\n"
    policy = parse_policy(text.encode())
    assert policy.satisfied(["w1", "w3", "w4"])
    assert not policy.satisfied(["w1", "w2", "w3"])
    assert not policy.satisfied(["both", "one", "other"])


def test_comments_blank_lines_tabs_and_urls() -> None:
    """A lawful file of another program would be refused."""
    text = f"# ours\n\n\t {LOG.strip()}\thttp://log.example\n{LINES['w1'].strip()} http://w1.example \nquorum\tw1\n"
    policy = parse_policy(text.encode())
    assert policy.witnesses[0].url == "http://w1.example"
    assert parse_policy(b"quorum none\n").satisfied([])
    assert policy_text([VERIFIER], "quorum none\n") == LOG + "quorum none\n"


W1, W2 = LINES["w1"], LINES["w2"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quorum none",
        "quorum none\nquorum none\n",
        "quorum w1\n" + W1,
        W1 + W1 + "quorum w1\n",
        W1 + W1.replace("witness w1", "witness other") + "quorum w1\n",
        W1 + W2.replace("witness w2", "witness w1") + "quorum w1\n",
        W1 + "group w1 any w1\nquorum w1\n",
        W1 + "group none any w1\nquorum w1\n",
        W1 + "group g any w1 w1\nquorum g\n",
        W1 + "group g any w1\ngroup h any w1\nquorum g\n",
        W1 + "group g 2 w1\nquorum g\n",
        W1 + "group g 0 w1\nquorum g\n",
        W1 + "group g 01 w1\nquorum g\n",
        W1 + "group g +1 w1\nquorum g\n",
        W1 + "group g \u0661 w1\nquorum g\n",
        W1 + "group g any\nquorum g\n",
        W1 + "group g any g\nquorum g\n",
        W1 + "group g any w2\n" + W2 + "quorum g\n",
        "witness none " + W1.split(" ", 2)[2] + "quorum none\n",
        "witness w1 " + VERIFIER.vkey() + "\nquorum w1\n",
        "log " + WITNESSES["w1"].verifier.vkey() + "\nquorum none\n",
        LOG + LOG + "quorum none\n",
        "log\nquorum none\n",
        "quorum none extra\n",
        "Quorum none\n",
        "quorum none\r\n",
        "quorum none\n\x00\n",
        "quorum\u00a0none\n",
    ],
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    """A slip of the pen would lower the quorum in silence."""
    with pytest.raises(RemoteError):
        parse_policy(text.encode())


def test_a_name_that_is_no_utf8_is_refused_and_a_comment_may_be_anything() -> None:
    """An auditor's program would end in a traceback over a file that somebody handed in."""
    named, key = VERIFIER.vkey().encode().split(b"+", 1)
    with pytest.raises(Malformed, match="line 2: not UTF-8"):
        parse_policy(b"# \xff\nlog " + named + b"\xff+" + key + b"\nquorum none\n")
    assert parse_policy(b"# \xff\n" + LOG.encode() + b"quorum none\n").logs[0].public == VERIFIER.public


def test_a_log_has_no_vote_for_itself() -> None:
    """One stolen key would make both the log and its witness (docs/protocol.md 13.7)."""
    own = Ed25519Cosigner("witness.example/own", KEY)
    text = LOG + f"witness own {own.verifier.vkey()}\nquorum own\n"
    policy = parse_policy(text.encode())
    note = parse_note(NOTE)
    whole = Note(note.text, (*note.signatures, own.cosign(note.text, 1))).encode()
    assert open_cosigned(whole, policy).witnesses == {}


def test_who_must_have_signed() -> None:
    """A checkpoint that the log never signed would pass on the word of its witnesses; a forged line would count."""
    policy = parse_policy(THREE_OF_FOUR.encode())
    note = parse_note(cosigned("w1", "w2", "w3"))
    with pytest.raises(Untrusted, match="log itself"):
        open_cosigned(Note(note.text, note.signatures[1:]).encode(), policy)
    doubled = Note(note.text, (*note.signatures, note.signatures[1])).encode()
    with pytest.raises(Malformed):
        open_cosigned(doubled, policy)
    moved = Note(Checkpoint(ORIGIN, 6, HEAD.root).text(), note.signatures).encode()
    with pytest.raises(Untrusted):
        open_cosigned(moved, policy)
    bravo = Checkpoint("hotline/ab/BRAVO/main/1", 5, HEAD.root)
    with pytest.raises(Untrusted, match="unknown-log"):
        open_cosigned(sign_checkpoint(bravo, Ed25519Signer(bravo.origin, KEY)), policy)
    strangers = Ed25519CosignatureVerifier("x", SigningKey(bytes(32)).public)
    assert strangers.name not in open_cosigned(cosigned("w1"), policy).witnesses


def test_names_are_bounded_and_lines_are_counted_from_one() -> None:
    """A lawful policy would be refused, or one without end be read; and a slip be looked for in the wrong line."""
    vkeys = [
        Ed25519Cosigner(f"w.example/{n}", SigningKey(n.to_bytes(32, "big"))).verifier.vkey() for n in range(1, 130)
    ]
    lines = [f"witness n{number} {vkey}\n" for number, vkey in enumerate(vkeys)]
    assert len(parse_policy("".join([*lines[:128], "quorum none\n"]).encode()).witnesses) == 128
    with pytest.raises(Malformed, match=r"line 129: .*too many names"):
        parse_policy("".join([*lines, "quorum none\n"]).encode())


def test_a_last_line_that_does_not_end_is_refused() -> None:
    """A file that was cut short would be read as if it were whole."""
    assert parse_policy(b"quorum none\n# that is all\n").quorum == ""
    with pytest.raises(Malformed, match="does not end"):
        parse_policy(b"quorum none\n# that is al")


@pytest.mark.parametrize("byte", [0x00, 0x0B, 0x0D, 0x1B, 0x1F, 0x7F])
def test_control_characters_are_refused_wherever_they_stand(byte: int) -> None:
    """A comment could hide a line from whoever looks at the file."""
    with pytest.raises(Malformed, match="control character"):
        parse_policy(b"# a" + bytes((byte,)) + b"b\nquorum none\n")


def test_a_policy_at_its_bounds_is_read_and_one_beyond_is_not() -> None:
    """A lawful policy would be refused, or one without end be parsed (docs/protocol.md 13.7)."""
    text = b"quorum none\n"
    assert parse_policy(b"#" * (POLICY_BYTES_MAX - len(text) - 1) + b"\n" + text).quorum == ""
    with pytest.raises(Malformed, match="too-long"):
        parse_policy(b"#" * (POLICY_BYTES_MAX - len(text)) + b"\n" + text)
    keys = [Ed25519Verifier(f"log.example/{n}", SigningKey(n.to_bytes(32, "big")).public) for n in range(1, 66)]
    assert len(parse_policy(policy_text(keys[:64], "quorum none\n").encode()).logs) == 64
    with pytest.raises(Malformed, match=r"line 65: .*too many logs"):
        parse_policy(policy_text(keys, "quorum none\n").encode())


def test_what_is_quoted_of_a_policy_is_short() -> None:
    """A file that somebody handed in would fill the screen."""
    for line in ("x" * 40, "group g " + "x" * 40 + " w1"):
        with pytest.raises(Malformed, match=r"[^x]x{32}$"):
            parse_policy((W1 + line + "\nquorum w1\n").encode())
