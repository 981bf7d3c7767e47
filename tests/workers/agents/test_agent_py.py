"""What a builder writes in agent.py: what the model is told of it, and what becomes of mistakes."""

import asyncio
from pathlib import Path
from textwrap import dedent

import pytest

from schemas.config.agent import AgentSpec
from schemas.session.state import SessionState
from workers.agents import AgentCode, ArgumentsError, Codes, Context, Recorded, load
from workers.agents._threads import MOST_LEFT
from workers.tools import Call, Doing, Moves, Returned, call

MENU = """
    from __future__ import annotations

    from typing import Annotated, Literal

    from pydantic import BaseModel, Field

    from workers.agents import Context, tool

    from . import prices


    class Table(BaseModel):
        guests: int
        outside: bool = False


    @tool
    def price(pizza: Literal["funghi", "salami"], count: int = 1) -> int:
        '''What a pizza costs.

        Args:
            pizza: its name
                as on the menu
            count: how many

        Returns:
            euros
        '''
        return prices.PIZZAS[pizza] * count


    @tool(name="book_table", repeat=True, timeout=3, patience=1.0, pool=True, cancel=True)
    async def book(context: Context, table: Table, at: Annotated[str, Field(description="such as 19:30")]) -> str:
        "Book a table."
        await context.say("I am looking.")
        return f"{context.session}: {table.guests} at {at}"
"""


def written(folder: Path, text: str, **beside: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "agent.py").write_text(dedent(text))
    for name, content in beside.items():
        (folder / f"{name}.py").write_text(dedent(content))
    return folder


def test_what_the_model_is_told(tmp_path: Path) -> None:
    """The schema is made of annotations and docstring; what has a default may be left out."""
    code = load(written(tmp_path, MENU, prices="PIZZAS = {'funghi': 9}"))
    assert not code.problem
    told = code.tools["price"].definition()["function"]
    assert told["description"] == "What a pizza costs."
    assert told["parameters"] == {
        "type": "object",
        "properties": {
            "pizza": {"type": "string", "enum": ["funghi", "salami"], "description": "its name as on the menu"},
            "count": {"type": "integer", "description": "how many"},
        },
        "required": ["pizza"],
    }
    book = code.tools["book_table"]
    assert (book.repeat, book.timeout, book.patience, book.pool, book.cancel) == (True, 3, 1.0, True, True)
    assert book.parameters["properties"]["at"] == {"type": "string", "description": "such as 19:30"}
    assert set(book.parameters["properties"]) == {"table", "at"}


async def test_functions_are_called(tmp_path: Path) -> None:
    """Plain ones in a thread, with what the model gave made to fit; those with a context get one; junk beside is left out."""
    code = load(written(tmp_path, MENU, prices="PIZZAS = {'funghi': 9}"))
    price, book = code.tools["price"], code.tools["book_table"]
    assert await price.run(Context(), price.fit({"pizza": "funghi", "count": "2", "please": True})) == 18
    context = Context(session="s")
    arguments = book.fit({"table": {"guests": 4}, "at": 19})
    assert await book.run(context, arguments) == "s: 4 at 19"
    assert isinstance(context.actions, Recorded)
    assert context.actions.done == [("say", "I am looking.")]


def test_arguments_that_do_not_fit(tmp_path: Path) -> None:
    """The model is told what is wrong with which of them."""
    price = load(written(tmp_path, MENU, prices="PIZZAS = {}")).tools["price"]
    with pytest.raises(ArgumentsError, match=r"pizza: Input should be 'funghi' or 'salami'; count: Input should be"):
        price.fit({"pizza": "margherita", "count": "many"})


HEAD = "from workers.agents import Context, tool\n"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("def x(:\n", 1, "invalid syntax; expected Python"),
        ("\n\n1 / 0\n", 3, "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)\n", 1, "SystemExit: 3"),
        (f"{HEAD}@tool\ndef f(a):\n    'x'\n", 2, 'the parameter "a" has no type; write a: str, or so'),
        (f"{HEAD}@tool\ndef f(*a: int):\n    'x'\n", 2, "can't be given by name"),
        (f"{HEAD}@tool\ndef f(a: int) -> None: ...\n", 2, "f: it has no docstring"),
        (f"{HEAD}@tool\ndef f(a: 'Nowhere'):\n    'x'\n", 2, "an annotation can't be read"),
        (f"{HEAD}@tool\ndef f(a: slice):\n    'x'\n", 2, "a type that JSON has none for"),
        (f"{HEAD}@tool\ndef f(a: int, c: Context):\n    'x'\n", 2, "the context must be its first parameter"),
        (f"{HEAD}@tool(timeout=0)\ndef f():\n    'x'\n", 2, "timeout=0; expected seconds above 0"),
        (f"{HEAD}@tool(name='two words')\ndef f():\n    'x'\n", 2, "expected letters, digits"),
        (f"{HEAD}@tool\ndef f():\n    'x'\n@tool(name='f')\ndef g():\n    'y'\n", 5, "two tools are called f"),
        ("from . import nowhere\n", 1, "cannot import name 'nowhere'"),
    ],
)
async def test_a_broken_file_is_one_sentence(tmp_path: Path, text: str, line: int, said: str) -> None:
    """It names the file and the line; nothing is raised, and there are no tools."""
    code = await Codes().of(written(tmp_path, text))
    assert f"agent.py, line {line}: " in code.problem
    assert said in code.problem
    assert "\n" not in code.problem
    assert not code.tools


async def test_a_change_counts_for_new_sessions(tmp_path: Path) -> None:
    """A session goes on with the code it began with; who begins later gets the new one, and what lies beside agent.py counts."""
    codes = Codes()
    text = f"{HEAD}from . import words\n@tool\ndef f() -> str:\n    'x'\n    return words.SAID\n"
    before = await codes.of(written(tmp_path, text, words="SAID = 'before'"))
    after = await codes.of(written(tmp_path, text, words="SAID = 'after'"))
    again = await codes.of(tmp_path, before.version)
    assert before.version != after.version
    assert [await one.tools["f"].run(Context(), {}) for one in (before, after, again)] == ["before", "after", "before"]


async def test_a_session_goes_on_with_what_there_is(tmp_path: Path) -> None:
    """After a restart: with one code to its end, though the file changes again."""
    codes = Codes()
    first = await codes.of(written(tmp_path, "number = 1\n"), "0123456789abcdef")
    written(tmp_path, "number = 2\n")
    again = await codes.of(tmp_path, "0123456789abcdef")
    assert (first.module["number"], again) == (1, first)
    assert (await codes.of(tmp_path)).module["number"] == 2


async def test_what_hangs_harms_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that does not come to its end is given up."""
    monkeypatch.setattr("workers.agents._loading.WITHIN", 0.05)
    code = await Codes().of(written(tmp_path, "import threading\nthreading.Event().wait()\n"))
    assert "not read within 0.05 s" in code.problem


_HANGS = """
    import asyncio, threading, time

    from workers.agents import tool

    come_back = threading.Event()


    @tool
    async def spins() -> str:
        "Never yields."
        while not come_back.is_set():
            time.sleep(0.001)
        return "at last"


    @tool
    async def is_well() -> str:
        "All is well."
        await asyncio.sleep(0)
        return "well"


    @tool
    def hangs() -> str:
        "Hangs."
        come_back.wait()
        return "back"


    @tool
    def plain() -> str:
        "Answers."
        return "plain"
"""


async def called_by(code: AgentCode, name: str, timeout: float = 5.0) -> Returned:
    class Log:
        async def post(self, session: str, request: str, event: object) -> None: ...

    doing = Doing(Log(), "session", "call", lambda text: None, Moves(SessionState(agent=AgentSpec())))  # type: ignore[arg-type]
    return await call(Call("call", code.tools[name], {}, timeout, 4_000), Context(), doing)


async def test_an_async_tool_that_never_yields_holds_up_no_other_session(tmp_path: Path) -> None:
    """The worker's own loop goes on, and another session's async tool is answered though the first still spins."""
    code = load(written(tmp_path, _HANGS))
    spinning = asyncio.ensure_future(called_by(code, "spins", timeout=60.0))
    await asyncio.sleep(0.1)
    assert (await called_by(code, "is_well", timeout=60.0)).result == "well"
    assert not spinning.done()
    code.module["come_back"].set()
    assert (await spinning).result == "at last"


async def test_a_plain_tool_that_hangs_takes_no_threads_from_others(tmp_path: Path) -> None:
    """Once as many calls of it hang as may, it is refused; other tools are called, and so is it, when one is back."""
    code = load(written(tmp_path, _HANGS))
    for _ in range(MOST_LEFT):
        assert (await called_by(code, "hangs", timeout=0.01)).error.startswith("no result within")
    refused = await called_by(code, "hangs")
    assert "8 calls of hangs have not come back" in refused.error
    assert (await called_by(code, "plain")).result == "plain"
    code.module["come_back"].set()
    for _ in range(500):
        if (again := await called_by(code, "hangs")).result == "back":
            break
        await asyncio.sleep(0.01)
    assert again.result == "back"


@pytest.mark.parametrize("said", ["s3cr3t/key+1", "Authorization: Bearer s3cr3t/key+1", "?key=s3cr3t%2Fkey%2B1"])
async def test_a_secret_is_told_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, said: str
) -> None:
    """Neither in what a tool answers, nor in what it raises, nor in the worker's log."""
    monkeypatch.setenv("TOOL_SHOP", "Bearer s3cr3t/key+1")
    code = load(
        written(
            tmp_path,
            f"""
            from workers.agents import tool

            SAID = {said!r}

            @tool
            def tells() -> str:
                "Quotes."
                return SAID

            @tool
            def fails() -> str:
                "Raises."
                raise ValueError("refused: " + SAID)
            """,
        )
    )
    answers = [await called_by(code, "tells"), await called_by(code, "fails")]
    told = " ".join((answers[0].result, answers[1].error, caplog.text))
    assert "s3cr3t" not in told
    assert "(TOOL_SHOP)" in answers[0].result
    assert "ValueError: refused: " in answers[1].error
    assert "the tool fails failed" in caplog.text
