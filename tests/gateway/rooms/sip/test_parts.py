"""The parts of a phone line, each by itself: no sockets, time by hand."""

import itertools
import random
import struct
from ipaddress import ip_network
from pathlib import Path

import numpy as np
import pytest
import soxr
from aiosipua.sdp import parse_sdp
from hypothesis import given
from hypothesis import strategies as st

from gateway.inputs import Digits, Typed
from gateway.rooms.sip import offers
from gateway.rooms.sip.codecs import FORMATS, available, codec
from gateway.rooms.sip.echo import EchoGate
from gateway.rooms.sip.gate import MESSAGES, Gate, allowed
from gateway.rooms.sip.line import Deal, Line
from gateway.rooms.sip.reorder import PATIENCE, Lost, Packet, Reorder
from gateway.rooms.sip.resample import Doubler
from gateway.rooms.sip.room import Party, SipRoom
from gateway.rooms.sip.sources import SILENT, Sources
from gateway.rooms.sip.trunks import load_trunks, parse_trunks
from gateway.rooms.sip.wire import facing
from ops.demo.script import line
from schemas.audio import HEARING_RATE
from schemas.clock import Now
from schemas.errors import SettingsError


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> Now:
        return Now(self.time)


# ── packets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def sequences(items: list[Packet | Lost]) -> list[int]:
    return [item.timestamp if isinstance(item, Packet) else -item.packets for item in items]


def packet(number: int) -> Packet:
    return Packet(number, b"x")


def test_packets_in_order_are_handed_on_at_once() -> None:
    """No packet waits for another one while none is missing, also where the numbers begin anew."""
    buffer = Reorder()
    for number in (65_534, 65_535, 65_536, 65_537):
        buffer.put(number & 0xFFFF, packet(number), 0.0)
        assert sequences(buffer.take(0.0)) == [number]


def test_a_late_packet_finds_its_place() -> None:
    """One that comes within the patience is heard in its place; one that comes later is left out."""
    buffer = Reorder()
    for number in (1, 3, 4):
        buffer.put(number, packet(number), 0.0)
    assert sequences(buffer.take(0.01)) == [1]
    buffer.put(2, packet(2), 0.02)
    assert sequences(buffer.take(0.02)) == [2, 3, 4]
    buffer.put(6, packet(6), 0.04)
    assert sequences(buffer.take(0.04 + PATIENCE)) == [-1, 6]
    buffer.put(5, packet(5), 0.2)
    assert sequences(buffer.take(0.3)) == []
    assert (buffer.lost, buffer.late) == (1, 1)


@given(st.lists(st.tuples(st.integers(0, 150), st.booleans()), max_size=60), st.integers(0, 65_535))
def test_whatever_comes_leaves_in_order(packets: list[tuple[int, bool]], first: int) -> None:
    """However packets are lost, doubled and shuffled, what is handed on never goes back, and nothing is kept for ever."""
    buffer = Reorder()
    now = 0.0
    taken: list[Packet | Lost] = []
    for number, keeps in packets:
        now += 0.02
        buffer.put((first + number) & 0xFFFF, packet(number) if keeps else None, now)
        taken += buffer.take(now)
        assert len(buffer._waiting) <= 200
    taken += buffer.take(now + 1)
    assert not buffer._waiting
    steps = [item.timestamp for item in taken if isinstance(item, Packet)]
    backwards = sum(later <= earlier for earlier, later in itertools.pairwise(steps))
    assert backwards == 0


# ── sound ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_doubler_keeps_speech_and_adds_nothing() -> None:
    """Speech of a phone line at twice the rate is the same speech, whatever the pieces, with no image above 4 kHz."""
    low = line("capital")[::2]
    random.seed(1)
    double, pieces, at = Doubler(), [], 0
    while at < len(low):
        size = random.choice((160, 80, 320, 33))
        pieces.append(double(low[at : at + size]))
        at += size
    whole = Doubler()(low)
    assert np.array_equal(np.concatenate(pieces), whole)
    assert len(whole) == 2 * len(low)
    delay = 24 // 2 - 1
    assert np.array_equal(whole[2 * (delay + 1) :: 2][: len(low) - delay - 1], low[: len(low) - delay - 1])
    tone = (10_000 * np.sin(2 * np.pi * 1_000 * np.arange(8_000) / 8_000)).astype(np.int16)
    spectrum = np.abs(np.fft.rfft(Doubler()(tone)[2_000:14_000].astype(float) * np.hanning(12_000)))
    image = spectrum[round(7_000 / 16_000 * 12_000)]
    assert image < spectrum.max() / 500  # 54 dB


@pytest.mark.parametrize("name", available())
def test_every_codec_carries_speech(name: str) -> None:
    """Speech survives the way there and back; what is lost is made up for, in length and not in noise; junk is no crash."""
    form = FORMATS[name]  # type: ignore[index]
    speech = soxr.resample(line("capital"), 16_000, form.send_rate)
    there, back = codec(form), codec(form)
    size = form.send_rate // 50
    frames = [speech[at : at + size] for at in range(0, len(speech) - size, size)]
    heard = np.concatenate([back.decode(there.encode(frame)) for frame in frames])
    original = soxr.resample(np.concatenate(frames), form.send_rate, form.hear_rate).astype(float)
    lag = int(np.argmax(np.correlate(heard.astype(float), original[: len(heard) - 400], "valid")))
    correlation = np.corrcoef(heard[lag : lag + len(original) - 800].astype(float), original[: len(original) - 800])[
        0, 1
    ]
    assert correlation > 0.9
    made_up = back.conceal(form.hear_rate // 50)
    assert len(made_up) == form.hear_rate // 50
    try:
        back.decode(b"\xff\xff\x01")
    except ValueError:
        pass


def test_the_agents_own_voice_coming_back_is_not_heard() -> None:
    """Its echo, 20 dB down and 120 ms later, is silence; a caller as loud as usual is heard over it, to the end of the word."""
    gate = EchoGate(15.0)
    agent = [np.full(160, level, np.int16) for level in (4_000, 5_000, 3_000) * 20]
    echoes = [(frame // 10).astype(np.int16) for frame in agent]
    for number, frame in enumerate(agent):
        gate.said(frame)
        if number >= 6:
            assert not gate.heard(echoes[number - 6]).any()
    for frame in agent[:20]:
        gate.said(frame)
        assert gate.heard(np.full(160, 2_500, np.int16)).any()
    assert gate.heard(np.full(160, 150, np.int16)).any()  # the end of the word
    for _ in range(30):
        gate.said(None)
    assert gate.heard(np.full(160, 20, np.int16)).any()  # the agent is silent: everything is heard


def test_an_open_gate_hears_all() -> None:
    """With echo_gate = 0 nothing is taken away."""
    gate = EchoGate(0.0)
    gate.said(np.full(160, 9_000, np.int16))
    assert gate.heard(np.full(160, 3, np.int16)).any()


def test_positions_are_exact() -> None:
    """Queued is what was pushed and has not left, to the sample; clear takes back all of it but the frame on its way."""
    clock = Hand()
    way = Line(clock, Sources(("127.0.0.1", 9), "127.0.0.1"), lambda _: None)
    left: list[object] = []
    way.sounded = left.append
    way.push(np.ones(100, np.int16))
    way.push(np.ones(1_000, np.int16))
    assert way.queued() == 1_100 / 8_000
    way.tick()
    assert way.queued() == pytest.approx(940 / 8_000 + 0.02)
    clock.time += 0.005
    assert way.queued() == pytest.approx(940 / 8_000 + 0.015)
    assert way.clear() == 940 / 8_000
    assert way.queued() == pytest.approx(0.015)
    clock.time += 0.02
    assert way.queued() == 0.0
    way.tick()
    assert [frame is None for frame in left] == [False, True]


def test_the_last_piece_of_a_sentence_is_filled_up() -> None:
    """Fewer samples than a packet holds leave with silence behind them, and all count as sounded."""
    clock = Hand()
    way = Line(clock, Sources(None, "127.0.0.1"), lambda _: None)
    frames: list[np.ndarray] = []
    way.sounded = lambda frame: frames.append(frame) if frame is not None else None  # type: ignore[arg-type]
    way.push(np.full(170, 7, np.int16))
    way.tick()
    clock.time += 0.02
    way.tick()
    assert [int((frame == 7).sum()) for frame in frames] == [160, 10]
    clock.time += 0.02
    assert way.queued() == 0.0


def test_a_packet_of_nothing() -> None:
    """RTP that is padding from end to end, or whose header is longer than it, is no sound and ends nothing."""
    clock = Hand()
    way = Line(clock, Sources(None, "127.0.0.1"), lambda _: None)
    for number, (first, rest) in enumerate(
        ((0xA0, b"\xff"), (0xA0, b"\x01"), (0x8F, b"x" * 9), (0x90, b"x" * 3), (0x80, b"x"))
    ):
        way._received(struct.pack("!BBHII", first, 0, number, 160 * number, 1) + rest, ("127.0.0.1", 9))
        clock.time += 0.1
        assert sum(len(pcm) for pcm in way.take()) <= 2


@pytest.mark.parametrize("how", ["packets", "jumbo", "holes", "losses", "streams"])
def test_more_sound_than_a_voice_has(how: str) -> None:
    """However a caller sends more than real time holds, what is heard is little more than real time; at an honest pace all is."""
    clock = Hand()
    way = Line(clock, Sources(None, "127.0.0.1"), lambda _: None)
    heard, sequence, stamp = 0, 0, 0
    for beat in range(500):  # ten seconds
        clock.time += 0.02
        for _ in range(8):
            data = bytes(60_000 if how == "jumbo" else 160)
            stream = beat if how == "streams" else 1
            way._received(
                struct.pack("!BBHII", 0x80, 0, sequence & 0xFFFF, stamp & 0xFFFFFFFF, stream) + data, ("127.0.0.1", 9)
            )
            sequence += 11 if how == "losses" else 1
            stamp += 1_700 if how == "holes" else 160
        heard += sum(len(pcm) for pcm in way.take())
    assert heard / HEARING_RATE <= 10 * 1.1 + 5.1
    assert way.flooded
    clock.time += 10
    heard = 0
    for _ in range(500):
        clock.time += 0.02
        way._received(
            struct.pack("!BBHII", 0x80, 0, sequence & 0xFFFF, stamp & 0xFFFFFFFF, 2) + bytes(160), ("127.0.0.1", 9)
        )
        sequence, stamp = sequence + 1, stamp + 160
        heard += sum(len(pcm) for pcm in way.take())
    assert heard / HEARING_RATE == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("tells", [True, False])
def test_what_was_keyed_in_is_told_when_it_is_over(tells: bool) -> None:
    """Keys are in the log one by one; the agent is told them together, two seconds after the last, unless it is not to be."""
    clock = Hand()
    way = Line(clock, Sources(None, "127.0.0.1"), lambda _: None)
    room = SipRoom(clock, "r", Party("1"), way, EchoGate(15.0), lambda _: None, tells_keys=tells)
    room.attach()
    room.key("4")
    clock.time += 1.9
    room.key("2")
    clock.time += 1.9
    inputs = list(room.drain())
    assert [one.digits for one in inputs if isinstance(one, Digits)] == ["4", "2"]
    assert not [one for one in inputs if isinstance(one, Typed)]
    clock.time += 0.2
    said = [one.text for one in room.drain() if isinstance(one, Typed)]
    assert said == (["(keys pressed on the phone: 4 2)"] if tells else [])


# ── whose sound ──────────────────────────────────────────────────────────────────────────────────────────────────────

PHONE, NATTED, OTHER = ("192.168.1.5", 4000), ("198.51.100.7", 5555), ("203.0.113.9", 6666)


def test_a_phone_behind_a_router_is_found() -> None:
    """Its SDP names a private address: nothing is sent there; its first packets, from where its SIP came, say where it is."""
    sources = Sources(PHONE, NATTED[0])
    assert sources.target is None
    assert not sources.accepts(OTHER, 0.0)
    assert sources.accepts(NATTED, 0.0)
    assert sources.target == NATTED
    assert not sources.accepts((NATTED[0], 7777), 0.5)
    assert sources.accepts((NATTED[0], 7777), 0.1 + SILENT)


def test_the_signalled_address_is_taken_when_it_is_the_partys_own() -> None:
    """Sound goes there at once, before anything has come."""
    assert Sources(NATTED, NATTED[0]).target == NATTED
    assert Sources(OTHER, NATTED[0], [ip_network("203.0.113.0/24")]).target == OTHER
    assert Sources(OTHER, NATTED[0]).target is None


def test_the_signalled_address_wins_over_a_stray() -> None:
    """A packet from another port of the same machine doesn't keep the signalled one out."""
    sources = Sources(NATTED, NATTED[0])
    assert sources.accepts((NATTED[0], 1), 0.0)
    assert sources.accepts(NATTED, 0.1)
    assert not sources.accepts((NATTED[0], 1), 0.2)


# ── who is read at all ───────────────────────────────────────────────────────────────────────────────────────────────


def test_scanners_cost_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Of ten thousand packets from a hundred strangers a handful is answered, and one line is written a minute."""
    clock = Hand()
    gate = Gate(clock, [ip_network("192.0.2.0/24")])
    caplog.set_level("INFO")
    verdicts = []
    for number in range(10_000):
        clock.time += 0.001
        verdicts.append(gate.admit(f"203.0.113.{number % 100}"))
    assert verdicts.count("known") == 0
    assert verdicts.count("stranger") < 300
    assert len(caplog.records) == 1
    assert gate.admit("192.0.2.77") == "known"


def test_a_known_address_is_bounded_too() -> None:
    """More messages a second than any phone system sends are dropped unread, and later ones are read again."""
    clock = Hand()
    gate = Gate(clock, [ip_network("192.0.2.0/24")])
    flood = [gate.admit("192.0.2.1") for _ in range(5_000)]
    assert flood.count("known") == 3 * MESSAGES
    assert gate.admit("192.0.2.2") == "known"
    clock.time += 1
    assert gate.admit("192.0.2.1") == "known"


def test_a_phone_on_this_machine_calls_from_loopback() -> None:
    """Where loopback may call, so may this machine by its other addresses; nobody else's, and not where it is not named."""
    own = facing("198.51.100.1", 9, "")
    assert allowed(own, [ip_network("127.0.0.1")])
    assert not allowed("198.51.100.1", [ip_network("127.0.0.1")])
    assert own.startswith("127.") or not allowed(own, [ip_network("203.0.113.0/24")])


def test_a_table_of_strangers_has_an_end() -> None:
    """However many addresses knock, what is remembered of them is bounded."""
    gate = Gate(Hand(), [])
    for number in range(20_000):
        gate.admit(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(gate._strangers) <= 4096


# ── offers ───────────────────────────────────────────────────────────────────────────────────────────────────────────

FULL = """v=0
o=- 7 7 IN IP4 192.0.2.4
s=-
c=IN IP4 192.0.2.4
t=0 0
m=audio 4000 RTP/AVP 96 9 0 8 97 98
a=rtpmap:96 opus/48000/2
a=rtpmap:97 telephone-event/48000
a=rtpmap:98 telephone-event/8000
a=rtcp:4003
m=video 5000 RTP/AVP 34
"""


def test_the_first_of_their_codecs_is_taken() -> None:
    """Their order counts, keys run at the codec's clock, and further streams are declined."""
    sdp = parse_sdp(FULL)
    terms = offers.read(sdp, ["g722", "opus", "pcmu"])
    assert terms.deal == Deal(FORMATS["opus"], 96, (97, 48_000))
    assert (terms.address, terms.reports) == (("192.0.2.4", 4000), 4003)
    answer = offers.answer(sdp, terms, "192.0.2.9", 20_000, 1)
    assert [(one.media, one.port) for one in answer.media] == [("audio", 20_000), ("video", 0)]
    assert answer.media[0].formats == ["96", "97"]
    assert "96 opus/48000/2" in answer.media[0].attributes["rtpmap"]
    narrow = offers.read(sdp, ["pcma", "pcmu"])
    assert narrow.deal == Deal(FORMATS["pcmu"], 0, (98, 8_000))


@pytest.mark.parametrize(
    ("line", "held"), [("a=sendonly", True), ("a=inactive", True), ("a=recvonly", False), ("c=IN IP4 0.0.0.0", True)]
)
def test_all_ways_to_hold(line: str, held: bool) -> None:
    """A phone says that it holds by a direction, for the stream or for all, or by an address that is none."""
    within_stream = FULL.replace("a=rtcp:4003", line)
    assert offers.read(parse_sdp(within_stream), ["pcmu"]).held is held
    if line.startswith("a="):
        for_all = FULL.replace("t=0 0", f"t=0 0\n{line}")
        assert offers.read(parse_sdp(for_all), ["pcmu"]).held is held


# ── the trunk file ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[trunk]]\nname = "a"\naddress = ["1.2.3.4"]', "trunks.toml, line 3: trunk.address"),
        ('[[trunk]]\nname = "a"\nadresses = ["1.2.3.4"]', 'unknown key; did you mean "addresses"? allowed: name,'),
        ('[[trunk]]\nname = "a"\naddresses = ["1.2.3.4.5"]', "line 3: trunk.addresses"),
        ('[[trunk]]\nname = "a"\naddresses = ["0.0.0.0/0"]', "lets everybody call; name users too"),
        (
            '[[trunk]]\nname = "a"\nusers = [{ name = "x", secret = "NO_SUCH_SECRET" }]',
            "NO_SUCH_SECRET, which is not set",
        ),
        ('[[trunk]]\nname = "a"\n[[trunk]]\nname = "a"', "there are two of that name"),
        ("[[trunk]\n", "not TOML"),
        ('[[trunk]]\nname = "a"\ncodecs = ["g729"]', "trunk.codecs"),
    ],
)
def test_what_is_wrong_with_a_trunk_file(text: str, said: str) -> None:
    """It is said where, what was found and what to change."""
    with pytest.raises(SettingsError) as error:
        parse_trunks(text)
    assert said in str(error.value)


def test_a_number_nobody_answers() -> None:
    """An agent that isn't there, and a trunk that is called and names none, are told in a sentence each."""
    trunks = parse_trunks(
        """
        [[trunk]]
        name = "a"
        addresses = ["192.0.2.1"]
        numbers = { "1" = "ann", "2" = "default" }
        [[trunk]]
        name = "b"
        addresses = ["192.0.2.2"]
        [[trunk]]
        name = "only dials"
        outbound = { server = "192.0.2.3" }
        """
    )
    first, second = trunks.unanswered(["default"])
    assert first == 'trunk "a": no agent "ann" for number 1; there is default (AGENTS)'
    assert second.startswith('trunk "b": its numbers name no agent')


def test_a_trunk_file_that_is_not_there(tmp_path: Path) -> None:
    """The setting is named."""
    with pytest.raises(SettingsError, match="SIP_TRUNKS="):
        load_trunks(tmp_path / "no.toml")


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trunk holds the name of a secret, not the secret."""
    monkeypatch.setenv("TRUNK_SECRET", "hush")
    trunks = parse_trunks('[[trunk]]\nname = "a"\nusers = [{ name = "x", secret = "TRUNK_SECRET" }]')
    assert "hush" not in repr(trunks)
