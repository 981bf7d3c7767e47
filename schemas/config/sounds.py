"""Sounds beside an agent's file: which there are, and whether they can be used."""

import wave
from pathlib import Path

from schemas.config.explain import line_of
from schemas.errors import AgentSpecError

COMES_ALONG = frozenset({"soft"})
"""Sounds that are made by code (`gateway/sound/soft.py`), and need no file."""
LONGEST, SHORTEST = 60.0, 0.2
"""Seconds of a sound."""
LARGEST = 12 << 20
"""Bytes of its file: a minute of stereo at 48 kHz."""
RATES = range(8_000, 48_001)
_EXPECTED = "give a WAV of 16-bit PCM, one or two channels, 8 to 48 kHz, 60 s at most"


def check_sounds(names: dict[str, str], agent: Path, text: str) -> None:
    """`names`: of the setting (`background`) → what stands there; `agent`: the file that names them; `text`: what is in it.
    AgentSpecError: a line for each that can't be used."""
    wrong = []
    for setting, name in names.items():
        if name and name not in COMES_ALONG and (why := problem(agent.parent / name)):
            line = line_of(text, ("sounds", setting))
            where = f"{agent}, line {line}" if line else str(agent)
            wrong.append(f"{where}: sounds.{setting} = {name!r}: {why}")
    if wrong:
        raise AgentSpecError("\n".join(wrong))


def problem(path: Path) -> str:
    """Why this file can't be an agent's sound, in a sentence; "": it can."""
    try:
        if not path.is_file():
            return f"there is no such file beside the agent's; {_EXPECTED}, or {' or '.join(sorted(COMES_ALONG))!r}"
        if (size := path.stat().st_size) > LARGEST:
            return f"{size / 1e6:.0f} MB; at most {LARGEST / 1e6:.0f} are read"
        with path.open("rb") as raw, wave.open(raw) as file:
            rate, channels, width, frames = (
                file.getframerate(),
                file.getnchannels(),
                file.getsampwidth(),
                file.getnframes(),
            )
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except (wave.Error, EOFError, ValueError) as error:
        return f"no such WAV ({error or 'it ends in its head'}); {_EXPECTED}"
    if width != 2 or channels not in (1, 2) or rate not in RATES:
        return f"{8 * width} bit, {channels} channels, {rate} Hz; {_EXPECTED}"
    if not SHORTEST <= frames / rate <= LONGEST:
        return f"{frames / rate:.1f} s long; expected {SHORTEST:g} to {LONGEST:g} s"
    return ""
