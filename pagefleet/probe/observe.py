"""A response taken apart: observe(response) -> Observation. Pure."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

from pagefleet.errors import Stop
from pagefleet.formats import CONTENT_TYPES, Reader
from pagefleet.page import Response
from pagefleet.paginators import parse_link
from pagefleet.probe.envelope import link_arrays, places, scalars
from pagefleet.probe.observation import Member, Observation, Place
from pagefleet.probe.words import is_count, is_next, is_token, is_total, plain
from pagefleet.redaction import quoted

GROUPS = 6
"""Groups of siblings in HTML that are looked at."""
PLAIN_HEADERS = frozenset(["contentlength", "setcookie", "etag"])


def observe(response: Response) -> Observation:
    """What this answer shows; raises `Stop` when it is nothing that documents are read from."""
    headers = tuple(_headers(response.headers))
    rels = parse_link(response.headers.get("link", ""))
    name, is_said = format_of(response)
    match name:
        case "xml" | "html":
            return _markup(response, name, headers, rels)
        case "json":
            return _json(response, headers, rels)
        case _:
            documents = [json.loads(one) for one in Reader(name, "$").read(response).documents]
            place = Place("$", documents, 10.0, f"{len(documents)} {'lines' if name == 'ndjson' else 'rows'}")
            return Observation(response, "auto" if is_said else name, (place,), headers, rels)


def format_of(response: Response) -> tuple[Any, bool]:
    """The format's name, and whether the content type says it, so that a crawl need not."""
    kind = response.headers.get("content-type", "").lower()
    for pattern, name in CONTENT_TYPES:
        if pattern.match(kind):
            return name, True
    start = response.body[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] in (b"{", b"["):
        is_lines = start[:1] == b"{" and _is_lines(response.body)
        return ("ndjson", False) if is_lines else ("json", True)
    if start[:1] == b"<":
        is_html = "html" in kind or start[:14].lower().startswith((b"<!doctype html", b"<html"))
        return ("html" if is_html and "xhtml" not in kind else "xml"), False
    if "json" in kind or response.body[:4].count(0):
        return "json", True
    return _table(response)


def _table(response: Response) -> tuple[Any, bool]:
    """Plain text may be a table."""
    text = response.body[:4096].decode("utf-8", "replace")
    for name, mark in (("csv", ","), ("tsv", "\t")):
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark))[:-1]
        except csv.Error:
            continue
        if len(rows) > 1 and len(rows[0]) > 1 and len({len(row) for row in rows}) == 1:
            return name, False
    return "json", True  # which it is not, and the reason is said


def _is_lines(body: bytes) -> bool:
    """Several lines, each an object."""
    lines = [line for line in body.split(b"\n", 3)[:3] if line.strip()]
    whole = lines if body.count(b"\n") <= len(lines) else lines[:2]
    try:
        return len(whole) > 1 and all(isinstance(json.loads(line), dict) for line in whole)
    except ValueError:
        return False


def _headers(headers: Mapping[str, str]) -> Iterator[Member]:
    """Those that count or lead on."""
    for name, value in headers.items():
        if plain(name) in PLAIN_HEADERS:
            continue
        if is_total(name) or is_next(name) or is_token(name) or "page" in plain(name) or is_count(name):
            yield Member(f"header:{name.title()}", name, value)


def _json(response: Response, headers: tuple[Member, ...], rels: Mapping[str, str]) -> Observation:
    try:
        tree = json.loads(response.body)
    except (ValueError, RecursionError) as error:
        head = response.body[:60].decode(errors="replace")
        raise Stop(f"the answer is not JSON, nor anything else that is known here ({error}): {head!r}") from error
    found = () if isinstance(tree, list) else tuple(scalars(tree))
    return Observation(
        response,
        "auto",
        tuple(places(tree, response.url)),
        (*found, *headers),
        rels,
        tuple(link_arrays(tree)),
    )


def _markup(
    response: Response, name: Literal["xml", "html"], headers: tuple[Member, ...], rels: Mapping[str, str]
) -> Observation:
    try:
        from pagefleet.probe import elements  # noqa: PLC0415 — an extra
    except ModuleNotFoundError as error:
        raise Stop(f"reading {name} needs {error.name}; pip install 'pagefleet[markup]'") from error
    if name == "html":
        page = elements.parsed_html(response.body)
        if page is None:
            raise Stop("the answer is empty")
        found = [_as_read(place, response) for place in elements.html_places(page)[:GROUPS]]
        return Observation(response, name, tuple(found), (*elements.html_members(page), *headers), rels)
    root, names = elements.parsed_xml(response.body), elements.Names()
    if fault := elements.said_error(root):
        raise Stop(f"OAI-PMH answers with an error: {quoted(fault, 200)}")
    found = elements.xml_places(root, names, response.url)
    members = tuple(elements.xml_members(root, names, found[0].path if found else ""))
    return Observation(response, name, tuple(found), (*members, *headers), rels, namespaces=dict(names.needed))


def _as_read(place: Place, response: Response) -> Place:
    """With the documents that a crawl would make of it."""
    return replace(place, documents=[json.loads(one) for one in Reader("html", place.path).read(response).documents])
