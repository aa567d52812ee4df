"""Files that matter: a secret that is not secret is not read, and nothing is ever half written or overwritten."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from hotline import files
from hotline.errors import ConfigError, HotlineError, KeyFileError, Untrusted
from hotline.files import FILE_BYTES_MAX, naming, new_folder, read_public, read_secret, replace, write_new


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file as `hotline key` leaves it."""
    path = tmp_path / "ALPHA.main.terminal.key"
    write_new(path, b"secret", 0o600)
    return path


def refusal(path: Path) -> str:
    """What is said when a secret is not read."""
    with pytest.raises(KeyFileError) as caught:
        read_secret(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_secret_of_ones_own_is_read(secret: Path, mode: int) -> None:
    """A terminal would not start though everything is in order."""
    secret.chmod(mode)
    assert read_secret(secret) == b"secret"


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o644, 0o666, 0o777])
def test_a_secret_that_others_can_reach_is_refused_with_the_remedy(secret: Path, mode: int) -> None:
    """Every user of the machine could have taken the key, and nobody would know."""
    secret.chmod(mode)
    said = refusal(secret)
    assert f"{mode:04o}" in said
    assert f"chmod 600 {secret}" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_secret_of_another_user_is_refused(secret: Path) -> None:
    """Whoever owns the file can change the key under us."""
    os.chown(secret, 12_345, 12_345)
    assert "another user" in refusal(secret)


def test_the_owner_is_compared_with_the_one_who_runs(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check would hold for root only."""
    os.chown(secret, 0, 0) if os.geteuid() == 0 else None
    owner = secret.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:
        # Root can read everything anyway, and service managers hand credentials over as root's.
        assert read_secret(secret) == b"secret"
    else:
        assert "another user" in refusal(secret)


def test_a_missing_secret_is_told_with_the_remedy(tmp_path: Path) -> None:
    """An administrator would not know what to make."""
    assert "make it with `hotline key`" in refusal(tmp_path / "none.key")
    assert refusal(tmp_path / "word.txt").endswith("word.txt: no such file; correct the path"), "no command makes these"


@pytest.mark.parametrize("name", ["ALPHA.identity.pub", "ALPHA.main.terminal.card", "ALPHA.offer", "charter.note"])
def test_a_public_file_in_the_place_of_a_secret_is_told_as_one(tmp_path: Path, name: str) -> None:
    """An administrator would hide the .pub from others, and wonder what is wrong with it then."""
    write_new(tmp_path / name, b"public")
    assert "a public file, which holds no secret" in refusal(tmp_path / name)
    assert "chmod" not in refusal(tmp_path / name)


def _folder(path: Path) -> None:
    path.mkdir(mode=0o700)


def _fifo(path: Path) -> None:
    os.mkfifo(path, 0o600)


def _link(path: Path) -> None:
    target = path.with_name("target")
    write_new(target, b"secret", 0o600)
    path.symlink_to(target)


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    path.chmod(0o600)


@pytest.mark.parametrize("make", [_folder, _fifo, _link, _dangling, _socket])
def test_what_is_not_a_plain_file_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    """A daemon would wait for ever on a FIFO, or follow a link to a file that somebody else chose."""
    monkeypatch.chdir(tmp_path)
    path = Path("odd.key")
    make(path)
    refusal(path)


def test_a_device_is_refused() -> None:
    """An endless file would fill the memory."""
    assert "not a plain file" in refusal(Path("/dev/zero"))
    with pytest.raises(ConfigError, match="not a plain file"):
        read_public(Path("/dev/zero"))


def test_the_length_of_a_secret_is_bounded_at_the_limit_and_one_beyond(secret: Path) -> None:
    """A wrong path would read a whole disk image."""
    secret.write_bytes(bytes(FILE_BYTES_MAX))
    assert len(read_secret(secret)) == FILE_BYTES_MAX
    secret.write_bytes(bytes(FILE_BYTES_MAX + 1))
    assert "too long" in refusal(secret)


def test_a_public_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    """A charter would be refused, or a hostile one read without end."""
    path = tmp_path / "charter.json"
    path.write_bytes(b"12345")
    path.chmod(0o644)
    assert read_public(path, 5) == b"12345"
    with pytest.raises(ConfigError, match="longer than 4 bytes") as caught:
        read_public(path, 4)
    assert str(path) in str(caught.value)


def test_a_public_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """An administrator would search through every path of the configuration."""
    for path, said in (
        (tmp_path / "none", "no such file"),
        (tmp_path, "not a plain file"),
        (tmp_path / "x" / "y", "no such file"),
    ):
        with pytest.raises(ConfigError, match=said) as caught:
            read_public(path)
        assert str(path) in str(caught.value)


def test_a_new_file_has_its_mode_from_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret would be readable for a moment, and a moment is enough."""
    seen: list[int] = []
    real = os.fsync

    def look(descriptor: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    write_new(tmp_path / "new.key", b"secret", 0o600)
    assert seen[0] == 0o600
    assert mode_of(tmp_path / "new.key") == 0o600


def test_nothing_is_overwritten(secret: Path, tmp_path: Path) -> None:
    """The only copy of an identity key would be lost by repeating a command."""
    link, dangling = tmp_path / "link", tmp_path / "dangling"
    link.symlink_to(secret)
    dangling.symlink_to(tmp_path / "elsewhere")
    for path in (secret, link, dangling):
        with pytest.raises(ConfigError, match="not overwritten") as caught:
            write_new(path, b"other")
        assert str(path) in str(caught.value)
    assert secret.read_bytes() == b"secret"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("act", [write_new, replace])
def test_file_and_folder_are_on_the_disk_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Callable[[Path, bytes], None]
) -> None:
    """After a power cut the key that was just confirmed would not be there."""
    synced: list[tuple[int, bool]] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(_shape(descriptor)))
    path = tmp_path / "new"
    act(path, b"content")
    file = (path.stat().st_ino, False)
    folder = (tmp_path.stat().st_ino, True)
    assert synced[0] == file
    assert synced[-1] == folder


def test_the_folder_is_synced_after_the_new_content_has_its_name(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut the old charter would be in force again though the new one was confirmed."""
    found: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: found.append(secret.read_bytes()))
    replace(secret, b"other", 0o600)
    assert found[0] == b"secret"
    assert found[-1] == b"other"


def _shape(descriptor: int) -> tuple[int, bool]:
    state = os.fstat(descriptor)
    return state.st_ino, stat.S_ISDIR(state.st_mode)


def test_a_file_that_could_not_be_written_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a key would stand in the way of the next attempt, and be taken for a whole one."""

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        write_new(tmp_path / "new", b"content")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    """A first installation would end in a traceback."""
    for act in (write_new, replace):
        with pytest.raises(ConfigError, match="No such file"):
            act(tmp_path / "none" / "new", b"content")


def test_replacing_puts_the_whole_content_in_place(secret: Path, tmp_path: Path) -> None:
    """A reader would find half a charter."""
    before = secret.stat().st_ino
    replace(secret, b"longer content than before", 0o600)
    assert secret.read_bytes() == b"longer content than before"
    assert secret.stat().st_ino != before
    assert mode_of(secret) == 0o600
    replace(tmp_path / "fresh", b"first")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ALPHA.main.terminal.key", "fresh"]


def test_the_old_content_stays_when_replacing_fails(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk would cost the charter that was in force."""

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        replace(secret, b"other", 0o600)
    assert secret.read_bytes() == b"secret"
    assert [path.name for path in secret.parent.iterdir()] == [secret.name]


def test_the_draft_of_an_interrupted_attempt_is_no_obstacle(secret: Path) -> None:
    """After a power cut nothing could be replaced any more."""
    secret.with_name(f".{secret.name}.new").write_bytes(b"half")
    replace(secret, b"other", 0o600)
    assert secret.read_bytes() == b"other"


def test_what_cannot_be_replaced_is_told_by_its_name(secret: Path, tmp_path: Path) -> None:
    """The daemon would end in a traceback that names a file nobody has heard of."""
    occupied = tmp_path / "occupied"
    (tmp_path / ".occupied.new").mkdir()
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (secret / "below-a-file", occupied, folder):
        with pytest.raises(ConfigError, match="cannot be replaced") as caught:
            replace(path, b"content")
        assert str(path) in str(caught.value)
    assert not (tmp_path / ".folder.new").exists()


def test_an_error_without_a_name_gets_the_name_of_the_file(tmp_path: Path) -> None:
    """Of ten files one is damaged, and nobody would know which."""
    path = tmp_path / "charter.json"

    def local() -> None:
        raise KeyFileError("damaged")

    def remote() -> None:
        raise Untrusted("signature", "does not hold")

    def already() -> None:
        raise ConfigError(f"{path}: damaged")

    with pytest.raises(KeyFileError) as kept:
        naming(path, local)
    assert str(kept.value) == f"{path}: damaged"
    with pytest.raises(Untrusted) as reason:
        naming(path, remote)
    assert reason.value.reason == "signature"
    assert str(reason.value) == f"signature: {path}: does not hold", "the reason stands there once"
    with pytest.raises(ConfigError) as once:
        naming(path, already)
    assert str(once.value).count(str(path)) == 1
    assert naming(path, lambda: 7) == 7


def test_no_descriptor_is_left_open(secret: Path, tmp_path: Path) -> None:
    """A daemon that reads a refused file again and again would run out of descriptors."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    secret.chmod(0o644)
    for _ in range(20):
        with pytest.raises(KeyFileError):
            read_secret(secret)
        with pytest.raises(KeyFileError):
            read_secret(tmp_path)
        replace(tmp_path / "x", b"content")
        read_public(tmp_path / "x")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert files.FILE_BYTES_MAX == 1_048_576


@pytest.mark.parametrize(("read", "error"), [(read_public, ConfigError), (read_secret, KeyFileError)])
def test_a_name_that_no_file_can_have(read: Callable[[Path], bytes], error: type[HotlineError]) -> None:
    """A configuration with a NUL in a path would end the daemon with a traceback."""
    with pytest.raises(error, match="not a path"):
        read(Path("key\0file"))


def test_a_folder_that_is_not_filled_whole_is_not_left(tmp_path: Path) -> None:
    """Half an export would be in the way of the next one, and pass for a whole one."""
    folder = tmp_path / "cases" / "17"

    def half() -> None:
        write_new(folder / "half", b"")
        write_new(folder / "above" / "half", b"")

    with pytest.raises(ConfigError, match="above/half"), new_folder(folder):
        half()
    assert not folder.exists()
    with new_folder(folder):
        write_new(folder / "whole", b"")
    with pytest.raises(ConfigError, match="17: exists already"), new_folder(folder):
        raise AssertionError
    with pytest.raises(ConfigError, match="whole: exists"), new_folder(folder, exist_ok=True):
        write_new(folder / "whole", b"")
    assert (folder / "whole").is_file(), "it was there before"
    with pytest.raises(ConfigError, match="cannot be made a folder"), new_folder(folder / "whole" / "below"):
        raise AssertionError
