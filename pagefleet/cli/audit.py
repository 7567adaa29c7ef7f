"""`pagefleet audit`: whether a crawl is whole, derived again from Redis."""

from pagefleet.audit import Audit, audit
from pagefleet.cli.ending import INCOMPLETE
from pagefleet.fleet import Fleet


async def audited(crawl_id: str, redis: str | None) -> int:
    """Print what was found; answers the exit status."""
    async with Fleet(redis) as fleet:
        found = await audit(fleet, crawl_id)
    for line in told(found):
        print(line)
    return 0 if found.is_whole else INCOMPLETE


def told(found: Audit) -> list[str]:
    """A line for each thing."""
    lines = [
        f"{found.id} is {found.state}",
        f"checked: {found.pages:,} pages, {found.documents:,} documents against their digests, {found.keys:,} keys",
        *(f"not checked: {said}" for said in found.limits),
        *(f"{word}: {said}" for word, said in found.findings),
    ]
    return [*lines, "whole: from the start to the end, each page once" if found.is_whole else "not whole"]
