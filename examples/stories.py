"""A source in Python: stories of Hacker News by tag, and the same crawl enqueued for a fleet.

python examples/stories.py show_hn                          # here and now
PYTHONPATH=examples pagefleet worker                        # elsewhere, with REDIS_URL: it can import this module
python examples/stories.py show_hn --enqueue                # by the fleet; for the long run also a scheduler
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator

from pagefleet import Client, Fleet, Page, documents, source

URL = "https://hn.algolia.com/api/v1/search_by_date"


@source(key="objectID", rate="1/s")
async def stories(client: Client, cursor: int | None, tag: str) -> AsyncGenerator[Page]:
    """Newest first, up to the thousand that the API is ready to show."""
    number = cursor or 0
    while hits := (await client.get_json(URL, params={"tags": tag, "page": number, "hitsPerPage": 100}))["hits"]:
        number += 1
        yield Page(hits, cursor=number)


async def main(tag: str, *, is_enqueued: bool) -> None:
    if not is_enqueued:
        async for document in documents(stories(tag=tag)):
            print(document.json()["title"])
        return
    async with Fleet(os.environ["REDIS_URL"]) as fleet:
        async for document in (await fleet.enqueue(stories(tag=tag))).documents():
            print(document.id, document.json()["title"])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], is_enqueued="--enqueue" in sys.argv))
