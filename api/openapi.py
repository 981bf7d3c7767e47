"""The API's description. `make schema` writes api/openapi.json anew; a test holds it to the code."""

import json
from pathlib import Path
from typing import Any

from api.app import create_app
from api.main import house_of
from schemas.config.settings import Settings
from schemas.log import connect

COMMITTED = Path(__file__).parent / "openapi.json"


def document() -> dict[str, Any]:
    """OpenAPI 3.1, as `/v1/openapi.json` answers it."""
    settings = Settings(_env_file=None)
    return create_app(house_of(settings, connect(settings))).openapi()


def text() -> str:
    """As it is committed."""
    return json.dumps(document(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    print(text(), end="")
