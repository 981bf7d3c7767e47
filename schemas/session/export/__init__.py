"""One file with everything a session left: its events, its sound, its state (docs/export-file.md).

`await export(log, session, file)` writes one, `Export(log, session).chunks()` the same as bytes to be sent; `open_export(file)`
reads it as any other place where sessions are kept. Who only reads one does not wait for what mixes sound.
"""

from typing import TYPE_CHECKING

from schemas.lazily import loads as _loads

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

__getattr__ = _loads(__name__, _PLACES)
