"""Whisper's encoder and decoder on windows cut to measure (`_windows.py` says why), a batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas.audio import Pcm
from workers.stt._guards import Attempt, token_budget
from workers.stt._mel import FFT, HOP, RATE, Floats, log_mel, normalized
from workers.stt._windows import FULL, Window, window
from workers.stt.models import Loaded

__all__ = ["Decoder", "Spectrum"]

_SOT, _EOT, _TRANSCRIBE, _NO_TIMES = "<|startoftranscript|>", "<|endoftext|>", "<|transcribe|>", "<|notimestamps|>"
_BEFORE = "<|startofprev|>"
_KEYTERMS = 60
"""Tokens that key terms may have, together: the longer what went before, the more of it is made up again."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """`energies`: log-mel, shape (mels, frames); `seconds`: of sound; `language`: ISO 639-1, "" to detect; `before`: tokens that
    the model is to take for what was said before."""

    energies: Floats
    seconds: float
    language: str
    before: tuple[int, ...] = ()

    @property
    def frames(self) -> int:
        return int(self.energies.shape[1])


class Decoder:
    """Thread-safe; `attempt` computes in the calling thread's name, on the model's own threads."""

    def __init__(self, loaded: Loaded) -> None:
        whisper = loaded.whisper
        self._model: Any = whisper.model
        self._tokens: Any = whisper.hf_tokenizer
        self._mels = int(self._model.n_mels)
        self.multilingual = bool(self._model.is_multilingual)
        self._fit = loaded.device == "cpu"  # a GPU encodes the whole window in no time, and wants equal shapes
        self._end = self._tokens.token_to_id(_EOT)
        self._silence: Floats | None = None
        if self._fit:
            quiet = np.full((self._mels, FULL), -1.5, np.float32)
            self._silence = self._encoded(quiet[None])[0]

    def spectrum(self, pcm: Pcm, language: str, keyterms: Sequence[str] = ()) -> Spectrum:
        """Of `pcm`: int16, 16 kHz, shape (n,); what exceeds 30 s is not heard."""
        wave = pcm[: FULL * HOP].astype(np.float32) / np.float32(32768.0)
        tail = np.zeros(FFT // 2 + HOP, np.float32)  # the last frames fade into silence instead of mirroring speech
        energies = log_mel(np.concatenate([wave, tail]), self._mels)[:, :FULL]
        return Spectrum(energies, len(pcm) / RATE, self._known(language), self._before(keyterms))

    def window(self, spectrum: Spectrum, rung: int) -> Window:
        return window(spectrum.frames, rung, fit=self._fit)

    def attempt(self, batch: Sequence[tuple[Spectrum, Window]]) -> list[Attempt]:
        """Decode utterances whose windows are remembered at the same length, with as many tokens before each."""
        if self._silence is None:
            memory = self._model.encode(_storage(self._windows(batch)), to_cpu=False)
        else:
            memory = _storage(self._memories(batch))
        languages = self._languages(batch, memory)
        budget = max(token_budget(spectrum.seconds) for spectrum, _ in batch)
        prompts = [
            [*spectrum.before, *self._prompt(language)]
            for (spectrum, _), language in zip(batch, languages, strict=True)
        ]
        results = self._model.generate(
            memory,
            prompts,
            beam_size=1,
            # the model counts half of this for a reply, half for what went before
            max_length=min(448, max(2 * budget, budget + len(prompts[0]))),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=[-1],
        )
        return [self._attempt(result, language) for result, language in zip(results, languages, strict=True)]

    def _attempt(self, result: Any, language: str) -> Attempt:
        tokens = [token for token in result.sequences_ids[0] if token < self._end]
        return Attempt(
            self._tokens.decode(tokens).strip(),
            len(tokens),
            float(result.scores[0]) * len(tokens) / (len(tokens) + 1),  # its score leaves out the end
            float(result.no_speech_prob),
            language,
        )

    def _windows(self, batch: Sequence[tuple[Spectrum, Window]]) -> Floats:
        return np.stack([normalized(spectrum.energies, window.encoded) for spectrum, window in batch])

    def _memories(self, batch: Sequence[tuple[Spectrum, Window]]) -> Floats:
        """What the decoder looks at: each utterance encoded at its own length (on a CPU a batch is no cheaper than one
        after the other), silence behind. Shape (n, positions, width); a position is two frames."""
        assert self._silence is not None
        length = batch[0][1].remembered // 2
        memories = np.repeat(self._silence[None, :length], len(batch), axis=0)
        for memory, (spectrum, cut) in zip(memories, batch, strict=True):
            memory[: cut.encoded // 2] = self._encoded(normalized(spectrum.energies, cut.encoded)[None])[0]
        return memories

    def _encoded(self, windows: Floats) -> Floats:
        return np.array(self._model.encode(_storage(windows), to_cpu=True), dtype=np.float32)

    def _languages(self, batch: Sequence[tuple[Spectrum, Window]], memory: Any) -> list[str]:
        """Asked for, or what the model hears; a model of English only hears English."""
        if not self.multilingual:
            return ["en"] * len(batch)
        asked = [spectrum.language for spectrum, _ in batch]
        if all(asked):
            return asked
        heard = self._model.detect_language(memory)
        return [language or ranking[0][0].strip("<|>") for language, ranking in zip(asked, heard, strict=True)]

    def _prompt(self, language: str) -> list[int]:
        names = [_SOT, _NO_TIMES]
        if self.multilingual:
            names = [_SOT, f"<|{language}|>", _TRANSCRIBE, _NO_TIMES]
        return [self._tokens.token_to_id(name) for name in names]

    def _before(self, keyterms: Sequence[str]) -> tuple[int, ...]:
        """As sentences that went before: the model writes on as they are written, without full stops after words without any."""
        if not keyterms:
            return ()
        said = "".join(f" {term[:1].upper()}{term[1:].rstrip('.')}." for term in keyterms)
        tokens = self._tokens.encode(said, add_special_tokens=False).ids
        return (self._tokens.token_to_id(_BEFORE), *tokens[:_KEYTERMS])

    def _known(self, language: str) -> str:
        """`en` of en-US; "" for a language the model has no word for."""
        code = language.replace("_", "-").split("-")[0].lower()
        return code if code and self._tokens.token_to_id(f"<|{code}|>") is not None else ""


def _storage(array: Floats) -> Any:
    import ctranslate2

    return ctranslate2.StorageView.from_array(np.ascontiguousarray(array))
