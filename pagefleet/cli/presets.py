"""`pagefleet presets`: what is known of many APIs, as a list, and of one of them, as a crawl file to begin with."""

import textwrap
from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pagefleet.cli.ending import Refused
from pagefleet.presets import About, about, names

WIDTH = 100
SOURCES = {
    "documentation": "the documentation of the API, or of clients for it",
    "issue thread": "documentation, and threads of people who ran into it",
    "unverified": "common knowledge only: nobody has checked it for this",
}
"""Where the facts come from."""


def listed() -> RenderableType:
    """A line for each preset."""
    table = Table("name", "title", "style", box=None, pad_edge=False, header_style="bold")
    for name in names():
        told = about(name)
        table.add_row(name, Text(told.title), told.style)
    return table


def crawl_file(name: str) -> str:
    """A crawl file with the preset, to be edited, under comments that say what to mind; raises `Refused`."""
    try:
        told = about(name)
    except ValueError as error:
        raise Refused(f"looking up presets: {error}") from error
    return "\n".join([*_comments(told), "", f'preset = "{name}"', told.example.strip()])


def _comments(told: About) -> Iterator[str]:
    yield from _wrapped(f"{told.title}. {told.docs}")
    yield from _wrapped(f"Limits: {told.limits}")
    yield from _wrapped(f"Courtesy: {told.courtesy}")
    yield "# Mind:"
    for pitfall in told.pitfalls:
        yield from _wrapped(pitfall, "# - ", "#   ")
    if told.needs:
        yield from _wrapped(f"Yours to say: {', '.join(told.needs)}.")
    yield from _wrapped(f"Known from {SOURCES[told.verified]}.")


def _wrapped(text: str, first: str = "# ", rest: str = "#   ") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
