"""A loaded voice: text in, parts of a clip out, the first as soon as the decoder has its first frames.

Synchronous and thread-safe: ONNX Runtime's sessions are shared by the sentences that are spoken at the same time.
"""

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.errors import Permanent
from workers.providers import Sound
from workers.tts import _sound
from workers.tts._graph import DECODER_CONTEXT, FLOW_CONTEXT, cut
from workers.tts._sections import Section, sections
from workers.tts._timing import (
    Timed,
    proportional_spans,
    visemes,
    visemes_between,
    word_spans,
    words_between,
)
from workers.tts.written import written_words

Floats = NDArray[np.float32]

FIRST_CHUNK = 24
"""Frames of a clip's first part (0.28 s of a medium voice): small, so that it sounds early."""
LATER_CHUNK = 72
LARGEST_CHUNK = 120
_FLOW_PIECES_FROM = 96
"""Frames from which the flow runs first for the first chunk alone; below, once for all costs no more."""
_FLOW_PIECE = 240
_CALIBRATION = "The quick brown fox jumps over the lazy dog, and then it sleeps."


class Phonemizer(Protocol):
    """What a voice knows about its language. `ids` maps a phoneme to its input ids; `bos`, `eos` and `pad` frame them."""

    language: str
    known: Mapping[str, Sequence[int]]

    def phonemize(self, text: str) -> list[list[str]]:
        """IPA characters of each sentence, with blanks between words and its punctuation."""

    def ids(self, phonemes: list[str]) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class Scales:
    """What the voice was trained to be spoken with. `speaker`: None for a voice of one speaker."""

    noise: float
    length: float
    noise_width: float
    speaker: int | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """A section on its way: frames per input id, and the tensors at the cuts by name."""

    durations: NDArray[np.int64]
    tensors: dict[str, Floats] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        return int(self.durations.sum())


class LoadedVoice:
    """`rate`: Hz; `hop`: samples per frame; `cut_depth`: 2 when flow and decoder run apart, 1 decoder, 0 whole sentences."""

    def __init__(
        self, model: Any, phonemizer: Phonemizer, scales: Scales, rate: int, threads: int, device: str
    ) -> None:
        """`model`: an onnx.ModelProto, taken apart here; `threads`: stretches of sound computed at once, 0 for as many as
        there are cores (up to 4). ValueError when it is no voice."""
        self._threads = threads or min(4, _usable_cores())
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="voice")
        self.rate = rate
        self.phonemizer = phonemizer
        self._scales = scales
        self._alone = lru_cache(maxsize=8192)(self._phonemize_alone)
        self._take_apart(model, device)

    @property
    def cut_depth(self) -> int:
        return (self._decoder is not None) + (self._flow is not None)

    # ── speaking ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def speak(self, text: str, speed: float = 1.0) -> Iterator[Sound]:
        """The clip of `text` in parts; exactly one part is `last`. Text with nothing to speak is one empty part."""
        words = written_words(text, self.phonemizer.language)
        spoken = " ".join(word.spoken for word in words if word.spoken)
        sentences = self._phonemize(spoken) if spoken else []
        alone = [self._alone(word.spoken) for word in words]
        pieces = sections(sentences, alone)
        texts = [word.text for word in words]
        if not pieces:
            yield Sound(
                np.zeros(0, np.int16),
                self.rate,
                True,
                words_between(texts, [(0, 0)] * len(texts), 0, 0, self.rate, last=True),
            )
            return
        for place, piece in enumerate(pieces):
            last = place == len(pieces) - 1
            first_chunk = FIRST_CHUNK if place == 0 else LATER_CHUNK
            for sound in self._speak_section(piece, texts[piece.words.start : piece.words.stop], speed, first_chunk):
                yield sound if last or not sound.last else _not_last(sound)

    def _speak_section(self, piece: Section, texts: list[str], speed: float, first_chunk: int) -> Iterator[Sound]:
        """One section; its last part carries `last` and the pause after it."""
        ids, owners = self._ids(piece.phonemes)
        encoded = self._encode(ids, speed)
        timed = self._timed(piece, encoded, owners)
        length = encoded.frames * self.hop
        pause = round(_sound.pause_after(piece.phonemes) / speed * self.rate)
        if timed:
            spans = word_spans(timed, len(texts))
            shapes = visemes(timed, length + pause, self.rate)
        else:
            spans, shapes = proportional_spans(texts, 0, length), []
        spoken_until = max((end for _, end in spans), default=0)
        begun = 0  # where the section's sound begins; 0 until it has
        for start, end, floats in self._decode(encoded, chunks(encoded.frames, first_chunk)):
            pcm = _sound.to_pcm(floats, self.gain)
            last = end == encoded.frames
            begins, ends = start * self.hop, start * self.hop + len(pcm)
            if begun == begins:
                silence = _sound.leading_silence(pcm, self.rate)
                begun = begins = begins + silence
                pcm = pcm[silence:]
            if last:
                keep = max(_sound.sounding(pcm, self.rate), min(len(pcm), spoken_until - begins))
                pcm = _sound.fade_out(pcm[:keep], self.rate, pause)
                ends = begins + len(pcm)
            if last or len(pcm):
                spans = [(max(a, begun), max(b, begun)) for a, b in spans]
                yield Sound(
                    pcm,
                    self.rate,
                    last,
                    words_between(texts, spans, begins, ends, self.rate, last=last),
                    visemes_between(shapes, begins, ends, self.rate),
                )

    def _timed(self, piece: Section, encoded: Encoded, owners: Sequence[int]) -> list[Timed]:
        """The section's phonemes in time; none when the voice's ids can't be told apart."""
        if len(owners) != len(encoded.durations):
            return []
        timed: list[Timed] = []
        at, reached = 0, -1
        for frames, owner in zip(encoded.durations.tolist(), owners, strict=True):
            end = at + frames * self.hop
            if timed and owner >= 0 and owner == reached:
                timed[-1] = Timed(timed[-1].phoneme, timed[-1].start, end, timed[-1].word)
            elif owner < 0:
                timed.append(Timed("^", at, end))
            else:
                timed.append(Timed(piece.phonemes[owner], at, end, piece.owners[owner]))
            at, reached = end, owner
        return timed

    # ── phonemes ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _phonemize(self, text: str) -> list[list[str]]:
        known = self.phonemizer.known
        return [[one for one in sentence if one in known] for sentence in self.phonemizer.phonemize(text)]

    def _phonemize_alone(self, spoken: str) -> str:
        return " ".join("".join(sentence) for sentence in self._phonemize(spoken)) if spoken else ""

    def _ids(self, phonemes: list[str]) -> tuple[list[int], list[int]]:
        """Input ids, and for each the place of its phoneme (-1 at the edges); no places where the voice frames its ids in
        its own way."""
        ids = self.phonemizer.ids(phonemes)
        known = self.phonemizer.known
        pad = list(known.get("_", ()))
        mine, owners = [*known.get("^", ()), *pad], [-1] * (len(known.get("^", ())) + len(pad))
        for place, phoneme in enumerate(phonemes):
            mine += [*known[phoneme], *pad]
            owners += [place] * (len(known[phoneme]) + len(pad))
        mine += known.get("$", ())
        owners += [-1] * len(known.get("$", ()))
        return ids, owners if mine == ids else []

    # ── the graphs ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _take_apart(self, model: Any, device: str) -> None:
        """Cut the graph as far as its sound stays the same."""
        broken = "no output"
        for self._cut in cut(model):
            try:
                self._open(device)
                self.hop, self.gain, same = self._calibrate()
            except Permanent:
                raise
            except Exception as error:  # ONNX Runtime's errors share no base
                broken = str(error).partition("\n")[0][:200]
                continue
            if same:
                self._cut = replace(self._cut, encoder=None, flow=None, decoder=None)  # 60 MB nobody needs again
                return
        raise ValueError(f"it cannot be run ({broken})")

    def _open(self, device: str) -> None:
        alone = self._cut.decoder is None  # a whole graph: its threads are all there is
        self._encoder = _session(self._cut.encoder, self._threads if alone else 1, device, thrifty=alone)
        self._flow = _session(self._cut.flow, 1, device) if self._cut.flow else None
        self._decoder = _session(self._cut.decoder, 1, device) if self._cut.decoder else None

    def _encode(self, ids: Sequence[int], speed: float) -> Encoded:
        scales = self._scales
        feed: dict[str, Any] = {
            "input": np.array([ids], np.int64),
            "input_lengths": np.array([len(ids)], np.int64),
            "scales": np.array([scales.noise, scales.length / speed, scales.noise_width], np.float32),
        }
        if scales.speaker is not None:
            feed["sid"] = np.array([scales.speaker], np.int64)
        names = [one.name for one in self._encoder.get_outputs()]
        tensors = dict(zip(names, self._encoder.run(names, feed), strict=True))
        return Encoded(tensors[self._cut.durations].reshape(-1).astype(np.int64), tensors)

    def _decode(self, encoded: Encoded, plan: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, Floats]]:
        """The sound of each planned stretch of frames: (first frame, frame after the last, floats).

        A few stretches are computed at once, each by one thread: unlike threads inside a graph, which wait for each other
        at every node, they lose nothing when the cores are busy.
        """
        if self._decoder is None:
            yield 0, encoded.frames, encoded.tensors[self._cut.sound].reshape(-1)
            return
        edges = self._latent_edges(encoded, plan)
        latent = self._latent(encoded, *edges[0])
        first = self._submit_decoder(encoded, latent, *plan[0])
        pieces = deque(self._pool.submit(self._latent, encoded, *more) for more in edges[1:])
        yield *plan[0], first.result()
        running: deque[tuple[int, int, Future[Floats]]] = deque()
        for start, end in plan[1:]:
            while latent.shape[-1] < min(encoded.frames, end + DECODER_CONTEXT):
                latent = np.concatenate([latent, pieces.popleft().result()], axis=-1)
            running.append((start, end, self._submit_decoder(encoded, latent, start, end)))
            if len(running) > self._threads:
                yield _finished(running.popleft())
        while running:
            yield _finished(running.popleft())

    def _submit_decoder(self, encoded: Encoded, latent: Floats, start: int, end: int) -> Future[Floats]:
        low, high = max(0, start - DECODER_CONTEXT), min(encoded.frames, end + DECODER_CONTEXT)
        return self._pool.submit(self._run_decoder, encoded, latent[:, :, low:high], start - low, end - low)

    def _run_decoder(self, encoded: Encoded, window: Floats, start: int, end: int) -> Floats:
        """The sound of frames `start` to `end` of `window`, the rest of which is context."""
        assert self._decoder is not None
        feed = {self._cut.latent: window, **{name: encoded.tensors[name] for name in self._cut.decoder_sides}}
        sound: Floats = self._decoder.run([self._cut.sound], feed)[0].reshape(-1)
        hop = sound.size // window.shape[-1]
        return sound[start * hop : end * hop]

    def _latent_edges(self, encoded: Encoded, plan: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """The latent in pieces: what the first chunk needs, and the rest, in stretches short enough not to keep the ear
        waiting. In one piece where that costs no more."""
        frames = encoded.frames
        edge = plan[0][1] + DECODER_CONTEXT
        if self._flow is None or frames < max(_FLOW_PIECES_FROM, edge + FLOW_CONTEXT):
            return [(0, frames)]
        count = max(1, round((frames - edge) / _FLOW_PIECE))
        edges = [edge + (frames - edge) * place // count for place in range(count + 1)]
        return list(zip([0, *edges[:-1]], edges, strict=True))

    def _latent(self, encoded: Encoded, start: int, end: int) -> Floats:
        if self._flow is None:
            return encoded.tensors[self._cut.latent]
        low, high = max(0, start - FLOW_CONTEXT), min(encoded.frames, end + FLOW_CONTEXT)
        return self._run_flow(encoded, low, high)[:, :, start - low : end - low]

    def _run_flow(self, encoded: Encoded, low: int, high: int) -> Floats:
        assert self._flow is not None
        feed = {name: encoded.tensors[name] for name in (self._cut.prior, *self._cut.flow_sides)}
        for name in (self._cut.prior, *self._cut.framed):
            feed[name] = feed[name][:, :, low:high]
        latent: Floats = self._flow.run([self._cut.latent], feed)[0]
        return latent

    def _calibrate(self) -> tuple[int, float, bool]:
        """Samples per frame, the gain that brings the voice to the common loudness, and whether its sound in chunks is its
        sound in one piece (for a graph cut where it must not be, it isn't)."""
        phonemes = [one for sentence in self._phonemize(_CALIBRATION) for one in sentence]
        if len(phonemes) < 10:  # another script: any sounds will do
            phonemes = [one for one in self.phonemizer.known if one not in "^$_ "][:60]
        encoded = self._encode(self.phonemizer.ids(phonemes), 1.0)
        frames = encoded.frames
        whole = np.concatenate([sound for _, _, sound in self._decode(encoded, [(0, frames)])])
        parts = np.concatenate([sound for _, _, sound in self._decode(encoded, chunks(frames, FIRST_CHUNK))])
        same = len(whole) == len(parts) and float(np.abs(whole - parts).max(initial=0.0)) < 2e-3
        return len(whole) // max(frames, 1), _sound.gain_for(whole), same


def chunks(frames: int, first: int) -> list[tuple[int, int]]:
    """Stretches of frames to decode: a small first one, two halves of a short rest; a long rest begins with two short ones,
    so that they are there before the first has been heard."""
    if frames <= first * 1.5:
        return [(0, frames)]
    rest = frames - first
    if rest < LATER_CHUNK:
        sizes = [first, rest]
    elif rest <= 2 * LARGEST_CHUNK:
        sizes = [first, rest // 2, rest - rest // 2]
    else:
        more = rest - 2 * LATER_CHUNK
        count = -(-more // LARGEST_CHUNK)
        edges = [more * place // count for place in range(count + 1)]
        sizes = [first, LATER_CHUNK, LATER_CHUNK, *(b - a for a, b in pairwise(edges))]
    edges = [0, *accumulate(sizes)]
    return list(pairwise(edges))


def _finished(chunk: tuple[int, int, Future[Floats]]) -> tuple[int, int, Floats]:
    start, end, sound = chunk
    return start, end, sound.result()


def _not_last(sound: Sound) -> Sound:
    return Sound(sound.pcm, sound.rate, False, sound.words, sound.visemes)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _session(model: Any, threads: int, device: str, *, thrifty: bool = True) -> Any:
    """An ONNX Runtime session. Its threads don't spin while idle: three graphs and the other stages share the cores. `thrifty`:
    it plans which tensors may share a place; of an encoder's 2,400 small ones that takes two seconds, and saves nothing."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_reuse = thrifty
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    available = onnxruntime.get_available_providers()
    providers = ["CPUExecutionProvider"]
    if device != "cpu" and "CUDAExecutionProvider" in available:
        providers.insert(0, "CUDAExecutionProvider")
    elif device == "cuda":
        raise Permanent(
            f"TTS_DEVICE=cuda: this onnxruntime has {', '.join(available)} only; install onnxruntime-gpu or set TTS_DEVICE=cpu",
            code="device_missing",
        )
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)


__all__ = ["LoadedVoice", "Phonemizer", "Scales", "chunks"]
