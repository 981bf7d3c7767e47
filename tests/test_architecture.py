"""docs/architecture.md is about this tree."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOPS = ("schemas", "gateway", "workers", "api", "ops", "tests")
TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PATH = re.compile(r"`((?:schemas|gateway|workers|api|ops|web|tests|docs)/[\w/.-]+)`(?: \(`([\w.]+)`\))?")
FILE = re.compile(r"`([\w/-]+\.py)`")
DOCS = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
TREE = re.compile(r"^ {4}(\w+)/ .*\n((?: {8,}.*\n)*)", re.MULTILINE)


@pytest.mark.parametrize(("path", "name"), sorted(set(PATH.findall(TEXT))))
def test_what_it_names_is_there(path: str, name: str) -> None:
    """Every path it names exists, and where it names something within, that stands in there."""
    assert (ROOT / path).exists()
    assert not name or re.search(rf"\b{re.escape(name.split('.')[-1])}\b", (ROOT / path).read_text("utf-8"))


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_files_that_docs_name_are_there(path: Path) -> None:
    """A `*.py` that a page names is the end of some file's path in this tree."""
    tree = [f"/{file.relative_to(ROOT)}" for top in (*TOPS, "web/src") for file in (ROOT / top).rglob("*.py")]
    named = set(FILE.findall(path.read_text("utf-8")))
    assert {name for name in named if not any(file.endswith(f"/{name}") for file in tree)} == set()


def test_its_tree_is_the_trees() -> None:
    """Every folder of the tree it draws exists, and none of two floors is left out."""
    drawn = {folder: set(re.findall(r"(\w+)/", lines)) for folder, lines in TREE.findall(TEXT.split("## Where")[0])}
    for folder in ("schemas", "gateway", "workers", "api", "ops"):
        packages = {path.parent.name for path in (ROOT / folder).glob("*/__init__.py")}
        assert packages <= drawn[folder], f"{folder}/: the tree lacks {sorted(packages - drawn[folder])}"
    rooms = {
        path.name
        for place in ("src", "src/console", "src/call")
        for path in (ROOT / "web" / place).iterdir()
        if path.is_dir()
    }
    assert rooms <= drawn["web"], f"web/: the tree lacks {sorted(rooms - drawn['web'])}"


@pytest.mark.parametrize("row", [line for line in TEXT.splitlines() if line.startswith("| ") and PATH.search(line)])
def test_where_to_look_is_two_files_at_most(row: str) -> None:
    """Nobody has to open more than two files to find a behaviour."""
    assert len(PATH.findall(row)) <= 2
