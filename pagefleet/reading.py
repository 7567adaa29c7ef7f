"""What a response says: documents and members, that it is no answer in spite of its status, or nothing at all."""

from http import HTTPStatus
from typing import Any

from pagefleet.crawl import Crawl
from pagefleet.decode import Decoded
from pagefleet.errors import Garbled, RetryNow, Stop
from pagefleet.fetch import check_passing
from pagefleet.page import Request, Response
from pagefleet.paginators import Answer
from pagefleet.redaction import cut, quoted
from pagefleet.url import safe

NO_CONTENT, MULTIPLE_CHOICES = int(HTTPStatus.NO_CONTENT), int(HTTPStatus.MULTIPLE_CHOICES)


class Reading:
    """Reads the responses of one crawl."""

    def __init__(self, crawl: Crawl) -> None:
        self._error, self._bounds = crawl.error, crawl.limits.bounds
        self._reader, self._errors = crawl.reader(), crawl.error_reader()

    def decoded(self, request: Request, response: Response) -> Decoded:
        """Raises `RetryNow` for a fault that may pass, and `Stop` for one that will not."""
        check_passing(response)
        _check_status(request, response)
        self._check_error(response)
        if response.status == NO_CONTENT:
            return Decoded([], {})
        try:
            return self._reader.read(response, self._bounds)
        except Stop as error:
            kind = cut(response.headers.get("content-type", "no content type"), 60)
            found = f"reading {safe(request.url)} ({kind}): {error}"
            raise (RetryNow(found, is_page=True) if isinstance(error, Garbled) else Stop(found)) from error

    def _check_error(self, response: Response) -> None:
        """An answer that says itself that it is none may lack everything else."""
        if self._error is None:
            return
        try:
            members = self._errors.read(response, self._bounds).members if self._errors else dict[str, Any]()
        except Stop:
            return  # what is wrong with it is said when it is read
        if fault := Answer(response, (), members).find(self._error):
            raise RetryNow(f"the server answered {response.status}, but {self._error} = {quoted(fault, 200)}")


def _check_status(request: Request, response: Response) -> None:
    if response.status >= MULTIPLE_CHOICES:
        advice = {401: "check the credentials", 403: "check the credentials", 404: "check the crawl's url"}
        hint = advice.get(response.status, "the server will not answer this request")
        raise Stop(f"fetching {safe(request.url)}: the server answered {response.status} {head(response)!r}; {hint}")


def head(response: Response) -> str:
    """The beginning of a body, for messages."""
    return response.body[:120].decode(errors="replace").split("\n")[0]
