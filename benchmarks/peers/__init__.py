"""What others do with the same pages: `make bench-peers`.

<name>.txt       what is installed into `.peers/<name>`, an environment of its own
<name>_*.py      programs as the documentation of each tool has them, with the page that they follow
measure.py       what they share
__main__.py      all of them and ours in turns, and the table for docs/performance.md

This module is imported in those environments too, and needs nothing that is installed.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool, and one way to use it."""

    title: str
    environment: str
    """Folder in `.peers`; with `.txt` the file of its requirements."""
    program: str
    """A module of this package; then its options."""
    target: float
    """Times as many documents per CPU second are asked of us."""
    share: float = 0.1
    """Of the pages; so many take some seconds."""
    results: str = ""
    """Key in Redis where the documents arrive; '': elsewhere, and the program counts them."""
    is_library: bool = False
    """It delivers nowhere, so it is compared with `documents(source)`."""

    @property
    def command(self) -> tuple[str, ...]:
        """From the root of the repository."""
        return f".peers/{self.environment}/bin/python", "-m", *f"benchmarks.peers.{self.program}".split()


PEERS = (
    Peer("Crawlee, push_data, in memory", "crawlee", "crawlee_push --memory", 3.5, 0.5),
    Peer("Crawlee, push_data, in files (its default)", "crawlee", "crawlee_push", 3.5),
    Peer("Crawlee, XADD, queue in memory", "crawlee", "crawlee_xadd --memory", 5, 0.4, "documents"),
    Peer("Crawlee, XADD, queue in files (its default)", "crawlee", "crawlee_xadd", 5, 0.3, "documents"),
    Peer("dlt, RESTClient, iteration alone", "dlt", "dlt_iterate", 6, 0.5, is_library=True),
    Peer("Singer SDK, JSON lines, msgspec", "singer-sdk", "singer_jsonl --msgspec", 9, 0.4),
    Peer("Singer SDK, JSON lines", "singer-sdk", "singer_jsonl", 9, 0.3),
    Peer("Airbyte CDK, low-code, JSON lines", "airbyte-cdk", "airbyte_jsonl", 11, 0.2),
    Peer("Scrapy, feed of JSON lines", "scrapy", "scrapy_feed", 15, 0.2),
    Peer("dlt, JSON lines, flat, not compressed", "dlt", "dlt_jsonl --flat", 18, 0.2),
    Peer("dlt, JSON lines (its default)", "dlt", "dlt_jsonl", 18),
    Peer("scrapy-redis, its queue and its list", "scrapy-redis", "scrapy_redis_queue", 20, results="documents:items"),
)

QUIET = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "WARNING",  # dlt's
    "LOGLEVEL": "WARNING",  # Singer's
}
"""Environment of all: nothing is told to anybody, and little is logged; programs for Scrapy and Crawlee say so too."""
