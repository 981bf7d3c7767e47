"""What `antiphon doctor` says of agents that remember callers, or fill in a result, and of the archive that takes."""

from ops.commands.doctor.findings import Finding
from schemas.archive.place import archive_of, place_of
from schemas.config.agents import Agents
from schemas.config.settings import Settings, without_password
from schemas.errors import AntiphonError

_ADVICE = "run `antiphon worker jobs` (`antiphon up` does), and set ARCHIVE_URL for gateways and workers alike"


def examine(settings: Settings) -> list[Finding]:
    """One finding where an agent wants what needs an archive; none where no agent does, or their files are wrong."""
    try:
        agents = Agents(settings.agents, strict=False)
        specs = [agents.find(name) for name in agents.names]
    except AntiphonError:  # told of the agents
        return []
    remember = sorted({one.name for one in specs if one.memory.on})
    results = sorted({one.name for one in specs if one.result.schema})
    if not remember and not results:
        return []
    whose = "; ".join(
        f"{', '.join(names)} {what}"
        for names, what in ((remember, "remembers callers"), (results, "makes results"))
        if names
    )
    if archive_of(settings) is None:
        where = without_password(place_of(settings).url)
        return [Finding("memory", "bad", f"{whose}, and there is no archive for it yet ({where})", _ADVICE)]
    return [Finding("memory", "ok", f"{whose}: there is an archive for it")]
