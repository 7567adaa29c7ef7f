"""`pagefleet doctor`: what may be wrong, a line for each concern."""

from pagefleet.connection import open_redis
from pagefleet.doctor import CHECKS, Concern, diagnose, examine
from pagefleet.embedded import embedded


async def look(redis: str | None) -> int:
    """Print all concerns; answers the exit status, 1 if there are any."""
    if redis is None:
        async with embedded() as url:
            return told(await concerns(url, is_ours=True))
    return told(await concerns(redis, is_ours=False))


async def concerns(url: str, *, is_ours: bool) -> list[Concern]:
    """What is wrong at this URL."""
    redis = open_redis(url)
    try:
        return diagnose(await examine(redis, is_ours=is_ours))
    finally:
        await redis.aclose(close_connection_pool=True)


def told(found: list[Concern]) -> int:
    """Say it."""
    for concern in found:
        print(concern)
    if not found:
        print(f"nothing to be said against it, in {len(CHECKS)} respects")
    return 1 if found else 0
