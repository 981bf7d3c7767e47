"""What a process says of itself on its health page: whether it can work, and, if not, what keeps it."""

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from schemas.errors import in_words

_SHOWN = 500
"""Characters of a reason that are passed on."""
_WITHIN = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Look:
    """`because`: what keeps it, in its own words ("": it doesn't say); `starting`: only that getting ready takes its time;
    `answered`: it said so itself."""

    ready: bool
    because: str = ""
    starting: bool = True
    answered: bool = True


def heard(status: int, body: bytes) -> Look:
    """What an answer means."""
    if status == 200:
        return Look(True)
    try:
        told = json.loads(body)
        reasons = [str(reason) for reason in told["because"]]
        return Look(False, "; ".join(reasons)[:_SHOWN], bool(told.get("starting")) or not reasons)
    except (ValueError, LookupError, TypeError, AttributeError):
        return Look(False)


def ask(url: str) -> Look:
    """Ask once, and wait for the answer; without loading a client, which takes longer than all the answers."""
    where = urlsplit(url)
    line = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_WITHIN)
    try:
        line.request("GET", where.path)
        answer = line.getresponse()
        return heard(answer.status, answer.read())
    except TimeoutError:
        why = f"it gave no answer within {_WITHIN:g} s: it hangs, or gets no processor"
        return Look(False, why, starting=False, answered=False)
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or in_words(error)
        return Look(False, f"it doesn't answer ({why})", answered=False)
    finally:
        line.close()
