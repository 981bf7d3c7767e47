"""The function library's name is its version: processes of two releases, side by side, never run each other's functions."""

import hashlib
import re

from schemas.log.library import name_of, source

RELEASED = {
    "antiphon_1": "e436d408ed05651f",
    "antiphon_2": "4f2e998998c5b0fa",
    "antiphon_3": "72f6225dd212146e",
    "antiphon_4": "05b0694a3b55dc12",
    "antiphon_5": "6a128f90bb4dde03",
    "antiphon_6": "d60a1f4ce7d8be0c",
    "antiphon_7": "427b23dd8b0e46aa",
}
"""Name → digest of what its functions do. Add a line with a change of them; change one only before anybody has run it."""


def test_a_changed_library_has_another_name() -> None:
    """Loading a library replaces one of the same name, under the processes that rely on it."""
    text = source()
    said = "\n".join(line for line in re.sub(r"--.*", "", text).splitlines() if line.strip())
    digest = hashlib.blake2b(said.encode(), digest_size=8).hexdigest()
    assert RELEASED.get(name_of(text)) == digest, f"{name_of(text)} does something else now: raise its name"
