"""Every error this project raises.

    HotlineError
    ├── LocalError              our own caller broke a rule; fix the call, the file or the configuration
    │   ├── ConfigError         a configuration or charter file cannot be used as it stands
    │   ├── KeyFileError        a key file is missing, unreadable, too open, corrupt or sealed with another passphrase
    │   ├── TextError           a text cannot be a statement (empty, too long, not UTF-8)
    │   └── PolicyError         the charter's policy refuses this act
    ├── RemoteError             the other side, or something between, broke a rule; record it and go on
    │   ├── Malformed           bytes that are not what the specification allows
    │   ├── Untrusted           a signature, certificate or commitment that does not hold
    │   └── NotOpened           an envelope for which no key opens (unknown epoch or prekey, altered bytes)
    └── StorageError            the store may or may not have kept what it was given: stop, reopen, reconcile

Refusals of input are values (`machine.Reply`, a record of kind `refused`): these classes cross function boundaries
inside a room, never `Machine.step`. Any other exception out of `step` is a bug and stops the daemon.
"""


class HotlineError(Exception):
    """Root of the tree. The text is one sentence for a person, naming the thing and the remedy."""


class LocalError(HotlineError):
    """Our own caller broke a rule."""


class ConfigError(LocalError):
    """A configuration or charter file cannot be used as it stands."""


class KeyFileError(LocalError):
    """A key file is missing, unreadable, too open, corrupt, or sealed with another passphrase."""


class TextError(LocalError):
    """A text cannot be a statement."""


class PolicyError(LocalError):
    """The charter's policy refuses this act."""


class RemoteError(HotlineError):
    """The other side, or something between, broke a rule. `reason` is a fixed word for records and metrics."""

    reason = "refused"

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class Malformed(RemoteError):
    """Bytes that are not what the specification allows."""


class Untrusted(RemoteError):
    """A signature, certificate or commitment that does not hold."""


class NotOpened(RemoteError):
    """An envelope for which no key opens."""


class StorageError(HotlineError):
    """The store may or may not have kept what it was given."""
