"""A window of pages: requests that go out before the walk asks for them, whose answers it still gets in its own order.

The walk knows nothing of it but to say what should come next (`Send.ahead`). What was foreseen wrongly is given up, so
a page that is shorter than its forerunners costs a few requests and no document.
"""

import asyncio
from collections.abc import Awaitable, Callable

from pagefleet.errors import RetryNow
from pagefleet.fetch import Send
from pagefleet.page import Request, Response
from pagefleet.tasks import ended

Ask = Callable[[Request], Awaitable[Response | RetryNow]]
BYTES = 32 * 1024**2
"""Of all answers in a window together, if each is as large as the largest so far."""
SLOWER = 2.0
"""So many times as long as the quickest answer took: the server has enough to do."""
FAULT = 400
"""The least status that is one."""


class Window:
    """As wide as helps: wider by a request while the walk has to wait for answers, narrower while the server takes
    longer for each, half as wide after a fault."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._coming: dict[tuple[str, str, bytes | None], asyncio.Task[Response | RetryNow]] = {}
        self._width = 1
        self._largest, self._quickest = 1, float("inf")

    async def reply(self, step: Send) -> Response | RetryNow:
        """The answer to a request, which may be there already; those that should follow it go out."""
        if not step.ahead and not self._coming:
            return await self._ask(step.request)
        coming = self._coming.pop(_name(step.request), None)
        if coming is None:
            await self.aclose()
            coming = self._sent(step.request)
        try:
            await self._send_ahead(step.ahead)
            has_to_wait = not coming.done()
            reply = await coming
        finally:
            await ended(coming)
        self._adapt(reply, len(step.ahead), has_to_wait=has_to_wait)
        return reply

    async def _send_ahead(self, requests: tuple[Request, ...]) -> None:
        room = min(self._width, BYTES // self._largest)
        wanted = {_name(request): request for request in requests[:room]}
        for name in [name for name in self._coming if name not in wanted]:
            await ended(self._coming.pop(name))
        for name, request in wanted.items():
            if name not in self._coming:
                self._coming[name] = self._sent(request)

    def _sent(self, request: Request) -> asyncio.Task[Response | RetryNow]:
        async def asked() -> Response | RetryNow:
            return await self._ask(request)

        return asyncio.create_task(asked(), name="a page of the window")

    def _adapt(self, reply: Response | RetryNow, most: int, *, has_to_wait: bool) -> None:
        if isinstance(reply, RetryNow) or reply.status >= FAULT:
            self._width = max(1, self._width // 2)
            return
        self._largest = max(self._largest, len(reply.body))
        self._quickest = min(self._quickest, reply.seconds)
        if reply.seconds > SLOWER * self._quickest:
            self._width = max(1, self._width - 1)
        elif has_to_wait:
            self._width = max(1, min(self._width + 1, most))

    async def aclose(self) -> None:
        """Give up what is on its way."""
        coming, self._coming = list(self._coming.values()), {}
        for task in coming:
            await ended(task)


def _name(request: Request) -> tuple[str, str, bytes | None]:
    return request.method, request.url, request.body
