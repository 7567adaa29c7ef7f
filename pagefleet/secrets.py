"""Secrets: looked up by their names at the moment of sending, and never said again."""

import os
from pathlib import Path

from pagefleet.crawl import SECRET
from pagefleet.errors import Stop
from pagefleet.redaction import never_say, quoted


def reveal(value: str) -> str:
    """A value with the secret that it names, `env:NAME` or `file:/path`, in the name's place; raises `Stop`."""
    found = SECRET.search(value)
    if found is None:
        return value
    secret = _looked_up(found[0])
    never_say(secret, found[0])
    return value[: found.start()] + secret


def header(name: str, value: str) -> str:
    """The same for a header's value, which cannot hold everything."""
    revealed = reveal(value)
    if not (revealed.isascii() and revealed.isprintable()):
        found = SECRET.search(value)
        what = f"the secret {found[0]}" if found else quoted(value)
        raise Stop(f"sending the header {name}: {what} holds characters that a header cannot; correct it")
    return revealed


def _looked_up(secret: str) -> str:
    where, _, name = secret.partition(":")
    try:
        found = os.environ[name] if where == "env" else Path(name).read_text(encoding="utf-8")
    except KeyError as error:
        raise Stop(f"looking up the secret {secret}: {name} is not in this worker's environment; set it") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"looking up the secret {secret}: {error}; put the file where this worker can read it") from error
    return found.strip()
