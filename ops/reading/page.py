"""A session's page in the web app: the running stack's, else that of an API started over the log the session lies in."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ops import console
from ops.reading._logs import find_log
from ops.stack.api import ApiProcess, session_url
from ops.stack.here import data_folder
from ops.stack.ports import Ports
from ops.stack.supervisor import Failed, Supervisor
from schemas.archive.place import archive_of
from schemas.config.settings import Settings, load


@dataclass(frozen=True, slots=True)
class Page:
    """`ours`: it is served by us, for as long as we live; else by a stack that runs anyway."""

    url: str
    ours: bool


@asynccontextmanager
async def page_of(session: str | None) -> AsyncIterator[Page]:
    """The page of `session` (None: the list of all that the first log has), which can be opened until the end. It exits with a
    sentence if no log has it, or if the API can't be started."""
    async with find_log(session) as found:
        if found.api_url:
            yield Page(_address(found.api_url, found.session), ours=False)
            return
        settings = load()
        if not found.url:
            console.fail(
                f"{found.session or 'what there is'} is archived, and nothing runs here: begin with {console.me()} up"
            )
        api = ApiProcess(settings, _port(settings))
        keeper = Supervisor(data_folder() / "open" / "logs", {**os.environ, "PYTHONUNBUFFERED": "1"})
        try:
            try:
                await keeper.start([api.command({"REDIS_URL": found.url, **_archive(settings)})])
            except Failed as error:
                console.fail(str(error))
            yield Page(_address(api.url, found.session), ours=True)
        finally:
            await keeper.stop()


def _archive(settings: Settings) -> dict[str, str]:
    """As the API's settings: it reads the very one that we do."""
    place = archive_of(settings)
    return {"ARCHIVE_URL": place.url, "ARCHIVE_BLOBS": place.blobs} if place is not None else {}


def _port(settings: Settings) -> int:
    return Ports(settings, free=False, on_other=lambda _: None).of(
        "api", settings.api_port, setting="API_PORT", host=settings.api_host
    )


async def until_told() -> None:
    """Until Ctrl-C or SIGTERM, which end nothing but this."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sent in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sent, told.set)
    try:
        await told.wait()
    finally:
        for sent in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(sent)


def _address(api_url: str, session: str) -> str:
    return session_url(api_url, session) if session else f"{api_url}/sessions"
