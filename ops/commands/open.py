"""`antiphon open`: a session in the web app, also when no stack runs any more."""

from typing import Annotated

import typer

from ops import console
from ops.commands._options import Json


def open_session(
    session: Annotated[str | None, typer.Argument(help="A session's id; the list of all when not given.")] = None,
    json: Json = False,
) -> None:
    """Open a session in the web app.

    Prints its address: at the running stack, if that has the session, else at an API that is started for it, until Ctrl-C.

    Example: antiphon open SESSION
    """
    from api.built import HOW, built_app
    from ops.reading.page import page_of, until_told
    from schemas.config.settings import load

    async def main() -> None:
        async with page_of(session) as page:
            if json:
                console.emit({"url": page.url, "ours": page.ours})
            else:
                console.out.print(f"\n  Open  {page.url}\n", style="bold", soft_wrap=True)
            if page.ours:
                if not json:
                    console.out.print("It is served until Ctrl-C.", style="dim")
                await until_told()

    if built_app(load().api_web) is None:
        console.fail(HOW)
    console.run(main)
