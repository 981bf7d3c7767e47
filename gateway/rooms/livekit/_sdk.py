"""The one place that reaches below the SDK's public face, for what many rooms in one process need.

The SDK calls us for everything that happens, in threads of its own. As it comes it spends more on that than on the sound:

- Each line of its log is such a call, ten thousand a second for twenty rooms, most of them not even shown. Here it keeps
  them to itself, unless our own log is at DEBUG.
- Each call makes a Python thread anew and unmakes it again. Here those threads stay.
- `rtc.AudioStream` has a task and a subscription of its own, and every subscription is shown every frame of every room: the work
  grows with the square of the rooms. Here frames go from the SDK's thread into a deque, where they wait until the tick drains it.
  The same goes for the receipts of frames we send.
- Each event is shown to each room and to each open stream of the process. So what a participant floods a room with is dropped
  before that, in the SDK's own thread (`FloodGate`): one who floods must not be felt in other rooms.

All this takes hold when this module is imported, which must be before the process's first room.
"""

import asyncio
import ctypes
import logging
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

import numpy as np
from livekit import rtc
from livekit.rtc import _ffi_client
from livekit.rtc._ffi_client import FfiClient, FfiHandle
from livekit.rtc._proto import audio_frame_pb2, ffi_pb2, room_pb2, track_pb2

from gateway.bucket import Buckets
from schemas.audio import HEARING_RATE, Pcm

log = logging.getLogger("antiphon.gateway.livekit")

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


PACKETS, PACKETS_AT_ONCE = 100.0, 300.0
"""Data packets a participant may send a room: a second, and at once."""
STREAMS, STREAMS_AT_ONCE = 5.0, 20.0
"""Text and byte streams they may open."""
CHANGES, CHANGES_AT_ONCE = 5.0, 50.0
"""Changes of attributes, metadata or name; of more than that the last ones are learnt with the next change."""
_RATES = {
    "data_packet_received": (PACKETS, PACKETS_AT_ONCE),
    "text_stream_opened": (STREAMS, STREAMS_AT_ONCE),
    "byte_stream_opened": (STREAMS, STREAMS_AT_ONCE),
    "participant_attributes_changed": (CHANGES, CHANGES_AT_ONCE),
    "participant_metadata_changed": (CHANGES, CHANGES_AT_ONCE),
    "participant_name_changed": (CHANGES, CHANGES_AT_ONCE),
}
_KEPT_BUCKETS = 4096


class FloodGate:
    """What participants may send the rooms that are guarded, before anybody is told of it. Called in the SDK's threads.

    `topics`: of the data packets somebody listens to; `streams`: of text and byte streams; others go no further.
    """

    def __init__(self) -> None:
        self._rooms: dict[int, tuple[frozenset[str], frozenset[str]]] = {}
        self._buckets: Buckets[tuple[int, str, str]] = Buckets(_KEPT_BUCKETS)
        self._lock = threading.Lock()

    def guard(self, room: int, topics: frozenset[str], streams: frozenset[str]) -> None:
        self._rooms[room] = topics, streams

    def leave(self, room: int) -> None:
        with self._lock:
            self._rooms.pop(room, None)
            self._buckets.forget(lambda key: key[0] == room)

    def stops(self, event: room_pb2.RoomEvent, now: float) -> bool:
        """Whether this goes no further; what the SDK keeps for it is let go."""
        guarded = self._rooms.get(event.room_handle)
        kind = event.WhichOneof("message")
        if guarded is None or kind not in _RATES:
            return False
        sender, topic, owned, heard = _of(kind, event)
        listened = heard is None or topic in guarded[heard]
        if listened and self._allows((event.room_handle, kind, sender), now):
            return False
        if owned:
            FfiHandle(owned).dispose()
        return True

    def _allows(self, key: tuple[int, str, str], now: float) -> bool:
        with self._lock:
            return self._buckets.take(key, now, *_RATES[key[1]])


def _of(kind: str, event: room_pb2.RoomEvent) -> tuple[str, str, int, int | None]:
    """Of such an event: who sent it, its topic, the SDK's handle of it (0: none), which of a room's topics count (None: all)."""
    if kind == "data_packet_received":
        packet = event.data_packet_received
        user = packet.user if packet.HasField("user") else None
        handle = user.data.handle.id if user is not None else 0
        return (
            packet.participant_identity,
            user.topic if user is not None else "",
            handle,
            0 if user is not None else None,
        )
    if kind in ("text_stream_opened", "byte_stream_opened"):
        opened = event.text_stream_opened if kind == "text_stream_opened" else event.byte_stream_opened
        return opened.participant_identity, opened.reader.info.topic, opened.reader.handle.id, 1
    return getattr(event, kind).participant_identity, "", 0, None


_gate = FloodGate()


class GuardedRoom(rtc.Room):
    """A room of the SDK whose people can't flood it, and who are known by name even before the server has told of them.

    `sender`: who sent the packet that is being told of; `admits(topic, identity)`: whether a stream may be opened now.
    """

    def __init__(self, topics: frozenset[str], streams: frozenset[str]):
        super().__init__()
        self.sender = ""
        self.admits: Callable[[str, str], bool] = lambda topic, identity: True
        self._heard = topics, streams

    async def connect(self, url: str, token: str, options: rtc.RoomOptions = rtc.RoomOptions()) -> None:  # noqa: B008 (as the SDK's)
        await super().connect(url, token, options)
        if self._ffi_handle is not None:
            _gate.guard(self._ffi_handle.handle, *self._heard)

    def unguard(self) -> None:
        if self._ffi_handle is not None:
            _gate.leave(self._ffi_handle.handle)

    def _on_room_event(self, event: room_pb2.RoomEvent) -> None:
        if event.HasField("data_packet_received"):
            self.sender = event.data_packet_received.participant_identity
        super()._on_room_event(event)

    def _handle_text_stream_opened(self, opened: room_pb2.TextStreamOpened) -> None:
        if self._lets_in(opened):
            super()._handle_text_stream_opened(opened)

    def _handle_byte_stream_opened(self, opened: room_pb2.ByteStreamOpened) -> None:
        if self._lets_in(opened):
            super()._handle_byte_stream_opened(opened)

    def _lets_in(self, opened: Any) -> bool:
        """A reader that nobody reads would be shown each event of the process for ever: it is not made."""
        head = opened.reader.info
        if head.topic in self._heard[1] and _is_said(head) and self.admits(head.topic, opened.participant_identity):
            return True
        FfiHandle(opened.reader.handle.id).dispose()
        return False


def _is_said(head: Any) -> bool:
    """Whether a stream is bytes, or somebody's own words: no correction, deletion, reaction, and not made from speech."""
    return not (getattr(head, "operation_type", 0) or getattr(head, "generated", False))


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

_NOBODY_LISTENED = "timed out waiting for ReadyForRoomEventRequest"
"""The SDK's panic over one room whose `connect` got in and did not come to its end (the loop closed, or the process stood still
for seconds). It sends SIGTERM to its process at any panic: this one is no reason to end the other rooms' sessions."""
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
    if event.HasField("panic") and _NOBODY_LISTENED in event.panic.message:
        log.warning("LiveKit: a room was entered, and left before it was heard: %s", event.panic.message)
    elif event.HasField("logs") or event.HasField("panic"):
        _ffi_client.ffi_event_callback(data, length)
    elif event.HasField("room_event") and _gate.stops(event.room_event, time.monotonic()):
        pass
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
