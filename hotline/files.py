"""Files that matter: secrets are read only if they are really secret, and nothing is ever half written."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, TypeVar

from hotline.errors import ConfigError, HotlineError, KeyFileError, LocalError, RemoteError, StorageError

FILE_BYTES_MAX = 1_048_576
ResultT = TypeVar("ResultT")


def naming(path: Path, load: Callable[[], ResultT]) -> ResultT:
    """What `load` gives; an error that does not name the file is told with its name."""
    try:
        return load()
    except HotlineError as error:
        if str(path) in str(error):
            raise
        if isinstance(error, RemoteError):
            detail = str(error).removeprefix(error.reason).removeprefix(": ")
            raise type(error)(error.reason, f"{path}: {detail}") from error
        raise type(error)(f"{path}: {error}") from error


_PUBLIC: Final = frozenset({".card", ".note", ".offer", ".pub"})
"""Endings of files of the ceremony that anybody may have."""


def read_secret(path: Path) -> bytes:
    """The content of a file that only its owner can read. Raises KeyFileError naming the file and the remedy."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        how = "make it with `hotline key` or " if path.suffix == ".key" else ""
        raise KeyFileError(f"{path}: no such file; {how}correct the path") from error
    except ValueError as error:
        raise KeyFileError(f"{str(path)!r}: not a path") from error
    except OSError as error:
        raise KeyFileError(
            f"{path}: cannot be opened ({error.strerror}); a key file is a plain file of yours"
        ) from error
    with _plain(descriptor, KeyFileError(f"{path}: not a plain file")) as handle:
        state = os.fstat(handle.fileno())
        if not ours_alone(state, 0):
            raise KeyFileError(f"{path}: belongs to another user; chown it to the user that runs this")
        if state.st_mode & 0o077 and path.suffix in _PUBLIC:
            raise KeyFileError(f"{path}: a public file, which holds no secret: name the one that is kept from others")
        if state.st_mode & 0o077:
            raise KeyFileError(f"{path}: others can read it (mode {stat.S_IMODE(state.st_mode):04o}); chmod 600 {path}")
        data = handle.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise KeyFileError(f"{path}: too long for a key file")
    return data


def ours_alone(state: os.stat_result, forbidden: int) -> bool:
    """Whether a file belongs to whoever runs this or to root, and its mode has no bit of `forbidden`."""
    return state.st_uid in (os.geteuid(), 0) and not state.st_mode & forbidden


def keep_from_others(path: Path) -> None:
    """Make the database file where there is none, for us alone; SQLite's files beside it never have a wider mode.

    Raises ConfigError for one that others can read: who puts a backup back must hear of it, as of a key file. Raises
    StorageError if it cannot be made.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        state = path.stat()
        if not ours_alone(state, 0):
            raise ConfigError(f"{path}: belongs to another user; chown it to the user that runs this")
        mode = state.st_mode
        if mode & 0o077:
            raise ConfigError(f"{path}: others can read it (mode {mode & 0o777:04o}); chmod 600 {path}")
        for beside in (path.with_name(f"{path.name}-{name}") for name in ("wal", "shm")):
            # After a crash SQLite goes on with the one that it finds.
            if beside.exists() and beside.stat().st_mode & ~mode:
                beside.chmod(mode & 0o777)
    except OSError as error:
        raise StorageError(f"{path}: cannot be used as a store ({error.strerror})") from error


def read_public(path: Path, limit: int = FILE_BYTES_MAX) -> bytes:
    """The content of a plain file. Raises ConfigError naming the file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file") from error
    except ValueError as error:
        raise ConfigError(f"{str(path)!r}: not a path") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be opened ({error.strerror})") from error
    with _plain(descriptor, ConfigError(f"{path}: not a plain file")) as handle:
        data = handle.read(limit + 1)
    if len(data) > limit:
        raise ConfigError(f"{path}: longer than {limit} bytes")
    return data


def _plain(descriptor: int, otherwise: LocalError) -> IO[bytes]:
    """The open file, to be read. Raises `otherwise` if it is a folder, a FIFO or a device."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise otherwise
    return os.fdopen(descriptor, "rb")


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where there is none. Raises ConfigError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be made a folder ({error.strerror})") from error


@contextmanager
def new_folder(path: Path, *, exist_ok: bool = False) -> Iterator[None]:
    """Make a folder that is filled meanwhile; if that fails or is broken off it is taken away with all that is in it.

    One that was there before stays: it is an error, or with `exist_ok` used as it is. Raises ConfigError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir()
    except OSError as error:
        if not path.exists():
            raise ConfigError(f"{path}: cannot be made a folder ({error.strerror})") from error
        if not (exist_ok and path.is_dir()):
            raise ConfigError(f"{path}: exists already; name a new folder") from error
        yield
        return
    try:
        yield
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


def exists_already(path: Path) -> ConfigError:
    """Why a file is not made."""
    return ConfigError(f"{path}: exists already and is not overwritten; move it away or choose another name")


def write_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Create `path`; durable when it returns. Raises ConfigError if it exists: nothing is ever overwritten."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError as error:
        raise exists_already(path) from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be created ({error.strerror})") from error
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        sync_folder(path.parent)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise ConfigError(f"{path}: cannot be written ({error.strerror}); nothing was kept") from error


def replace(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put `data` in the place of `path` as a whole; durable when it returns. Raises ConfigError."""
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be replaced ({error.strerror}): {draft} is in the way") from error
    write_new(draft, data, mode)
    try:
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigError(f"{path}: cannot be replaced ({error.strerror})") from error


def sync_folder(folder: Path) -> None:
    """Make names that were made or removed in `folder` durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
