"""Readiness and watchdog for systemd: one datagram to the socket that NOTIFY_SOCKET names (sd_notify(3))."""

from __future__ import annotations

import os
import socket


def notify(state: str) -> bool:
    """Send `state` (lines such as READY=1); False where nobody listens or reads."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.setblocking(False)  # called on the event loop: a receiver that does not read must not stop it
        try:
            channel.sendto(state.encode(), address)
        except OSError:
            return False
    return True
