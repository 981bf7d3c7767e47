"""The fixture `conversation`, as builders use it: in this very run, and in a project of somebody else's."""

import subprocess
import sys
from pathlib import Path

import pytest

from ops.simulate.conversation import Call, Conversation

MENU = """
greeting = "Pizza Napoli, hello."
"""


@pytest.fixture(autouse=True)
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "agents").mkdir(exist_ok=True)
    (tmp_path / "agents" / "pizza.toml").write_text(MENU)
    monkeypatch.chdir(tmp_path)


async def test_what_is_said_is_answered_by_the_script(conversation: Conversation) -> None:
    """Word for word, in order; what was said is found whatever the case."""
    conversation.model(["Which size?", "It comes at eight."])
    assert await conversation.say("A pizza, please.") == "Which size?"
    assert await conversation.say("Large.") == "It comes at eight."
    assert "WHICH SIZE" in conversation.said
    assert r"/at (eight|8)\./" in conversation.said
    assert "nine" not in conversation.said
    assert not conversation.ended
    assert not conversation.called("book")
    assert repr(conversation.called("book", guests=4)) == "<no call of book(guests=4); there were: none>"
    await conversation.hang_up()
    assert conversation.events[-1].type == "session.ended"
    with pytest.raises(AssertionError, match="the conversation has ended"):
        await conversation.say("Hello?")


async def test_a_script_that_is_over_is_told(conversation: Conversation) -> None:
    """Not an apology that nobody understands."""
    conversation.model(["Yes."])
    await conversation.say("Hello?")
    with pytest.raises(AssertionError, match=r"no answer to 'And now\?': .*has no reply left"):
        await conversation.say("And now?")
    conversation.model(["Now, too."])
    assert await conversation.say("Really?") == "Now, too."


async def test_nothing_is_asked_before_somebody_speaks(conversation: Conversation) -> None:
    """Who calls can be said until then."""
    assert conversation.session == ""
    conversation.caller(identity="+4930123", name="Anna")
    conversation.model(["Hello Anna."])
    await conversation.say("Hi.")
    joined = next(event for event in conversation.events if event.type == "participant.joined")
    assert (joined.participant, joined.name) == ("+4930123", "Anna")


def test_a_call_by_script() -> None:
    """A name, and what it is called with."""
    assert Call("book", guests=4) == {"call": "book", "arguments": {"guests": 4}}


THEIRS = """
import pytest

@pytest.mark.agent("pizza")
async def test_greets(conversation):
    assert await conversation.begin() == "Pizza Napoli, hello."
    conversation.model(["Which size?"])
    assert await conversation.say("A pizza.") == "Which size?"
    assert "size" in conversation.said

@pytest.mark.agent("pizza")
async def test_fails(conversation):
    conversation.model(["No."])
    await conversation.say("A pizza.")
    assert conversation.called("book", guests=4)

@pytest.mark.agent("taxi")
async def test_no_such_agent(conversation):
    pass
"""

INI = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
antiphon_agents = agents
filterwarnings = error
"""


def test_in_a_project_of_somebody_elses(tmp_path: Path) -> None:
    """With nothing but Antiphon and pytest installed: the agent is found by its mark, what fails says why."""
    (tmp_path / "test_pizza.py").write_text(THEIRS)
    (tmp_path / "pytest.ini").write_text(INI)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-p", "no:cacheprovider"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "no call of book(guests=4); there were: none" in done.stdout
    assert "no agent 'taxi' here; there is default, pizza" in done.stdout


def test_run_from_a_folder_of_the_project(tmp_path: Path) -> None:
    """The folder `agents` of the project is found, as where it is run from its top, with nothing set."""
    (tmp_path / "tests").mkdir()
    begins = "import asyncio\n\ndef test_begins(conversation):\n    assert asyncio.run(conversation.begin())\n"
    (tmp_path / "tests" / "test_pizza.py").write_text(begins)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "tests", capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_it_costs_nothing_who_does_not_use_it() -> None:
    """Its plugin loads neither models nor gateways, nor pydantic."""
    heavy = ("pydantic", "numpy", "gateway", "schemas")
    script = f"import sys, ops.simulate.pytest_plugin; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    assert done.stdout.strip() == "[]"
