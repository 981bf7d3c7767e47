"""`antiphon bench calls`: how many phone calls one gateway process, pinned to one core, can hold.

Everything a gateway does is done: SIP, RTP both ways (G.711, silence sent too), VAD, turn-taking, publications, playback. The
phones (a generator of our own: one socket each, a packet every 20 ms), the log and workers of fixed cost share the other
cores. `lateness_p99_ms`: how much later than its place in its own stream a packet reaches a phone; the phones' own lateness
is in it. `calls`: the largest number tried for which that stays under 20 ms at p99.
"""

import asyncio
from typing import Any

from ops.bench import machine
from ops.bench._callers import Phone, Sockets
from ops.bench._core import PinnedGateway, cores_apart, simulated_pools
from ops.bench.figures import milliseconds
from ops.stack.processes import preload

LIMIT_MS = 20.0
_WORKERS = {"LLM_SENTENCES": "1", "STT_MS": "50"}
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
    async with cores_apart() as own, simulated_pools(_WORKERS) as (log, folder):
        trunks = folder / "trunks.toml"
        trunks.write_text(_TRUNKS)
        settings = {"redis_url": log.url, "sip_listen": "127.0.0.1:0", "sip_trunks": trunks, "sip_calls": 1000}
        async with PinnedGateway(settings, own) as gateway:
            return await _measure(calls, seconds, gateway)


async def _measure(calls: int, seconds: float, gateway: PinnedGateway) -> dict[str, Any]:
    sockets = Sockets()
    speaking = asyncio.create_task(sockets.run())
    phones = [Phone(("127.0.0.1", gateway.phones_port), number) for number in range(calls)]
    try:
        for phone in phones:
            await phone.call(sockets)
            await asyncio.sleep(0.02)
        await asyncio.sleep(8.0)  # everybody has spoken and been answered once
        for phone in phones:
            phone.measure()
        sockets.late.clear()
        await gateway.ask("measure")
        await asyncio.sleep(seconds)
        report = await gateway.ask("report")
        late = [value for phone in phones for value in phone.late]
        expected = calls * seconds * 50
        return {
            "calls": calls,
            "lateness_p50_ms": milliseconds(late, 50),
            "lateness_p99_ms": milliseconds(late, 99),
            "phones_own_p99_ms": milliseconds(sockets.late, 99),
            "packets": round(sum(phone.packets for phone in phones) / expected, 3),
            "tick_late_p99_ms": report["lateness_p99_ms"],
            "core": report["core"],
            "sessions": report["sessions"],
        }
    finally:
        for phone in phones:
            phone.hang_up()
        await asyncio.sleep(0.2)
        speaking.cancel()
