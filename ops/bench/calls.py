"""`antiphon bench calls`: how many phone calls one gateway process, pinned to one core, can hold.

Everything a gateway does is done: SIP, RTP both ways (G.711, silence sent too), VAD, turn-taking, publications, playback. The
phones (a generator of our own: one socket each, a packet every 20 ms), the log and workers of fixed cost share the other
cores. `lateness_p99_ms`: how much later than its place in its own stream a packet reaches a phone; the phones' own lateness
is in it. `calls`: the largest number tried for which that stays under 20 ms at p99.
"""

import asyncio
import multiprocessing
import os
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from gateway.main import start_gateway
from ops.bench import machine
from ops.bench._callers import Phone, Sockets
from ops.bench._figures import milliseconds
from ops.embedded.valkey import Valkey
from ops.processes import KeptProcess, Kind, Role, preload
from schemas.log import connect
from schemas.settings import Settings

LIMIT_MS = 20.0
_STAGES: tuple[Kind, ...] = ("stt", "llm", "tts")
_TRUNKS = """
[[trunk]]
name = "bench"
addresses = ["127.0.0.1"]
numbers = { "*" = "default" }
calls = 1000
calls_per_second = 1000
"""


async def bench(sessions: int = 0, seconds: float = 20.0, **_: Any) -> dict[str, Any]:
    """`sessions`: just so many calls; 0 begins with 60 and tries a third more as long as it goes."""
    preload()
    tried: list[dict[str, Any]] = []
    count = sessions or 60
    while True:
        tried.append(await _run(count, seconds))
        if sessions or tried[-1]["lateness_p99_ms"] >= LIMIT_MS or count >= 400:
            break
        count = count * 4 // 3
    good = [row for row in tried if row["lateness_p99_ms"] < LIMIT_MS]
    best = good[-1] if good else tried[-1]
    return {
        "calls": best["calls"] if good else 0,
        "lateness_p99_ms": best["lateness_p99_ms"],
        "core": best["core"],
        "limit": "lateness of the packets sent" if len(good) < len(tried) else "none found",
        "tried": tried,
        **machine(),
    }


async def _run(calls: int, seconds: float) -> dict[str, Any]:
    """One gateway process on the first core, everything else on the others."""
    cores = sorted(os.sched_getaffinity(0))
    own, others = {cores[0]}, set(cores[1:]) or {cores[0]}
    os.sched_setaffinity(0, others)
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
        server = Valkey(Path(folder) / "valkey")
        await server.start()
        trunks = Path(folder) / "trunks.toml"
        trunks.write_text(_TRUNKS)
        environment = {"REDIS_URL": server.url, "HEALTH_PORT": "0", "WORKER_SLOTS": "64", "LOG_LEVEL": "warning"}
        environment |= {f"{stage.upper()}_PROVIDER": "simulated" for stage in _STAGES}
        environment |= {"SIMULATED_LLM_SENTENCES": "1", "SIMULATED_STT_MS": "50"}
        roles = [Role(stage, stage, environment, Path(folder) / f"{stage}.log") for stage in _STAGES]
        workers = [await asyncio.to_thread(KeptProcess, role) for role in roles]
        here, there = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=_gateway, args=(there, server.url, str(trunks), own), daemon=True
        )
        try:
            process.start()
            port: int = await asyncio.to_thread(here.recv)
            return await _measure(calls, seconds, port, here)
        finally:
            here.close()
            await asyncio.to_thread(process.join, 10)
            await asyncio.gather(*(worker.stop(3.0) for worker in workers))
            await server.stop()
            os.sched_setaffinity(0, set(cores))


async def _measure(calls: int, seconds: float, port: int, gateway: Connection) -> dict[str, Any]:
    sockets = Sockets()
    speaking = asyncio.create_task(sockets.run())
    phones = [Phone(("127.0.0.1", port), number) for number in range(calls)]
    try:
        for phone in phones:
            await phone.call(sockets)
            await asyncio.sleep(0.02)
        await asyncio.sleep(8.0)  # everybody has spoken and been answered once
        for phone in phones:
            phone.measure()
        sockets.late.clear()
        await asyncio.to_thread(gateway.send, "measure")
        await asyncio.sleep(seconds)
        await asyncio.to_thread(gateway.send, "done")
        report: dict[str, Any] = await asyncio.to_thread(gateway.recv)
        late = [value for phone in phones for value in phone.late]
        expected = calls * seconds * 50
        return {
            "calls": calls,
            "lateness_p50_ms": milliseconds(late, 50),
            "lateness_p99_ms": milliseconds(late, 99),
            "phones_own_p99_ms": milliseconds(sockets.late, 99),
            "packets": round(sum(phone.packets for phone in phones) / expected, 3),
            **report,
        }
    finally:
        for phone in phones:
            phone.hang_up()
        await asyncio.sleep(0.2)
        speaking.cancel()


def _gateway(pipe: Connection, url: str, trunks: str, cores: set[int]) -> None:
    import uvloop

    os.sched_setaffinity(0, cores)
    uvloop.run(_answer(pipe, url, trunks))


async def _answer(pipe: Connection, url: str, trunks: str) -> None:
    settings = Settings(
        redis_url=url,
        gateway_port=0,
        log_level="warning",
        sip_listen="127.0.0.1:0",
        sip_trunks=Path(trunks),
        sip_calls=1000,
    )
    bus = connect(settings)
    await bus.start()
    gateway = await start_gateway(settings, bus)
    assert gateway.phones is not None
    pipe.send(gateway.phones.port)
    try:
        await asyncio.to_thread(pipe.recv)
        gateway.engine.late.clear()
        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.to_thread(pipe.recv)
        load = (time.process_time() - cpu) / (time.perf_counter() - wall)
        pipe.send(
            {
                "tick_late_p99_ms": milliseconds(list(gateway.engine.late), 99),
                "core": round(load, 2),
                "sessions": len(gateway.engine.sessions),
            }
        )
    except EOFError:
        pass
    await gateway.aclose()
    await bus.aclose()
