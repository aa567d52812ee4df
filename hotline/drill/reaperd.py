"""The process that ends what a runner has left behind (reaper.py). It knows no hotline: only what Python itself has.

Standard input is a socket: each byte on it brings one pidfd. At its end nobody will tell of more, and what still lives
of them is killed. No signal that a runner may get together with us ends us before.
"""

import contextlib
import os
import select
import signal
import socket


def main() -> None:
    """Until the socket ends."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    told = socket.socket(fileno=0)
    living: set[int] = set()
    while True:
        data, handed, _, _ = socket.recv_fds(told, 1, 1)
        if not data:
            break
        for ended in select.select(living, [], [], 0)[0]:  # one process after another, in a drill that lasts for hours
            living.remove(ended)
            os.close(ended)
        living.update(handed)
    for one in living:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(one, signal.SIGKILL)


if __name__ == "__main__":
    main()
