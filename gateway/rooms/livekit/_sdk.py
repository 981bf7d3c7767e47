"""The one place that reaches below the SDK's public face, for what many rooms in one process need.

`rtc.AudioStream` has a task and a subscription of its own, and every subscription is shown every frame of every room in the
process: the work grows with the square of the rooms. Here one subscription serves all: frames are taken in the SDK's own thread,
and wait, copied, in a deque until the tick drains it. The same goes for the receipts of frames we send.
"""

import asyncio
import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable

import numpy as np
from livekit import rtc
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


class Media:
    """All sound of this process's rooms, from and to the SDK. Use `media()`."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self.loop = loop
        self._sinks: dict[int, deque[Pcm]] = {}
        self._closed: set[int] = set()
        self._receipts: dict[int, tuple[asyncio.AbstractEventLoop, Callable[[str], None], Pcm]] = {}
        self._unknown: OrderedDict[int, list[audio_frame_pb2.AudioStreamEvent]] = OrderedDict()
        self._settled: OrderedDict[int, str] = OrderedDict()
        self._lock = threading.Lock()  # never held while the SDK is asked: its threads may wait for us just then
        self._client = FfiClient.instance
        self._client.queue.subscribe(loop, self._take)

    def hear(self, track: rtc.Track) -> tuple[int, deque[Pcm]]:
        """Open a stream of the track at 16 kHz mono; answers its handle and where its frames gather."""
        request = ffi_pb2.FfiRequest()
        new = request.new_audio_stream
        new.track_handle = track._ffi_handle.handle
        new.type = audio_frame_pb2.AudioStreamType.AUDIO_STREAM_NATIVE
        new.sample_rate, new.num_channels, new.frame_size_ms = HEARING_RATE, 1, FRAME_MS
        new.queue_size_frames = _LONGEST_QUEUE
        frames: deque[Pcm] = deque()
        handle = self._client.request(request).new_audio_stream.stream.handle.id
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
        number = self._client.request(request).capture_audio_frame.async_id
        with self._lock:
            error = self._settled.pop(number, None)
            if error is None:
                self._receipts[number] = (loop, done, data)
        if error is not None:
            loop.call_soon(done, error)

    def _take(self, event: ffi_pb2.FfiEvent) -> bool:
        """Called in the SDK's threads for every event of the process; what it answers keeps the event from our loop."""
        kind = event.WhichOneof("message")
        if kind == "audio_stream_event":
            with self._lock:
                self._take_sound(event.audio_stream_event)
        elif kind == "capture_audio_frame":
            self._take_receipt(event.capture_audio_frame)
        return False

    def _take_sound(self, event: audio_frame_pb2.AudioStreamEvent) -> None:
        handle = event.stream_handle
        if handle in self._sinks or handle in self._closed:
            self._put(event, self._sinks.get(handle))
            return
        # Ours, and we have not been told its handle yet; or somebody else's, and none of our business.
        self._unknown.setdefault(handle, []).append(event)
        del self._unknown[handle][_FIRST:]
        while len(self._unknown) > _UNKNOWN:
            self._unknown.popitem(last=False)

    def _put(self, event: audio_frame_pb2.AudioStreamEvent, sink: deque[Pcm] | None) -> None:
        if event.HasField("frame_received"):
            frame = rtc.AudioFrame._from_owned_info(event.frame_received.frame)  # copies, and frees the SDK's
            if sink is not None:
                sink.append(np.frombuffer(frame.data, np.int16))
        elif event.HasField("eos"):
            self._closed.discard(event.stream_handle)

    def _take_receipt(self, receipt: audio_frame_pb2.CaptureAudioFrameCallback) -> None:
        with self._lock:
            waiting = self._receipts.pop(receipt.async_id, None)
            if waiting is None:
                self._settled[receipt.async_id] = receipt.error
                while len(self._settled) > _UNKNOWN:
                    self._settled.popitem(last=False)
        if waiting is not None and not waiting[0].is_closed():
            waiting[0].call_soon_threadsafe(waiting[1], receipt.error)


_media: Media | None = None


def media() -> Media:
    """The process's one."""
    global _media  # noqa: PLW0603 (the SDK's client is one for the process, too)
    if _media is None:
        if not logging.getLogger("antiphon").isEnabledFor(logging.DEBUG):
            logging.getLogger("livekit").setLevel(logging.CRITICAL)  # what matters of its many lines, ours say
        _media = Media(asyncio.get_running_loop())
    return _media


def client_protocol(participant: rtc.RemoteParticipant) -> int:
    """What the participant's client says it understands; text streams from 3 on."""
    return int(participant._info.client_protocol)


def room_sid(room: rtc.Room) -> str:
    """The room's id as it is now: that of a room made anew, too, which the SDK came back into by itself. "": not known yet."""
    return str(room._info.sid)
