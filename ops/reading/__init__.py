"""Reading sessions from their log: which there are, the timeline with its waterfalls, the state at any event, figures of many.

The functions take whatever keeps sessions (`schemas.bus.Reading`, `Listing`): a started log, a test's memory, an archive;
`find_log(given)` finds the log and the session a person means at the command line, `find_kept(given)` also one in a file.
`page.py` is apart: a session's page in the web app, which may have to start an API.

Each is loaded when it is asked for: who lists sessions waits for no timeline.
"""

from typing import TYPE_CHECKING

from schemas.lazily import loads as _loads

if TYPE_CHECKING:
    from ops.reading._differences import print_diff
    from ops.reading._export import export
    from ops.reading._files import NoFile, file_of, find_kept, find_stored, find_two
    from ops.reading._logs import Sessions, find_log, find_pools
    from ops.reading._sessions import print_rows, sessions
    from ops.reading._state import state
    from ops.reading._stats import By, stats
    from ops.reading._timeline import print_waterfall, print_waterfalls, show
    from ops.reading._top import top
    from schemas.session.history import waterfalls

_PLACES = {
    "By": "ops.reading._stats",
    "NoFile": "ops.reading._files",
    "Sessions": "ops.reading._logs",
    "export": "ops.reading._export",
    "file_of": "ops.reading._files",
    "find_kept": "ops.reading._files",
    "find_log": "ops.reading._logs",
    "find_pools": "ops.reading._logs",
    "find_stored": "ops.reading._files",
    "print_rows": "ops.reading._sessions",
    "find_two": "ops.reading._files",
    "print_diff": "ops.reading._differences",
    "print_waterfall": "ops.reading._timeline",
    "print_waterfalls": "ops.reading._timeline",
    "sessions": "ops.reading._sessions",
    "show": "ops.reading._timeline",
    "state": "ops.reading._state",
    "stats": "ops.reading._stats",
    "top": "ops.reading._top",
    "waterfalls": "schemas.session.history",
}

__all__ = [
    "By",
    "NoFile",
    "Sessions",
    "export",
    "file_of",
    "find_kept",
    "find_log",
    "find_pools",
    "find_stored",
    "find_two",
    "print_diff",
    "print_rows",
    "print_waterfall",
    "print_waterfalls",
    "sessions",
    "show",
    "state",
    "stats",
    "top",
    "waterfalls",
]

__getattr__ = _loads(__name__, _PLACES)
