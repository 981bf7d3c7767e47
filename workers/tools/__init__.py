"""What an agent can do: the functions of its agent.py, what every agent can have, and what other servers offer; how one is
called."""

from workers.tools._builtin import notes_fields
from workers.tools._moving import Moves, stamped
from workers.tools._results import Unreadable, changed, in_short
from workers.tools._running import Call, Doing, Returned, all_posted, call, context_of, posted
from workers.tools._saying import Saying, by_the_gateway
from workers.tools._secrets import hidden
from workers.tools._toolbox import NO_TOOLS, Toolbox, Toolboxes
from workers.tools.stage import ToolStage

__all__ = [
    "NO_TOOLS",
    "Call",
    "Doing",
    "Moves",
    "Returned",
    "Saying",
    "ToolStage",
    "Toolbox",
    "Toolboxes",
    "Unreadable",
    "all_posted",
    "by_the_gateway",
    "call",
    "changed",
    "context_of",
    "hidden",
    "in_short",
    "notes_fields",
    "posted",
    "stamped",
]
