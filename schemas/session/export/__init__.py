"""One file with everything a session left: its events, its sound, its state (docs/export-file.md).

`await export(log, session, file)` writes one, `Export(log, session).chunks()` the same as bytes to be sent; `open_export(file)`
reads it as any other place where sessions are kept. Who only reads one does not wait for what mixes sound.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from schemas.session.export._naming import is_session
    from schemas.session.export._reading import ExportFile, open_export
    from schemas.session.export._writing import Export, export

_PLACES = {
    "Export": "schemas.session.export._writing",
    "ExportFile": "schemas.session.export._reading",
    "export": "schemas.session.export._writing",
    "is_session": "schemas.session.export._naming",
    "open_export": "schemas.session.export._reading",
}

__all__ = ["Export", "ExportFile", "export", "is_session", "open_export"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = found
    return found
