"""`antiphon simulate`, really run: an agent, its scenarios, and what builders and CI servers are told."""

import json
import os
import signal
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from ops.stack.supervisor import ANTIPHON

ORDER = """
[caller]
lines = ["Hello, a pizza please.", "A large one.", "Thank you, goodbye."]
[expect]
said = ["I heard you say A large one"]
never = ["as an AI"]
turns = 3
latency_p95 = 30
"""
HASTE = """
[caller]
lines = ["Hello, a pizza please.", "No, wait, two.", "Goodbye."]
temper = "interrupting"
[expect]
said = ["I heard you say Goodbye"]
interruptions = true
"""


@pytest.fixture(autouse=True)
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An agent as a folder, with two scripted callers."""
    agent = tmp_path / "agents" / "demo"
    (agent / "scenarios").mkdir(parents=True)
    (agent / "agent.toml").write_text('greeting = "Hello, this is Antiphon. What would you like?"\n')
    (agent / "scenarios" / "order.toml").write_text(ORDER)
    (agent / "scenarios" / "haste.toml").write_text(HASTE)
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "AGENTS": "agents",
        "LLM_PROVIDER": "simulated",
        "ANTIPHON_DATA": str(tmp_path / "data"),
    }.items():
        monkeypatch.setenv(name, value)
    return agent


def simulate(*arguments: str, within: float = 55, **environment: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[3]
    variables = {**os.environ, "PYTHONPATH": str(root), **environment}
    return subprocess.run(
        [*ANTIPHON, "simulate", *arguments], capture_output=True, text=True, check=False, timeout=within, env=variables
    )


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_two_callers_pass(demo: Path) -> None:
    """As CI runs it: exit code 0, JSON, JUnit and a page of both."""
    done = simulate("demo", "--json", "--junit", "results.xml", "--html", "report.html")
    assert done.returncode == 0, done.stdout + done.stderr
    found = told(done)
    assert (found["version"], found["agent"], found["mode"], found["passed"], found["failed"]) == (
        1,
        "demo",
        "text",
        2,
        0,
    )
    haste, order = found["results"]
    assert (haste["scenario"], haste["interruptions"], order["turns"]) == ("haste", 2, 3)
    suite = ET.parse("results.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "0")
    assert [case.get("name") for case in suite] == ["haste", "order"]
    page = Path("report.html").read_text("utf-8")
    for part in ("demo, simulated", "I heard you say A large one", "spoken over, the agent falls silent and answers"):
        assert part in page


def test_what_fails_is_told(demo: Path) -> None:
    """Exit code 1, with what was expected, what was found, and the conversation; a name with markup poses as none."""
    (demo / "scenarios" / "order.toml").write_text(
        ORDER.replace('A large one"]\nnever', '<script>alert(1)</script>"]\nnever')
    )
    done = simulate("demo", "order", "--junit", "results.xml", "--html", "report.html")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "✗ order" in done.stdout
    assert (
        "the agent says “I heard you say <script>alert(1)</script>”: it said “Hello, this is Antiphon." in done.stdout
    )
    assert "0 passed, 1 failed" in done.stdout
    (case,) = ET.parse("results.xml").getroot()[0]
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("type") == "said"
    assert "<script>alert" not in Path("report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["taxi"], 2, "no agent 'taxi' here; there is default, demo (setting: AGENTS)"),
        (
            ["demo", "nothing"],
            2,
            "no scenario 'nothing', and no such file or folder; there is haste, order in agents/demo/scenarios",
        ),
        (["demo", "broken.toml"], 2, 'broken.toml, line 2: unknown key "gaol" in [caller]; did you mean "goal"?'),
        (["demo", "--url", "localhost:1"], 2, "give --sound, too"),
        (["demo", "--html", "nowhere/report.html"], 2, "cannot be written (there is no folder nowhere)"),
        (["demo", "--parallel", "0"], 2, "--parallel"),
    ],
)
def test_broken_is_told_in_a_sentence(arguments: list[str], code: int, said: str) -> None:
    """Before anything is started."""
    Path("broken.toml").write_text('[caller]\ngaol = "x"\n')
    done = simulate(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_endpoint_that_is_away(demo: Path) -> None:
    """Exit code 3, and the setting to look at."""
    done = simulate("demo", LLM_PROVIDER="openai", LLM_BASE_URL="http://127.0.0.1:9/v1", LLM_MODEL="m")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "LLM_BASE_URL=http://127.0.0.1:9/v1" in done.stderr


@pytest.mark.models
@pytest.mark.timeout(240)
def test_a_small_model_plays_and_judges(demo: Path) -> None:
    """Whatever it makes of that: there are lines, and verdicts or the word that there is none."""
    Path("played.toml").write_text(
        '[caller]\ngoal = "find out the capital of France"\nturns = 1\nseconds = 40\n'
        '[judge]\ncriteria = ["The agent is polite."]\n'
    )
    done = simulate("demo", "played.toml", "--json", within=230, LLM_PROVIDER="openai")
    assert done.returncode in (0, 1), done.stdout + done.stderr
    (result,) = told(done)["results"]
    assert result["turns"] >= 1
    (verdict,) = [check for check in result["checks"] if check["kind"] == "judge"]
    assert isinstance(verdict["passed"], bool)
    assert verdict["passed"] or verdict["undecided"] or verdict["why"] is not None


def test_what_was_done_is_told_when_it_is_stopped(demo: Path) -> None:
    """Ctrl-C: results, JUnit and page of what was over, and exit code 130."""
    (demo / "scenarios" / "haste.toml").write_text('[caller]\nlines = ["Hello."]\n')
    (demo / "scenarios" / "order.toml").write_text(f"[caller]\nlines = {['And then?'] * 200}\n")
    arguments = ["demo", "--parallel", "1", "--junit", "results.xml", "--html", "report.html"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "SIMULATED_LLM_MS": "500"}
    with subprocess.Popen(
        [*ANTIPHON, "simulate", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as run:
        assert run.stdout is not None
        first = run.stdout.readline()
        run.send_signal(signal.SIGINT)
        said, troubles = run.communicate(timeout=40)
    assert "✓ haste" in first, first + said + troubles
    assert run.returncode == 130, said + troubles
    assert "1 passed, 0 failed, 1 not done" in said
    assert "Traceback" not in troubles
    assert [case.get("name") for case in ET.parse("results.xml").getroot()[0]] == ["haste"]
    assert "haste" in Path("report.html").read_text("utf-8")
