"""Reading sessions from their log: the timeline with its waterfalls, the state at any event, everything in one file.

The functions take whatever keeps sessions (`schemas.bus.Reading`, `Listing`): a started log, a test's memory, an archive;
`log_of(session)` finds the log a person means at the command line, `page_of(session)` its page in the web app.
"""

from ops.reading._logs import Sessions, log_of
from ops.reading._page import Page, page_of, until_told
from ops.reading._state import sessions, state
from ops.reading._timeline import print_waterfall, print_waterfalls, show
from schemas.session.export import export
from schemas.session.history import waterfalls

__all__ = [
    "Page",
    "Sessions",
    "export",
    "log_of",
    "page_of",
    "print_waterfall",
    "print_waterfalls",
    "sessions",
    "show",
    "state",
    "until_told",
    "waterfalls",
]
