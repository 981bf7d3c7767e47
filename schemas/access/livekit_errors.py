"""What can be wrong with LiveKit, as a sentence for a person."""

import re

from schemas.errors import AntiphonError


class LiveKitError(AntiphonError):
    """A LiveKit room can't be joined, or was lost."""


_AUTHORIZATION = "LiveKit at {url} refuses the token ({why}); check LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
_REASONS = (
    (r"signature is invalid", "it is signed with another secret"),
    (r"invalid API key|invalid authorization token|no permissions|no key", "it knows no such key, or it is no token"),
    (r"expired|exp\b", "it has expired, or this machine's clock is wrong"),
    (r"not valid yet|nbf|before issued|iat\b", "it is not valid yet: this machine's clock is ahead of the server's"),
    (r"permission|grant", "it does not allow this room"),
)


def explain(message: str, url: str) -> LiveKitError:
    """The error for what the SDK said when it could not connect to `url`."""
    if re.search(r"\b40[13]\b|[Uu]nauthorized|[Ff]orbidden", message):
        tail = message.rpartition("error: ")[2] if "error: " in message else message
        why = next((said for pattern, said in _REASONS if re.search(pattern, tail)), "401")
        return LiveKitError(_AUTHORIZATION.format(url=url, why=why))
    if "404" in message or "Invalid response status" in message:
        return LiveKitError(
            f"{url} answers, but is no LiveKit server, or one too old (1.8 is needed); check LIVEKIT_URL"
        )
    if re.search(r"[Cc]onnection refused|dns|resolve|lookup|timed? ?out|unreachable|IO error|transport", message):
        return LiveKitError(f"LiveKit at {url} can't be reached ({_short(message)}); check LIVEKIT_URL")
    return LiveKitError(f"LiveKit at {url}: the room can't be joined ({_short(message)})")


def _short(message: str) -> str:
    """The last cause the SDK names, without the token it may quote."""
    return re.sub(r"eyJ[\w.-]+", "…", message).rpartition("error: ")[2].strip()[:160]
