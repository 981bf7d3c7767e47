"""`{{values.NAME}}` in an agent's texts: what a hook gave. Pure."""

import re
from collections.abc import Mapping

from schemas.text.clean import one_line

LONGEST = 300
"""Characters of a value."""
_VALUE = re.compile(r"\{\{[ \t]*values\.([A-Za-z_]\w{0,63})[ \t]*\}\}")


def with_values(text: str, values: Mapping[str, str]) -> str:
    """`text` with each in its place, "unknown" where no hook gave one. It comes as one line, and is never read for values
    itself."""
    if "{{" not in text:
        return text
    return _VALUE.sub(lambda found: one_line(values.get(found[1], ""), LONGEST) or "unknown", text)
