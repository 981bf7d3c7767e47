"""Load: sipp places calls as fast as it is told, and none of them may fail."""

import asyncio
from pathlib import Path

from tests.gateway.rooms.sip.conftest import LOOPBACK, needs, office


async def test_a_rush_of_calls(tmp_path: Path) -> None:
    """Sixty calls, thirty new ones a second, each a second long: all are answered and ended, and nothing is left of them."""
    needs("sipp")
    trunks = LOOPBACK + "calls = 100\n"
    async with office(tmp_path, trunks=trunks) as here:
        sipp = await asyncio.create_subprocess_exec(
            "sipp", "-sn", "uac", f"127.0.0.1:{here.phones.port}", "-i", "127.0.0.1", "-s", "100", "-m", "60", "-r", "30",
            "-d", "1000", "-timeout", "30", "-nostdin", "-trace_err",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=tmp_path,
        )  # fmt: skip
        async with asyncio.timeout(45):
            told, _ = await sipp.communicate()
        assert sipp.returncode == 0, told.decode()[-3000:]
        for _ in range(100):
            if not here.phones.calls.by_id and not here.gateway.engine.sessions:
                break
            await asyncio.sleep(0.05)
        assert not here.phones.calls.by_id
        assert not here.gateway.engine.sessions
        ended = await here.gateway.bus.closed(100)
        assert len(ended) == 60
