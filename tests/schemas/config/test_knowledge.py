"""The files that an agent may look up: which count, how large they may be, and what an agent has of them."""

from pathlib import Path

import pytest

from schemas.config import knowledge
from schemas.config.agent import AgentSpec, load_agent
from schemas.config.agents import Agents
from schemas.config.knowledge import KnowledgeSpec
from schemas.errors import AgentSpecError
from schemas.session.chat import messages
from schemas.session.state import SessionState


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the agent `pizza`, in `tmp_path`."""
    (tmp_path / "pizza" / "knowledge").mkdir(parents=True)
    (tmp_path / "pizza" / "agent.toml").write_text("")
    return tmp_path / "pizza"


def test_small_files_are_told_whole(folder: Path) -> None:
    """With the instructions, in order, as they stand; the model then has nothing to look up."""
    (folder / "knowledge" / "b.txt").write_bytes(b"\xef\xbb\xbfPrices:\r\n9 euros {{now}}")
    (folder / "knowledge" / "a.md").write_text("# Hours\n11 to 22\n")
    (folder / "knowledge" / "c.md").write_text(" \n")
    (folder / "knowledge" / ".hidden.md").write_text("secret")
    (folder / "knowledge" / "d.pdf").write_bytes(b"%PDF\xff")
    spec = load_agent(folder)
    assert spec.knowledge.text == "[a.md]\n# Hours\n11 to 22\n\n[b.txt]\nPrices:\n9 euros {{now}}"
    assert (spec.looks_up, spec.has_tools, len(spec.knowledge.version)) == (False, False, 16)
    [system] = messages(SessionState(agent=spec, instructions="Be brief."), 1)
    assert system["content"] == f"Be brief.\n\nWhat you know, from your own files:\n\n{spec.knowledge.text}"
    assert AgentSpec.model_validate_json(spec.model_dump_json()) == spec
    assert [path.name for path in knowledge.others(folder)] == ["d.pdf"]


@pytest.mark.parametrize(
    ("said", "looks_up", "text"),
    [
        ("", True, ""),
        ('mode = "always"', False, ""),
        ('mode = "off"', False, ""),
        ("whole = 10000", False, "[a.md]\n"),
    ],
)
def test_more_is_looked_up(folder: Path, said: str, looks_up: bool, text: str) -> None:
    """By the tool, or it is given with each question, or not at all, as the agent says; `whole` moves the limit."""
    (folder / "knowledge" / "a.md").write_text("word " * 1_000)
    (folder / "agent.toml").write_text(f"[knowledge]\n{said}\n")
    spec = load_agent(folder)
    assert (spec.looks_up, spec.has_tools) == (looks_up, looks_up)
    assert spec.knowledge.text[:7] == text


def test_a_file_alone_has_none(tmp_path: Path) -> None:
    """A bare TOML is an agent without a folder: what is called knowledge beside it is nobody's."""
    (tmp_path / "desk.toml").write_text("")
    (tmp_path / "knowledge").mkdir()
    (tmp_path / "knowledge" / "a.md").write_text("word")
    assert Agents(tmp_path).find("desk").knowledge == KnowledgeSpec()


def test_each_mistake_is_a_sentence(folder: Path) -> None:
    """With the file, what was found and what is expected."""

    def complaint() -> str:
        with pytest.raises(AgentSpecError) as caught:
            load_agent(folder)
        return str(caught.value)

    path = folder / "knowledge" / "a.md"
    path.write_bytes(b"caf\xe9")
    assert complaint() == f"{path}: byte 3 is not UTF-8; save it as UTF-8 text"
    path.write_bytes(b"a\0b")
    assert complaint() == f"{path}: it has null characters; expected text in UTF-8"
    path.write_text("x" * 500_001)
    assert complaint() == f"{path}: 500,001 bytes; expected at most 500,000: cut it into several"
    path.unlink()
    for number in range(5):
        (folder / "knowledge" / f"{number}.md").write_text("x" * 450_000)
    assert complaint() == f"{path.parent}: more than 2,000,000 bytes together, with 4.md; expected at most that"
    for number in range(101):
        (folder / "knowledge" / f"{number}.md").write_text("x")
    assert complaint() == f"{path.parent}: 101 files; expected at most 100: join those that are small"
    for number in range(2_000):
        (folder / "knowledge" / f"{number}.csv").write_text("")
    assert complaint() == f"{path.parent}: more than 2,000 names; expected at most 100 files"


def test_folders_within_each_other_end(folder: Path) -> None:
    """Four deep is read; a link to a folder, which may lead round, is not."""
    deep = folder / "knowledge" / "1" / "2" / "3"
    (deep / "4").mkdir(parents=True)
    (deep / "a.md").write_text("read")
    (deep / "4" / "b.md").write_text("too deep")
    (folder / "knowledge" / "round").symlink_to(folder / "knowledge")
    assert knowledge.read(folder) == {"1/2/3/a.md": "read"}


def test_a_changed_file_counts_for_the_next_session(folder: Path) -> None:
    """The agent of a gateway that runs has it; one that has become wrong keeps the last good state."""
    path = folder / "knowledge" / "a.md"
    path.write_text("9 euros")
    agents = Agents(folder.parent)
    before = agents.find("pizza").knowledge
    path.write_text("10 euros, since May")
    after = agents.find("pizza").knowledge
    assert after.text == "[a.md]\n10 euros, since May"
    assert before.version != after.version
    path.write_bytes(b"\xff")
    assert agents.find("pizza").knowledge == after
    assert agents.problems() == {}
    assert "byte 0 is not UTF-8" in Agents(folder.parent, strict=False).problems()["pizza"]


def test_a_link_leads_to_no_other_file(tmp_path: Path) -> None:
    """What lies elsewhere on this machine is told to no caller; links within the agent's folder are its own."""
    folder = tmp_path / "pizza"
    (folder / "knowledge").mkdir(parents=True)
    (folder / "text").write_text("Pizza is eaten hot.")
    (folder / "knowledge" / "own.md").symlink_to(folder / "text")
    assert knowledge.read(folder) == {"own.md": "Pizza is eaten hot."}
    (tmp_path / "secret").write_text("the key")
    path = folder / "knowledge" / "other.md"
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(knowledge.WrongKnowledgeError, match="it leads out of") as wrong:
        knowledge.read(folder)
    assert str(wrong.value) == f"{path}: it leads out of {folder}; put the file itself there"
