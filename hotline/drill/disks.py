"""What a drill does to the disk of one running process, without touching any other.

full: the process may not make its files longer (RLIMIT_FSIZE): like a disk without free blocks, what has its place can
be written again. failing, read-only and slow: strace stands between the process and the kernel and answers its syncs or
writes with an error, or late. The log of the process is spared, as if it lay on another disk.
"""

from __future__ import annotations

import functools
import os
import resource
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Final

from hotline.drill.injects import DiskFault
from hotline.drill.processes import alone, bring_back, end_child, runs
from hotline.drill.scene import NEEDS, PERFORMERS, Scene, Undo
from hotline.drill.stage import wait_until
from hotline.errors import LocalError

_ROOM_BYTES: Final = 32_768
"""What a full disk still takes: the fault is noticed at work, not in the middle of a drill's own doing."""
_WAL_HEADER: Final = 32
_WAL_FRAME: Final = 4_096 + 24
"""A page of ours in the write-ahead log of SQLite, with its header."""
_FRAMES_AT: Final = 16
"""Where the shared memory beside it says how many frames are in use (fileformat2, "WAL-Index Header")."""
_ATTACH_SECONDS: Final = 5.0
_YAMA: Final = Path("/proc/sys/kernel/yama/ptrace_scope")
_SYNCS: Final = "fdatasync,fsync"


# --- what is needed ---------------------------------------------------------------------------------------------------


@functools.cache
def strace_lacking() -> str | None:
    """Why strace cannot attach to a process of ours here, with what to do; None if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed: apt install strace"
    # Asked by trying: the module yama, a container's rules and the kernel's own may each say no.
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"]) as sleeper:
        try:
            tracer = _attach(sleeper.pid, Path(os.devnull), f"{_SYNCS}:error=EIO")
        except LocalError:
            scope = _YAMA.read_text().strip() if _YAMA.exists() else "0"
            hint = f" (kernel.yama.ptrace_scope is {scope})" if scope != "0" else ""
            return f"strace may not attach to a process here{hint}: run the drill as root, or allow ptrace"
        else:
            end_child(tracer)
            return None
        finally:
            sleeper.kill()


def disk_needs(inject: DiskFault) -> str | None:
    """Why this disk fault cannot be made here; None if it can."""
    return None if inject.how == "full" else strace_lacking()


# --- full -------------------------------------------------------------------------------------------------------------


def longest_write(store: Path) -> int:
    """Bytes up to which the process now writes in the longest of its files that grow.

    A write-ahead log is written again from its begin now and then; how far, its shared memory tells.
    """
    ends = [0]
    for log in store.glob("*-wal"):
        shared = log.with_name(log.name.removesuffix("-wal") + "-shm")
        try:
            frames = struct.unpack_from("=I", shared.read_bytes(), _FRAMES_AT)[0]
        except (OSError, struct.error):
            ends.append(log.stat().st_size)
        else:
            ends.append(_WAL_HEADER + frames * _WAL_FRAME)
    return max(ends)


def _fill(scene: Scene, name: str) -> Undo:
    pid = scene.stage.pid(name)
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    log = scene.stage.log_of(name).stat().st_size
    limit = max(longest_write(scene.stage.folder_of(name) / "store"), log) + _ROOM_BYTES
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, before[1]))
    scene.note(f"{name} may make no file longer than {limit} bytes")

    def undo() -> None:
        if runs(scene, name) and scene.stage.pid(name) == pid:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        bring_back(scene, name)

    return undo


# --- failing, read-only, slow -----------------------------------------------------------------------------------------


def injection(inject: DiskFault) -> str:
    """The rule for strace."""
    match inject.how:
        case "read-only":
            return "pwrite64,ftruncate:error=EROFS"
        case "slow":
            return f"{_SYNCS}:delay_enter={inject.delay * 1_000}us"
        case _:
            return f"{_SYNCS}:error=EIO"


def _attach(pid: int, output: Path, rule: str) -> subprocess.Popen[bytes]:
    """strace on every thread of a process, with its rule in force; when it ends, the process is let go.

    Raises LocalError.
    """
    calls = rule.partition(":")[0]
    command = ["strace", "-f", "-q", "-o", str(output), "-e", f"trace={calls}", "-e", f"inject={rule}", "-p", str(pid)]
    tracer = subprocess.Popen(  # noqa: S603 - our own words
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait_until(lambda: _is_traced(pid, tracer), f"strace to attach to process {pid}", _ATTACH_SECONDS)
    except LocalError:
        end_child(tracer)
        raise
    return tracer


def _is_traced(pid: int, tracer: subprocess.Popen[bytes]) -> bool:
    """Whether every thread of the process is held by the tracer. Raises LocalError if the tracer has given up.

    A tracer that ended well has outlived its process: the fault struck, and was answered, before anybody looked.
    """
    if tracer.poll() is not None:
        if tracer.returncode == 0:
            return True
        raise LocalError(f"strace could not attach to process {pid}")
    threads = list(Path(f"/proc/{pid}/task").glob("*/status"))
    return bool(threads) and all(f"TracerPid:\t{tracer.pid}\n" in _read(status) for status in threads)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _trace(inject: DiskFault, scene: Scene) -> Undo:
    name = inject.target
    output = scene.folder / f"{name}-{inject.how}.strace"
    tracer = _attach(scene.stage.pid(name), output, injection(inject))
    scene.stage.belongings.callback(end_child, tracer)
    scene.note(f"strace answers {injection(inject)} for {name}, and makes it slower also elsewhere")

    def undo() -> None:
        end_child(tracer)
        bring_back(scene, name)

    return undo


def disk(inject: DiskFault, scene: Scene) -> Undo:
    """The fault begins when this returns. Undone, the disk is well, and a process that has stopped is started again.

    Raises LocalError if the process does not run or cannot be traced.
    """
    with alone(scene, inject.target):
        if not runs(scene, inject.target):
            raise LocalError(f"{inject.target} does not run: no disk of its own to spoil")
        return _fill(scene, inject.target) if inject.how == "full" else _trace(inject, scene)


PERFORMERS["disk"] = disk
NEEDS["disk"] = disk_needs
