"""What lies in an agent's folder beside agent.toml: looked at without running any of it, and written for `antiphon new`."""

import ast
import difflib
import re
import tomllib
from pathlib import Path

from schemas.config import knowledge
from schemas.config.agent import AGENT_FILE, INSTRUCTIONS_FILE, KNOWLEDGE, SCENARIOS, code_files
from schemas.config.agents import Agents
from schemas.config.conversation import CODE_FILE
from schemas.errors import AgentSpecError

LARGEST = 2_000_000
"""Bytes of a file that is looked at."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""Of a new agent."""
_KNOWN = (AGENT_FILE, INSTRUCTIONS_FILE, CODE_FILE, SCENARIOS, KNOWLEDGE)
_MOST = 50
"""Files of a folder that are looked at."""
_POOL = re.compile(rb"\bpool\s*=")


def wrong_beside(folder: Path) -> list[str]:
    """What can't be read of an agent's code and scenarios, with file and line."""
    code = (line for path in code_files(folder) for line in _wrong_code(path))
    return [*code, *(line for path in _scenarios(folder) for line in _wrong_toml(path))]


def doubtful_beside(folder: Path) -> list[str]:
    """Names in the folder that are close to one that counts, and do not."""
    found = []
    for path in sorted(folder.iterdir())[:_MOST]:
        near = difflib.get_close_matches(path.name.lower(), _KNOWN, n=1, cutoff=0.8)
        if path.name not in _KNOWN and near and not (folder / near[0]).exists():
            found.append(f"{path}: nothing reads it; did you mean {near[0]}?")
    wanted = " or ".join(knowledge.SUFFIXES)
    return [*found, *(f"{path}: nothing reads it; expected {wanted}" for path in _unread(folder)[:_MOST])]


def _unread(folder: Path) -> list[Path]:
    try:
        return knowledge.others(folder)
    except knowledge.WrongKnowledgeError:  # a mistake of the agent, which is told as such
        return []


def beside(agents: Agents, name: str) -> tuple[list[str], list[str]]:
    """What is wrong, and what is doubtful, beside the file of one agent."""
    folder = agents.folder(name)
    try:
        return ([], []) if folder is None else (wrong_beside(folder), doubtful_beside(folder))
    except OSError as error:
        return [f"{folder}: cannot be looked at ({error.strerror})"], []


def may_want_pool(agents: Agents) -> bool:
    """Whether tools of any of them may be run by `antiphon worker tools`: its file says so, or its code speaks of a pool."""
    for name in agents.files:
        try:
            if agents.find(name).tools.pool:
                return True
            folder = agents.folder(name)
            if folder is not None and any(_POOL.search(path.read_bytes()) for path in code_files(folder)):
                return True
        except (AgentSpecError, OSError):
            continue  # said elsewhere
    return False


def code_and_scenarios(folder: Path) -> list[Path]:
    """All files of an agent in this folder that count, there now."""
    files = [folder / name for name in (AGENT_FILE, INSTRUCTIONS_FILE)]
    found = (*files, *code_files(folder), *_scenarios(folder), *_known(folder))
    return [path for path in found if path.is_file()]


def _known(folder: Path) -> list[Path]:
    try:
        return knowledge.files(folder)
    except (knowledge.WrongKnowledgeError, OSError):
        return []


def _scenarios(folder: Path) -> list[Path]:
    return sorted((folder / SCENARIOS).glob("*.toml"))[:_MOST]


def _wrong_code(path: Path) -> list[str]:
    if not path.exists():
        return []
    text = _text(path)
    if isinstance(text, list):
        return text
    try:
        ast.parse(text, str(path))
    except SyntaxError as error:
        return [
            f"{path}, line {error.lineno}: not Python: {error.msg}; the agent answers without its tools until this is right"
        ]
    except (ValueError, RecursionError, MemoryError):
        return [f"{path}: not Python that can be read (a null character, or brackets too deep)"]
    return []


def _wrong_toml(path: Path) -> list[str]:
    text = _text(path)
    if isinstance(text, list):
        return text
    try:
        tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        line = re.search(r"at line (\d+)", str(error))
        return [f"{path}{f', line {line[1]}' if line else ''}: not TOML: {error or 'too deep'}"]
    return []


def _text(path: Path) -> str | list[str]:
    """Its text, or why it has none."""
    try:
        if (size := path.stat().st_size) > LARGEST:
            return [f"{path}: {size:,} bytes; expected at most {LARGEST:,}"]
        return path.read_text("utf-8")
    except OSError as error:
        return [f"{path}: cannot be read ({error.strerror})"]
    except UnicodeDecodeError as error:
        return [f"{path}: byte {error.start} is not UTF-8; save it as UTF-8 text"]


# ── a new one ────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_new(parent: Path, name: str) -> Path:
    """A folder with an agent that works, and says what else there may be. AgentSpecError: it can't be made there; nothing is
    written over."""
    if not NAME.fullmatch(name):
        raise AgentSpecError(
            f"{name[:80]!r} can't be an agent's name; expected up to 64 letters, digits, - and _, the first of them no sign"
        )
    folder = parent / name
    if (twin := parent / f"{name}.toml").exists():
        raise AgentSpecError(f"{twin} is an agent of that name; choose another, or remove it")
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        (folder / SCENARIOS).mkdir()
        for path, text in _FILES.items():
            with (folder / path).open("x", encoding="utf-8") as file:
                file.write(text.replace("NAME", name))
    except FileExistsError as error:
        raise AgentSpecError(f"{error.filename} is there already; nothing was written. Choose another name") from None
    except OSError as error:
        raise AgentSpecError(f"{error.filename}: cannot be written ({error.strerror})") from None
    return folder


_FILES = {
    AGENT_FILE: """\
# The agent NAME. What is left out keeps its default; docs/agents.md tells of every setting there is.
# A change counts from the next conversation on; nothing need be started again.

# Spoken as soon as somebody is there; "" waits to be spoken to. A value of the call stands in double braces.
greeting = "Hello {{caller.name | dear caller}}, this is NAME. What can I do for you?"

# The instructions stand beside this file, in instructions.md. They may tell values, too: {{now}}, {{caller.number}}, …
timezone = "UTC"          # of {{now}}: an IANA name, such as "Europe/Berlin"
prompt_metadata = []      # keys of a call's metadata that may be told, such as ["order"]

# language = "en"         # ISO 639-1; "" detects it

# [llm]
# model = ""              # "" is the one of LLM_MODEL
# temperature = 0.7

# [voice]
# name = ""               # a voice of the TTS provider

# What it may look up lies in knowledge/ beside this file, as .md and .txt: prices, opening hours, what is often asked.
# [knowledge]
# mode = "tool"           # "always": what fits is given with each question, for models that call no tools
""",
    INSTRUCTIONS_FILE: """\
You are NAME, a friendly voice assistant on the phone. It is {{now}}.

Answer in one or two short spoken sentences. No lists, no markdown, no emoji.
When somebody asks for the opening hours, look them up with the tool; never guess them.
""",
    CODE_FILE: '''\
"""Tools of the agent NAME: functions that it may call while it talks.

What the function's docstring and its arguments say is what the LLM is told. A change counts from the next conversation on.
"""

from workers.agents import Context, tool

HOURS = {"monday": "closed", "saturday": "10 to 14", "sunday": "closed"}


@tool
def opening_hours(context: Context, day: str) -> str:
    """When we are open. `day`: of the week, in English."""
    return HOURS.get(day.strip().lower(), "9 to 18")
''',
    f"{SCENARIOS}/first.toml": """\
# A caller who tests the agent:  antiphon simulate NAME

[caller]
lines = ["When are you open on Saturday?"]     # said one after another, word for word; without it an LLM plays the caller:
persona = "a customer in a hurry"
goal = "to learn when the shop is open on Saturday"
# facts = "It is about an order of last week."
# temper = "impatient"                         # impatient, interrupting, mumbling or on a bad line

[expect]
# said = ["ten", "/1[04]/"]                    # parts of what the agent says, in any case; between slashes: a regular expression
never = ["as an AI"]
# called = [{ name = "opening_hours", arguments = { day = "Saturday" } }]
# ended = true                                 # the agent ends the call by itself
# latency_p95 = 2.0                            # seconds

# [judge]
# criteria = ["The agent is friendly, and brief."]
""",
}
