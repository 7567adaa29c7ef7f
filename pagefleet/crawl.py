"""What a crawl is: which pages, where their documents are, how one page leads to the next, and the limits."""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

import httpx
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from pagefleet.decode import is_object
from pagefleet.formats import Format, Reader
from pagefleet.hidden import CREDENTIAL, PLACEHOLDER, SECRET, check_place, is_secret, members, texts
from pagefleet.limits import Limits, Rate, parse_rate
from pagefleet.page import Request
from pagefleet.paginators import NextCursor, Offset, Opaque, PageNumber, Paginator, Single
from pagefleet.paginators.places import Found, as_form, check_header, in_body, with_own_body
from pagefleet.paths import MemberPath, Names, Through, parse_path
from pagefleet.presets import applied
from pagefleet.slices import Bounds, ByRange, ByValues, Slices

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
Scalar = str | int | float | bool


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError("use 1 to 100 letters, digits, dots, dashes or underscores, a letter or digit first")
    return name


def _url(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"not a URL: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError("write a whole URL, such as https://api.example.org/things")
    if parsed.userinfo:
        raise ValueError("leave the user and password out and send an Authorization header")
    return url


def _header(name: str) -> str:
    check_header(name)
    return name


Name = Annotated[str, AfterValidator(_name)]


class _Description(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class Listing(_Description):
    """Where the documents of a page are, and how one page leads to the next: what a crawl and its children share."""

    documents: str = "$"
    """In JSON a chain of members that names an array (`$`: the body is the array; `.`: it is the one document) or a
    JSONPath (RFC 9535); in XML an XPath, in HTML a CSS selector."""
    format: Format = "auto"
    """auto: JSON, or what the response says it is of NDJSON, CSV and TSV."""
    namespaces: Mapping[str, str] = Field(default_factory=dict)
    """Prefixes for XPaths, beside those that `pagefleet.markup` knows."""
    original: bool = False
    """Documents that were not JSON also get `#original`, what was sent."""
    key: MemberPath | None = None
    """Of a document's own id in the document."""
    total: Found | None = None
    """Where the declared number of documents is."""
    error: Found | None = None
    """Where an answer with status 200 says that it is none."""

    def names(self, path: str) -> Names:
        """A path into its documents, such as `key`."""
        names = parse_path(path)
        return Through(names) if self.format == "xml" else names

    def error_reader(self) -> Reader | None:
        """Reads of an answer only whether it says that it is none."""
        members = in_body(self.error)
        if not members:
            return None
        return Reader(self.format, self.documents if self.format == "html" else ".", members, self.namespaces)

    def read_by(self, paginate: Paginator) -> Reader:
        """Takes pages apart; raises `ValueError` that names the field at fault."""
        members = (*paginate.members(), *in_body(self.total, self.error))
        try:
            return Reader(self.format, self.documents, members, self.namespaces, with_original=self.original)
        except ValueError as error:
            said = {**_paths_of(paginate), **self.model_dump(include={"total", "error", "documents"})}
            field = next(
                (f"{name}: " for name, path in said.items() if f"{error} ".startswith((f"{path!r} is", f"{path!r}: "))),
                "",
            )
            raise ValueError(f"{field}{error}") from error


def _paths_of(paginate: Paginator) -> dict[str, Any]:
    return {f"paginate.{name}": path for name, path in paginate.model_dump(by_alias=True).items()}


class Each(Listing):
    """What is asked for each document of a crawl. `{path}` in `url`, `params` and `body` stands for its members."""

    url: str
    method: Literal["GET", "POST"] = "GET"
    params: Mapping[str, Scalar] = Field(default_factory=dict)
    body: dict[str, Any] | list[Any] | str | None = None
    documents: str = "."
    paginate: Paginator = Single()
    include: Mapping[str, MemberPath] = Field(default_factory=dict)
    """Members of the parent that are put in front of each document, by the names that they get there."""
    each: "Each | None" = None

    @model_validator(mode="after")
    def _agrees(self) -> "Each":
        self.read_by(self.paginate)
        for path in (*self.include.values(), *placeholders(self.url)):
            parse_path(path)
        return self


class Crawl(Listing):
    """One paginated collection behind an HTTP API, and how to drain it. Frozen; equal by value. Raises pydantic's
    `ValidationError`, which names the fields at fault; `load` raises `CrawlError`.

    Values of headers, parameters and members of a JSON body may name secrets, `env:NAME` or `file:/path`, in headers
    also behind a word (`Bearer env:TOKEN`): they are looked up in the worker at each request, and never stored.
    """

    kind: Literal["crawl"] = "crawl"
    name: Name | None = None
    url: Annotated[str, AfterValidator(_url)]
    method: Literal["GET", "POST"] = "GET"
    params: Mapping[str, Scalar | list[Scalar]] = Field(default_factory=dict)
    headers: Mapping[Annotated[str, AfterValidator(_header)], str] = Field(default_factory=dict)
    body: dict[str, Any] | list[Any] | str | None = None
    paginate: Paginator
    each: Each | None = None
    """Every document becomes a request, and the crawl's documents are what these bring."""
    slices: Slices | None = None
    """Parts that a fleet walks beside each other; None: it is one."""
    cap: int | None = Field(default=None, gt=0)
    """The API never lists more documents than this, so a crawl that ends there has not seen all."""
    rate: Rate | None = None
    """Requests per interval that the fleet allows itself at the origin, such as 10/s."""
    origins: tuple[Annotated[str, AfterValidator(_url)], ...] = ()
    """Further origins that next links and redirects may lead to; credentials never go there."""
    limits: Limits = Limits()

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, said: Any) -> Any:
        return applied(said) if is_object(said) and "preset" in said else said

    @model_validator(mode="after")
    def _agrees(self) -> "Crawl":
        self.reader()
        if self.rate and isinstance(self.paginate, Opaque) and self.paginate.expires:
            seconds = parse_rate(self.rate)
            if seconds >= self.paginate.expires:
                raise ValueError(
                    f"rate = {self.rate!r} leaves {seconds:g} s between two pages, and a cursor lives for "
                    f"{self.paginate.expires:g} s; raise the rate"
                )
        self._check_slices()
        for place, name, text, is_looked_up in self._texts():
            check_place(place, name, text, is_looked_up=is_looked_up)
        return self

    def _check_slices(self) -> None:
        slices = self.slices
        if slices is None:
            return
        if slices.needs_total and (self.total is None or self.each is not None):
            raise ValueError(f"slices by {slices.by} go by the declared total of the documents; say where total is")
        if slices.counts_pages and not isinstance(self.paginate, Offset | PageNumber):
            raise ValueError("slices by pages need pages that are counted: paginate of kind offset or page")
        if isinstance(slices, ByRange) and slices.most is None and self.cap is None:
            raise ValueError("slices by range are split where there are too many documents; say most, or the API's cap")
        if isinstance(slices, ByValues) and (CREDENTIAL.search(slices.param) or any(map(is_secret, slices.values))):
            raise ValueError(
                f"the secret {slices.param} in slices would be stored and sent as it is written; use params"
            )

    def sliced(self, bounds: Bounds) -> "Crawl":
        """The plain crawl of one slice."""
        said = {name: getattr(self, name) for name in Crawl.model_fields} | {"slices": None}
        if self.slices is not None:
            said["params"] = {**self.params, **self.slices.query(bounds)}
            if span := self.slices.span(bounds):
                said["paginate"] = self.paginate.model_copy(update={"span": span.span()})
        return Crawl.model_validate(said)

    @property
    def may_be_handed_over(self) -> bool:
        """May another worker go on in the middle, at any time?"""
        rules, below = [self.paginate], self.each
        while below is not None:
            rules, below = [*rules, below.paginate], below.each
        return not any(isinstance(rule, Opaque) and rule.replay != "safe" for rule in rules)

    @property
    def document_key(self) -> Names:
        """Where the key is in the documents that are delivered, those of the innermost `each`; empty: nowhere."""
        innermost: Listing = self
        below = self.each
        while below is not None:
            innermost, below = below, below.each
        return innermost.names(innermost.key) if innermost.key else ()

    @property
    def id(self) -> str:
        """The name, or one made of the host and the content: the same description has the same id."""
        return self.name or f"{httpx.URL(self.url).host.strip('[]').replace(':', '-')}-{self.fingerprint[:8]}"

    @cached_property
    def fingerprint(self) -> str:
        """Tells two descriptions apart, whatever their names."""
        return fingerprint(self)

    @cached_property
    def secret_params(self) -> Mapping[str, str]:
        """Parameters whose values name secrets; they are kept out of cursors and put back at each request."""
        return {p: v for p, v in self.params.items() if isinstance(v, str) and is_secret(v)}

    @cached_property
    def secret_members(self) -> Collection[Names]:
        """Of JSON bodies, those whose values name secrets; the same is done with them."""
        then = self.paginate.then if isinstance(self.paginate, NextCursor) else None
        return {**members(self.body), **members(then.body if then else None)}

    @cached_property
    def has_secrets(self) -> bool:
        """Anywhere in its requests."""
        in_headers = any(SECRET.search(value) for value in self.headers.values())
        return in_headers or len(self.secret_params) + len(self.secret_members) > 0

    def _texts(self) -> Iterator[tuple[str, str, str, bool]]:
        """Place, name and value of all that might be a secret, and whether it is looked up by its name."""
        for name, value in self.headers.items():
            yield "headers", name, value, SECRET.search(value) is not None
        for name, values in self.params.items():
            for one in values if isinstance(values, list) else [values]:
                yield "params", name, str(one), name in self.secret_params
        for name, value in httpx.URL(self.url).params.multi_items():
            yield "url", name, value, False
        yield from (("body", *one) for one in texts(self.body))
        if isinstance(self.paginate, NextCursor) and self.paginate.then:
            for name, said in self.paginate.then.params.items():
                yield "paginate.then.params", name, str(said), False
            yield from (("paginate.then.body", *one) for one in texts(self.paginate.then.body))
        below = self.each
        while below is not None:
            for name, said in below.params.items():
                yield "each.params", name, str(said), is_secret(said)
            yield from (("each.body", *one) for one in texts(below.body))
            below = below.each

    def first(self) -> Request:
        """The request before any paginator has touched it."""
        url = httpx.URL(self.url)
        params = {name: value for name, value in self.params.items() if name not in self.secret_params}
        if params:
            url = url.copy_merge_params(params)
        text = self.body.encode() if isinstance(self.body, str) else None
        first = Request(self.method, str(url), dict(self.headers), text)
        if text is None:
            return first if self.body is None else with_own_body(first, self.body)
        is_form = any(str(place).startswith("form:") for place in _paths_of(self.paginate).values())
        return as_form(first) if is_form else first

    def reader(self) -> Reader:
        """Takes this crawl's pages apart."""
        return self.read_by(self.paginate)


def placeholders(template: str) -> list[str]:
    """The paths in a text with `{path}` in it."""
    return PLACEHOLDER.findall(template)


def fingerprint(description: BaseModel) -> str:
    """Of what was said, not of defaults: a new release with a new default keeps old names working."""
    said = description.model_dump(mode="json", by_alias=True, exclude={"name"}, exclude_defaults=True)
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
