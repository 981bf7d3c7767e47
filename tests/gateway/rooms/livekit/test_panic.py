"""What the SDK's native library gives up over, and whom that may take along."""

import ctypes
import logging
import signal

import pytest
from livekit.rtc import _ffi_client
from livekit.rtc._proto import ffi_pb2

from gateway.rooms.livekit import _sdk

HALF_MADE = "invalid request: timed out waiting for ReadyForRoomEventRequest after ConnectCallback (room_handle=7)"


@pytest.mark.parametrize(("message", "ends"), [(HALF_MADE, []), ("index out of bounds", [signal.SIGTERM])])
def test_one_room_that_was_left_half_made_ends_no_other(
    message: str, ends: list[int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The SDK ends its process at any panic; a room nobody was there to hear is no business of the others."""
    sent: list[int] = []
    monkeypatch.setattr(_ffi_client.os, "kill", lambda _, number: sent.append(number))
    event = ffi_pb2.FfiEvent(panic=ffi_pb2.Panic(message=message)).SerializeToString()
    with caplog.at_level(logging.WARNING, "antiphon.gateway.livekit"):
        data = ctypes.create_string_buffer(event, len(event))
        _sdk._called(ctypes.cast(data, ctypes.POINTER(ctypes.c_uint8)), len(event))
    assert sent == ends
    assert bool(caplog.records) == (not ends)
