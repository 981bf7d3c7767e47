"""`antiphon show | state | export | sessions`: find the log, read it, print."""

from pathlib import Path
from typing import Any

from ops import console, reading


async def show(session: str, follow: bool, json: bool) -> None:
    async with reading.log_of(session) as bus:
        await reading.show(bus, session, follow=follow, json=json)


async def state(session: str, at: int | None, json: bool) -> None:
    async with reading.log_of(session) as bus:
        await reading.state(bus, session, at=at, json=json)


def export(session: str, file: Path, json: bool) -> None:
    async def write() -> dict[str, Any]:
        async with reading.log_of(session) as bus:
            return await reading.export(bus, session, file)

    manifest = console.run(write)
    size = file.stat().st_size / 2**20
    if json:
        console.emit(manifest | {"file": str(file), "mib": round(size, 2)})
        return
    gone = f"; {len(manifest['missing'])} sounds were gone already" if manifest["missing"] else ""
    console.out.print(
        f"{file}: {manifest['events']} events, {manifest['sounds']} sounds, {size:.1f} MiB{gone}", soft_wrap=True
    )


async def sessions(count: int, json: bool) -> None:
    async with reading.log_of(None) as bus:
        await reading.sessions(bus, count=count, json=json)
