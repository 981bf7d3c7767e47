"""Offers and answers of sound (SDP, RFC 3264): one audio stream, a codec both sides have, keys as telephone events."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from aiosipua.message import SipRequest, SipResponse
from aiosipua.sdp import Codec, ConnectionData, MediaDescription, Origin, SdpMessage, TimingField, parse_sdp

from gateway.rooms.sip.codecs import FORMATS, Format
from gateway.rooms.sip.line import Deal
from gateway.rooms.sip.sources import Address
from gateway.rooms.sip.trunks import CodecName
from schemas.errors import AntiphonError

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
_ANSWER: dict[Direction, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
_UNHEARD: dict[Direction, Direction] = {"sendrecv": "sendonly", "recvonly": "inactive"}
"""What a direction of ours becomes while we hold them."""
_KEYS = 101
_STREAMS = 16
"""Streams of an offer; each is declined one by one."""


class NoDeal(AntiphonError):
    """Nothing in an offer that we could take."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the other side's SDP says. `held`: it neither wants to hear nor to speak with us for now."""

    deal: Deal
    address: Address | None
    direction: Direction
    reports: int | None = None
    """Port for RTCP, where they name one."""

    @property
    def held(self) -> bool:
        return self.direction in ("sendonly", "inactive")


def carried(message: SipRequest | SipResponse) -> SdpMessage | None:
    """The SDP of a message, None where it has none. NoDeal where nobody could read it."""
    kind = (message.content_type or "").split(";")[0].strip().lower()
    return parsed(message) if message.body and kind == "application/sdp" else None


def parsed(message: SipRequest | SipResponse) -> SdpMessage:
    """A body as SDP. NoDeal where nobody could read it: the parser raises whatever it stumbles over."""
    try:
        return parse_sdp(message.text)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise NoDeal(f"their SDP can't be read: {error}") from error


def read(sdp: SdpMessage | None, codecs: Sequence[CodecName]) -> Terms:
    """The first codec of theirs that is one of `codecs`. NoDeal says what was offered."""
    audio = sdp.audio if sdp is not None else None
    if sdp is None or audio is None:
        raise NoDeal("no audio in their SDP")
    if len(sdp.media) > _STREAMS:
        raise NoDeal(f"{len(sdp.media)} streams in their SDP, at most {_STREAMS} are read")
    if not 0 < audio.port < 65_536 or audio.proto.upper() not in ("RTP/AVP", "RTP/AVPF"):
        raise NoDeal(f"audio by {audio.proto[:20]} to port {audio.port}; RTP/AVP is spoken here")
    chosen = next((found for codec in audio.codecs if (found := _known(codec, codecs)) is not None), None)
    if chosen is None:
        offered = ", ".join(codec.encoding_name or str(codec.payload_type) for codec in audio.codecs[:8])
        raise NoDeal(f"no codec in common: offered {offered or 'none'}, spoken here {', '.join(codecs)}")
    form, payload_type = chosen
    connection = audio.connection or sdp.connection
    host = connection.address.split("/")[0] if connection is not None else ""
    direction = _direction(sdp, audio)
    if host == "0.0.0.0" and direction == "sendrecv":
        direction = "sendonly"  # how a phone held before RFC 3264
    address = (host, audio.port) if host and host != "0.0.0.0" else None
    named = (audio.attributes.get("rtcp") or [""])[0].split(" ")[0]
    reports = int(named) if named.isdecimal() and len(named) < 6 and 0 < int(named) < 65_536 else None
    return Terms(Deal(form, payload_type, _keys(audio, form)), address, direction, reports)


def _known(codec: Codec, codecs: Sequence[CodecName]) -> tuple[Format, int] | None:
    for name in codecs:
        form = FORMATS[name]
        if codec.encoding_name.lower() == form.encoding.lower() and codec.clock_rate in (form.clock, 0):
            return form, codec.payload_type
    return None


def _keys(audio: MediaDescription, form: Format) -> tuple[int, int] | None:
    """Their telephone events, best at the codec's own clock."""
    events = [codec for codec in audio.codecs if codec.encoding_name.lower() == "telephone-event"]
    events.sort(key=lambda codec: codec.clock_rate != form.clock)
    if not events:
        return None
    clock = events[0].clock_rate
    return events[0].payload_type, clock if 8_000 <= clock <= 48_000 else 8_000


def _direction(sdp: SdpMessage, audio: MediaDescription) -> Direction:
    for attributes in (audio.attributes, sdp.attributes):
        for direction in _ANSWER:
            if direction in attributes:
                return direction
    return "sendrecv"


def ours(theirs: Direction, *, holding: bool) -> Direction:
    """Our direction, beside what they want; `holding`: we do not hear them for now."""
    direction = _ANSWER[theirs]
    return _UNHEARD.get(direction, direction) if holding else direction


def answer(offer: SdpMessage, terms: Terms, host: str, port: int, version: int, *, holding: bool = False) -> SdpMessage:
    """Our side of what was agreed; every further stream of the offer is declined."""
    deal = terms.deal
    stream = _stream(port, [(deal.form, deal.payload_type)], deal.keys, ours(terms.direction, holding=holding))
    media: list[MediaDescription] = []
    taken = False
    for offered in offer.media:
        if offered.media == "audio" and not taken:
            stream.proto, taken = offered.proto, True
            media.append(stream)
        else:
            media.append(MediaDescription(offered.media, 0, offered.proto, list(offered.formats)))
    return _message(host, version, media)


def offer(codecs: Sequence[CodecName], host: str, port: int, version: int) -> SdpMessage:
    """All we speak, best first."""
    formats = [(FORMATS[name], FORMATS[name].payload_type) for name in codecs]
    return _message(host, version, [_stream(port, formats, (_KEYS, 8_000), "sendrecv")])


def again(deal: Deal, host: str, port: int, version: int, direction: Direction) -> SdpMessage:
    """An offer within a call: what was agreed on, in this direction."""
    return _message(host, version, [_stream(port, [(deal.form, deal.payload_type)], deal.keys, direction)])


def _stream(
    port: int, formats: Sequence[tuple[Format, int]], keys: tuple[int, int] | None, direction: Direction
) -> MediaDescription:
    types = [str(payload_type) for _, payload_type in formats]
    maps = [f"{payload_type} {form.rtpmap}" for form, payload_type in formats]
    hints = [f"{payload_type} useinbandfec=1" for form, payload_type in formats if form.name == "opus"]
    if keys is not None:
        types.append(str(keys[0]))
        maps.append(f"{keys[0]} telephone-event/{keys[1]}")
        hints.append(f"{keys[0]} 0-15")
    attributes = {"rtpmap": maps, "fmtp": hints, "ptime": ["20"], direction: []}
    if not hints:
        del attributes["fmtp"]
    return MediaDescription("audio", port, "RTP/AVP", types, attributes=attributes)


def _message(host: str, version: int, media: list[MediaDescription]) -> SdpMessage:
    kind = "IP6" if ":" in host else "IP4"
    number = str(abs(hash((host, media[0].port))) % 10**9)
    return SdpMessage(
        origin=Origin("antiphon", number, str(version), "IN", kind, host),
        session_name="antiphon",
        connection=ConnectionData("IN", kind, host),
        timing=TimingField(0, 0),
        media=media,
    )
