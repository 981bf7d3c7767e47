"""`antiphon agents`: which there are to speak with."""

import typer

from ops import console
from ops.commands._looking import lightly
from ops.commands._options import Json


def agents(json: Json = False) -> None:
    """List the agents, and what is wrong with their files.

    Those of AGENTS (in this terminal, or .env), as gateways that are started here have them: the name to ask for, what it
    thinks and speaks with, and who is had by callers that name none. Where a stack runs here and AGENTS is not set, those it
    has; where it is, whether the stack has others. Exit code 1 when a file is wrong, with every complaint, by file and line.

    \b
    Examples:
      antiphon agents
      AGENTS=my-agents antiphon agents --json
    """
    lightly()
    from ops.simulate.matching import wrong_files
    from ops.stack.agents import list_agents
    from ops.stack.here import running
    from ops.stack.models import use_models_here
    from schemas.config.settings import load

    with console.telling():
        if running() is None:
            use_models_here()  # as `up` would
        well = list_agents(load(), json=json, more=wrong_files)
    if not well:
        raise typer.Exit(console.FAILED)
