"""`antiphon recording`: a call as one sound file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops import console
from ops.commands._looking import MeantOrFile, lightly, read_kept
from ops.commands._options import Json

if TYPE_CHECKING:
    from ops.replay.recording import Recorded
    from schemas.session.listing import Kept


def recording(
    session: MeantOrFile,
    file: Annotated[Path, typer.Argument(help="The file to write: .wav, .flac, .opus or .ogg.")],
    json: Json = False,
) -> None:
    """Write a call's sound as one stereo file.

    Caller left, agent right, as the log says when what was heard: of a reply that was interrupted only what was. What its name
    ends in says whether it is a WAV, a FLAC or Opus. 16 kHz. Where one is kept with the call (RECORDINGS) it is that.

    Example: antiphon recording last call.opus
    """
    lightly()
    read_kept(session, lambda log, name: _write(log, name, file, json=json))


async def _write(log: "Kept", session: str, file: Path, *, json: bool) -> None:
    from ops.replay.recording import kind_of, record, score_of, take

    kind_of(file)
    recorded = await take(log, session, file) or await record(log, await score_of(log, session), file)
    _tell(session, file, recorded, json=json)


def _tell(session: str, file: Path, recorded: "Recorded", *, json: bool) -> None:
    size = file.stat().st_size / 2**20
    if json:
        told = {"session": session, "file": str(file), "seconds": round(recorded.seconds, 3), "mib": round(size, 2)}
        console.emit(told | {"missing": recorded.missing})
        return
    gone = f"; {len(recorded.missing)} sounds were gone already" if recorded.missing else ""
    console.out.print(f"{file}: {recorded.seconds:.1f} s, {size:.1f} MiB{gone}", soft_wrap=True)
