"""`hotline audit disclose`: one text is shown, the right one, or none."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from hotline.charter.model import load_charter
from hotline.charter.secrets import TerminalSecret, decode_secret, encode_secret
from hotline.config import EndpointConfig, load_endpoint_config
from hotline.crypto.signing import SigningKey
from hotline.drill.rehearsal import rehearse
from hotline.files import read_secret
from hotline.ledger.log import Ledger
from hotline.machine import Instant, Output, Private, Put, Record
from hotline.protocol.tables import scoped
from hotline.runtime.contentkeys import ContentKeys
from hotline.runtime.store import KEY_FOLDER, EndpointStore
from hotline.wire.codec import encode
from hotline.wire.v1 import content_pb2
from tests.hotline.cli.conftest import PASSPHRASE, Run, write_passphrase

NOW = 1_795_000_000_000


def _heard(party: str, text: str, salt: bytes) -> Record:
    private = {"body": Private(text.encode(), salt)}
    return Record("msg.recv", {"plane": "real", "serial": 1, "party": party}, private)


def _received(party: str, table: str, text: str, salt: bytes) -> Output:
    statement = content_pb2.Statement(
        serial=1,
        precedence=content_pb2.PRECEDENCE_ROUTINE,
        kind=content_pb2.STATEMENT_KIND_TEXT,
        direction=content_pb2.DIRECTION_LTR,
        language="en",
        text=text,
        body_salt=salt,
    )
    row = {"plane": "real", "serial": 1, "content": encode(statement), "signature": bytes(64), "hash": bytes(32)}
    return Output(records=[_heard(party, text, salt)], changes=[Put(table, {**row, "at": NOW})])


def _store(config: EndpointConfig) -> EndpointStore:
    charter = load_charter(config.charter.read_bytes())
    _, secret = decode_secret(TerminalSecret, read_secret(config.key), None)
    base, key = charter.log_base(charter.terminal(config.party, "main")), SigningKey(secret.ledger)
    ledger = lambda *state: Ledger(base, key, *state, os.urandom)  # noqa: E731
    return EndpointStore(config.store, ledger, ContentKeys(config.store / KEY_FOLDER, secret.storage))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of ALPHA's terminal: #1 of BRAVO and of CHARLIE are entries 1 and 2; 3 tells of a #1 of BRAVO that is gone."""
    folder = tmp_path_factory.mktemp("three")
    rehearse(folder, [("relay-1", "127.0.0.1:41001")], sockets=folder, parties=("ALPHA", "BRAVO", "CHARLIE"))
    path = folder / "ALPHA" / "endpoint.toml"
    outputs = [
        Output(records=[Record("log.vouched", {"by": "x"})]),
        _received("BRAVO", "received", "for ALPHA alone", b"1" * 32),
        _received("CHARLIE", scoped("received", "CHARLIE"), "what CHARLIE said", b"2" * 32),
        Output(records=[_heard("BRAVO", "another", b"3" * 32)]),
    ]
    with closing(_store(load_endpoint_config(path))) as store:
        store.of("CHARLIE")
        for number, output in enumerate(outputs, 1):
            store.commit([output], Instant(number, NOW + number))
    return path


def test_what_one_party_said_is_shown_and_not_another_ones(config: Path, run: Run, tmp_path: Path) -> None:
    """A secret of one capital lay in the file that was to show a third party another one's (protocol 13.12, 26.6)."""
    for entry, text in ((1, "for ALPHA alone"), (2, "what CHARLIE said")):
        made = run("audit", "disclose", entry, "--fields", "body", "--config", config, "--out", tmp_path)
        assert made.code == 0, made.err
        assert json.loads((tmp_path / f"1-{entry}.opening").read_bytes())["body"]["value"] == text


def test_what_the_entry_does_not_commit_to_is_not_written(config: Path, run: Run, tmp_path: Path) -> None:
    """Whatever lay in the store under that serial was handed out as the text of the entry (protocol 13.12)."""
    refused = run("audit", "disclose", 3, "--fields", "body", "--config", config, "--out", tmp_path / "out")
    assert (refused.code, "not the body that entry 3 commits to" in refused.err) == (9, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("sealed_with", [PASSPHRASE, PASSPHRASE + "\r"])
@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (("audit", "disclose", 1, "--fields", "body"), 0, "the opening shows body"),
        (("audit", "destroy", "2020-01", "--yes"), 1, "no such content key"),
        (("audit", "two-words", "BRAVO", 1), 1, "nothing is kept of #1"),
        (("endpoint", "check"), 0, "ok    keys"),
        (("doctor",), 1, "ok    keys"),
    ],
    ids=lambda given: given[-1] if isinstance(given, tuple) else None,
)
def test_a_sealed_key_is_opened_by_every_command(
    config: Path, run: Run, tmp_path: Path, command: tuple[object, ...], code: int, said: str, sealed_with: str
) -> None:
    """Its texts could be neither shown nor destroyed, and the doctor found it ill (P31, docs/protocol.md 13.20).

    The second is how a file whose lines end as on other systems was read when the key was sealed.
    """
    shutil.copytree(config.parent.parent, tmp_path / "site")
    folder = tmp_path / "site" / "ALPHA"
    moved = folder / "endpoint.toml"
    name, secret = decode_secret(TerminalSecret, read_secret(folder / "terminal.key"), None)
    (folder / "terminal.key").write_bytes(encode_secret(name, secret, sealed_with.encode(), os.urandom))
    word = write_passphrase(tmp_path / "word", PASSPHRASE + "\r")
    more = ("--out", tmp_path / "out") if command[0] == "audit" and "--yes" not in command else ()
    without = run(*command, "--config", moved, *more)
    assert without.code in (1, 2)
    assert "give --passphrase-file" in without.out + without.err
    ran = run(*command, "--config", moved, "--passphrase-file", word, *more)
    assert (ran.code, said in ran.out + ran.err) == (code, True), ran.out + ran.err
    wrong = run(
        *command, "--config", moved, "--passphrase-file", write_passphrase(tmp_path / "other", "another"), *more
    )
    assert "terminal.key: the passphrase does not open" in wrong.out + wrong.err
