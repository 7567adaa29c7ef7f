"""The I/O of a probe: sends and waits as the inquiry says."""

import asyncio
from collections.abc import Callable, Mapping

from pagefleet.addresses import Allowed, allowed_here
from pagefleet.errors import Stop
from pagefleet.fetch import Reply, Send, Wait
from pagefleet.http import open_client, send
from pagefleet.limits import Limits
from pagefleet.probe.finding import Probed
from pagefleet.probe.inquiry import crawlable, inquire
from pagefleet.transport import AsyncTransport

PATIENCE = 60.0
"""Seconds: somebody sits there and waits."""
LIMITS = Limits(seconds=30.0)


def _ignore(_: str) -> None:
    """Nobody wants to know."""


async def probe(
    url: str,
    headers: Mapping[str, str] | None = None,
    *,
    client: AsyncTransport | None = None,
    say: Callable[[str], None] = _ignore,
) -> Probed:
    """Find out how a URL is paginated, with few requests, one at a time.

    Raises `CrawlError` when no crawl may have this URL or these headers, and `Stop` when there is no answer, or none
    that documents can be read from.
    """
    url = crawlable(url, headers or {})
    ours = client or open_client(allowed_here() | Allowed.origins([url]))
    flow, reply = inquire(url, headers or {}), _START
    try:
        while True:
            try:
                step = flow.send(reply)
            except StopIteration as end:
                found: Probed = end.value
                return found
            reply = await _done(step, ours, say)
    finally:
        flow.close()
        if client is None:
            await ours.aclose()


async def _done(step: Send | Wait, client: AsyncTransport, say: Callable[[str], None]) -> Reply:
    if isinstance(step, Send):
        return await send(client, step.request, LIMITS)
    seconds = step.cause.seconds
    if seconds > PATIENCE:
        raise Stop(f"{step.cause}, and asks for {seconds:,.0f} s of patience; try again then")
    if step.cause.is_source:
        say(f"{step.cause}; waiting {seconds:g} s")
    await asyncio.sleep(seconds)
    return None


_START: Reply = None
