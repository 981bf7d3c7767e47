"""`antiphon logs`: what the processes of `antiphon up` have said, and say."""

from contextlib import closing, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from ops import console
from ops.commands._options import Json

if TYPE_CHECKING:
    from ops.stack.log_lines import Line

_COLOURS = ("cyan", "green", "magenta", "blue", "yellow")


def logs(
    processes: Annotated[list[str] | None, typer.Argument(help="Such as gateway-1, or stt for all of them.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the stack has stopped, or Ctrl-C.")
    ] = False,
    lines: Annotated[str, typer.Option("-n", "--lines", metavar="N", help="The last N of each, or all.")] = "50",
    json: Json = False,
) -> None:
    """Print what the processes of `antiphon up` said.

    In order of time, as far as lines tell theirs; also when nothing runs any more. Of each process five files of 5 MB are kept,
    the older ones as NAME.log.1 and so on. With --json an object a line.

    \b
    Examples:
      antiphon logs -f
      antiphon logs stt -n 200
      antiphon logs gateway-1 -n all --json
    """
    from ops.stack.here import data_folder, told_in
    from ops.stack.log_lines import Followed, last_lines, names_in

    if lines != "all" and not lines.isdigit():
        console.fail(f"-n {lines}: expected a number of lines, or all", console.USAGE)
    folder = data_folder() / "up"
    where, there = folder / "logs", names_in(folder / "logs")
    if not there:
        console.fail(f"no logs in {where}; start it with: {console.me()} up")
    chosen = [
        name for name in there if not processes or any(name == one or name.startswith(f"{one}-") for one in processes)
    ]
    for one in processes or ():
        if not any(name == one or name.startswith(f"{one}-") for name in there):
            console.fail(f"no process {one!r} here; there is {', '.join(there)}", console.USAGE)
    show = _Printer(max(map(len, chosen)), alone=len(chosen) == 1, json=json)
    with closing(
        Followed(where, chosen if processes else None)
    ) as followed:  # from here on: nothing is missed in between
        for line in last_lines(where, chosen, None if lines == "all" else int(lines), followed.beginnings):
            show(line)
        with suppress(KeyboardInterrupt):
            running = follow
            while running:
                running = told_in(folder) is not None
                for line in followed.new_lines():
                    show(line)
                if running:
                    followed.wait()
                else:
                    console.err.print("nothing runs here any more", style="dim")


class _Printer:
    def __init__(self, width: int, alone: bool, json: bool) -> None:
        self._width, self._alone, self._json = width, alone, json
        self._colours: dict[str, str] = {}

    def __call__(self, line: "Line") -> None:
        from schemas.text.clean import printable

        if self._json:
            console.emit({"process": line.process, "line": line.text})
            return
        text = printable(line.text)
        if not self._alone:
            colour = self._colours.setdefault(line.process, _COLOURS[len(self._colours) % len(_COLOURS)])
            text = typer.style(f"{line.process:<{self._width}} | ", fg=colour) + text
        typer.echo(text)  # which leaves colours out where no terminal reads
