"""Formats: which decoder reads a response, by what the crawl declares and what the response says it is."""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Literal, Protocol

import msgspec

from pagefleet.bounds import DEFAULT, Bounds
from pagefleet.decode import Decoded, Decoder, as_value, not_json, raw_at, taken_apart
from pagefleet.errors import Garbled, Stop
from pagefleet.page import Response
from pagefleet.paths import parse_path
from pagefleet.redaction import cut, quoted

Format = Literal["auto", "json", "ndjson", "csv", "tsv", "xml", "html"]
CONTENT_TYPES = (
    (re.compile(r"application/(x-ndjson|ndjson|jsonl|x-jsonlines|jsonlines|geo\+json-seq|json-seq)"), "ndjson"),
    (re.compile(r"text/csv|application/csv"), "csv"),
    (re.compile(r"text/tab-separated-values"), "tsv"),
)
"""What a crawl need not declare. XML and HTML it must: their paths are in languages of their own."""
MOST_LINES, MOST_COLUMNS = 100_000, 20_000
"""Of one row of CSV; the reader takes one in one go."""
ORIGINAL = "#original"
WHOLE = "."
"""A path: the body is the one document."""
BOM = b"\xef\xbb\xbf"
csv.field_size_limit(2**31 - 1)  # a page is bounded as a whole


class BodyDecoder(Protocol):
    """Takes bodies in UTF-8 apart, whatever they are."""

    def decode(self, body: bytes, bounds: Bounds = DEFAULT) -> Decoded: ...


class Reader:
    """Reads the responses of one crawl. `documents` and `members` are paths in the language of the format."""

    def __init__(
        self,
        format_: Format,
        documents: str,
        members: Sequence[str] = (),
        namespaces: Mapping[str, str] | None = None,
        *,
        with_original: bool = False,
    ) -> None:
        self._is_auto = format_ == "auto"
        self._format = "json" if self._is_auto else format_
        spaces = tuple((namespaces or {}).items())
        self._given = (documents, tuple(dict.fromkeys(members)), spaces, with_original)
        _decoder(self._format, *self._given)  # paths that cannot be read are refused here

    def read(self, response: Response, bounds: Bounds = DEFAULT) -> Decoded:
        """The documents of a response; raises `Stop` when it is not what it should be."""
        declared, charset = _declared(response.headers.get("content-type", ""))
        name = declared if self._is_auto and declared else self._format
        return _decoder(name, *self._given).decode(_in_utf8(response.body, charset, name), bounds)


@lru_cache(maxsize=256)
def _declared(content_type: str) -> tuple[str, str]:
    """Format and charset, where it says so."""
    kind = content_type.lower()
    charset = CHARSET.search(kind)
    name = next((found for pattern, found in CONTENT_TYPES if pattern.match(kind)), "")
    return name, charset[1] if charset else ""


@lru_cache(maxsize=256)
def _decoder(
    name: str, documents: str, members: tuple[str, ...], namespaces: tuple[tuple[str, str], ...], with_original: bool
) -> BodyDecoder:
    """Decoders hold nothing of a page, and a crawl with children would make thousands."""
    match name:
        case "json":
            return _json_decoder(documents, members)
        case "ndjson":
            return NdjsonDecoder()
        case "csv" | "tsv":
            return CsvDecoder("," if name == "csv" else "\t", with_original=with_original)
        case _:
            return _markup_decoder(name, documents, members, dict(namespaces), with_original=with_original)


def _json_decoder(documents: str, members: Sequence[str]) -> BodyDecoder:
    """Plain chains take the fast path; the rest is JSONPath."""
    is_plain = all(map(_is_plain, members))
    if is_plain and documents == WHOLE:
        return WholeDecoder(members)
    if is_plain and _is_plain(documents):
        return Decoder(documents, members)
    from pagefleet.jsonpath import JsonPathDecoder  # noqa: PLC0415 — most crawls need none, and it takes 20 ms

    return JsonPathDecoder(documents, members)


def _is_plain(path: str) -> bool:
    try:
        parse_path(path)
    except ValueError:
        return False
    return True


def _markup_decoder(
    name: str, documents: str, members: Sequence[str], namespaces: Mapping[str, str], *, with_original: bool
) -> BodyDecoder:
    try:
        from pagefleet.markup import HtmlDecoder, XmlDecoder  # noqa: PLC0415 — an extra
    except ModuleNotFoundError as error:
        raise ValueError(f"format = {name!r} needs {error.name}; pip install 'pagefleet[markup]'") from error
    if name == "html":
        return HtmlDecoder(documents, members, with_original=with_original)
    return XmlDecoder(documents, members, namespaces, with_original=with_original)


class WholeDecoder:
    """The body is the one document."""

    def __init__(self, members: Sequence[str]) -> None:
        self._members = {member: parse_path(member) for member in members}

    def decode(self, body: bytes, bounds: Bounds = DEFAULT) -> Decoded:
        """Raises `Stop` when it is not JSON."""
        body = body.removeprefix(BOM).strip(b" \t\r\n")
        bounds.check_depth(body)
        try:
            check_json(body)
        except (ValueError, RecursionError) as error:
            raise not_json(body, error) from error
        found = {member: raw_at(body, names) for member, names in self._members.items()}
        members = {member: as_value(raw) for member, raw in found.items() if raw is not None}
        return Decoded(bounds.collected((body,), body), members)


_whole = msgspec.json.Decoder(msgspec.Raw)


def check_json(text: bytes) -> None:
    """Raises `ValueError`, and makes no objects."""
    str(text, "utf-8")
    taken_apart(_whole.decode, text)


class NdjsonDecoder:
    """A document a line, as it stands there; an empty line is none."""

    def decode(self, body: bytes, bounds: Bounds = DEFAULT) -> Decoded:
        """Raises `Stop` when a line is not JSON."""
        bounds.check_containers(body)
        return Decoded(bounds.collected(self._lines(body, bounds), body), {})

    def _lines(self, body: bytes, bounds: Bounds) -> Iterator[bytes]:
        for number, line in enumerate(io.BytesIO(body.removeprefix(BOM)), 1):
            text = line.strip(b" \t\r\n\x1e")  # RFC 7464 begins each with a record separator
            if not text:
                continue
            bounds.check_depth(text)
            try:
                check_json(text)
            except (ValueError, RecursionError) as error:
                raise Garbled(
                    f"line {number} of the page is not JSON ({error}): {text[:60].decode(errors='replace')!r}"
                ) from error
            yield text


class CsvDecoder:
    """A document a row, an object of strings by the names in the first row (RFC 4180)."""

    def __init__(self, delimiter: str, *, with_original: bool = False) -> None:
        self._delimiter = delimiter
        self._with_original = with_original

    def decode(self, body: bytes, bounds: Bounds = DEFAULT) -> Decoded:
        """Raises `Stop` when the rows do not fit the first one."""
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise Garbled(f"the page is not UTF-8: byte {error.start} is {body[error.start]:#04x}") from error
        return Decoded(bounds.collected(map(msgspec.json.encode, self._rows(text)), body), {})

    def _rows(self, text: str) -> Iterator[Mapping[str, str]]:
        lines = _Lines(text, self._delimiter)
        rows = csv.reader(lines, delimiter=self._delimiter, strict=True)
        try:
            names = next(rows, list[str]())
            lines.taken()
            if len(set(names)) < len(names):
                raise Stop(f"the first row of the page names a column twice: {quoted(names)}")
            for row in rows:
                line = lines.taken()
                if row and len(row) != len(names):
                    raise Garbled(
                        f"line {rows.line_num} of the page has {len(row)} columns, the first row {len(names)}"
                    )
                if row:
                    yield dict(zip(names, row, strict=True)) | ({ORIGINAL: line} if self._with_original else {})
        except csv.Error as error:
            raise Garbled(f"line {rows.line_num} of the page is not CSV: {error}") from error


class _Lines:
    """Lines for the CSV reader, and those that it has taken for the row in hand: a quoted field may hold several."""

    def __init__(self, text: str, delimiter: str) -> None:
        self._lines = io.StringIO(text, newline="")
        self._delimiter = delimiter
        self._taken: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._taken.append(line)
        if len(self._taken) > MOST_LINES or line.count(self._delimiter) > MOST_COLUMNS:
            raise Stop(f"a row of the page has more than {MOST_LINES:,} lines, or {MOST_COLUMNS:,} columns")
        return line

    def taken(self) -> str:
        row, self._taken = "".join(self._taken), []
        return row.rstrip("\r\n")


CHARSET = re.compile(r"charset=\s*[\"']?([\w.:-]+)")


UNFIT = frozenset({"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape", "utf_7"})
"""Python's, but no character sets of pages."""


def _in_utf8(body: bytes, declared: str, name: str) -> bytes:
    """The body in UTF-8, if it says that it is in something else. XML and HTML say so themselves, unless the header
    does."""
    charset = declared or _detected(body, name)
    if charset in ("utf-8", "utf8", "us-ascii", ""):
        is_said = charset and (name == "html" or (name == "xml" and _is_utf8(body)))
        return _marked(body, name) if is_said else body
    try:
        if codecs.lookup(charset).name.replace("-", "_") in UNFIT:
            raise LookupError(charset)
        text = body.decode(charset)
    except LookupError as error:
        raise Stop(f"the page is in {quoted(charset)}, which is no character set that is known here") from error
    except UnicodeError as error:
        raise Garbled(f"the page says that it is in {cut(charset, 40)}, and is not: {error}") from error
    return _marked(text.encode("utf-8", "surrogatepass"), name)


DECLARED = re.compile(rb"((?:\xef\xbb\xbf)?\s*<\?xml[^>]*?)\s+encoding=[\"'][^\"']*[\"']")


def _marked(body: bytes, name: str) -> bytes:
    """A body in UTF-8, whatever it says itself: what the header says goes before that (RFC 7303, 3.2)."""
    if name == "html":
        return BOM + body
    found = DECLARED.match(body) if name == "xml" else None
    return found[1] + body[found.end() :] if found else body


def _detected(body: bytes, name: str) -> str:
    """JSON may be in UTF-16 or UTF-32 without a word (RFC 4627, 3); HTML without one is often in UTF-8."""
    if name == "html" and b"charset" not in body[:1024].lower():
        return "utf-8" if body.isascii() or _is_utf8(body) else ""
    return json.detect_encoding(body).removesuffix("-sig") if name == "json" and body[:4].count(0) else ""


def _is_utf8(body: bytes) -> bool:
    try:
        str(body, "utf-8")
    except UnicodeDecodeError:
        return False
    return True
