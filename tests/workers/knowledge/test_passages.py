"""An agent's files cut into passages."""

from workers.knowledge import passages
from workers.knowledge._passages import LONGEST

HOURS = """\
We are a pizzeria in Leipzig.

# Opening

## Weekdays

From 11 to 22.

On Mondays closed.

## Holidays ##
Closed.

```
# no heading
```
# Prices
A margherita is 9 euros.
"""


def test_a_passage_stands_under_its_headings() -> None:
    """Paragraphs of one heading are joined; a heading with nothing of its own is told with what stands below it."""
    found = [(one.heading, one.text) for one in passages("about.md", HOURS)]
    assert found == [
        ("", "We are a pizzeria in Leipzig."),
        ("Opening > Weekdays", "From 11 to 22.\n\nOn Mondays closed."),
        ("Opening > Holidays", "Closed.\n\n```\n# no heading\n```"),
        ("Prices", "A margherita is 9 euros."),
    ]
    assert str(next(passages("a.md", "# B\nc"))) == "[a.md: B]\nc"


def test_a_text_file_has_no_headings() -> None:
    """A line that begins with # is text there."""
    assert [str(one) for one in passages("a.txt", "# B\nc")] == ["[a.txt]\n# B\nc"]


def test_a_long_paragraph_is_cut_where_it_may_be() -> None:
    """At a sentence, else at a word, else anywhere; nothing is lost, and no passage is too long."""
    for unit in ("A sentence of some words. ", "word ", "x"):
        text = (unit * 3_000)[:20_000].strip()
        found = [one.text for one in passages("a.md", text)]
        assert max(map(len, found)) <= LONGEST
        assert "".join("".join(found).split()) == "".join(text.split())
        if unit.startswith("A"):
            assert all(one.endswith(".") for one in found[:-1])


def test_a_file_of_nothing_has_none() -> None:
    """Blank lines and bare headings are no passages."""
    assert list(passages("a.md", "\n\n# Soon\n\n## Later\n   \n")) == []
