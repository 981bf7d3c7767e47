"""A new key for the API. Apart from `keys`, which whoever folds a session's log sees, and which throws no dice."""

import secrets

from schemas.access.keys import LONGEST_NAME, ApiKey, Role, hash_of
from schemas.clock import Micros
from schemas.errors import SettingsError
from schemas.text.clean import one_line


def new_key(name: str, role: Role, made: Micros) -> tuple[ApiKey, str]:
    """What is kept, and what its bearer shows: nobody can tell that again. SettingsError: a name that names nobody."""
    fit = one_line(name, LONGEST_NAME)
    if not fit or fit != name:
        raise SettingsError(f"a key is named after its bearer: one line of up to {LONGEST_NAME} characters")
    public, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    return ApiKey(public, name, role, hash_of(secret), made), f"antiphon_{public}_{secret}"
