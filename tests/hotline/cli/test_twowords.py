"""What a third party signed for us and for another: out of the store, and before whoever judges."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from hotline.charter.model import load_charter
from hotline.charter.parts import Charter
from hotline.charter.secrets import TerminalSecret, decode_secret
from hotline.config import load_endpoint_config
from hotline.crypto.signing import SigningKey
from hotline.drill.rehearsal import Rehearsal, rehearse
from hotline.ledger.log import Ledger
from hotline.machine import Instant, Output, Plane, Put
from hotline.protocol.statements import Ends, sign_content, statement_name
from hotline.protocol.tables import scoped
from hotline.protocol.twowords import TwoWords, parse, spell
from hotline.runtime.contentkeys import ContentKeys
from hotline.runtime.store import KEY_FOLDER, EndpointStore
from hotline.wire.codec import encode
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2
from tests.hotline.cli.conftest import Run
from tests.schemas import printed

NOW = Instant(1, 1_795_000_000_000)


@dataclass
class Three:
    """A rehearsed hotline of three, and the key of CHARLIE's terminal."""

    played: Rehearsal
    charter: Charter
    key: SigningKey
    number: int

    def signed(
        self, text: str, serial: int = 1, plane: Plane = Plane.REAL, **changes: object
    ) -> tuple[bytes, bytes, bytes]:
        """(content, signature, name) of a statement of CHARLIE's to all."""
        statement = content_pb2.Statement(
            serial=serial,
            precedence=content_pb2.PRECEDENCE_ROUTINE,
            kind=content_pb2.STATEMENT_KIND_TEXT,
            direction=content_pb2.DIRECTION_LTR,
            language="en",
            from_party="CHARLIE",
            to_party="*",
            text=text,
            body_salt=bytes(32),
        )
        for name, value in changes.items():
            setattr(statement, name, value)
        ends, content = Ends(self.charter.founding, self.number, 0), encode(statement)
        inner = sign_content(self.key, ContentType.STATEMENT, plane, ends, content)
        return content, inner.signature, statement_name(plane, ends, statement, content)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Three:
    """Made once; at BRAVO there is evidence of #1, and none of #2."""
    folder = tmp_path_factory.mktemp("three")
    played = rehearse(folder, [("relay-1", "127.0.0.1:41001")], parties=("ALPHA", "BRAVO", "CHARLIE"))
    charter = load_charter(played.charter.read_bytes())
    _, secret = decode_secret(TerminalSecret, (folder / "CHARLIE" / "terminal.key").read_bytes(), None)
    made = Three(played, charter, SigningKey(secret.signing), charter.terminal("CHARLIE", "main").number)
    config = load_endpoint_config(folder / "BRAVO" / "endpoint.toml")
    _, own = decode_secret(TerminalSecret, config.key.read_bytes(), None)
    keys = ContentKeys(config.store / KEY_FOLDER, own.storage)
    ledger = lambda *state: Ledger("hotline/x/BRAVO/main", SigningKey(own.ledger), *state, os.urandom)  # noqa: E731
    store = EndpointStore(config.store, ledger, keys)
    rows = store.of("CHARLIE")
    output = Output()
    for serial, text in ((1, "We stay."), (2, "We wait.")):
        content, signature, name = made.signed(text, serial)
        row = {"plane": "real", "serial": serial, "content": content, "signature": signature, "hash": name, "at": 1}
        output.changes.append(Put(scoped("received", "CHARLIE"), row))
    content, signature, _ = made.signed("We go.")
    told = content_pb2.Told(terminal=made.number, content=content, signature=signature)
    output.changes.append(Put(scoped("told", "CHARLIE"), {"plane": "real", "serial": 1, "content": encode(told)}))
    store.commit([output], NOW)
    assert rows.received_hash(Plane.REAL, 1) == made.signed("We stay.")[2]
    assert store.received_hash(Plane.REAL, 1) is None, "the first party's tables are others"
    store.close()
    return made


def test_the_evidence_convicts_before_anybody_who_has_the_charter(three: Three, tmp_path: Path, run: Run) -> None:
    """Two capitals would know of a lie, and could show it to nobody (docs/protocol.md 26.14)."""
    config, out = three.played.terminals[1].config, tmp_path / "charlie-1.evidence"
    made = run("audit", "two-words", "CHARLIE", "1", "--config", config, "--out", out)
    assert made.code == 0, made.err
    assert out.stat().st_mode & 0o777 == 0o600
    judged = run("audit", "judge", out, "--charter", three.played.charter)
    assert (judged.code, "TWO-WORDS: CHARLIE/main signed two statements as #1 (real)" in judged.out) == (6, True)
    assert "We stay." in judged.out
    assert "We go." in judged.out
    (report,) = printed(run("audit", "judge", out, "--charter", three.played.charter, "--json").out)
    assert report["kind"] == "TWO-WORDS"
    lacking = run("audit", "two-words", "CHARLIE", "2", "--config", config, "--out", tmp_path / "x")
    assert (lacking.code, "nothing is kept of #2" in lacking.err, (tmp_path / "x").exists()) == (1, True, False)
    assert run("audit", "two-words", "DELTA", "1", "--config", config, "--out", tmp_path / "x").code == 1


def test_what_does_not_hold_convicts_nobody(three: Three, tmp_path: Path, run: Run) -> None:
    """Whoever wants to could have any capital convicted (docs/protocol.md 26.14)."""

    def judged(words: TwoWords | bytes) -> int:
        path = tmp_path / "evidence"
        path.write_bytes(words if isinstance(words, bytes) else spell(words))
        return run("audit", "judge", path, "--charter", three.played.charter).code

    one, other = three.signed("We stay.")[:2], three.signed("We go.")[:2]
    number, real = three.number, Plane.REAL
    assert judged(TwoWords(number, real, (one, other))) == 6
    empty = three.signed("", kind=content_pb2.STATEMENT_KIND_VOID, language="")[:2]
    assert judged(TwoWords(number, real, (one, one))) == 0
    assert judged(TwoWords(number, real, (one, empty))) == 0, "it expired for one of the two"
    assert judged(TwoWords(number, real, (one, three.signed("We go.", 2)[:2]))) == 0
    assert judged(TwoWords(number, real, (one, (other[0], one[1])))) == 10
    assert judged(TwoWords(1, real, (one, other))) == 10
    assert judged(TwoWords(99, real, (one, other))) == 10
    assert judged(TwoWords(number, Plane.EXERCISE, (one, other))) == 10
    assert judged(TwoWords(number, real, (one, three.signed("We go.", to_party="BRAVO")[:2]))) == 10
    talk = [three.signed(text, plane=Plane.SERVICE)[:2] for text in ("The line is slow.", "The line is well.")]
    assert judged(TwoWords(number, Plane.SERVICE, (talk[0], talk[1]))) == 10, "talk that a restored terminal says anew"
    good = spell(TwoWords(number, real, (one, other)))
    assert parse(good).terminal == number
    respelt = json.dumps(json.loads(good)).encode()
    endless = good.replace(b'"terminal": %d' % number, b'"terminal": Infinity')
    for wrong in (b"", b"{}", b"[]", good[:-1], good.replace(b'"real"', b'"peace"'), respelt, endless):
        assert judged(wrong) == 10, wrong[:40]
