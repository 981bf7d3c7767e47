"""What an agent may look up: text and markdown files in the folder `knowledge` beside it (docs/agents.md)."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FOLDER = "knowledge"
SUFFIXES = (".md", ".txt")
LONGEST, TOGETHER, MOST = 500_000, 2_000_000, 100
"""Bytes of a file, bytes of all, and files."""
_DEPTH = 4
"""Folders in folders."""
_LOOKED_AT = 2_000
"""Names that are looked at; a folder with more is somebody's home, not an agent's knowledge."""

Stamp = tuple[tuple[str, int, int], ...]


class KnowledgeSpec(BaseModel):
    """How the files in `knowledge/` reach the LLM. What is small enough is told whole, with the instructions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["tool", "always", "off"] = "tool"
    """What is more: "tool": the model looks it up by `search_knowledge`; "always": with each question it is given the passages
    that fit the caller's words, for models that call no tools."""
    whole: int = Field(4_000, ge=0, le=100_000)
    """Characters of all files up to which they are told whole; 0: never."""
    passages: int = Field(4, ge=1, le=20)
    """Of one look-up, at most."""
    characters: int = Field(2_000, ge=200, le=20_000)
    """The same in characters."""

    text: str = Field("", max_length=100_000)
    version: str = Field("", pattern=r"^[0-9a-f]{0,16}$")
    """All of it where it is told whole, and another version whenever a file was changed ("": there is none), when the session
    began. Whoever reads the folder writes both."""

    @property
    def searched(self) -> bool:
        """Whether there is anything that isn't told whole."""
        return bool(self.version) and not self.text and self.mode != "off"


class WrongKnowledgeError(ValueError):
    """A file that can't be read, in one sentence."""


def files(folder: Path) -> list[Path]:
    """The files that count, of the agent in `folder`, in order. WrongKnowledgeError: there are too many."""
    found = sorted(path for path in _walk(folder / FOLDER, _DEPTH, [0]) if path.suffix.lower() in SUFFIXES)
    if len(found) > MOST:
        raise WrongKnowledgeError(
            f"{folder / FOLDER}: {len(found)} files; expected at most {MOST}: join those that are small"
        )
    return found


def others(folder: Path) -> list[Path]:
    """The files there that nothing reads."""
    return sorted(path for path in _walk(folder / FOLDER, _DEPTH, [0]) if path.suffix.lower() not in SUFFIXES)


def _walk(folder: Path, depth: int, seen: list[int]) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        seen[0] += 1
        if seen[0] > _LOOKED_AT:
            raise WrongKnowledgeError(f"{folder}: more than {_LOOKED_AT:,} names; expected at most {MOST} files")
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if depth > 1 and not path.is_symlink():
                yield from _walk(path, depth - 1, seen)
        elif path.is_file():
            yield path


def stamp(folder: Path) -> Stamp:
    """Another one when any of them was written to. WrongKnowledgeError, OSError."""
    return tuple((str(path), (stat := path.stat()).st_mtime_ns, stat.st_size) for path in files(folder))


def read(folder: Path) -> Mapping[str, str]:
    """Their texts, by their path below `knowledge/`; those without a word are left out. WrongKnowledgeError, with the file."""
    texts: dict[str, str] = {}
    together = 0
    for path in files(folder):
        try:
            if not path.resolve().is_relative_to(folder.resolve()):
                raise WrongKnowledgeError(f"{path}: it leads out of {folder}; put the file itself there")
            size = path.stat().st_size
            if size > LONGEST:
                raise WrongKnowledgeError(f"{path}: {size:,} bytes; expected at most {LONGEST:,}: cut it into several")
            together += size
            if together > TOGETHER:
                raise WrongKnowledgeError(
                    f"{folder / FOLDER}: more than {TOGETHER:,} bytes together, with {path.name}; expected at most that"
                )
            text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").strip()
        except OSError as error:
            raise WrongKnowledgeError(f"{path}: cannot be read ({error.strerror}); expected text in UTF-8") from None
        except UnicodeDecodeError as error:
            raise WrongKnowledgeError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8 text") from None
        if "\0" in text:
            raise WrongKnowledgeError(f"{path}: it has null characters; expected text in UTF-8")
        if text:
            texts[path.relative_to(folder / FOLDER).as_posix()] = text
    return texts


def with_files(spec: KnowledgeSpec, texts: Mapping[str, str]) -> KnowledgeSpec:
    """The spec of an agent that has these."""
    if not texts or spec.mode == "off":
        return spec.model_copy(update={"text": "", "version": ""})
    digest = hashlib.sha256()
    for name, text in texts.items():
        digest.update(f"{name} {len(text)} ".encode() + text.encode())
    whole = "\n\n".join(f"[{name}]\n{text}" for name, text in texts.items())
    text = whole if len(whole) <= spec.whole else ""
    return spec.model_copy(update={"text": text, "version": digest.hexdigest()[:16]})
