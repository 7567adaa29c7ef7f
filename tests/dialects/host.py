"""Hosts models of APIs on the loopback interface, one at a time: real HTTP for what is asked of them."""

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager

from aiohttp import web

from tests.dialects.model import Asked, Model


class Host:
    """A server on a free port; `url` is its origin."""

    def __init__(self) -> None:
        self.url = ""
        self.model: Model | None = None
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        assert self.model
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = list(request.query.items())
        answered = self.model(Asked(request.method, request.path, query, headers, await request.read(), self.url))
        if not answered.status:
            assert request.transport
            request.transport.close()
        return web.Response(body=answered.body, status=answered.status or 500, headers=answered.headers)


@contextmanager
def hosting() -> Generator[Host]:
    """A host in a thread of its own."""
    host, loop = Host(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="models", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(host.start(), loop).result(10)
        yield host
    finally:
        asyncio.run_coroutine_threadsafe(host.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
