"""The crawler of both programs for Crawlee; with `--memory` on their command line it keeps nothing in files.

As in https://crawlee.dev/python/docs/guides/storage-clients and https://crawlee.dev/python/docs/guides/service-locator.
"""

import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urljoin

from crawlee import service_locator
from crawlee.configuration import Configuration
from crawlee.crawlers import HttpCrawler, HttpCrawlingContext
from crawlee.storage_clients import FileSystemStorageClient, MemoryStorageClient


def crawler(folder: str, deliver: Callable[[HttpCrawlingContext, list[Any]], Awaitable[None]]) -> HttpCrawler:
    """Delivers the documents of each page to the last; it may run more than once."""
    service_locator.set_configuration(Configuration(storage_dir=folder, log_level="WARNING"))
    service_locator.set_storage_client(MemoryStorageClient() if "--memory" in sys.argv else FileSystemStorageClient())
    made = HttpCrawler(configure_logging=False)

    @made.router.default_handler
    async def handle(context: HttpCrawlingContext) -> None:
        page = json.loads(await context.http_response.read())
        await deliver(context, page["items"])
        if page["next"]:
            await context.add_requests([urljoin(context.request.url, page["next"])])

    return made
