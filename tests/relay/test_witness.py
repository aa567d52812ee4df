"""The witness over real HTTP and a real database: what it answers, what it keeps, and what it never signs."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hotline.crypto.mldsa44 import PostQuantumKey
from hotline.crypto.signing import SigningKey
from hotline.errors import ConfigError, StorageError
from hotline.ledger.checkpoint import Checkpoint, sign_checkpoint
from hotline.ledger.cosignature import Ed25519Cosigner, MlDsa44Cosigner, timestamp
from hotline.ledger.note import Ed25519Signer, open_note
from hotline.ledger.witness import AddCheckpoint, Status, Witness, parse_add_checkpoint
from relay.witness import WitnessServer, WitnessService, WitnessStore, whose
from tests.hotline.ledger.specimen import KEY, ORIGIN, VERIFIER
from tests.hotline.ledger.test_witness import FORK, LOG, SIGNER, Log

ED = Ed25519Cosigner("witness.example/w1", SigningKey(bytes(range(1, 33))))
PQ = MlDsa44Cosigner("witness.example/w1", PostQuantumKey(bytes(range(2, 34))))
NAME = hashlib.sha256(ORIGIN.encode()).hexdigest()


class Clock:
    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


class Site:
    """A running witness."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.store = WitnessStore(folder)
        self.service = WitnessService(
            Witness(lambda o: VERIFIER if o == ORIGIN else None, [ED, PQ]), self.store, self.clock
        )
        self.server = WitnessServer("127.0.0.1:0", self.service)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_address[1], timeout=5)
        with closing(connection):
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type", ""), answer.read()

    def add(self, request: bytes) -> tuple[int, str, bytes]:
        return self.ask("POST", "/add-checkpoint", request)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        self.store.close()


@contextmanager
def running(folder: Path) -> Iterator[Site]:
    site = Site(folder)
    try:
        yield site
    finally:
        site.stop()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running(tmp_path) as made:
        yield made


def test_it_answers_as_published(site: Site) -> None:
    """A log of another program could not be witnessed here (docs/protocol.md 13.17)."""
    status, _, lines = site.add(LOG.request(0, 5))
    assert status == 200
    note = parse_add_checkpoint(LOG.request(0, 5)).note + lines
    assert len(open_note(note, [VERIFIER, ED.verifier, PQ.verifier]).verified) == 3
    assert site.add(LOG.request(0, 6)) == (409, "text/x.tlog.size", b"5\n")
    assert site.add(FORK.request(5, 12))[0] == Status.UNPROCESSABLE
    assert site.add(b"nonsense")[0] == Status.BAD_REQUEST
    assert site.add(LOG.request(5, 12))[0] == 200
    status, _, latest = site.ask("GET", f"/{NAME}/checkpoint")
    assert status == 200
    assert latest.split(b"\n")[1] == b"12"
    assert len(open_note(latest, [VERIFIER, ED.verifier]).verified) == 2


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/", None),
        ("GET", f"/{NAME}", None),
        ("GET", f"/{'0' * 64}/checkpoint", None),
        ("POST", "/", b"x"),
        ("POST", "/add-checkpoint/", b"x"),
    ],
)
def test_other_paths_are_not_there(site: Site, method: str, path: str, body: bytes | None) -> None:
    """Something would answer that nobody has thought about."""
    assert site.ask(method, path, body)[0] == 404


def test_a_body_without_an_honest_length_is_refused(site: Site) -> None:
    """One request could hold the memory of the witness."""
    for length in ("65537", "70000", "-1", "", "1_0", "9" * 5_000):
        connection = http.client.HTTPConnection("127.0.0.1", site.server.server_address[1], timeout=5)
        with closing(connection):
            connection.putrequest("POST", "/add-checkpoint")
            connection.putheader("Content-Length", length)
            connection.endheaders()
            assert connection.getresponse().status == 400


def test_a_signed_contradiction_is_kept(site: Site) -> None:
    """The words that convict a log would be thrown away by the only one who heard them."""
    # docs/protocol.md 13.7 and 13.17
    site.add(LOG.request(0, 12))
    site.add(FORK.request(12, 20))
    site.add(b"nonsense")
    rows = site.store._db.execute("SELECT held, request FROM evidence").fetchall()
    assert [bytes(row[1]) for row in rows] == [FORK.request(12, 20)]
    assert bytes(rows[0][0]).split(b"\n")[1] == b"12"


def test_what_it_signed_outlives_it(tmp_path: Path) -> None:
    """A restarted witness would sign a smaller log (docs/protocol.md 13.7)."""
    with running(tmp_path) as site:
        site.add(LOG.request(0, 12))
    with running(tmp_path) as site:
        assert site.add(LOG.request(0, 5)) == (409, "text/x.tlog.size", b"12\n")


def test_a_clock_set_back_makes_no_evidence_against_itself(site: Site) -> None:
    """An honest witness would look as if it had gone back."""
    site.add(LOG.request(0, 5))
    site.clock.now -= 3_600
    _, _, lines = site.add(LOG.request(5, 12))
    note = open_note(parse_add_checkpoint(LOG.request(5, 12)).note + lines, [ED.verifier])
    assert timestamp(note.verified[0].value) == 1_795_000_000


def test_many_at_once_never_take_a_log_back(site: Site) -> None:
    """The published race: two requests are judged before either is stored."""
    site.add(LOG.request(0, 5))
    answers: list[tuple[int, int]] = []

    def ask(size: int) -> None:
        answers.append((size, site.add(LOG.request(5, size))[0]))

    threads = [threading.Thread(target=ask, args=(size,)) for size in range(6, 26)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for _, status in answers) == [200] + [409] * 19
    (winner,) = [size for size, status in answers if status == 200]
    assert site.add(LOG.request(0, 5))[2] == b"%d\n" % winner


def test_a_failed_commit_ends_the_answers(site: Site) -> None:
    """A cosignature would leave over something that no disk holds."""
    site.add(LOG.request(0, 5))
    site.store._db.execute("PRAGMA query_only=ON")
    assert site.add(LOG.request(5, 12))[0] == 503
    assert site.service.failed.is_set()
    site.store._db.execute("PRAGMA query_only=OFF")
    assert site.add(LOG.request(5, 12))[0] == 503


def test_a_second_witness_on_one_store_is_refused(site: Site, tmp_path: Path) -> None:
    """Two witnesses with one key would each sign their own view."""
    with pytest.raises(StorageError, match="another witness"):
        WitnessStore(tmp_path)


def test_it_stores_nothing_of_what_is_said(tmp_path: Path) -> None:
    """A witness would learn more than sizes and hashes."""
    with running(tmp_path) as site:
        site.add(LOG.request(0, 12))
        columns = {row[1] for row in site.store._db.execute("PRAGMA table_info(head)")}
        assert columns == {"origin", "name", "size", "root", "note", "at"}


def test_a_proof_from_nothing_is_kept_as_evidence_against_nothing(site: Site) -> None:
    """One strange request would end the witness (docs/protocol.md 13.17)."""
    strange = LOG.request(5, 12).replace(b"old 5\n", b"old 0\n", 1)
    assert strange != LOG.request(5, 12)
    assert site.add(strange)[0] == Status.UNPROCESSABLE
    assert site.add(LOG.request(0, 5))[0] == 200


def _posted(site: Site, path: str, length: str, body: bytes) -> tuple[int, bytes]:
    """Status of the answer, and what else comes before the connection ends or a moment has passed."""
    connection = http.client.HTTPConnection("127.0.0.1", site.server.server_address[1], timeout=5)
    with closing(connection):
        connection.putrequest("POST", path)
        connection.putheader("Content-Length", length)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_the_longest_request_is_read(site: Site) -> None:
    """A lawful proof with many cosignatures would be refused for its length (docs/protocol.md 13.17)."""
    assert _posted(site, "/", "65536", bytes(65_536)) == (404, b"POST /add-checkpoint\n")
    assert _posted(site, "/", "00004", b"none")[0] == 404
    assert _posted(site, "/", "000004", b"none")[0] == 400


def test_after_a_dishonest_length_the_connection_ends(site: Site) -> None:
    """What follows would be read as another request (docs/protocol.md 13.17)."""
    connection = http.client.HTTPConnection("127.0.0.1", site.server.server_address[1], timeout=5)
    with closing(connection):
        connection.putrequest("POST", "/add-checkpoint")
        connection.putheader("Content-Length", "70000")
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        assert connection.sock is not None
        assert connection.sock.recv(1) == b""


@contextmanager
def serving(folder: Path) -> Iterator[tuple[WitnessService, WitnessStore]]:
    """A witness without HTTP, which holds five entries; of an earlier run, as many."""
    store = WitnessStore(folder)
    service = WitnessService(Witness(lambda o: VERIFIER if o == ORIGIN else None, [ED]), store, Clock())
    service.add_checkpoint(LOG.request(0, 5))
    try:
        yield service, store
    finally:
        store.close()


def kept(store: WitnessStore) -> list[int]:
    """Sizes of the heads that are kept as evidence."""
    rows = store._db.execute("SELECT request FROM evidence ORDER BY id")
    return [int(parse_add_checkpoint(bytes(row[0])).note.split(b"\n")[1]) for row in rows]


def made_up(log: Log, size: int, old: int = 5) -> bytes:
    """A head of the log's own, with a proof out of the air."""
    note = parse_add_checkpoint(log.request(0, size)).note
    return AddCheckpoint(old, (os.urandom(32),), note).encode()


def test_strangers_cannot_fill_a_witness_so_that_a_fork_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong proofs cost a stranger nothing, and stay for ever; what convicts a log would go (docs/protocol.md 13.7)."""
    monkeypatch.setattr("relay.witness.WITNESS_EVIDENCE_MAX", 2)
    for _ in range(2):  # after a restart too
        with serving(tmp_path) as (service, store):
            for size in (5, 5, 6, 6, 7, 8, 9):
                assert service.add_checkpoint(made_up(LOG, size))[0] == 422
            assert kept(store)[:2] == [6, 7]
            service.add_checkpoint(made_up(FORK, 5))
            service.add_checkpoint(made_up(FORK, 5))
            assert kept(store) == [6, 7, 5]
    others = [Log(5, tint) for tint in (b"1", b"2")]
    with serving(tmp_path) as (service, store):
        for other in others:
            service.add_checkpoint(made_up(other, 5))
        assert kept(store) == [6, 7, 5, 5]
        held = store._db.execute("SELECT held FROM evidence").fetchall()
    assert {bytes(row[0]).split(b"\n")[1] for row in held} == {b"5"}


def test_each_log_has_room_of_its_own_for_evidence_in_whatever_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has the key of one log could hide the fork of another (docs/protocol.md 13.7)."""
    monkeypatch.setattr("relay.witness.WITNESS_EVIDENCE_MAX", 1)
    base = ORIGIN.rpartition("/")[0]
    heads = [Checkpoint(origin, 5, bytes(32)) for origin in (f"{base}/1", f"{base}/2", f"{base}-other/1", "strange")]
    store = WitnessStore(tmp_path)
    for head in heads:
        note = sign_checkpoint(head, Ed25519Signer(head.origin, KEY))
        store.accuse(b"", AddCheckpoint(0, (), note).encode(), 1_795_000_000, convicts=True)
    found = [parse_add_checkpoint(bytes(row[0])).note for row in store._db.execute("SELECT request FROM evidence")]
    store.close()
    assert [note.split(b"\n")[0].decode() for note in found] == [f"{base}/1", f"{base}-other/1", "strange"]


def test_what_is_cosigned_is_no_evidence_any_more(tmp_path: Path) -> None:
    """Strangers who are quicker than a log would leave an accusation of each of its heads (docs/protocol.md 13.7)."""
    with serving(tmp_path) as (service, store):
        for size in (6, 7):
            service.add_checkpoint(made_up(LOG, size))
        assert service.add_checkpoint(LOG.request(5, 6))[0] == 200
        assert kept(store) == [7]
        service.add_checkpoint(LOG.request(6, 8))
        assert kept(store) == [7]
    with serving(tmp_path) as (_, store):
        assert kept(store) == [7]


def test_what_is_no_evidence_any_more_takes_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log whose heads strangers bring first would use up the room for what contradicts it (docs/protocol.md 13.7)."""
    monkeypatch.setattr("relay.witness.WITNESS_EVIDENCE_MAX", 1)
    with serving(tmp_path) as (service, store):
        for size in (6, 7, 8):
            service.add_checkpoint(made_up(LOG, size, size - 1))
            assert kept(store) == [size]
            assert service.add_checkpoint(LOG.request(size - 1, size))[0] == 200
        assert kept(store) == []


def test_what_an_earlier_program_kept_of_strangers_is_thrown_away(tmp_path: Path) -> None:
    """A witness that was filled once would keep no fork after it is mended, either (docs/protocol.md 13.7)."""
    with serving(tmp_path) as (service, store):
        held = service.latest(NAME)
        for request in (made_up(LOG, 5), made_up(LOG, 6)):
            store._db.execute("INSERT INTO evidence (at, held, request) VALUES (1, ?, ?)", (held, request))
    with serving(tmp_path) as (_, store):
        assert kept(store) == [6]


class _Lines:
    """What a service writes into its log."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def error(self, event: str, **_: object) -> None:
        self.said.append(("error", event))

    def warning(self, event: str, **_: object) -> None:
        self.said.append(("warning", event))


def test_an_operator_reads_of_contradictions_and_of_strangers_and_of_no_more(tmp_path: Path) -> None:
    """A fork would stand among lines of terminals that only ask again (docs/protocol.md 13.17)."""
    store, lines = WitnessStore(tmp_path), _Lines()
    service = WitnessService(Witness(lambda o: VERIFIER if o == ORIGIN else None, [ED]), store, Clock())
    service._log = lines  # type: ignore[assignment]
    for request in (LOG.request(0, 5), LOG.request(0, 6), b"nonsense", FORK.request(5, 12)):
        service.add_checkpoint(request)
    store.close()
    assert lines.said == [("warning", "refused"), ("error", "contradiction")]


def _connection(site: Site, source: str) -> http.client.HTTPConnection:
    """A connection that has asked once, and says no more."""
    port = site.server.server_address[1]
    made = http.client.HTTPConnection("127.0.0.1", port, timeout=5, source_address=(source, 0))
    made.request("GET", "/")
    made.getresponse().read()
    return made


def _lives(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (http.client.HTTPException, OSError):
        return False
    return True


def test_idle_connections_keep_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers' connections would keep every terminal's head from being witnessed."""
    # docs/protocol.md 13.17
    monkeypatch.setattr("relay.witness.WITNESS_CONNECTIONS_MAX", 3)
    with running(tmp_path) as site, contextlib.ExitStack() as ends:
        ours = ends.enter_context(closing(_connection(site, "127.0.0.2")))
        strangers = [ends.enter_context(closing(_connection(site, "127.0.0.1"))) for _ in range(5)]
        assert [_lives(one) for one in strangers] == [False, False, False, True, True]
        assert _lives(ours), "it is older than all of them, and they are one and the same"
        _ = [ends.enter_context(closing(_connection(site, f"127.0.0.{last}"))) for last in (3, 4, 5)]
        assert not _lives(ours), "where nobody has more than another, the oldest gives way"
        assert len(site.server._open) == 3


def test_a_connection_that_ended_takes_no_place(tmp_path: Path) -> None:
    """Each one that ever was would count, and those that live be closed for them (docs/protocol.md 13.17)."""
    with running(tmp_path) as site:
        for _ in range(3):
            _connection(site, "127.0.0.1").close()
        deadline = time.monotonic() + 5
        while site.server._open:
            assert time.monotonic() < deadline


def test_a_subscriber_is_one_however_many_addresses_it_has() -> None:
    """In IPv6 one stranger has more addresses than a witness has places (docs/protocol.md 13.17)."""
    assert whose("2001:db8::1") == whose("2001:db8::8000:0:0:2%eth0") != whose("2001:db8:0:1::1")
    assert whose("::ffff:192.0.2.1") == whose("192.0.2.1") != whose("192.0.2.2")


def test_an_address_that_is_taken_is_told_in_a_sentence(site: Site) -> None:
    """A witness that is started twice would end in a traceback."""
    port = site.server.server_address[1]
    with pytest.raises(ConfigError, match=f"127.0.0.1:{port} cannot be listened on"):
        WitnessServer(f"127.0.0.1:{port}", site.service)


def test_a_fault_of_the_program_is_told_and_costs_one_request(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be taken for a broken connection, and the transaction it left open would stop the witness later."""
    lines, judge = _Lines(), Witness.judge
    monkeypatch.setattr("relay.witness.get_logger", lambda _: lines)
    with monkeypatch.context() as broken:
        broken.setattr(Witness, "judge", lambda *_: next(iter(())))
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            site.add(LOG.request(0, 5))
    assert Witness.judge is judge
    assert site.add(LOG.request(0, 5))[0] == Status.OK
    assert (lines.said, site.service.failed.is_set()) == ([("error", "fault")], False)


@pytest.mark.parametrize("size", [2**63, 10**19 - 1])
def test_no_size_ends_a_witness(site: Site, size: int) -> None:
    """One terminal could take everybody's witness away, each time it is started (docs/protocol.md 13.14 and 13.17)."""
    for old in (b"old 0", b"old %d" % size):
        head = Checkpoint(ORIGIN, size, bytes(32))
        assert site.add(old + b"\n\n" + sign_checkpoint(head, SIGNER))[0] == Status.BAD_REQUEST
    assert site.add(b"old 0\n\n" + sign_checkpoint(Checkpoint(ORIGIN, 2**63 - 1, bytes(32)), SIGNER))[0] == 200
    assert site.add(LOG.request(0, 5))[0] == 409
