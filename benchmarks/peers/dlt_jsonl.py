"""A pipeline of dlt from a REST API to files of JSON Lines.

As in https://dlthub.com/docs/general-usage/http/overview and
https://dlthub.com/docs/dlt-ecosystem/destinations/filesystem.

--flat   nested lists stay in their document (`max_table_nesting`), and files are not compressed: dlt's least work
"""

import gzip
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dlt
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import JSONLinkPaginator

from benchmarks.outcome import Meter, arguments
from benchmarks.peers.measure import report, warm

IS_FLAT = "--flat" in sys.argv


@dlt.resource(max_table_nesting=0 if IS_FLAT else None)
def documents(url: str) -> Iterator[Any]:
    """All pages from the first to the last."""
    parts = urlsplit(url)
    client = RESTClient(
        base_url=f"{parts.scheme}://{parts.netloc}",
        paginator=JSONLinkPaginator(next_url_path="next"),
        data_selector="items",
    )
    yield from client.paginate(parts.path)


def crawl(url: str, place: Path) -> None:
    """Into files below `place`; each crawl is a pipeline of its own, so that none knows a schema from before."""
    pipeline = dlt.pipeline(
        place.name,
        destination=dlt.destinations.filesystem(bucket_url=str(place)),
        dataset_name="crawled",
        pipelines_dir=str(place / "pipelines"),
    )
    pipeline.run(documents(url), loader_file_format="jsonl")


def count(place: Path) -> int:
    """Documents in the files of the resource, without those of tables for what is nested in them."""
    total = 0
    for path in (place / "crawled" / "documents").iterdir():
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as opened:
            total += sum(1 for _ in opened)
    return total


def main() -> None:
    url, _ = arguments()
    dlt.config["normalize.data_writer.disable_compression"] = IS_FLAT
    with tempfile.TemporaryDirectory() as folder:
        crawl(warm(url), Path(folder) / "warm")
        meter = Meter()
        crawl(url, Path(folder) / "whole")
        took = meter.stop(0)
        report(took, count(Path(folder) / "whole"))


if __name__ == "__main__":
    main()
