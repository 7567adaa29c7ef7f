"""The spider of both programs for Scrapy, and how one process runs it twice.

As in https://docs.scrapy.org/en/latest/topics/practices.html#running-multiple-spiders-in-the-same-process.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import scrapy
from scrapy.crawler import AsyncCrawlerRunner
from scrapy.http import JsonResponse
from scrapy.utils.defer import deferred_f_from_coro_f
from scrapy.utils.log import configure_logging
from scrapy.utils.reactor import install_reactor

SETTINGS = {"LOG_LEVEL": "WARNING", "TELNETCONSOLE_ENABLED": False}


class Documents(scrapy.Spider):
    """All pages from the first to the last; each document is an item."""

    name = "documents"

    def parse(self, response: JsonResponse) -> Iterator[Any]:
        page = response.json()
        yield from page["items"]
        if page["next"]:
            yield response.follow(page["next"])


async def crawl(spider: type[Documents], url: str, settings: dict[str, Any]) -> None:
    """One crawl."""
    await AsyncCrawlerRunner(SETTINGS | settings).crawl(spider, start_urls=[url])


def start(work: Callable[[], Awaitable[None]]) -> None:
    """Do it in Twisted's loop."""
    configure_logging(SETTINGS)
    install_reactor("twisted.internet.asyncioreactor.AsyncioSelectorReactor")
    from twisted.internet.task import react  # noqa: PLC0415  # to import it earlier installs another reactor

    async def main(_: object) -> None:
        await work()

    react(deferred_f_from_coro_f(main))
