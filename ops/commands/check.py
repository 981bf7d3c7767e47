"""`antiphon check`: stored sessions as a regression test."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ops import console
from ops.commands._looking import lightly, stored
from ops.commands._options import Json

if TYPE_CHECKING:
    from ops.replay.check import Checked, Stored


def check(
    sessions: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Events (.jsonl), exports (.zip), folders of them; or ids of the log."),
    ],
    accept: Annotated[
        bool, typer.Option("--accept", help="Record anew what is otherwise now, and tell it turn by turn.")
    ] = False,
    json: Json = False,
) -> None:
    """Fold stored sessions, and decide them again.

    Each must keep the promises of the log, fold to the state stored beside it (NAME.state.json, or the export's own), and be
    decided as it was, by the same inputs at the same times. Every difference is told with its event; then the exit code is 1.
    What --accept records stands beside the session; its log is evidence, and stays as it is.

    \b
    Examples:
      antiphon check calls/*.jsonl
      antiphon check conversation.zip last --json
      antiphon check calls --accept
    """
    lightly()
    from ops.reading import NoFile
    from ops.replay import check as checking
    from schemas.errors import AntiphonError

    results: list[dict[str, Any]] = []
    with console.telling():
        for name in _each(sessions):
            try:
                found = stored(name)
            except (checking.StoredError, NoFile) as error:
                results.append({"name": name, "sound": False, "unreadable": str(error)})
                _tell_unreadable(str(error), json=json)
                continue
            checked = checking.check(found)
            view = checked.view()
            if accept and not checked.sound:
                try:
                    view |= {"written": str(checking.accept(found, checked)), "sound": True}
                except AntiphonError as error:
                    view["refused"] = str(error)
            results.append(view)
            if not json:
                _tell(found, checked, view)
    sound = all(result["sound"] for result in results)
    if json:
        console.emit({"sound": sound, "sessions": results})
    if not sound:
        raise typer.Exit(console.FAILED)


def _each(names: list[str]) -> list[str]:
    """Folders as what is in them."""
    from ops.replay.check import files_in

    found: list[str] = []
    for name in names:
        path = Path(name)
        if not path.is_dir():
            found.append(name)
            continue
        inside = [str(one) for one in files_in(path)]
        if not inside:
            console.fail(f"{name}: expected stored sessions (.jsonl, .zip) in it, and found none", console.USAGE)
        found += inside
    return found


def _tell_unreadable(error: str, *, json: bool) -> None:
    if not json:
        console.hang(Text("✗ ", style="red"), error)


def _tell(found: "Stored", checked: "Checked", view: dict[str, object]) -> None:
    written = view.get("written")
    style, mark = ("green", "✓") if checked.sound else ("yellow", "≠") if written else ("red", "✗")
    console.hang(Text(f"{mark} ", style=style), f"{found.name}: {_summary(checked)}")
    for line in _by_turn(checked) if written else checked.errors:
        console.hang("    ", line)
    if written:
        console.hang("    ", f"recorded anew in {written}")
    if refused := view.get("refused"):
        console.hang("    ", str(refused))


def _summary(checked: "Checked") -> str:
    decided = checked.decided
    known = [f"rules {one}" for one in decided.rules if one is not None]
    parts = [f"{checked.events} events, decided by {' and '.join(known) or 'rules that had no version yet'}"]
    if decided.facts:
        parts.append(f"{decided.facts} facts decided again")
    if decided.by_inputs:
        parts.append(f"{decided.by_inputs} decisions taken again by their own inputs")
    if decided.untold:
        parts.append(f"of {decided.untold} decisions it does not tell enough")
    if checked.accepted:
        parts.append(f"what differs was accepted: {checked.accepted}")
    return "; ".join(parts)


def _by_turn(checked: "Checked") -> list[str]:
    """What is otherwise, turn by turn."""
    lines = list(checked.otherwise)
    for turn in sorted({difference.turn or 0 for difference in checked.differences}):
        lines.append(f"turn {turn}:" if turn else "of no turn:")
        lines += [f"  {difference.sentence}" for difference in checked.differences if (difference.turn or 0) == turn]
    return lines
