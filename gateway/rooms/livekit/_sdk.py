"""The one place that reaches below the SDK's public face, for what many rooms in one process need.

The SDK calls us for everything that happens, in threads of its own. As it comes it spends more on that than on the sound:

- Each line of its log is such a call, ten thousand a second for twenty rooms, most of them not even shown. Here it keeps
  them to itself, unless our own log is at DEBUG.
- Each call makes a Python thread anew and unmakes it again. Here those threads stay.
- `rtc.AudioStream` has a task and a subscription of its own, and every subscription is shown every frame of every room: the work
  grows with the square of the rooms. Here frames go from the SDK's thread into a deque, where they wait until the tick drains it.
  The same goes for the receipts of frames we send.

All this takes hold when this module is imported, which must be before the process's first room.
"""

import asyncio
import ctypes
import logging
import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

import numpy as np
from livekit import rtc
from livekit.rtc import _ffi_client
from livekit.rtc._ffi_client import FfiClient, FfiHandle
from livekit.rtc._proto import audio_frame_pb2, ffi_pb2, track_pb2
from numpy.typing import NDArray

from schemas.audio import HEARING_RATE

Pcm = NDArray[np.int16]

PRECONNECT = track_pb2.TF_PRECONNECT_BUFFER
"""The feature of a track of which the first seconds come as a byte stream."""
FRAME_MS = 32
"""One frame of the VAD."""
_FIRST = 8  # frames that may come before we are told their stream's handle
_UNKNOWN = 256  # handles and receipts of which that is remembered
_LONGEST_QUEUE = 300
"""10 ms frames the SDK keeps when this process is too busy to take them."""
_KEPT_THREADS = 64
"""Threads of the SDK that stay Python threads. It has one for each core; those it makes for a moment must not pile up."""


class Media:
    """All sound of this process's rooms, from and to the SDK. Use `media()`."""

    def __init__(self) -> None:
        self._sinks: dict[int, deque[Pcm]] = {}
        self._closed: set[int] = set()
        self._receipts: dict[int, tuple[asyncio.AbstractEventLoop, Callable[[str], None], Pcm]] = {}
        self._unknown: OrderedDict[int, list[audio_frame_pb2.AudioStreamEvent]] = OrderedDict()
        self._settled: OrderedDict[int, str] = OrderedDict()
        self._lock = threading.Lock()  # never held while the SDK is asked: its threads may wait for us just then

    def hear(self, track: rtc.Track) -> tuple[int, deque[Pcm]]:
        """Open a stream of the track at 16 kHz mono; answers its handle and where its frames gather."""
        request = ffi_pb2.FfiRequest()
        new = request.new_audio_stream
        new.track_handle = track._ffi_handle.handle
        new.type = audio_frame_pb2.AudioStreamType.AUDIO_STREAM_NATIVE
        new.sample_rate, new.num_channels, new.frame_size_ms = HEARING_RATE, 1, FRAME_MS
        new.queue_size_frames = _LONGEST_QUEUE
        frames: deque[Pcm] = deque()
        handle = FfiClient.instance.request(request).new_audio_stream.stream.handle.id
        with self._lock:
            for event in self._unknown.pop(handle, []):
                self._put(event, frames)
            self._sinks[handle] = frames
        return handle, frames

    def cease(self, handle: int) -> None:
        """Close a stream."""
        with self._lock:
            if self._sinks.pop(handle, None) is None:
                return
            self._closed.add(handle)
        FfiHandle(handle).dispose()

    def capture(self, source: rtc.AudioSource, pcm: Pcm, rate: int, done: Callable[[str], None]) -> None:
        """Give a source sound to play; `done("" or what went wrong)` is called on this loop when it has taken it."""
        request = ffi_pb2.FfiRequest()
        capture = request.capture_audio_frame
        capture.source_handle = source._ffi_handle.handle
        data = np.ascontiguousarray(pcm)  # kept until the receipt: the SDK reads it where it lies
        capture.buffer.data_ptr = data.ctypes.data
        capture.buffer.sample_rate, capture.buffer.num_channels = rate, 1
        capture.buffer.samples_per_channel = len(data)
        loop = asyncio.get_running_loop()
        number = FfiClient.instance.request(request).capture_audio_frame.async_id
        with self._lock:
            error = self._settled.pop(number, None)
            if error is None:
                self._receipts[number] = (loop, done, data)
        if error is not None:
            loop.call_soon(done, error)

    def take(self, event: ffi_pb2.FfiEvent) -> bool:
        """Called in the SDK's threads; whether the event was ours alone."""
        if event.HasField("audio_stream_event"):
            with self._lock:
                return self._take_sound(event.audio_stream_event)
        if event.HasField("capture_audio_frame"):
            return self._take_receipt(event.capture_audio_frame)
        return False

    def _take_sound(self, event: audio_frame_pb2.AudioStreamEvent) -> bool:
        handle = event.stream_handle
        if handle in self._sinks or handle in self._closed:
            self._put(event, self._sinks.get(handle))
            return True
        # Ours, and we have not been told its handle yet; or somebody else's, and none of our business.
        self._unknown.setdefault(handle, []).append(event)
        del self._unknown[handle][_FIRST:]
        while len(self._unknown) > _UNKNOWN:
            self._unknown.popitem(last=False)
        return False

    def _put(self, event: audio_frame_pb2.AudioStreamEvent, sink: deque[Pcm] | None) -> None:
        if event.HasField("frame_received"):
            frame = event.frame_received.frame
            if sink is not None:
                data = ctypes.string_at(frame.info.data_ptr, 2 * frame.info.samples_per_channel)
                sink.append(np.frombuffer(data, np.int16))
            FfiHandle(frame.handle.id).dispose()
        elif event.HasField("eos"):
            self._closed.discard(event.stream_handle)

    def _take_receipt(self, receipt: audio_frame_pb2.CaptureAudioFrameCallback) -> bool:
        with self._lock:
            waiting = self._receipts.pop(receipt.async_id, None)
            if waiting is None:
                self._settled[receipt.async_id] = receipt.error
                while len(self._settled) > _UNKNOWN:
                    self._settled.popitem(last=False)
        if waiting is not None and not waiting[0].is_closed():
            waiting[0].call_soon_threadsafe(waiting[1], receipt.error)
        return waiting is not None


_media = Media()


def media() -> Media:
    """The process's one: the SDK's client is one for the process, too."""
    return _media


def client_protocol(participant: rtc.RemoteParticipant) -> int:
    """What the participant's client says it understands; text streams from 3 on."""
    return int(participant._info.client_protocol)


def room_sid(room: rtc.Room) -> str:
    """The room's id as it is now: that of a room made anew, too, which the SDK came back into by itself. "": not known yet."""
    return str(room._info.sid)


# ── how the SDK calls us ─────────────────────────────────────────────────────────────────────────────────────────────

_load_library = _ffi_client.get_ffi_lib
_this_thread = threading.local()
_kept_threads = 0


def _library() -> ctypes.CDLL:
    """The SDK's native library; when it is started, it gets our callback, and is told what becomes of its log."""
    library = _load_library()
    native = library.livekit_ffi_initialize

    def initialize(_: Any, __: bool, name: bytes, version: bytes) -> None:
        verbose = logging.getLogger("antiphon").isEnabledFor(logging.DEBUG)
        if not verbose:
            os.environ.setdefault("RUST_LOG", "off")  # what matters of its many lines, ours say
            logging.getLogger("livekit").setLevel(logging.CRITICAL)
        native.argtypes = initialize.argtypes  # type: ignore[attr-defined]  # as the SDK has set them
        native(_callback, verbose, name, version)

    library.livekit_ffi_initialize = initialize  # type: ignore[attr-defined]
    return library


def _called(data: Any, length: int) -> None:
    """Something happened: what is ours alone goes no further, the rest to the SDK's own subscribers."""
    if not getattr(_this_thread, "kept", False):
        _keep_thread()
    event = ffi_pb2.FfiEvent.FromString(ctypes.string_at(data, length))
    if event.HasField("logs") or event.HasField("panic"):
        _ffi_client.ffi_event_callback(data, length)
    elif not _media.take(event):
        FfiClient.instance.queue.put(event)


def _keep_thread() -> None:
    """One claim to this thread's Python state that is never given back: else it is freed, and made anew, at every call."""
    global _kept_threads  # noqa: PLW0603 (they are the process's)
    if _kept_threads < _KEPT_THREADS:
        _kept_threads += 1
        _this_thread.kept = True
        ctypes.pythonapi.PyGILState_Ensure()


_callback = _ffi_client.ffi_cb_fnc(_called)
_ffi_client.get_ffi_lib = _library
