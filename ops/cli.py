"""The `antiphon` command. Each command is thin: it reads its options and hands over to the module that does the work."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from ops import console
from ops.commands.sip import app as sip
from ops.stack.private import MASK

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Antiphon: voice agents as an ordered log. Try `antiphon demo`, then what it suggests.",
    rich_markup_mode=None,
)

app.add_typer(sip, name="sip")

Json = Annotated[bool, typer.Option("--json", help="Print JSON; the last line is one object.")]
JsonLog = Annotated[bool, typer.Option("--json", help="Log as JSON, an object a line (LOG_FORMAT=json).")]
Sound = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="What the caller says: WAV or FLAC, any rate.")
]
Session = Annotated[str, typer.Argument(help="A session's id; `antiphon sessions` lists them.")]
CallsGateway = Annotated[
    str | None, typer.Option("--url", help="Gateway that has the call; the running stack's when not given.")
]


def main() -> None:
    os.umask(MASK)
    app()


@app.command()
def demo(
    wav: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Converse with a recording of your own instead.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the stereo recording goes.")] = None,
    livekit: Annotated[bool, typer.Option("--livekit", help="Through a room of a real LiveKit server.")] = False,
    json: Json = False,
) -> None:
    """Hold a spoken conversation, and explain it.

    It goes through the whole stack in real time; afterwards it is shown how long every part of every turn took.

    Example: antiphon demo --wav my-question.wav
    """
    from ops.commands.demo import demo as command

    if not console.run(lambda: command(wav, out, livekit, json)):
        raise typer.Exit(console.FAILED)


@app.command()
def up(
    gateways: Annotated[int, typer.Option(min=1, help="Gateway processes.")] = 1,
    stt: Annotated[int, typer.Option(min=0, help="STT worker processes.")] = 1,
    llm: Annotated[int, typer.Option(min=0, help="LLM worker processes.")] = 1,
    tts: Annotated[int, typer.Option(min=0, help="TTS worker processes.")] = 1,
    free_ports: Annotated[bool, typer.Option(help="Use free ports instead of the well-known ones.")] = False,
    livekit: Annotated[bool, typer.Option("--livekit", help="A LiveKit server too; its rooms get the agent.")] = False,
    json: Json = False,
) -> None:
    """Start everything on this machine, until Ctrl-C.

    What dies is started again. What REDIS_URL and LLM_BASE_URL name is used; what they don't name is started beside the rest.

    Example: antiphon up --stt 2
    """
    from ops.commands.up import up as command

    console.run(lambda: command(gateways, stt, llm, tts, free_ports, livekit, json))


@app.command()
def gateway(
    host: Annotated[str | None, typer.Option(help="GATEWAY_HOST")] = None,
    port: Annotated[int | None, typer.Option(help="GATEWAY_PORT")] = None,
    sip: Annotated[str | None, typer.Option(help="SIP_LISTEN: answer phones at host:port.")] = None,
    json: JsonLog = False,
) -> None:
    """Run one gateway.

    Example: SIP_TRUNKS=trunks.toml antiphon gateway --sip 0.0.0.0:5060
    """
    from gateway.main import run_gateway
    from ops.stack.stack import settings_here

    given = _given(gateway_host=host, gateway_port=port, sip_listen=sip)
    console.run(lambda: run_gateway(settings_here(**given, **_log(json))))


@app.command()
def worker(
    stage: Annotated[Literal["stt", "llm", "tts"], typer.Argument(help="The stage this worker serves.")],
    batch: Annotated[int | None, typer.Option(min=1, help="Jobs of different sessions at once (WORKER_BATCH).")] = None,
    slots: Annotated[int | None, typer.Option(min=1, help="Jobs in hand at once (WORKER_SLOTS).")] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"] | None, typer.Option(help="STT_DEVICE or TTS_DEVICE.")] = None,
    json: JsonLog = False,
) -> None:
    """Run one worker of a stage.

    Example: antiphon worker stt --batch 8
    """
    from ops.stack.stack import settings_here
    from workers.main import run_worker

    devices = {} if device is None else {"stt": {"stt_device": device}, "tts": {"tts_device": device}}.get(stage, {})
    options = _given(worker_batch=batch, worker_slots=slots, **devices)
    console.run(lambda: run_worker(stage, settings_here(**options, **_log(json))))


@app.command("llm-server")
def llm_server(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8081,
    model: Annotated[Path | None, typer.Option(help="A .gguf file; the packaged SmolLM2 when not given.")] = None,
    json: Json = False,
) -> None:
    """Run the embedded OpenAI-compatible LLM server.

    Example: antiphon llm-server --port 8081
    """
    from ops.stack.embedded.llm_server import serve
    from schemas.errors import SettingsError

    try:
        serve(host, port, model, announce=console.emit if json else None)
    except SettingsError as error:
        console.fail(str(error), console.USAGE)


@app.command()
def call(
    wav: Sound,
    url: Annotated[
        str | None, typer.Option(help="Gateway, ws://host:port/ws; the running stack's when not given.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write a stereo WAV: caller left, agent right.")] = None,
    agent: Annotated[str, typer.Option(help="Agent to speak with.")] = "",
    token: Annotated[
        str, typer.Option(envvar="ANTIPHON_TOKEN", help="Client token, where the gateway asks for one.")
    ] = "",
    sessions: Annotated[int, typer.Option(min=1, help="Callers at once.")] = 1,
    wait: Annotated[float, typer.Option(min=0.5, help="Seconds to wait for a first reply.")] = 15.0,
    json: Json = False,
) -> None:
    """Call a gateway with a recording.

    A line that is lost is picked up again. Exit code 1 when a session got no answer, 3 when no gateway is there.

    Example: antiphon call question.wav --out conversation.wav
    """
    from ops.commands.call import Options
    from ops.commands.call import call as command

    if not console.run(lambda: command(Options(wav, url, out, agent, token, sessions, wait, json))):
        raise typer.Exit(console.FAILED)


@app.command()
def join(
    room: Annotated[str, typer.Argument(help="A LiveKit room that exists.")],
    agent: Annotated[str, typer.Option(help="Which agent goes there.")] = "",
    url: Annotated[
        str | None, typer.Option(help="Gateway, ws://host:port/ws; the running stack's when not given.")
    ] = None,
    token: Annotated[
        str, typer.Option(envvar="ANTIPHON_TOKEN", help="Client token with `join`, where the gateway asks for one.")
    ] = "",
    json: Json = False,
) -> None:
    """Send the agent into a LiveKit room, without a dispatch.

    Example: antiphon join lobby --agent receptionist
    """
    from ops.commands.join import join as command

    console.run(lambda: command(room, agent, url, token, json))


@app.command()
def token(
    agent: Annotated[str, typer.Option(help="The only agent it is for; left to the client when not given.")] = "",
    room: Annotated[str, typer.Option(help="The only room it is for.")] = "",
    participant: Annotated[str, typer.Option(help="Who its bearer is.")] = "",
    livekit: Annotated[
        bool, typer.Option("--livekit", help="For a room of the LiveKit server; prints its address too.")
    ] = False,
    hours: Annotated[float, typer.Option(min=0.001, help="How long it is good for.")] = 1.0,
    json: Json = False,
) -> None:
    """Make a client's token, with --livekit for a LiveKit room.

    The gateway's is signed with GATEWAY_TOKEN_SECRET, which must be its own; a gateway on loopback asks for none. A room's is
    signed with LIVEKIT_API_SECRET, or the key of `antiphon up --livekit`; any LiveKit client takes it.

    Example: antiphon token --livekit --room lobby --participant ann
    """
    from ops.commands.token import room_token
    from ops.commands.token import token as command

    (room_token if livekit else command)(agent, room, participant, hours, json)


@app.command()
def dial(
    to: Annotated[str, typer.Argument(help="sip:user@host, or a number a trunk dials.")],
    agent: Annotated[str, typer.Option(help="Agent that speaks.")] = "",
    trunk: Annotated[str, typer.Option(help="Trunk to dial by; the one that fits when not given.")] = "",
    digits: Annotated[str, typer.Option(help="Keys to press once answered; w waits half a second.")] = "",
    wait: Annotated[float, typer.Option(min=1, max=300, help="Seconds to let it ring.")] = 60.0,
    url: Annotated[str | None, typer.Option(help="Gateway to ask; the running stack's when not given.")] = None,
    json: Json = False,
) -> None:
    """Have a running gateway call somebody.

    Example: antiphon dial sip:alice@192.0.2.10 --agent receptionist
    """
    from ops.commands.dial import dial as command

    console.run(lambda: command(to, agent, trunk, digits, wait, url, json))


@app.command()
def transfer(
    session: Session,
    to: Annotated[str, typer.Argument(help="sip:user@host or tel:number the phone is to call instead.")],
    url: CallsGateway = None,
    json: Json = False,
) -> None:
    """Hand a caller on to somebody else.

    Example: antiphon transfer SESSION sip:bob@192.0.2.10
    """
    from ops.commands.dial import transfer as command

    console.run(lambda: command(session, to, url, json))


@app.command()
def keys(
    session: Session,
    digits: Annotated[str, typer.Argument(help="0-9 * # A-D; w waits half a second.")],
    url: CallsGateway = None,
    json: Json = False,
) -> None:
    """Press keys in a phone call, as the agent's phone.

    Example: antiphon keys SESSION 1w42#
    """
    from ops.commands.dial import press as command

    console.run(lambda: command(session, digits, url, json))


@app.command()
def hangup(
    session: Session,
    url: CallsGateway = None,
    json: Json = False,
) -> None:
    """Hang up a phone call.

    Example: antiphon hangup SESSION
    """
    from ops.commands.dial import hang_up as command

    console.run(lambda: command(session, url, json))


@app.command()
def sessions(
    count: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    json: Json = False,
) -> None:
    """List the sessions.

    The open ones first, then those that ended, as long as their log is kept.

    Example: antiphon sessions --count 10
    """
    from ops.commands.reading import sessions as command

    console.run(lambda: command(count, json))


@app.command()
def show(
    session: Session,
    follow: Annotated[bool, typer.Option(help="Go on with what happens, until the session ends.")] = False,
    json: Json = False,
) -> None:
    """Tell a session event by event, with each turn's timing.

    Under each answered turn stands why it took as long as it did: who waited for what, in parts that sum.

    Example: antiphon show SESSION --follow
    """
    from ops.commands.reading import show as command

    console.run(lambda: command(session, follow, json))


@app.command()
def state(
    session: Session,
    at: Annotated[int | None, typer.Option(min=1, help="The event after which; the last when not given.")] = None,
    json: Json = False,
) -> None:
    """Show a session as it was after any event.

    Who had the floor, the turns, and the chat as the LLM is given it.

    Example: antiphon state SESSION --at 20
    """
    from ops.commands.reading import state as command

    console.run(lambda: command(session, at, json))


@app.command()
def export(
    session: Session,
    file: Annotated[Path, typer.Argument(help="The zip to write.")],
    json: Json = False,
) -> None:
    """Write a session into one file.

    A zip with its events, its sound (each piece, and the whole in stereo) and its state.

    Example: antiphon export SESSION conversation.zip
    """
    from ops.commands.reading import export as command

    command(session, file, json)


@app.command()
def doctor(json: Json = False) -> None:
    """Check everything a conversation needs.

    One line each, and what to do about it. Exit code 1 when something is bad.

    Example: antiphon doctor
    """
    from ops.commands.doctor import doctor as command

    if not console.run(lambda: command(json)):
        raise typer.Exit(console.FAILED)


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help="Which benchmark; `antiphon bench list` names them.")],
    count: Annotated[int | None, typer.Argument(min=1, help="How many at once; the same as --sessions.")] = None,
    sessions: Annotated[int | None, typer.Option(min=1, help="Sessions at once (log, vad, calls, rooms).")] = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="How long to measure.")] = None,
    wav: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="A folder of recordings of your own (latency, stt)."),
    ] = None,
    livekit: Annotated[
        bool, typer.Option("--livekit", help="Through a room of a real LiveKit server (latency, barge-in, rooms).")
    ] = False,
    turns: Annotated[int | None, typer.Option(min=1, help="At most so many (latency, barge-in).")] = None,
    json: Json = False,
) -> None:
    """Run one benchmark.

    Example: antiphon bench log --sessions 50 --json
    """
    from ops.commands.bench import bench as command

    asked = _given(sessions=sessions or count, seconds=seconds, wav=wav, livekit=livekit or None, turns=turns)
    command(name, asked, json)


@app.command()
def chaos(
    seconds: Annotated[float, typer.Option(min=1, help="How long to kill.")] = 60.0,
    callers: Annotated[int, typer.Option(min=1, help="Callers at a time.")] = 12,
    seed: Annotated[int, typer.Option(help="Of everything that is chosen at random.")] = 1,
    models: Annotated[bool, typer.Option("--models", help="Real models, a tenth of the kills.")] = False,
    mutant: Annotated[
        Literal["no-fence"] | None, typer.Option(help="Break the log on purpose: this run must find violations.")
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep the processes' logs and the server's data here.")] = None,
    rooms: Annotated[
        bool, typer.Option("--rooms", help="Gateways only, in LiveKit rooms, in the middle of replies.")
    ] = False,
    kills: Annotated[int, typer.Option(min=1, help="With --rooms: how many.")] = 20,
    json: Json = False,
) -> None:
    """Kill everything all the time, then check every log.

    Workers, gateways and Redis are killed and stopped at random, connections are cut; with --rooms a gateway that speaks in a
    LiveKit room is killed, and another has to go on there. Exit code 1 on any violation.

    Example: antiphon chaos --seconds 120
    """
    from ops.chaos.rooms import RoomChaos
    from ops.chaos.run import Chaos
    from ops.commands.chaos import chaos as command
    from ops.commands.chaos import rooms as in_rooms

    if rooms:
        if not console.run(lambda: in_rooms(RoomChaos(kills=kills, seed=seed, keep=keep), json)):
            raise typer.Exit(console.FAILED)
        return
    options = Chaos(seconds=seconds, callers=callers, seed=seed, models=models, mutant=mutant, keep=keep)
    if not console.run(lambda: command(options, json)):
        raise typer.Exit(console.FAILED)


def _log(json: bool) -> dict[str, object]:
    return {"log_format": "json"} if json else {}


def _given(**options: object) -> dict[str, object]:
    """The options somebody gave; the rest is left to the environment."""
    return {name: value for name, value in options.items() if value is not None}


if __name__ == "__main__":
    main()
