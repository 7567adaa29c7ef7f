"""The HTTP clients of a process: one for all crawls, and others for crawls that may go to more places."""

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from pagefleet.addresses import Allowed
from pagefleet.crawl import Crawl
from pagefleet.credentials import written
from pagefleet.http import open_client
from pagefleet.pages import Source
from pagefleet.settings import ALL, Settings
from pagefleet.transport import AsyncTransport


class Clients:
    """By what a crawl may connect to; connections are shared among crawls that may go to the same places."""

    def __init__(self, settings: Settings) -> None:
        self._allowed = Allowed.parse(settings.allow)
        self._typed, _, places = settings.typed.partition(" ")
        self._places = Allowed.parse(places)
        self._clients: dict[Allowed, AsyncTransport] = {}
        self._stack = AsyncExitStack()

    def of(self, crawl: str, source: Source) -> AsyncTransport:
        """The client of a crawl by its id."""
        places = Allowed()
        if self._typed == ALL and isinstance(source, Crawl):
            places = Allowed.origins(written(source))
        elif self._typed == crawl:
            places = self._places
        return self._open(self._allowed | places)

    def _open(self, allowed: Allowed) -> AsyncTransport:
        if allowed not in self._clients:
            self._clients[allowed] = open_client(allowed)
            self._stack.push_async_callback(self._clients[allowed].aclose)
        return self._clients[allowed]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
