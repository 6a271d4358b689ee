"""A line on which everything takes its time: a relay at another address of the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Collection
from typing import Self

ADDRESS = "127.0.0.2"


class SlowLine:
    """Passes on what comes to these ports of its address to those of 127.0.0.1, each way so many seconds later."""

    def __init__(self, ports: Collection[int], delay: float) -> None:
        self._ports, self._delay = ports, delay
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(20)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> None:
        self._servers = [await asyncio.start_server(self._between(port), ADDRESS, port) for port in self._ports]

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _between(self, port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection("127.0.0.1", port)
            try:
                await asyncio.gather(self._pass_on(reader, back), self._pass_on(there, writer))
            finally:
                for end in (writer, back):
                    end.close()

        return accept

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                await asyncio.sleep(self._delay)
                writer.write(data)
        writer.close()
