"""Formats: which decoder reads a response, by what the crawl declares and what the response says it is."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from pagefleet.decode import Decoded, Decoder, parse_path
from pagefleet.errors import Stop
from pagefleet.page import Response

Format = Literal["auto", "json", "ndjson", "csv", "tsv", "xml", "html"]
CONTENT_TYPES = (
    (re.compile(r"application/(x-ndjson|ndjson|jsonl|x-jsonlines|jsonlines|geo\+json-seq|json-seq)"), "ndjson"),
    (re.compile(r"text/csv|application/csv"), "csv"),
    (re.compile(r"text/tab-separated-values"), "tsv"),
)
"""What a crawl need not declare. XML and HTML it must: their paths are in languages of their own."""


class BodyDecoder(Protocol):
    """Takes bodies apart, whatever they are."""

    def decode(self, body: bytes) -> Decoded: ...


class Reader:
    """Reads the responses of one crawl."""

    def __init__(
        self, format_: Format, documents: str, members: Sequence[str], namespaces: Mapping[str, str] | None = None
    ) -> None:
        self._is_auto = format_ == "auto"
        self._given = (documents, members, namespaces or {})
        self._format = "json" if self._is_auto else format_
        self._decoders: dict[str, BodyDecoder] = {self._format: self._made(self._format)}

    def read(self, response: Response) -> Decoded:
        """The documents of a response; raises `Stop` when it is not what it should be."""
        kind = response.headers.get("content-type", "").lower()
        name = self._format
        if self._is_auto:
            name = next((found for pattern, found in CONTENT_TYPES if pattern.match(kind)), self._format)
        if name not in self._decoders:
            self._decoders[name] = self._made(name)
        return self._decoders[name].decode(_in_utf8(response.body, kind, name))

    def _made(self, name: str) -> BodyDecoder:
        documents, members, namespaces = self._given
        match name:
            case "json":
                return _json_decoder(documents, members)
            case "ndjson":
                return NdjsonDecoder()
            case "csv" | "tsv":
                return CsvDecoder("," if name == "csv" else "\t")
            case _:
                return _markup_decoder(name, documents, members, namespaces)


def _json_decoder(documents: str, members: Sequence[str]) -> BodyDecoder:
    """Plain chains take the fast path; the rest is JSONPath."""
    try:
        for path in (documents, *members):
            parse_path(path)
    except ValueError:
        from pagefleet.jsonpath import JsonPathDecoder  # noqa: PLC0415 — most crawls need none

        return JsonPathDecoder(documents, members)
    return Decoder(documents, members)


def _markup_decoder(name: str, documents: str, members: Sequence[str], namespaces: Mapping[str, str]) -> BodyDecoder:
    try:
        from pagefleet.markup import HtmlDecoder, XmlDecoder  # noqa: PLC0415 — an extra
    except ModuleNotFoundError as error:
        raise ValueError(f"format = {name!r} needs {error.name}; pip install 'pagefleet[markup]'") from error
    return HtmlDecoder(documents, members) if name == "html" else XmlDecoder(documents, members, namespaces)


class NdjsonDecoder:
    """A document a line, as it stands there; an empty line is none."""

    def decode(self, body: bytes) -> Decoded:
        documents: list[bytes] = []
        for number, line in enumerate(body.split(b"\n"), 1):
            text = line.strip(b" \t\r\x1e")  # RFC 7464 begins each with a record separator
            if not text:
                continue
            try:
                msgspec.json.decode(text, type=msgspec.Raw)
            except msgspec.DecodeError as error:
                raise Stop(f"line {number} of the page is not JSON ({error}): {text[:60].decode(errors='replace')!r}") from error
            documents.append(text)
        return Decoded(documents, {})


class CsvDecoder:
    """A document a row, an object of strings by the names in the first row (RFC 4180)."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter

    def decode(self, body: bytes) -> Decoded:
        return Decoded([msgspec.json.encode(row) for row in self._rows(body.decode("utf-8-sig"))], {})

    def _rows(self, text: str) -> Iterator[Mapping[str, str]]:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter, strict=True)
        try:
            names = next(rows, [])
            if len(set(names)) < len(names):
                raise Stop(f"the first row of the page names a column twice: {names}")
            for row in rows:
                if row and len(row) != len(names):
                    raise Stop(f"line {rows.line_num} of the page has {len(row)} columns, the first row {len(names)}")
                if row:
                    yield dict(zip(names, row, strict=True))
        except csv.Error as error:
            raise Stop(f"line {rows.line_num} of the page is not CSV: {error}") from error


CHARSET = re.compile(r"charset=\s*\"?([\w.:-]+)")


def _in_utf8(body: bytes, content_type: str, name: str) -> bytes:
    """The body in UTF-8, if it says that it is in something else. XML and HTML say so themselves, unless the header does."""
    found = CHARSET.search(content_type)
    charset = found[1] if found else _detected(body, name)
    if charset in ("utf-8", "utf8", "us-ascii", ""):
        return body
    try:
        text = body.decode(charset)
    except LookupError as error:
        raise Stop(f"the page is in {charset!r}, which is no character set that is known here") from error
    except UnicodeDecodeError as error:
        raise Stop(f"the page says that it is in {charset}, and is not: {error}") from error
    if name in ("xml", "html"):
        text = re.sub(r"^(\s*<\?xml[^>]*?)\s+encoding=[\"'][^\"']*[\"']", r"\1", text, count=1)
    return text.encode()


def _detected(body: bytes, name: str) -> str:
    """JSON may be in UTF-16 or UTF-32 without a word (RFC 4627, 3)."""
    return json.detect_encoding(body).removesuffix("-sig") if name == "json" and body[:4].count(0) else ""
