"""Groups of commands, as they help whoever mistypes one."""

from __future__ import annotations

from typing import Final

import click

_WHOLE: Final = 1_000
"""More characters than any first sentence has."""


class Commands(click.Group):
    """A group whose help has each command's first sentence whole, and whose refusal names what there is."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Over as many lines as it takes: half a sentence helps nobody choose."""
        rows = [(name, self.commands[name].get_short_help_str(_WHOLE)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but for the sentence."""
        if args[0] not in self.commands and not args[0].startswith("-"):
            ctx.fail(f"No such command '{args[0]}'; there are {', '.join(self.list_commands(ctx))}.")
        return super().resolve_command(ctx, args)


class Said(click.Command):
    """A command that takes a text, and knows how a hurried person types one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, with the remedy where a text was taken for something else."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name.startswith("--"):
                raise
            hint = 'a text that begins with a hyphen stands after two: -- "-5 degrees"'
            raise click.UsageError(f"{error.format_message()} Of the text? Then {hint}", ctx) from error
        except click.UsageError as error:
            if "extra argument" not in error.message:
                raise
            raise click.UsageError(f"{error.message}; a text stands between quotation marks", ctx) from error


class OneTouch(Commands):
    """`hotline challenge 3` is `hotline challenge ask 3`: the word is not looked for under pressure."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].isdigit():
            args = ["ask", *args]
        return super().parse_args(ctx, args)
