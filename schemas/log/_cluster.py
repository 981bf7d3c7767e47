"""The server behind `RedisBus` where it is a cluster. Which primary has what is asked of redis-py, which nobody else loads."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.exceptions import AuthenticationError, RedisClusterException, RedisError

from schemas.clock import Micros
from schemas.errors import in_words
from schemas.log._server import BROKEN, FOR_NOW, Argument, Common, Rows, rows_of, xread
from schemas.log._wire import Blocking, ServerError, Unconnected, Wire, WrongCredentials


class ClusterServer(Common):
    """Redis Cluster: one wire per primary, commands go where their key lives.

    A blocking read names the streams of one slot, so each partition has its own; one left waiting when another rang is
    listened to again by the next call. So nothing is handed over here: it would be handed to somebody who no longer waits.
    """

    hands_over = False

    def __init__(self, url: str, *, library: str | None = None, patience: float, timeout: float) -> None:
        super().__init__(url, library=library, patience=patience, timeout=timeout)
        self._map: RedisCluster | None = None
        self._stale = True
        self._mapping = asyncio.Lock()
        self._wires: dict[str, Wire] = {}
        self._blocking: dict[str, Blocking] = {}
        self._bells: dict[tuple[str, str], asyncio.Task[Any]] = {}

    async def _prepare(self) -> None:
        primaries = (await self._try(self._fresh_map)).get_primaries()
        for node in primaries:
            url = self._url_of(node)
            await self._load(lambda *command, url=url: self._try(lambda: self._wire(url).call(*command)))

    async def aclose(self) -> None:
        for task in self._bells.values():
            task.cancel()
        await asyncio.gather(*self._bells.values(), return_exceptions=True)
        self._bells.clear()
        for wire in self._wires.values():
            await wire.aclose()
        for blocking in self._blocking.values():
            await blocking.aclose()
        if self._map:
            await self._map.aclose()

    async def _send(self, key: str, command: tuple[Argument, ...]) -> Any:
        return await self._at_home(key, lambda url: self._wire(url).call(*command))

    async def _send_together(self, key: str, commands: Sequence[tuple[Argument, ...]]) -> list[Any]:
        answers: list[Any] = await self._at_home(key, lambda url: self._wire(url).call_together(*commands))
        return answers

    async def read_streams(self, after: Mapping[str, str], count: int, timeout: float, doorbell: bool = False) -> Rows:
        rows: Rows = await self._try(lambda: self._read_streams(after, count, timeout, doorbell))
        return rows

    async def new_entries(
        self, streams: Sequence[str], group: str, consumer: str, count: int, timeout: float
    ) -> tuple[Micros, Micros, Rows]:
        raise NotImplementedError("a cluster's bells are apart; see hands_over")

    async def _read_streams(self, after: Mapping[str, str], count: int, timeout: float, doorbell: bool) -> Rows:
        if not after:
            await asyncio.sleep(timeout)
            return []
        asked = {name: (name, "" if doorbell else last_id) for name, last_id in after.items()}
        for name, key in asked.items():
            if key not in self._bells:  # a doorbell may have begun at an earlier id: at worst it rings once too often
                self._bells[key] = asyncio.create_task(self._read_one(name, after[name], count, timeout))
        tasks = [self._bells[key] for key in asked.values()]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        done = [self._bells.pop(key) for key in asked.values() if self._bells[key].done()]
        return [row for task in done for row in task.result()]

    async def _read_one(self, name: str, after: str, count: int, timeout: float) -> Rows:
        rows = await self._at_home(
            name, lambda url: self._blocking_at(url).read(timeout, *xread({name: after}, count, timeout))
        )
        return rows_of(rows)

    async def _at_home(self, key: str, ask: Callable[[str], Awaitable[Any]]) -> Any:
        """Ask the primary that has `key`; an answer that it moved, or none, has the map drawn again before the next try."""
        cluster = await self._fresh_map()
        try:
            return await ask(self._url_of(cluster.get_node_from_key(key)))
        except (ServerError, RedisClusterException, *BROKEN) as error:
            if isinstance(error, ServerError) and not str(error).startswith(("MOVED", "ASK", *FOR_NOW)):
                raise
            self._stale = True
            raise Unconnected(str(error)) from None  # _try tries again

    async def _fresh_map(self) -> RedisCluster:
        async with self._mapping:
            if self._map is None:
                self._map = RedisCluster.from_url(
                    self._url, socket_timeout=self._timeout, socket_connect_timeout=self._timeout
                )
            if self._stale:
                await self._draw(self._map)
                self._stale = False
            return self._map

    async def _draw(self, cluster: RedisCluster) -> None:
        """Unconnected, WrongCredentials: what redis-py calls otherwise."""
        try:
            await cluster.nodes_manager.initialize()
        except AuthenticationError as error:
            raise WrongCredentials(str(error)) from None
        except (RedisError, RedisClusterException) as error:
            raise Unconnected(in_words(error)) from None

    def _url_of(self, node: ClusterNode | None) -> str:
        if node is None:
            raise Unconnected("no primary has that slot")
        parts = urlsplit(self._url)
        user = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{user[0]}{user[1]}{node.host}:{node.port}", path="").geturl()

    def _wire(self, url: str) -> Wire:
        if url not in self._wires:
            self._wires[url] = Wire(url, self._timeout, self._heard)
        return self._wires[url]

    def _blocking_at(self, url: str) -> Blocking:
        if url not in self._blocking:
            self._blocking[url] = Blocking(url, self._timeout)
        return self._blocking[url]
