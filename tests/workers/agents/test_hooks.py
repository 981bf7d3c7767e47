"""Hooks as builders write them: found, called within their time, and harmless whatever they do. In real threads, on real
loops."""

import asyncio
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.config.conversation import Hooks, hooks_in
from schemas.session.state import SessionState
from workers.agents import AgentCode, Context, load
from workers.llm._hook_calls import called


def code(folder: Path, text: str) -> AgentCode:
    (folder / "agent.py").write_text(dedent(text))
    return load(folder)


async def asked(found: AgentCode, name: Any, timeout: float = 0.2, about: Any = None) -> Any:
    from schemas.config.agent import AgentSpec

    state = SessionState(agent=AgentSpec(hooks=Hooks(timeout=timeout, exit=timeout)))
    return await called(name, f"{name}/1", found, Context(), about, state)


def test_hooks_are_found_by_name_and_by_mark(tmp_path: Path) -> None:
    """By the text alone for the gateway, which runs nothing of it; and as they are for the workers. Both find the same."""
    (tmp_path / "more.py").write_text("def on_idle(context): return 'Hello?'\n")
    text = """
        from workers.agents import hook
        from .more import on_idle

        def on_enter(context): ...

        @hook("on_exit")
        async def goodbye(context, ending): ...

        @hook(pure=True)
        def on_user_turn(context, turn): ...

        def on_something_else(): ...
    """
    found = code(tmp_path, text)
    assert found.problem == ""
    wanted = {"on_enter": False, "on_user_turn": True, "on_idle": False, "on_exit": False}
    assert {name: one.pure for name, one in found.hooks.items()} == wanted
    assert {name: kind == "pure" for name, kind in hooks_in(tmp_path).items()} == wanted


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("@hook('on_leave')\ndef f(context): ...", "there is no hook 'on_leave'; there are on_enter"),
        ("@hook(pure=True)\ndef on_enter(context): ...", "pure=True is for on_user_turn"),
        ("def on_enter(a, b, c): ...", "line 3: on_enter: it takes 3 parameters"),
        ("@hook('on_enter')\ndef f(c): ...\ndef on_enter(c): ...", "two functions are this hook"),
    ],
)
def test_a_function_that_can_be_no_hook_is_told(tmp_path: Path, text: str, problem: str) -> None:
    """In one sentence, with the file."""
    found = code(tmp_path, f"from workers.agents import hook\n\n{text}\n")
    assert problem in found.problem
    assert str(tmp_path / "agent.py") in found.problem


def test_a_text_that_is_no_python_has_no_hooks(tmp_path: Path) -> None:
    """Whoever loads it says why."""
    (tmp_path / "agent.py").write_text("def on_enter(:\n")
    assert hooks_in(tmp_path) == {}
    assert hooks_in(tmp_path / "nowhere") == {}


_BAD = """
    import asyncio, time

    def on_enter(context):
        while True:
            time.sleep(0.01)

    async def on_idle(context, silence):
        await asyncio.sleep(60)

    async def on_exit(context):
        until = time.monotonic() + 3.0
        while time.monotonic() < until:  # never yields
            pass

    def on_agent_turn(context):
        raise SystemExit(1)

    def on_tool(context, call):
        context.state["huge"] = "x" * 100_000

    async def on_user_turn(context, turn):
        context.state["seen"] = turn
        return None
"""


async def test_a_hook_that_loops_or_hangs_is_left_to_itself(tmp_path: Path) -> None:
    """Sync, async, and one that holds its whole loop: the worker's own goes on, and so does the next hook."""
    found = code(tmp_path, _BAD)
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0.01)

    beating = asyncio.ensure_future(beat())
    for name in ("on_enter", "on_idle", "on_exit"):
        before = beats
        hooked = await asked(found, name)
        assert hooked.error.startswith("nothing came of it within 0.2 s")
        assert beats > before
    await asyncio.sleep(1.0)  # until it is seen that the loop does not turn
    hooked = await asked(found, "on_user_turn", timeout=5.0, about="hello")
    assert (hooked.error, hooked.state) == ("", {"seen": "hello"})
    beating.cancel()


async def test_what_a_hook_raises_or_keeps_too_much_of_is_told(tmp_path: Path) -> None:
    """SystemExit ends nobody; a state that is too large is not kept."""
    found = code(tmp_path, _BAD)
    assert (await asked(found, "on_agent_turn")).error == "RuntimeError: SystemExit"
    hooked = await asked(found, "on_tool", timeout=5.0, about=SimpleNamespace())
    assert "context.state was given more than" in hooked.error
    assert hooked.state == {}


@pytest.mark.parametrize(
    ("answer", "decision", "told"),
    [
        ("'Hello'", "greeted", "Hello"),
        ("{'a': 1, 'b': None}", "", {"a": "1", "b": ""}),
        ("Enter('', {'a': 'x'})", "greeted", {"a": "x"}),
        ("{'not a name': 1}", "", "it returned a value called 'not a name'"),
        ("{f'v{n}': n for n in range(100)}", "", "it returned 100 values"),
        ("'x' * 10_000", "", "it returned a text of 10,000 characters"),
        ("3", "", "it returned a int; the greeting (str)"),
    ],
)
async def test_what_on_enter_may_answer(tmp_path: Path, answer: str, decision: str, told: Any) -> None:
    """A greeting, values, both; all else is told, and counts for nothing."""
    found = code(tmp_path, f"from workers.agents import Enter\ndef on_enter(context):\n    return {answer}\n")
    hooked = await asked(found, "on_enter", timeout=5.0)
    assert hooked.decision == decision
    if isinstance(told, dict):
        assert hooked.values == told
    else:
        assert told in (hooked.text or hooked.error)
