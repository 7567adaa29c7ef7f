"""`pagefleet probe`, and `pagefleet crawl` of a URL: what is found out about it, shown, kept, and crawled."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax

from pagefleet.cli.drain import DIRECTORY
from pagefleet.cli.ending import UNVERIFIED, Refused
from pagefleet.cli.progress import say
from pagefleet.crawl import Crawl
from pagefleet.crawlfile import load, renamed
from pagefleet.probe import Probed, probe
from pagefleet.probe.report import crawl_file, printable, summary
from pagefleet.url import safe

PROBES = DIRECTORY / "probes"
"""Crawl files that were found out for URLs: the same command goes on with the same crawl."""


def is_url(text: str) -> bool:
    """A URL, rather than the path of a file."""
    return text.lower().startswith(("http://", "https://"))


def parsed(headers: Sequence[str]) -> dict[str, str]:
    """Headers as `-H 'Name: value'` has them."""
    found: dict[str, str] = {}
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon or not name.strip() or not value.strip():
            raise Refused(f"reading -H {header!r}: write a name and a value, such as 'Authorization: Bearer env:TOKEN'")
        found[name.strip()] = value.strip()
    return found


async def show(url: str, headers: Mapping[str, str], output: Path | None) -> int:
    """Probe, print what was found, and write it; answers the exit status."""
    if output is not None:
        _check_place(output)
    found = await probe(url, headers, say=say)
    text = crawl_file(found)
    _print(text)
    say(f"probed {safe(url)} with {_requests(found)}")
    if not found.is_verified:
        say(f"not verified: {printable(found.why_not)}; the file above says what was tried")
        return UNVERIFIED
    if output is not None:
        _write(output, text)
        say(f"wrote {output}; `pagefleet crawl {output} -o documents.jsonl` crawls by it")
    return 0


async def find_out(url: str, headers: Mapping[str, str], name: str | None) -> Crawl | None:
    """The crawl of a URL, as it was found out before, or now; None when it is not certain, which is said."""
    kept = PROBES / f"{_digest(url, headers)}.toml"
    if kept.exists():
        say(f"crawling {safe(url)} as it was probed before: {kept}; remove that to probe again")
        return _named(load(kept), name)
    found = await probe(url, headers, say=say)
    if not found.is_verified:
        say(
            f"probed {safe(url)} with {_requests(found)}: {printable(found.why_not)}; `pagefleet probe` shows what was "
            f"tried: complete its file, and crawl by that"
        )
        return None
    say(f"probed {safe(url)} with {_requests(found)}: {printable(summary(found))}; kept in {kept}")
    _keep(kept, crawl_file(found))
    return _named(load(kept), name)


def _named(crawl: Crawl, name: str | None) -> Crawl:
    return crawl if name is None else renamed(crawl, name)


def _requests(found: Probed) -> str:
    return f"{found.requests} request{'s' * (found.requests != 1)}"


def _digest(url: str, headers: Mapping[str, str]) -> str:
    """Of what was given; headers name secrets, and hold none."""
    given = json.dumps([url, sorted((name.lower(), value) for name, value in headers.items())])
    return hashlib.sha256(given.encode()).hexdigest()[:16]


def _keep(path: Path, text: str) -> None:
    """Whole or not at all: a crawl goes on by what is there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}")
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise Refused(f"keeping what was probed in {path}: {error.strerror}; mend that") from error


def _check_place(output: Path) -> None:
    if output.suffix not in ("", ".toml"):
        raise Refused(f"writing {output}: a crawl file that is written here is TOML; give -o a name in .toml")
    if output.is_dir() or not output.parent.is_dir():
        found = "it is a directory" if output.is_dir() else f"there is no directory {output.parent}"
        raise Refused(f"writing {output}: {found}; give another -o")


def _write(output: Path, text: str) -> None:
    """Never over anything else."""
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        if output.read_text(encoding="utf-8", errors="replace") != text:
            raise Refused(f"writing {output}: it holds something else; move it away or give another -o") from error
    except OSError as error:
        raise Refused(f"writing {output}: {error.strerror}; give another -o") from error


def _print(text: str) -> None:
    """The file; in colours for people, as it is for everything else."""
    if sys.stdout.isatty():
        Console(highlight=False).print(Syntax(text, "toml", background_color="default", word_wrap=False))
    else:
        print(text, end="")
