"""Variables that look like settings and are none: a typo in the environment, or in `.env`."""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping

OF_THE_TOOLS = frozenset({"ANTIPHON_DATA", "ANTIPHON_TOKEN", "LLM_FILE", "SIP_PASSWORD"})
"""Read by `antiphon` alone."""
OF_COMPOSE = frozenset(
    {
        "ANTIPHON_GPU_IMAGE", "ANTIPHON_IMAGE", "ANTIPHON_MEMORY", "API_PUBLISH", "GATEWAY_PUBLISH", "LIVEKIT_IMAGE",
        "LIVEKIT_NODE_IP", "LIVEKIT_PUBLISH", "LIVEKIT_REDIS", "LIVEKIT_REDIS_PASSWORD", "LIVEKIT_SIP_IMAGE",
        "LIVEKIT_USE_EXTERNAL_IP", "LLM_SERVER_MEMORY", "LLM_SERVER_PORT", "MODEL_MEMORY", "REDIS_IMAGE", "REDIS_PASSWORD",
        "SIP_PORT", "SIP_SECRETS", "STT_GPUS", "TELEPHONE_PUBLIC_URL", "TELEPHONE_PUBLISH", "VOICES",
    }
)  # fmt: skip
"""Read by our compose files alone."""
_OURS = ("GATEWAY_", "STT_", "LLM_", "TTS_")
"""What begins so was meant for us. REDIS_, API_, SIP_ and LIVEKIT_ others use, too: there it takes a likeness."""
_ALIKE, _AKIN = 0.88, 0.6
"""How much like a setting's name another is: of two that differ by a slip; of two of which one may have been meant."""
_OF_CONTAINERS = re.compile(r".+_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?|ENV_.+)")
"""Kubernetes and Docker's links tell each container so where others are: a service called `redis` makes REDIS_SERVICE_HOST."""
_PLACE = re.compile(r"(tcp|udp|sctp)://|/.+/.+")
"""What they set REDIS_PORT and REDIS_NAME to."""


def misspelt(names: Collection[str], settings: Collection[str]) -> Iterator[tuple[str, str]]:
    """Those of `names` that are nearly a setting, and which. `settings`: in capitals."""
    known = {*settings, *OF_THE_TOOLS, *OF_COMPOSE}
    for name in names:
        near = difflib.get_close_matches(name.upper(), settings, n=1, cutoff=_ALIKE)
        if near and name.upper() not in known:
            yield name, near[0]


def unknown(environment: Mapping[str, str], settings: Collection[str]) -> list[str]:
    """A line for each variable that was meant as a setting, it seems, and is none: without its value, which may be a secret."""
    given = sorted(name for name, value in environment.items() if value and not _of_a_container(name, value))
    slips = dict(misspelt(given, settings))
    for name in given:
        if name.upper().startswith(_OURS) and name.upper() not in {*settings, *OF_THE_TOOLS, *OF_COMPOSE}:
            near = difflib.get_close_matches(name.upper(), settings, n=1, cutoff=_AKIN)
            slips.setdefault(name, near[0] if near else "")
    return [f"environment: {sentence(name, near)}" for name, near in slips.items()]


def sentence(name: str, near: str) -> str:
    return f"there is no setting {name}" + (f"; did you mean {near}?" if near else "")


def _of_a_container(name: str, value: str) -> bool:
    return _OF_CONTAINERS.fullmatch(name.upper()) is not None or (
        name.upper().endswith(("_PORT", "_NAME")) and _PLACE.match(value) is not None
    )
