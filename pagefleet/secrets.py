"""Secrets: looked up by their names at the moment of sending, and never said again."""

import json
import os
from pathlib import Path
from typing import Any

from pagefleet.decode import is_object
from pagefleet.errors import Stop
from pagefleet.hidden import SECRET
from pagefleet.page import Request
from pagefleet.paginators.places import check_header
from pagefleet.redaction import never_say, quoted
from pagefleet.url import safe


def reveal(value: str) -> str:
    """A value with the secret that it names, `env:NAME` or `file:/path`, in the name's place; raises `Stop`."""
    found = SECRET.search(value)
    if found is None:
        return value
    secret = _looked_up(found[0])
    never_say(secret, found[0])
    return value[: found.start()] + secret


def header(name: str, value: str) -> str:
    """The same for a header's value, which cannot hold everything, and neither can its name."""
    try:
        check_header(name)
    except ValueError as error:
        raise Stop(f"sending the header {quoted(name)}: {error}; leave it out") from error
    revealed = reveal(value)
    if not (revealed.isascii() and revealed.isprintable()):
        found = SECRET.search(value)
        what = f"the secret {found[0]}" if found else quoted(value)
        raise Stop(f"sending the header {name}: {what} holds characters that a header cannot; correct it")
    return revealed


def with_secrets(request: Request) -> bytes | None:
    """The body of a request as it goes out; raises `Stop`."""
    if not request.hidden or request.body is None:
        return request.body
    try:
        whole: Any = json.loads(request.body)
    except ValueError as error:  # the cursor is put into a form
        found = "its body is no JSON, and the crawl's has secrets in it"
        raise Stop(f"sending {safe(request.url)}: {found}; correct paginate") from error
    if not is_object(whole):  # a link has brought another
        return request.body
    for names, value in request.hidden.items():
        place = whole
        for name in names[:-1]:
            if not is_object(place.get(name)):
                place[name] = {}
            place = place[name]
        place[names[-1]] = reveal(value)
    return json.dumps(whole).encode()


def _looked_up(secret: str) -> str:
    where, _, name = secret.partition(":")
    try:
        found = os.environ[name] if where == "env" else Path(name).read_text(encoding="utf-8")
    except KeyError as error:
        raise Stop(f"looking up the secret {secret}: {name} is not in this worker's environment; set it") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"looking up the secret {secret}: {error}; put the file where this worker can read it") from error
    return found.strip()
