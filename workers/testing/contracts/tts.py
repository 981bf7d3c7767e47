"""What every TTS provider promises. A provider's tests inherit `TtsContract` and give a `provider` fixture."""

from itertools import pairwise

import numpy as np
import pytest

from schemas.events import Viseme, Word
from workers.providers import Sound, Speaking, Tts

__all__ = ["SPOKEN", "TtsContract", "WholeClip", "spoken"]

SPOKEN = {
    "plain": "Of course, I can help you with that.",
    "one word": "Hello",
    "title and ordinal": "Dr. Smith's 3rd visit is on Monday.",
    "money and numbers": "That is $5.50 for 42 items, or 1,000,000 in 2024.",
    "several sentences": "Hello there. How are you? Fine! Good.",
    "merged words": "One of the best things in the end, out of a lot of them.",
    "markdown and emoji": "**Really** — see [the docs](https://example.com/a/b) 🙂 now",
    "quotes and dashes": "“Well…” she said – it's twenty-one–ish.",
    "other scripts": "Привет мир, 漢字 and مرحبا too.",
    "unknown characters": "a\u0000b \ufffd \U000f1234 ∑ ok",
    "raw phoneme brackets": "[[hello]] there",
    "very long": "The longer a sentence goes on without a stop the more a listener wonders where it will end and " * 4,
}
_SILENT = {"empty": "", "blanks": " \n\t ", "punctuation": "?! … — ...", "emoji": "🙂 🎉", "markdown": "*** ---"}
_SHAPES = {"sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "I", "O", "U"}


class WholeClip:
    """A clip's parts, and its words and mouth shapes on the clip's own time line."""

    def __init__(self, parts: list[Sound]) -> None:
        self.parts = parts
        self.rate = parts[0].rate
        self.pcm = np.concatenate([part.pcm for part in parts])
        self.duration = len(self.pcm) / self.rate
        self.words: list[Word] = []
        self.visemes: list[Viseme] = []
        at = 0
        for part in parts:
            self.words += [w.model_copy(update=self._moved(w, at)) for w in part.words]
            self.visemes += [v.model_copy(update=self._moved(v, at)) for v in part.visemes]
            at += len(part.pcm)

    def _moved(self, timing: Word | Viseme, samples: int) -> dict[str, float]:
        return {"start": timing.start + samples / self.rate, "end": timing.end + samples / self.rate}


async def spoken(provider: Tts, text: str, voice: str = "", speed: float = 1.0) -> WholeClip:
    """The whole clip of `text`."""
    return WholeClip([sound async for sound in provider.synthesize(Speaking(text, voice, speed))])


@pytest.mark.asyncio
class TtsContract:
    """`mouth`: whether the provider tells mouth shapes."""

    mouth = True

    @pytest.fixture
    def provider(self) -> Tts:
        raise NotImplementedError("give a fixture `provider`: your provider")

    async def clip(self, provider: Tts, text: str) -> WholeClip:
        """For tests that only look at it: keep it, where it takes long to compute."""
        return await spoken(provider, text)

    @pytest.mark.parametrize("text", SPOKEN.values(), ids=SPOKEN)
    async def test_clip_is_whole(self, provider: Tts, text: str) -> None:
        """A clip is parts of int16 mono at one rate, only the last of which says so; it is heard, and not by much too long."""
        clip = await self.clip(provider, text)

        assert [part.last for part in clip.parts] == [False] * (len(clip.parts) - 1) + [True]
        assert {part.rate for part in clip.parts} == {clip.rate}
        assert all(part.pcm.dtype == np.int16 and part.pcm.ndim == 1 for part in clip.parts)
        assert all(len(part.pcm) for part in clip.parts)
        assert np.abs(clip.pcm.astype(int)).max() > 2_000
        assert 0.2 < clip.duration < 1.5 + 0.3 * len(text)

    @pytest.mark.parametrize("text", SPOKEN.values(), ids=SPOKEN)
    async def test_every_written_word_is_timed(self, provider: Tts, text: str) -> None:
        """The words are the text's own, in order, none before the other, all inside the clip; each is told in the part in
        which it begins."""
        clip = await self.clip(provider, text)

        assert " ".join(word.text for word in clip.words) == " ".join(text.split())
        assert all(0 <= word.start <= word.end <= clip.duration + 1e-6 for word in clip.words)
        assert all(one.end <= two.start + 1e-6 for one, two in pairwise(clip.words))
        assert max(word.end - word.start for word in clip.words) > 0.1
        for part in clip.parts:
            assert all(0 <= word.start <= len(part.pcm) / part.rate + 1e-6 for word in part.words)

    @pytest.mark.parametrize("text", SPOKEN.values(), ids=SPOKEN)
    async def test_the_mouth_is_never_undecided(self, provider: Tts, text: str) -> None:
        """Mouth shapes have Oculus names and cover every part without gap or overlap."""
        clip = await self.clip(provider, text)

        if not self.mouth:
            assert clip.visemes == []
            return
        assert {viseme.shape for viseme in clip.visemes} <= _SHAPES
        assert clip.visemes[0].start == 0
        assert all(abs(one.end - two.start) < 1e-6 for one, two in pairwise(clip.visemes))
        assert abs(clip.visemes[-1].end - clip.duration) < 1e-6
        assert all(viseme.end > viseme.start for viseme in clip.visemes)

    @pytest.mark.parametrize("text", _SILENT.values(), ids=_SILENT)
    async def test_nothing_to_say_is_an_empty_clip(self, provider: Tts, text: str) -> None:
        """Text with nothing speakable is one empty last part, not an error."""
        clip = await spoken(provider, text)

        assert [(len(part.pcm), part.last) for part in clip.parts] == [(0, True)]
        assert clip.rate > 0

    async def test_it_may_be_left_in_the_middle(self, provider: Tts) -> None:
        """A listener who leaves after the first part does no harm to the next sentence."""
        sounds = provider.synthesize(Speaking(SPOKEN["very long"]))
        first = await anext(sounds)
        await sounds.aclose()

        assert not first.last
        assert (await spoken(provider, "Hello")).duration > 0.2

    async def test_faster_is_shorter(self, provider: Tts) -> None:
        """Speed 1.5 takes clearly less time than speed 1."""
        slow = await spoken(provider, SPOKEN["plain"])
        fast = await spoken(provider, SPOKEN["plain"], speed=1.5)

        assert 0.5 < fast.duration / slow.duration < 0.85
