"""`hotline`: the command tree. Commands load what they need only when they are called."""

from __future__ import annotations

import difflib
import importlib
from typing import NoReturn

import click

from hotline import __version__

_COMMANDS = {
    "status": ("hotline.cli.officer", "status", "Link, paths, peer, queue, keys, ledger and alarms."),
    "send": ("hotline.cli.officer", "send", "Send a statement to the peer."),
    "draft": ("hotline.cli.draft", "draft", "Write, sign or reject what two officers release."),
    "release": ("hotline.cli.draft", "release", "Say a draft that bears the signatures it needs."),
    "sent": ("hotline.cli.officer", "sent", "What became of sent statements."),
    "inbox": ("hotline.cli.officer", "inbox", "List received statements without opening them."),
    "log": ("hotline.cli.timeslog", "log", "The chain of times of what was said, both ways."),
    "read": ("hotline.cli.officer", "read", "Open a received statement; the peer is told."),
    "shown": ("hotline.cli.ladder", "shown", "Say that a statement was shown to the principal; the peer is told."),
    "reply-by": ("hotline.cli.ladder", "reply_by", "Promise an answer until a time; the peer is told."),
    "address": ("hotline.cli.addresses", "address", "Agreed forms of address."),
    "phrase": ("hotline.cli.phrases", "phrases", "Coded phrases in the languages of both sides."),
    "watch": ("hotline.cli.watching", "watch", "One line per event until Ctrl-C."),
    "translate": ("hotline.cli.translations", "translate", "Hand in a translation of a statement."),
    "translations": ("hotline.cli.translations", "translations", "An original, its translations, where they differ."),
    "service": ("hotline.cli.service", "service", "Talk between the operators of both sides; no statements."),
    "challenge": (
        "hotline.cli.challenge",
        "challenge",
        "Was this really said? Ask the other side.",
    ),
    "record-it": ("hotline.cli.recordit", "record_it", "Put on record what was said without prejudice."),
    "terminal": ("hotline.cli.terminal", "terminal", "Which terminal of a party speaks; taking over."),
    "handover": ("hotline.cli.handover", "handover", "The watch is handed over, and signed for."),
    "checklist": ("hotline.cli.checklist", "checklist", "What a watch does step by step, and the record of it."),
    "presence": ("hotline.cli.presence", "presence", "What this side says of itself, and asking the other."),
    "test": ("hotline.cli.channeltest", "test", "Channel tests: send one now, or see what became of them."),
    "courier": ("hotline.cli.courier", "courier", "Bundles for a courier, when no path lives."),
    "key": ("hotline.cli.keys", "key", "Identity, terminal and officer keys."),
    "charter": ("hotline.cli.charter", "charter", "The ceremony and the charter both parties sign."),
    "endpoint": ("hotline.cli.endpoint", "endpoint", "The endpoint daemon."),
    "audit": ("hotline.cli.audit", "audit", "The ledger: verify, prove, disclose, compare, export."),
    "config": ("hotline.cli.settings", "config", "Configuration files."),
    "doctor": ("hotline.cli.doctor", "doctor", "Is this terminal fit for duty?"),
    "conformance": (
        "hotline.cli.conformance",
        "conformance",
        "Check an implementation against the published cases.",
    ),
    "drill": ("hotline.cli.drill", "drill", "Resilience drills: list, run, report, compare."),
    "demo": ("hotline.cli.demo", "demo", "A complete hotline on this machine."),
    "completion": ("hotline.cli.completion", "completion", "Shell completion."),
}


class _LazyGroup(click.Group):
    """Imports a command's module when it is called: `hotline --help` must not load gRPC."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = _COMMANDS.get(cmd_name)
        if found is None:
            near = difflib.get_close_matches(cmd_name, _COMMANDS, 1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"No such command '{cmd_name}'.{hint}")
        module, attribute, _ = found
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in _COMMANDS.items()])


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="hotline")
def cli() -> None:
    """A leader-to-leader text hotline.

    \b
    hotline demo                      see it work on this machine
    hotline charter rehearse          play a key ceremony with throw-away keys
    hotline send "..." -p flash       say something, wait for the signed receipts
    hotline inbox --unread            see what has come
    hotline audit verify              check the record

    \b
    Exit codes: 0 done, 1 you can fix it, 2 wrong use, 3 no path (the statement is queued), 4 identity or signature
    not trusted, 5 not acknowledged in time (still queued), 6 evidence of tampering, 7 promise broken
    (drill, conformance), 8 refused by policy, 9 local store or key unusable, 10 verification cannot decide,
    70 internal, 130 interrupted.
    """


def main() -> NoReturn:
    """Entry point."""
    from hotline.cli.exits import guarded

    guarded(cli)
