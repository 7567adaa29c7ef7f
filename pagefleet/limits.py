"""What a crawl allows itself and its source: requests per interval, and how much a page may hold or take."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from pagefleet.bounds import Bounds

SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def parse_rate(rate: str) -> float:
    """Seconds between two requests: `10/s`, `30/min`, `1000/h`, `5000/d`."""
    count, _, unit = rate.partition("/")
    if unit not in SECONDS or not re.fullmatch(r"\d+(\.\d+)?", count) or float(count) <= 0:
        raise ValueError("write requests per interval, such as 10/s, 30/min, 1000/h or 5000/d")
    return SECONDS[unit] / float(count)


def _rate(rate: str) -> str:
    parse_rate(rate)
    return rate


def _bytes(size: Any) -> Any:
    """`64MiB` and `512KiB` as well as plain numbers."""
    if not isinstance(size, str):
        return size
    found = re.fullmatch(r"(\d+)\s*(KiB|MiB|GiB)", size)
    if found is None:
        raise ValueError("write a number of bytes, or one with a unit such as 512KiB, 64MiB or 1GiB")
    return int(found[1]) * 1024 ** (1 + ["KiB", "MiB", "GiB"].index(found[2]))


Rate = Annotated[str, AfterValidator(_rate)]


class Limits(BaseModel):
    """What a crawl may take; each has a default that no well-behaved API reaches."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    backlog: int | None = Field(default=100_000, gt=0)
    """Documents in the results stream that some consumer has not read yet; None: no limit, and all are kept."""
    body: Annotated[int, BeforeValidator(_bytes), Field(gt=0)] = 64 * 1024**2
    """Bytes of one page, as they come and decompressed."""
    ratio: int = Field(default=200, gt=0)
    """How many times larger than what came a page may be, decompressed; the first MiB is free."""
    documents: int = Field(default=100_000, gt=0)
    """Of one page."""
    document: Annotated[int, BeforeValidator(_bytes), Field(gt=0)] = 16 * 1024**2
    """Bytes of one document."""
    depth: int = Field(default=64, gt=0)
    """Arrays and objects within each other, in a document of JSON."""
    seconds: float = Field(default=60.0, gt=0)
    """For one request, from connecting to the last byte."""
    attempts: int = Field(default=5, gt=0)
    """At one page, before the crawl fails with its checkpoint kept."""

    @property
    def bounds(self) -> Bounds:
        """What of these holds for what is in a page."""
        return Bounds(self.documents, self.document, self.depth)
