"""`antiphon export`: a session in one file, and what is in it."""

from pathlib import Path
from typing import Any

from ops import console
from schemas.bus import Reading


async def export(log: Reading, session: str, file: Path, *, json: bool = False) -> dict[str, Any]:
    """Write the session to `file`, and print what became of it; answers its manifest."""
    from schemas.session.export import ExportFile  # numpy: nobody else here waits for it
    from schemas.session.export import export as write

    partitions = log.partitions if isinstance(log, ExportFile) else None  # of the deployment that file came from
    manifest = await write(log, session, file, partitions=partitions)
    _print(manifest, file, json=json)
    return manifest


def _print(manifest: dict[str, Any], file: Path, *, json: bool) -> None:
    size = file.stat().st_size / 2**20
    if json:
        console.emit(manifest | {"file": str(file), "mib": round(size, 2)})
        return
    gone = f"; {len(manifest['missing'])} sounds were gone already" if manifest["missing"] else ""
    said = f"{file}: {manifest['events']} events, {manifest['sounds']} sounds, {size:.1f} MiB{gone}"
    console.out.print(said, soft_wrap=True)
