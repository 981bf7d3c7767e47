"""A group of commands that are but names and lines until one of them is called."""

import gc
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from ops.cli._commands import Family, Row
from ops.cli._mistakes import told

_PLAIN: dict[str, Any] = {"pretty_exceptions_enable": False, "rich_markup_mode": None}
_SETTINGS = {
    "help_option_names": ["-h", "--help"],
    "default_map": dict.fromkeys(("help", "version", "install_completion", "show_completion"), False),
}
"""Without the second Typer loads pydantic for each mistyped command, to learn that None is no `--help`."""


class Table(TyperGroup):
    """`moved`: names that commands had, and what each is called now."""

    groups: ClassVar[Mapping[str, Mapping[str, Row | Family]]]
    moved: ClassVar[Mapping[str, str]]

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for names in self.groups.values() for name in names]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(map(len, self.commands))
        for group, names in self.groups.items():
            with formatter.section(group):
                formatter.write_dl(
                    [(f"{name:<{width}}", self.commands[name].get_short_help_str(formatter.width)) for name in names]
                )

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if now := self.moved.get(args[0]):
            if not ctx.resilient_parsing:
                tell_moved(f"{ctx.command_path} {args[0]}", f"{ctx.command_path} {now}")
            args = [*now.split(), *args[1:]]
        name, found, rest = super().resolve_command(ctx, args)
        if isinstance(found, TyperCommand) and found.callback is not None:
            found = found.callback()
        return name, found, rest

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """As Typer's, but what is mistyped is told in the voice in which everything that fails is."""
        run = partial(super().main, args, prog_name, complete_var, False, windows_expand_args, **extra)
        if not standalone_mode:
            return run()
        try:
            sys.exit(run() or 0)
        except typer.TyperException as error:
            _tell(error)
            sys.exit(error.exit_code)
        except typer.Abort:
            sys.exit(130)


class Command(TyperCommand):
    """One that has nothing understood that needs no understanding: pydantic, which does that, has to be taught each option first,
    and takes longer than all else where one is but to be completed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for parameter in self.get_params(ctx):
            understood = (
                _as_it_is if ctx.resilient_parsing else partial(_understood, parameter, parameter.process_value)
            )
            parameter.process_value = understood  # type: ignore[method-assign]
        return super().parse_args(ctx, args)


def _as_it_is(ctx: Any, value: Any) -> Any:
    return value


def _understood(parameter: Any, understand: Callable[[Any, Any], Any], ctx: Any, value: Any) -> Any:
    """What nobody gave, and text that is to be text, is as it is; the rest as Typer has it."""
    kind, parser = parameter.type_descriptor.annotation, parameter.type_descriptor.parameter_info.parser
    known = value is None or (parser is None and kind in (str, int, float) and isinstance(value, kind))
    one = parameter.nargs == 1 and not getattr(parameter, "multiple", False)
    if known and one and not (parameter.required and value is None):
        return value if parameter.callback is None else parameter.callback(ctx, parameter, value)
    return understand(ctx, value)


def tell_moved(old: str, now: str) -> None:
    """A line on stderr; the command itself does what it did."""
    typer.secho(f"antiphon: `{old}` is now `{now}`", fg="yellow", err=True)


def _tell(error: Any) -> None:
    said, context = error.format_message(), getattr(error, "ctx", None)
    if said.startswith("Usage:"):  # nothing was asked: here is what can be
        typer.echo(said, err=True)
        return
    more = f" ({context.command_path} --help)" if context is not None else ""
    typer.secho(f"antiphon: {told(error)}{more}", fg="red", err=True)


def table(
    groups: Mapping[str, Mapping[str, Row | Family]],
    *,
    help: str | None = None,
    moved: Mapping[str, str] = {},
    completion: bool = False,
) -> typer.Typer:
    """A group of `groups`: what stands over some names in its help → those."""
    kind = type("Table", (Table,), {"groups": groups, "moved": moved})
    made = typer.Typer(
        cls=kind, no_args_is_help=True, help=help, context_settings=_SETTINGS, add_completion=completion, **_PLAIN
    )
    for name, row in ((name, row) for names in groups.values() for name, row in names.items()):
        if isinstance(row, Family):
            made.add_typer(table({"Commands": row.rows}, help=row.line, moved=row.moved), name=name)
        else:
            made.command(name, help=row[1])(_loader(name, row[0]))
    return made


def _collected(function: Callable[..., Any]) -> Callable[..., Any]:
    """Garbage is collected from its first line on: `main` put it off. What was loaded until then stays, and is not looked at."""

    @wraps(function)
    def run(*arguments: Any, **options: Any) -> Any:
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        return function(*arguments, **options)

    return run


def _loader(name: str, place: str) -> Callable[[], Any]:
    def load() -> Any:
        """The command itself, with its options and its whole help."""
        module, _, function = place.partition(":")
        alone = typer.Typer(add_completion=False, **_PLAIN)
        alone.command(name, cls=Command)(_collected(getattr(importlib.import_module(module), function)))
        return typer.main.get_command(alone)

    return load
