"""What an endpoint's refusal means: whether it may pass, when to come back, and which setting to change. Pure.

Shared by the clients of all three stages: their endpoints stand behind the same gateways and bill the same accounts.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from schemas.errors import Permanent, ProviderError, Transient
from schemas.text.clean import one_line

__all__ = ["Endpoint", "complaint", "error_event", "public", "refusal", "retry_after"]

_PASSING = frozenset({408, 409, 425, 429})
_V1 = " (most base URLs end in /v1)"
_SHOWN = 200
"""Characters of an endpoint's complaint that are passed on."""
_LONGEST_WAIT = 3600.0
_QUOTA = re.compile(
    r"insufficient[_ -](?:quota|balance|funds|credit)|quota[_ -]?exceeded|exceeded your current quota|out of credits?"
    r"|credit balance|billing|payment required|no credits|arrears|spend(?:ing)? limit|account is not active",
    re.IGNORECASE,
)
_RATE = re.compile(
    r"rate[_ -]?limit|(?:tokens|requests) per (?:min|sec|hour|day)|per[- ](?:minute|second)", re.IGNORECASE
)
"""A limit that passes, whatever the words add about billing, where one may buy a higher one."""
_AGAIN_IN = re.compile(r"(?:try again|retry)\w* (?:in|after) (?:(\d+)m)?(?:(\d+(?:\.\d+)?) ?(ms|s)\w*)", re.IGNORECASE)
_OUTPUT = re.compile(r"max_(?:completion_|output_|new_)?tokens", re.IGNORECASE)
_OUTPUT_ONLY = re.compile(
    r"completion tokens|output tokens|valid range of max_tokens|maximum value for `?max_\w*tokens", re.IGNORECASE
)
_CONTEXT = re.compile(
    r"context[_ ]?(?:length|window|size|limit)|exceed\w* (?:the |its |model'?s? |available |max\w* )*(?:context|token|input)"
    r"|maximum context|max_model_len|max_seq_len|model'?s? max(?:imum)?\b|exceed\w* (?:\w+ ){0,2}max\w* (?:\w+ )?length"
    r"|(?:prompt|input|request|conversation|message)s? (?:\w+ ){0,3}too (?:long|large|many)"
    r"|too many (?:input |prompt )?tokens|reduce the length|token (?:limit|count) |tokens? (?:\w+ ){0,3}exceed|n_ctx|num_ctx"
    r"|tokens?\b.{0,60}(?:must be|<=|at most|less than|no more than)"
    r"|string_above_max_length|too_long|larger than the (?:max|context)",
    re.IGNORECASE,
)
_KEY_LIKE = re.compile(r"\b(?:sk|pk|key|gsk|nvapi|hf)[-_][\w-]{6,}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Whom errors speak of. `where`: `LLM_BASE_URL=http://…`, without a password; `stage`: LLM, STT or TTS; `model`: as set;
    `key`: never shown."""

    where: str
    stage: str
    model: str
    key: str = ""

    def safe(self, said: str) -> str:
        """What the endpoint said, on one line, without the key it may quote."""
        said = one_line(said, 4 * _SHOWN)
        if self.key:
            said = said.replace(self.key, "…")
        return _KEY_LIKE.sub("…", said)[:_SHOWN]

    def beginning(self, body: bytes) -> str:
        """How an answer begins that isn't what was expected, in quotes."""
        return f"“{self.safe(body[:80].decode('utf-8', 'replace'))}”"


def public(name: str, url: str) -> str:
    """`NAME=url` without the user, password and query it may hold."""
    begin, separator, rest = url.partition("://")
    host = rest.rpartition("@")[2] if "@" in rest.partition("/")[0] else rest
    shown = f"{begin}{separator}{host}" if separator else begin.rpartition("@")[2]
    return f"{name}={shown.partition('?')[0]}"


def complaint(body: str) -> tuple[str, str]:
    """What an error's body says, and its code and type: from JSON in whichever of its shapes, or plain text."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>", " ", body, flags=re.DOTALL | re.IGNORECASE), ""
    return _told(value)


def _told(value: Any) -> tuple[str, str]:
    if isinstance(value, list):
        value = value[0] if value else ""
    if not isinstance(value, dict):
        return str(value), ""
    for name in ("error", "detail", "errors"):
        if isinstance(value.get(name), dict | list) and value[name]:
            return _told(value[name])
    if isinstance(value.get("message"), dict):
        return _told(value["message"])
    message = next((value[n] for n in ("message", "msg", "error", "detail", "title") if value.get(n)), None)
    place = value.get("loc")
    if message is not None and isinstance(place, list):  # of a FastAPI server: which field the message is about
        message = f"{'.'.join(str(part) for part in place)}: {message}"
    code = " ".join(str(value[name]) for name in ("code", "type", "status") if value.get(name))
    return (str(message) if message is not None else json.dumps(value, ensure_ascii=False)), code


def refusal(endpoint: Endpoint, status: int, headers: Mapping[str, str], body: str) -> ProviderError:
    """The error that an answer of `status` is."""
    message, code = complaint(body)
    said, spoken = endpoint.safe(message), f"{code} {message}"
    where, stage = endpoint.where, endpoint.stage
    told = f"{where} answers {status}: {said}" if said else f"{where} answers {status}"
    wait = retry_after(headers)
    if wait is None and status in (429, 503):
        wait = _told_wait(spoken)
    spent = _QUOTA.search(spoken) and wait is None and not _RATE.search(spoken)
    if status == 402 or (status in (400, 403, 429) and spent):
        return Permanent(
            f"{where} answers {status}: the account of {stage}_API_KEY has nothing left to spend ({said})", "quota"
        )
    if "insufficient_quota" in spoken:
        return Permanent(f"{where} answers {status}: the quota of {stage}_API_KEY is used up ({said})", "quota")
    if status in (401, 403):
        return Permanent(
            f"{where} answers {status}: {stage}_API_KEY is missing, wrong, or may not use the model", "refused"
        )
    if status == 400 and re.search(r"content[_ ](?:filter|management|policy)", spoken, re.IGNORECASE):
        return Permanent(f"{where} answers 400: its content filter refuses what was asked ({said})", "filter")
    if status in (400, 422) and _OUTPUT.search(message) and _OUTPUT_ONLY.search(message):
        return Permanent(f"{told}; lower llm.max_tokens of the agent", "bad_request")
    if status == 413 or (status in (400, 422, 500) and _CONTEXT.search(spoken)):
        return Permanent(told, "context")
    if status == 404:
        return Permanent(
            f"{where} answers 404: no such path{_V1 if '/v1' not in where else ''}, or {stage}_MODEL={endpoint.model} is not "
            f"known there ({said})",
            "model_missing",
        )
    if 300 <= status < 400:
        target = endpoint.safe(headers.get("location", ""))
        return Permanent(f"{where} answers {status}: it has moved to {target or 'nowhere'}; correct the URL", "moved")
    if status in _PASSING or status >= 500:
        return Transient(told, "bad_status", wait)
    return Permanent(f"{told}; check the URL, and {stage}_MODEL={endpoint.model}", "bad_request")


def error_event(endpoint: Endpoint, error: Any) -> ProviderError:
    """The error that stands in the middle of a stream, or in an answer of 200."""
    body = json.dumps({"error": error}, ensure_ascii=False)
    message, code = complaint(body)
    spoken = f"{code} {message}"
    status = next((int(number) for number in re.findall(r"\b[45]\d\d\b", code)), 0)
    if not status:
        by_words = {
            400: _CONTEXT.search(spoken),
            429: _RATE.search(spoken),
            402: _QUOTA.search(spoken),
        }
        status = next((number for number, found in by_words.items() if found), 500)
    return refusal(endpoint, status, {}, body)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds: from `retry-after-ms`, or `retry-after` in seconds or as a date. `headers`: names in lower case, or any case-blind
    mapping."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return _bounded(milliseconds / 1e3)
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is None and text:
        moment, now = _date(text), _date(headers.get("date")) or datetime.now(UTC)
        seconds = (moment - now).total_seconds() if moment else None
    return None if seconds is None else _bounded(seconds)


def _told_wait(said: str) -> float | None:
    """Seconds, from words alone: "Please try again in 1m2.5s"."""
    found = _AGAIN_IN.search(said)
    if found is None:
        return None
    seconds = float(found[2]) / (1000 if found[3].lower() == "ms" else 1)
    return _bounded(60 * int(found[1] or 0) + seconds)


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
