"""The page that tells how to check an entry without our software does what it says, also on what is false."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hotline.crypto.signing import SigningKey
from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.ledger.log import Ledger
from hotline.ledger.note import Ed25519Verifier, Note, parse_note
from hotline.ledger.policy import policy_text
from hotline.ledger.proof import make_proof
from hotline.ledger.tree import Frontier
from hotline.machine import Private, Record

PAGE = (Path(__file__).parents[1] / "docs" / "verify-by-hand.md").read_text()
SCRIPTS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
BASE, KEY, TEXT, SALT = (
    "hotline/ab/ALPHA/main",
    SigningKey(bytes(range(32))),
    "It was said, \u0648 heard.",
    bytes(range(32)),
)
WITNESSES = [Ed25519Cosigner(f"witness.example/w{n}", SigningKey(bytes([n] * 32))) for n in (1, 2)]
SIZE = 21

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("openssl", "xxd", "base64", "sed", "bash")), reason="a tool is missing"
)


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A folder with a policy, and proof and leaf of every entry of a log."""
    ledger = Ledger(BASE, KEY, 1, Frontier(), 0, bytes)
    ledger.signing = True
    records = [
        Record("msg.submit", {"serial": n}, {"body": Private(TEXT.encode(), SALT), "drafter": Private(b"watch")})
        for n in range(SIZE)
    ]
    (segment,) = ledger.stage(records, 1_795_000_000_000).segments
    nodes = {(node.level, node.position): node.hash for made in segment.nodes for node in made}
    note = parse_note(segment.note)
    lines = tuple(witness.cosign(note.text, 1_795_000_100) for witness in WITNESSES)
    whole = Note(note.text, (*note.signatures, *lines)).encode()
    for index in range(SIZE):
        (tmp_path / f"{index}.leaf").write_bytes(segment.entries[index].leaf)
        proof = make_proof(index, whole, lambda level, position: nodes[level, position])
        (tmp_path / f"{index}.tlog-proof").write_bytes(proof.encode())
    named = "".join(f"witness w{n} {one.verifier.vkey()}\n" for n, one in enumerate(WITNESSES, 1))
    policy = policy_text([Ed25519Verifier(f"{BASE}/1", KEY.public)], named + "group both all w1 w2\nquorum both\n")
    (tmp_path / "policy.txt").write_text(policy)
    (tmp_path / "by-hand.sh").write_text(SCRIPTS[0])
    (tmp_path / "commitment.sh").write_text(SCRIPTS[1])
    (tmp_path / "body.txt").write_text(TEXT)
    return tmp_path


def by_hand(case: Path, leaf: str, proof: str, policy: str = "policy.txt") -> subprocess.CompletedProcess[str]:
    command = ["bash", "by-hand.sh", policy, leaf, proof]
    return subprocess.run(command, cwd=case, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("index", [0, 13, 16, 20])
def test_an_entry_is_found_and_its_witnesses_named(case: Path, index: int) -> None:
    """The record would be worth nothing in the year when our program is gone."""
    ran = by_hand(case, f"{index}.leaf", f"{index}.tlog-proof")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [f"entry {index} of {SIZE} is in {BASE}/1", f"signed by: {BASE}/1 w1 w2 "]


def test_what_is_false_is_refused(case: Path) -> None:
    """The recipe would say yes to everything, and nobody who uses it could know."""
    leaf = (case / "13.leaf").read_bytes()
    proof = (case / "13.tlog-proof").read_text()
    (case / "altered.leaf").write_bytes(leaf.replace(b'"serial":13', b'"serial":14'))
    (case / "moved.tlog-proof").write_text(proof.replace("index 13", "index 12"))
    (case / "short.tlog-proof").write_text(re.sub(r"(index 13\n)[^\n]+\n", r"\1", proof))
    (case / "size.tlog-proof").write_text(proof.replace(f"\n{SIZE}\n", f"\n{SIZE + 1}\n"))
    policy = (case / "policy.txt").read_text()
    stranger = Ed25519Verifier(f"{BASE}/1", SigningKey(bytes(32)).public).vkey()
    (case / "stranger.txt").write_text(re.sub(r"^log .*$", f"log {stranger}", policy, flags=re.MULTILINE))
    for arguments in (
        ("altered.leaf", "13.tlog-proof"),
        ("12.leaf", "13.tlog-proof"),
        ("13.leaf", "moved.tlog-proof"),
        ("13.leaf", "short.tlog-proof"),
        ("13.leaf", "size.tlog-proof"),
        ("13.leaf", "13.tlog-proof", "stranger.txt"),
    ):
        assert by_hand(case, *arguments).returncode != 0, arguments


def test_a_forged_witness_is_not_named(case: Path) -> None:
    """A quorum could be written in by hand."""
    proof = (case / "13.tlog-proof").read_text()
    line = next(one for one in proof.splitlines() if "witness.example/w2" in one)
    (case / "forged.tlog-proof").write_text(proof.replace(line[-8:-4], "AAAA"))
    ran = by_hand(case, "13.leaf", "forged.tlog-proof")
    assert ran.stdout.splitlines()[-1] == f"signed by: {BASE}/1 w1 "


def test_the_text_and_no_other_opens_the_commitment(case: Path) -> None:
    """Another text could be shown to belong to the entry."""
    (case / "other.txt").write_text(TEXT + " ")

    def check(text: str, salt: bytes, field: str = "body") -> int:
        command = ["bash", "commitment.sh", "13.leaf", field, text, salt.hex()]
        return subprocess.run(command, cwd=case, capture_output=True, timeout=60).returncode

    assert check("body.txt", SALT) == 0
    assert check("other.txt", SALT) != 0
    assert check("body.txt", bytes(32)) != 0
    assert check("body.txt", SALT, "drafter") != 0
