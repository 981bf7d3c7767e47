"""What was done through the API: by whom, what, to which session, when. Never what was said, never a secret."""

from dataclasses import dataclass

from schemas.clock import Micros

KEPT = 10_000
"""Entries, about; the oldest go."""


@dataclass(frozen=True, slots=True)
class Deed:
    """`entry`: its place in the record, "" before it has one; `who`: a key's name, or "this machine"; `key`: its public half, ""
    of who showed none; `address`: where from; `action`: such as `POST /v1/sessions/{session}/say`; `session`: "" where it is no
    session's; `about`: what else it was done to (`name=support`), phone numbers shortened; `status`: of the answer."""

    at: Micros
    who: str
    role: str
    key: str
    address: str
    action: str
    session: str = ""
    about: str = ""
    status: int = 0
    entry: str = ""
