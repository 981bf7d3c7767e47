"""Agents' files found by their words, and read anew when they changed. Real files, the real index."""

import asyncio
import logging
import os
from pathlib import Path

import pytest

from schemas.config.knowledge import KnowledgeSpec
from workers.knowledge import Libraries, Passage, Wanted
from workers.knowledge._index import Index

MENU = """\
# Pizza
## Margherita
Tomato and mozzarella, 9 euros.
## Diavola
Spicy salami, 11 euros.
# Delivery
We deliver within five kilometres, for 2 euros.
# Opening hours
Tuesday to Sunday, 11 to 22.
"""


def index(language: str = "en", **files: str) -> Index:
    from workers.knowledge import passages

    return Index((one for name, text in files.items() for one in passages(f"{name}.md", text)), language)


def first(made: Index, query: str) -> str:
    return made.find(query, 1, 2_000).text


def test_the_passage_about_it_comes_first() -> None:
    """By words in any form, of the heading or the text; words of courtesy find nothing."""
    menu = index(menu=MENU)
    assert first(menu, "How much is a Margherita?") == "[menu.md: Pizza > Margherita]\nTomato and mozzarella, 9 euros."
    assert "Delivery" in first(menu, "could you please deliver to me")
    assert "Opening hours" in first(menu, "when do you open, what is the hour")
    assert menu.find("thank you, and is that it?", 4, 2_000).text == ""
    assert menu.find("", 4, 2_000).files == ()


def test_questions_that_are_no_words_do_no_harm() -> None:
    """What would be an operator of the search, quotes, nulls and half characters are words or nothing."""
    menu = index(menu=MENU)
    for query in (
        '"',
        "' OR 1=1 --",
        "NOT pizza",
        "pizza AND (",
        "heading:pizza*",
        "NEAR(",
        "\0",
        "\ud800 pizza",
        "¿?",
        "a" * 99_999,
    ):
        menu.find(query, 4, 2_000)
    assert "Diavola" in first(menu, "NOT diavola")


@pytest.mark.parametrize(
    ("language", "text", "query"),
    [
        ("de", "# Öffnungszeiten\nMontags geschlossen.", "Wann ist die Öffnungszeit?"),
        ("de", "# Lieferung\nWir liefern bis 22 Uhr.", "liefert ihr auch"),
        ("fr", "# Prix\nUne tarte coûte 4 euros.", "combien coutent les tartes"),
        ("zh", "# 营业时间\n星期一休息。", "你们的营业时间是什么"),
    ],
)
def test_other_languages_are_found_too(language: str, text: str, query: str) -> None:
    """By how words begin, without accents, and in writing without spaces."""
    other = "# Lorem\nIpsum dolor sit amet, consectetur."
    assert index(language, wanted=text, other=other).find(query, 4, 2_000).files == ("wanted.md",)


def test_what_is_found_is_bounded() -> None:
    """In passages and in characters; one that is longer by itself is cut."""
    made = Index([Passage("a.md", "", f"pizza {number} " + "x" * 300) for number in range(50)], "en")
    assert made.find("pizza", 3, 20_000).text.count("[a.md]") == 3
    assert len(made.find("pizza", 20, 700).text) <= 700
    short = made.find("pizza", 20, 200).text
    assert len(short) == 200
    assert short.endswith("…")


def ask(libraries: Libraries, query: str) -> str:
    return asyncio.run(libraries.find("pizza", Wanted(query, "en", KnowledgeSpec()))).text


def test_a_changed_file_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At the next question; one that has become wrong leaves all as it was, and that is said once."""
    monkeypatch.setattr("workers.knowledge._libraries._LOOK", 0.0)
    menu = tmp_path / "knowledge" / "more" / "menu.md"
    menu.parent.mkdir(parents=True)
    menu.write_text(MENU)
    libraries = Libraries(lambda name: tmp_path if name == "pizza" else None)
    assert "9 euros" in ask(libraries, "margherita")
    assert "[more/menu.md" in ask(libraries, "margherita")
    menu.write_text(MENU.replace("9 euros", "10 euros, since May"))
    assert "10 euros" in ask(libraries, "margherita")
    menu.write_bytes(b"margherita \xff")
    with caplog.at_level(logging.ERROR):
        assert "10 euros" in ask(libraries, "margherita")
        assert "10 euros" in ask(libraries, "margherita")
    [said] = [record.getMessage() for record in caplog.records]
    assert said == f"{menu}: byte 11 is not UTF-8; save it as UTF-8 text; the agent's knowledge stays as it was"
    os.remove(menu)
    assert ask(libraries, "margherita") == ""


def test_a_worker_without_the_folder_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """The question is answered with nothing, and the log names the setting."""
    with caplog.at_level(logging.ERROR):
        assert ask(Libraries(lambda name: None), "margherita") == ""
    assert "AGENTS" in caplog.text


def test_many_may_ask_at_once(tmp_path: Path) -> None:
    """While the index is made they wait for it; each is answered."""
    (tmp_path / "knowledge").mkdir()
    for number in range(20):
        (tmp_path / "knowledge" / f"{number}.md").write_text(f"# Room {number}\nnumber{number}\n" + MENU * 50)

    async def all_of_them() -> list[str]:
        libraries = Libraries(lambda name: tmp_path)
        asked = [Wanted(f"number{number}", "en", KnowledgeSpec()) for number in range(20)]
        return [found.text for found in await asyncio.gather(*(libraries.find("pizza", one) for one in asked))]

    assert [text.split("\n")[1] for text in asyncio.run(all_of_them())] == [f"number{number}" for number in range(20)]
