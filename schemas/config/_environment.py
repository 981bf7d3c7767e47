"""A class of settings that are read from the environment and `.env`, as those of pydantic-settings are, whose interface it has in
what is used of it here. That library loads a reader of command lines, clouds and four kinds of file with it: a tenth of the time
in which a command has answered that only looks."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

__all__ = ["FromEnvironment"]

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings as FromEnvironment
else:

    class FromEnvironment(BaseModel):
        """Names are those of the fields, in whatever case; what is set to nothing is not set; the environment comes before the
        file (None: none is read), and what is given before both."""

        model_config = ConfigDict(extra="ignore", frozen=True, validate_default=True)

        def __init__(self, _env_file: Path | str | None = ".env", **given: Any) -> None:
            named = {**_set(_of_file(_env_file)), **_set(os.environ)}
            fields = type(self).model_fields
            super().__init__(
                **({name: value for name, value in named.items() if name in fields and value is not None} | given)
            )


def _set(found: Mapping[str, str | None]) -> dict[str, str | None]:
    """None: the last that the file says of it is its name alone."""
    return {name.lower(): value for name, value in found.items() if value != ""}


def _of_file(file: Path | str | None) -> Mapping[str, str | None]:
    """UnicodeDecodeError: it is none of text in UTF-8."""
    place = Path(file).expanduser() if file is not None else None
    if place is None or not (place.is_file() or place.is_fifo()):  # password managers hand it on by a pipe
        return {}
    from dotenv import dotenv_values  # nobody waits for it who has no such file

    return dotenv_values(place, encoding="utf-8")
