"""dlt's RESTClient, whose documents are iterated over and go nowhere.

As in https://dlthub.com/docs/general-usage/http/rest-client.
"""

from urllib.parse import urlsplit

from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import JSONLinkPaginator

from benchmarks.outcome import Meter, arguments
from benchmarks.peers.measure import warm


def crawl(url: str) -> int:
    """All pages from the first to the last."""
    parts = urlsplit(url)
    client = RESTClient(
        base_url=f"{parts.scheme}://{parts.netloc}",
        paginator=JSONLinkPaginator(next_url_path="next"),
        data_selector="items",
    )
    count = 0
    for page in client.paginate(parts.path):
        for _ in page:
            count += 1
    return count


def main() -> None:
    url, _ = arguments()
    crawl(warm(url))
    meter = Meter()
    meter.stop(crawl(url)).print()


if __name__ == "__main__":
    main()
