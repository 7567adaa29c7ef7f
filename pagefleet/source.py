"""Sources written in Python: an async generator of pages that gets the last committed cursor back.

    @source(key="objectID", rate="2/s")
    async def stories(client: Client, cursor: int | None, tag: str) -> AsyncGenerator[Page]:
        number = cursor or 0
        while hits := (await client.get_json(URL, params={"tags": tag, "page": number}))["hits"]:
            number += 1
            yield Page(hits, cursor=number)

    async for document in documents(stories(tag="story")): ...

A worker finds it again by its import path, so it stands at the top of a module that the workers can import.
"""

import importlib
import inspect
import json
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from http import HTTPStatus
from pathlib import Path as FilePath
from traceback import extract_tb
from typing import Annotated, Any, Literal, TypeVar, cast, overload

import httpx
import msgspec
from msgspec.structs import replace
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pagefleet.budget import Budgets, LocalBudgets
from pagefleet.crawl import Name, fingerprint
from pagefleet.decode import Decoder
from pagefleet.errors import CrawlError, PagefleetError, Stop
from pagefleet.fetch import Reply, Send, Wait, check_passing, fetch
from pagefleet.http import ask
from pagefleet.limits import Limits, Rate
from pagefleet.page import Checkpoint, Cursor, Page, Request, Response
from pagefleet.paths import MemberPath, Names, parse_path
from pagefleet.redaction import cut, quoted
from pagefleet.resume import Regained
from pagefleet.tasks import LARGE, aside
from pagefleet.transport import AsyncTransport
from pagefleet.url import origin, safe
from pagefleet.watch import digest

Generator = Callable[..., AsyncGenerator[Page]]
T = TypeVar("T")


def _importable(path: str) -> str:
    module, _, name = path.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
        raise ValueError("write module:function")
    return path


class PythonSource(BaseModel):
    """A source written in Python, with its arguments: what `Fleet.enqueue` and `documents` take beside a `Crawl`."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    kind: Literal["python"] = "python"
    name: Name | None = None
    function: Annotated[str, AfterValidator(_importable)]
    """Its import path, `module:function`."""
    arguments: Mapping[str, Any] = Field(default_factory=dict)
    """JSON values."""
    key: MemberPath | None = None
    rate: Rate | None = None
    limits: Limits = Limits()

    @property
    def document_key(self) -> Names:
        """Where the key is in the documents; empty: nowhere."""
        return parse_path(self.key) if self.key else ()

    @property
    def may_be_handed_over(self) -> bool:
        """May another worker go on in the middle, at any time?"""
        return True

    @property
    def id(self) -> str:
        """The name, or one made of the function's name and the content."""
        return self.name or f"{self.function.rpartition(':')[2]}-{self.fingerprint[:8]}"

    @property
    def fingerprint(self) -> str:
        """Tells two descriptions apart, whatever their names."""
        return fingerprint(self)

    def renamed(self, name: str) -> "PythonSource":
        """The same source under another name."""
        return self.model_validate({**self.model_dump(), "name": name})

    def load(self) -> Generator:
        """The function itself; raises `Stop` when this process cannot import it."""
        module, _, name = self.function.partition(":")
        try:
            found = getattr(importlib.import_module(module), name)
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
            raise Stop(
                f"importing the source {self.function}: {fault}; put it where the workers find it (PYTHONPATH), "
                f"and what it does when run behind `if __name__ == '__main__'`"
            ) from error
        if not isinstance(found, SourceFunction):
            raise Stop(f"importing the source {self.function}: it is not decorated with @source")
        return found.generator


class SourceFunction:
    """What `@source` makes of an async generator function: called with its arguments, it gives a `PythonSource`."""

    def __init__(self, generator: Generator, options: Mapping[str, Any]) -> None:
        self.generator = generator
        self.__doc__ = generator.__doc__
        self._options = options

    def __call__(self, **arguments: Any) -> PythonSource:
        inspect.signature(self.generator).bind(None, None, **arguments)
        path = f"{_module(self.generator)}:{self.generator.__qualname__}"
        return PythonSource(function=path, arguments=arguments, **self._options)


def _module(generator: Generator) -> str:
    """The module's name for others: a script that is run is `__main__` only to itself."""
    if generator.__module__ != "__main__":
        return generator.__module__
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    return spec.name if spec else FilePath(getattr(main, "__file__", None) or "__main__").stem


@overload
def source(generator: Generator) -> SourceFunction: ...


@overload
def source(
    *, key: str | None = None, rate: str | None = None, limits: Limits | None = None
) -> Callable[[Generator], SourceFunction]: ...


def source(
    generator: Generator | None = None, *, key: str | None = None, rate: str | None = None, limits: Limits | None = None
) -> SourceFunction | Callable[[Generator], SourceFunction]:
    """Make a source of an async generator `(client, cursor, **arguments)` that yields `Page(documents, cursor)`.

    The cursor is any JSON value; the one of the last committed page comes back on resume, None at the start. A page
    without a cursor is the last. The generator ends by returning. Use it bare or with options.
    """
    options = {"key": key, "rate": rate, **({"limits": limits} if limits else {})}

    def made(function: Generator) -> SourceFunction:
        if not inspect.isasyncgenfunction(function):
            raise CrawlError(f"@source on {function!r}: it must be an async generator function; yield pages in it")
        return SourceFunction(function, options)

    return made(generator) if generator is not None else made


class Client:
    """HTTP for sources in Python, with the same budget, retries, limits and errors as every crawl.

    Header values may name secrets (`env:NAME`). Parameters may not: a cursor among them is the server's text.
    """

    def __init__(self, client: AsyncTransport, source: PythonSource, budgets: Budgets | None) -> None:
        self._client = client
        self._limits = source.limits
        self._budgets = budgets or LocalBudgets(source.rate)

    async def get(
        self, url: str, *, params: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """One answer of status below 400; raises `Stop` on any other, after the retries that can help."""
        whole = str(httpx.URL(url).copy_merge_params(params)) if params else url
        flow = fetch(Request("GET", whole, dict(headers or {})), self._limits, _on_origin_of(whole), _checked)
        reply: Reply = None
        while True:
            try:
                step = flow.send(reply)
            except StopIteration as end:
                return cast("Response", end.value)
            reply = None
            match step:
                case Send(request):
                    reply = await ask(self._client, request, self._limits, self._budgets(origin(request.url)))
                case Wait(there, cause):
                    await self._budgets(origin(there)).pause(cause)

    async def get_json(
        self, url: str, *, params: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """The body as Python objects."""
        response = await self.get(url, params=params, headers=headers)

        def read() -> Any:
            self._limits.bounds.check_tree(response.body)
            return response.json()

        return await self._read(response, read)

    async def get_documents(self, url: str, path: str, *, params: Mapping[str, Any] | None = None) -> list[bytes]:
        """The documents at a path of the body, as the server's own bytes."""
        response = await self.get(url, params=params)
        return (await self._read(response, lambda: Decoder(path).decode(response.body, self._limits.bounds))).documents

    async def _read(self, response: Response, read: Callable[[], T]) -> T:
        try:
            return await aside(read) if len(response.body) > LARGE else read()
        except Stop as error:
            raise Stop(f"reading {safe(response.url)}: {error}") from error


async def walk_python(
    source: PythonSource, checkpoint: Checkpoint, client: AsyncTransport, budgets: Budgets | None
) -> AsyncGenerator[Page]:
    """The pages of a source in Python, made bytes, and an empty last one when the generator has returned."""
    generator, cursor, again = source.load(), checkpoint.cursor, Regained(checkpoint)
    try:
        async with aclosing(generator(Client(client, source, budgets), _value(cursor), **source.arguments)) as flow:
            async for page in flow:
                if (following := _value(page.cursor)) == cursor and cursor is not None:
                    found = f"yields two pages with the cursor {quoted(cursor)}"
                    raise Stop(f"the source {source.function} {found}; they differ")
                cursor = following
                is_last = cursor is None and await _is_at_end(source, flow)
                for whole in again.take(_in_bytes(page, cursor, is_last=is_last)):
                    yield whole
                if cursor is None:
                    return
    except PagefleetError:
        raise
    except Exception as error:
        found = f"{type(error).__name__}: {cut(str(error), 200)}"
        raise Stop(f"the source {source.function} raised {found} ({_place(error)})") from error
    for whole in again.take(Page([], cursor, is_last=True)):
        yield whole


def _place(error: Exception) -> str:
    """Where it was raised: whoever wrote the source may be far from the worker's log."""
    *_, last = extract_tb(error.__traceback__)
    return f"{FilePath(last.filename).name}, line {last.lineno}, in {last.name}"


def _value(cursor: Cursor) -> Cursor:
    """A cursor as it comes back from a checkpoint. It is a value: what a source does to its own object later does not
    count."""
    try:
        return json.loads(json.dumps(cursor))
    except (TypeError, ValueError, RecursionError) as error:
        raise Stop(f"the cursor {quoted(cursor)} is no JSON value ({error}); yield one that is") from error


async def _is_at_end(source: PythonSource, flow: AsyncGenerator[Page]) -> bool:
    """Behind a page without a cursor; from None a crawl would start again."""
    async for _ in flow:
        raise Stop(f"the source {source.function} yields a page after one without a cursor; give each page its cursor")
    return True


def _in_bytes(page: Page, cursor: Cursor, *, is_last: bool) -> Page:
    documents = [_encoded(document) for document in page.documents]
    size = sum(map(len, documents))
    return replace(page, documents=documents, cursor=cursor, digest=digest(documents), size=size, is_last=is_last)


def _on_origin_of(url: str) -> Callable[[Request], Request]:
    """Redirects of a source in Python stay on the origin that it asked for."""

    def dress(request: Request) -> Request:
        if origin(request.url) != origin(url):
            raise Stop(f"fetching {safe(url)}: redirected to {safe(request.url)}, another origin; ask there yourself")
        return request

    return dress


def _checked(response: Response) -> Response:
    check_passing(response)
    if response.status >= HTTPStatus.MULTIPLE_CHOICES:
        head = response.body[:120].decode(errors="replace").split("\n")[0]
        raise Stop(f"fetching {safe(response.url)}: the server answered {response.status} {head!r}")
    return response


def _encoded(document: Any) -> bytes:
    return bytes(document) if isinstance(document, bytes | msgspec.Raw) else msgspec.json.encode(document)
