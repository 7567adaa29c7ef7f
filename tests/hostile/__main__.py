"""On its own, to look at it with curl or a crawl of yours."""

import asyncio

from tests.hostile import Hostile


async def main() -> None:
    """Print the URL and serve."""
    served = Hostile()
    await served.start(0)
    print(served.url, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
