"""Reading sessions from their log: which there are, the timeline with its waterfalls, the state at any event, figures of many.

The functions take whatever keeps sessions (`schemas.bus.Reading`, `Listing`): a started log, a test's memory, an archive;
`find_log(given)` finds the log and the session a person means at the command line. `page.py` is apart: a session's page in the
web app, which may have to start an API.
"""

from ops.reading._export import export
from ops.reading._logs import Sessions, find_log
from ops.reading._sessions import sessions
from ops.reading._state import state
from ops.reading._stats import By, stats
from ops.reading._timeline import print_waterfall, print_waterfalls, show
from ops.reading._top import top
from schemas.session.history import waterfalls

__all__ = [
    "By",
    "Sessions",
    "export",
    "find_log",
    "print_waterfall",
    "print_waterfalls",
    "sessions",
    "show",
    "state",
    "stats",
    "top",
    "waterfalls",
]
