"""Somebody's web server that takes webhooks: it records what is posted and answers as it is told."""

import asyncio
from dataclasses import dataclass, field


@dataclass
class Posted:
    """One request."""

    headers: dict[str, str]
    body: bytes = field(repr=False)


class Receiver:
    """`async with Receiver(500, 200) as receiver`: answers with these statuses in turn, and goes on with the last."""

    def __init__(self, *statuses):
        self.statuses = list(statuses) or [200]
        self.posted: list[Posted] = []
        self._more = asyncio.Event()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/hooks/postroom"
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def wait_for(self, count, seconds=90.0):
        """Waits until so many requests came, and gives them."""
        async with asyncio.timeout(seconds):
            while len(self.posted) < count:
                self._more.clear()
                await self._more.wait()
        return self.posted

    async def _serve(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
            headers = {name.lower(): value for name, _, value in lines}
            body = await reader.readexactly(int(headers["content-length"]))
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            writer.write(f"HTTP/1.1 {status} Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            self.posted.append(Posted(headers, body))
            self._more.set()
        finally:
            writer.close()
