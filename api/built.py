"""Where the built web app lies: in a checkout as `make app` leaves it, in the image where the image puts it."""

import sys
from pathlib import Path

_PLACES = (Path(__file__).parents[1] / "web" / "dist", Path(sys.prefix) / "share" / "antiphon" / "web")
HOW = "the web app is not built yet: run `make app` (about a minute, once)"
"""What to say where there is none; it is served from then on, no restart needed."""


def built_app(named: Path | None = None) -> Path | None:
    """The folder with its index.html; None: it is not built. `named`: by API_WEB, it is there or nowhere."""
    places = _PLACES if named is None else (named,)
    return next((place for place in places if (place / "index.html").is_file()), None)
