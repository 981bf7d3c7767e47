"""What an agent can do: the functions of its agent.py, what every agent can have, and what other servers offer; how one is
called."""

from workers.tools._running import Call, Returned, call, context_of
from workers.tools._toolbox import NO_TOOLS, Toolbox, Toolboxes
from workers.tools.stage import ToolStage

__all__ = ["NO_TOOLS", "Call", "Returned", "ToolStage", "Toolbox", "Toolboxes", "call", "context_of"]
