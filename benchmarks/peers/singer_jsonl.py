"""A tap of Singer's SDK, whose messages go from standard output to a file.

As in https://sdk.meltano.com/en/latest/guides/pagination-classes.html.

--msgspec   its faster writer, as in https://sdk.meltano.com/en/latest/guides/performance.html
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import ParseResult, urljoin, urlsplit

from requests import Response
from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.pagination import BaseHATEOASPaginator
from singer_sdk.streams.rest import HTTPRequest, PageContext

from benchmarks.outcome import Meter, arguments
from benchmarks.peers.measure import lines, report, stdout, warm

RECORD = b'{"type":"RECORD"'
"""How a line with a document begins."""


class NextLink(BaseHATEOASPaginator):
    """The page says where the next one is, without a host."""

    def get_next_url(self, response: Response) -> str | None:
        following = response.json()["next"]
        return urljoin(response.url, following) if following else None


class Documents(RESTStream[ParseResult]):
    """All pages from the first to the last."""

    name = "documents"
    primary_keys = ("id",)
    records_jsonpath = "$.items[*]"
    schema = th.PropertiesList(
        th.Property("id", th.IntegerType),
        th.Property("number", th.IntegerType),
        th.Property("price", th.NumberType),
        th.Property("tag", th.StringType),
        th.Property("nested", th.ObjectType(additional_properties=True)),
        th.Property("text", th.StringType),
    ).to_dict()

    @property
    def url_base(self) -> str:
        parts = urlsplit(self.config["url"])
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def path(self) -> str:
        return urlsplit(self.config["url"]).path

    def get_new_paginator(self) -> NextLink:
        return NextLink()

    def get_http_request(self, *, page: PageContext[ParseResult]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        if page.next_page_token:
            request.url = page.next_page_token.geturl()
        return request


class TapDocuments(Tap):
    """One stream."""

    name = "tap-documents"
    config_jsonschema = th.PropertiesList(th.Property("url", th.StringType, required=True)).to_dict()

    def discover_streams(self) -> Sequence[Documents]:
        return [Documents(self)]


class FastTapDocuments(TapDocuments):
    """Takes less to write a message."""

    message_writer_class = MsgSpecWriter


def crawl(url: str, path: Path) -> None:
    """Into a file."""
    tap = FastTapDocuments if "--msgspec" in sys.argv else TapDocuments
    with stdout(path):
        tap(config={"url": url}).sync_all()


def main() -> None:
    url, _ = arguments()
    with tempfile.TemporaryDirectory() as folder:
        crawl(warm(url), Path(folder) / "warm.jsonl")
        meter, path = Meter(), Path(folder) / "whole.jsonl"
        crawl(url, path)
        took = meter.stop(0)
        report(took, lines([path], RECORD))


if __name__ == "__main__":
    main()
