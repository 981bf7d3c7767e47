"""The list of models that an endpoint has, in whichever shape it tells it; and what a model is asked first of all."""

from dataclasses import dataclass
from typing import Any

from workers.providers import ChatRequest

FIRST = ChatRequest([{"role": "user", "content": "Answer with the one word: ready"}], max_tokens=400, temperature=0.0)
"""Whether it answers, and how soon: a word, with room for what some think before it."""


@dataclass(frozen=True, slots=True)
class Known:
    """`names`: of the models there; `owners`: who serves them, as far as it is told."""

    names: tuple[str, ...] = ()
    owners: frozenset[str] = frozenset()

    def shown(self) -> str:
        return ", ".join(name[:80] for name in self.names[:5])


def listed(value: Any) -> Known:
    """What a list of models, in whichever shape, tells."""
    if isinstance(value, dict):
        value = next((value[name] for name in ("data", "models") if isinstance(value.get(name), list)), [])
    entries = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    names = [entry.get(name) for entry in entries for name in ("id", "name", "model")]
    names += [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []
    owners = {str(entry.get("owned_by", "")).lower() for entry in entries}
    return Known(tuple(dict.fromkeys(name for name in names if isinstance(name, str) and name)), frozenset(owners))
