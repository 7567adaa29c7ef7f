"""The same in XML, HTML, CSV and lines of JSON."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from tests.probe.server import COUNT, ROWS, SIZE, Answer, exact, number, url, window

ELEMENTS = [{"@id": str(row["id"]), "title": [row["title"]]} for row in ROWS]
TEXTS = [{"id": str(row["id"]), "title": row["title"]} for row in ROWS]


def xml(text: str, kind: str = "application/xml") -> web.Response:
    return web.Response(text=f'<?xml version="1.0" encoding="UTF-8"?>\n{text}', content_type=kind)


def elements(start: int, name: str = "item", size: int = SIZE) -> str:
    return "".join(f'<{name} id="{row["id"]}"><title>{row["title"]}</title></{name}>' for row in window(start, size))


@exact("?rows=10", ELEMENTS, "offset")
def xml_by_offset(request: web.Request) -> Answer:
    start = number(request, "start")
    return xml(
        f'<response status="0"><result total="{COUNT}"><item/></result></response>'.replace("<item/>", elements(start))
    )


@exact(rows=ELEMENTS, kind="next_url")
def xml_with_a_link(request: web.Request) -> Answer:
    start = number(request, "at")
    link = url(request, at=start + SIZE).replace("&", "&amp;") if start + SIZE < COUNT else ""
    return xml(f"<things><meta><nextPage>{link}</nextPage><took>3</took></meta>{elements(start, 'thing')}</things>")


@exact(rows=[{"@id": row["@id"], "t:title": row["title"]} for row in ELEMENTS], kind="page")
def xml_with_namespaces(request: web.Request) -> Answer:
    start = (number(request, "page", 1) - 1) * SIZE
    body = elements(start, "t:thing").replace("<title>", "<t:title>").replace("</title>", "</t:title>")
    return xml(f'<list xmlns="urn:a" xmlns:t="urn:b"><total>{COUNT}</total>{body}</list>')


OAI = "http://www.openarchives.org/OAI/2.0/"
RECORDS = [{"header": [{"identifier": [f"oai:x:{n}"]}], "metadata": [{"title": [f"row {n}"]}]} for n in range(COUNT)]


@exact("?verb=ListRecords&metadataPrefix=oai_dc", RECORDS, "cursor")
def oai(request: web.Request) -> Answer:
    """A token goes with the verb alone."""
    token = request.query.get("resumptionToken")
    if token and set(request.query) != {"verb", "resumptionToken"}:
        return xml(f'<OAI-PMH xmlns="{OAI}"><error code="badArgument"/></OAI-PMH>')
    start = int(token or 0)
    record = (
        "<record><header><identifier>oai:x:{}</identifier></header><metadata><title>row {}</title></metadata></record>"
    )
    records = "".join(record.format(n, n) for n in range(start, min(start + SIZE, COUNT)))
    end = start + SIZE
    following = f'<resumptionToken completeListSize="{COUNT}">{end if end < COUNT else ""}</resumptionToken>'
    return xml(f'<OAI-PMH xmlns="{OAI}"><ListRecords>{records}{following}</ListRecords></OAI-PMH>', "text/xml")


ENTRIES = [{"id": [f"urn:{n}"], "title": [f"row {n}"]} for n in range(COUNT)]


def entries(start: int) -> str:
    return "".join(f"<entry><id>urn:{n}</id><title>row {n}</title></entry>" for n in range(COUNT)[start : start + SIZE])


@exact("?search_query=all&max_results=10", ENTRIES, "offset")
def arxiv(request: web.Request) -> Answer:
    total = f'<opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">{COUNT}</opensearch:totalResults>'
    body = f"<title>q</title><id>urn:q</id>{total}{entries(number(request, 'start'))}"
    return xml(f'<feed xmlns="http://www.w3.org/2005/Atom">{body}</feed>', "application/atom+xml")


@exact(rows=ENTRIES, kind="next_url")
def atom(request: web.Request) -> Answer:
    start = number(request, "at")
    link = f'<link rel="next" href="{url(request, at=start + SIZE)}"/>' if start + SIZE < COUNT else ""
    body = f'<link rel="self" href="{request.url}"/>{link}<title>q</title>{entries(start)}'
    return xml(f'<feed xmlns="http://www.w3.org/2005/Atom">{body}</feed>', "application/atom+xml")


ITEMS = [{"guid": [f"urn:{n}"], "title": [f"row {n}"]} for n in range(COUNT)]


@exact(rows=ITEMS, kind="page")
def rss(request: web.Request) -> Answer:
    """WordPress' feeds."""
    start = (number(request, "paged", 1) - 1) * SIZE
    items = "".join(
        f"<item><guid>urn:{n}</guid><title>row {n}</title></item>" for n in range(COUNT)[start : start + SIZE]
    )
    if not items:
        return web.Response(status=404)
    return xml(f'<rss version="2.0"><channel><title>q</title>{items}</channel></rss>', "application/rss+xml")


CONTENTS = [{"Key": [f"k{n:03}"], "Size": [str(n)]} for n in range(COUNT)]


@exact("?list-type=2", CONTENTS, "cursor")
def s3(request: web.Request) -> Answer:
    start = int(request.query.get("continuation-token", "t0").removeprefix("t"))
    end = start + SIZE
    found = "".join(f"<Contents><Key>k{n:03}</Key><Size>{n}</Size></Contents>" for n in range(COUNT)[start:end])
    more = f"<NextContinuationToken>t{end}</NextContinuationToken>" if end < COUNT else ""
    head = f"<Name>b</Name><KeyCount>10</KeyCount><IsTruncated>{str(end < COUNT).lower()}</IsTruncated>"
    return xml(
        f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{head}{more}{found}</ListBucketResult>'
    )


# Tables and lines


def table(rows: Sequence[dict[str, Any]], mark: str = ",") -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["id", "title"], extrasaction="ignore", delimiter=mark)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@exact("?$limit=10", TEXTS, "offset")
def csv_by_offset(request: web.Request) -> Answer:
    return web.Response(text=table(window(number(request, "$offset"))), content_type="text/csv")


@exact(rows=TEXTS, kind="link_header")
def csv_with_a_link(request: web.Request) -> Answer:
    start = number(request, "at")
    link = {"Link": f'<?at={start + SIZE}>; rel="next"'} if start + SIZE < COUNT else {}
    return web.Response(text=table(window(start)), content_type="text/csv", headers=link)


@exact(rows=TEXTS, kind="cursor")
def tsv_with_a_locator(request: web.Request) -> Answer:
    """Salesforce' bulk API, as plain text."""
    start = int(request.query.get("locator", "0"))
    end = start + SIZE
    locator = {"Sforce-NumberOfRecords": str(SIZE), **({"Sforce-Locator": f"{end}"} if end < COUNT else {})}
    return web.Response(text=table(window(start), "\t"), content_type="text/plain", headers=locator)


@exact("?limit=10", kind="offset")
def lines(request: web.Request) -> Answer:
    text = "".join(json.dumps(row) + "\n" for row in window(number(request, "offset")))
    return web.Response(text=text, content_type="application/x-ndjson")


@exact(kind="cursor")
def lines_as_plain_text(request: web.Request) -> Answer:
    start = int(request.query.get("cursor", "c0").removeprefix("c"))
    text = "".join(json.dumps(row) + "\n" for row in window(start))
    more = {"X-Next-Cursor": f"c{start + SIZE}"} if start + SIZE < COUNT else {}
    return web.Response(text=text, content_type="text/plain", headers=more)


# HTML

NAVIGATION = (
    "<nav><ul>"
    + "".join(f"<li><a href='/{n}'>Section number {n} of this site</a></li>" for n in range(9))
    + "</ul></nav>"
)


@exact(rows=[f"row {n} and some words about it" for n in range(COUNT)], kind="next_url")
def page_of_articles(request: web.Request) -> Answer:
    start = number(request, "page") * SIZE
    articles = "".join(
        f"<article class='post'><h2>row {row['id']}</h2> and some words about it</article>" for row in window(start)
    )
    more = f"<a rel='next' href='?page={start // SIZE + 1}'>older</a>" if start + SIZE < COUNT else ""
    return web.Response(
        text=f"<!doctype html><title>Blog</title>{NAVIGATION}<main>{articles}</main>{more}", content_type="text/html"
    )
