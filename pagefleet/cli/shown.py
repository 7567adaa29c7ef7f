"""Crawls as `ls` and `show` print them."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pagefleet.cli.progress import size
from pagefleet.fleet import Fleet, Handle
from pagefleet.keys import WHOLE, SliceKeys
from pagefleet.page import BEFORE_ALL
from pagefleet.states import State
from pagefleet.status import Status

PAGES = 5
"""So many of a crawl's last pages are shown."""
SLICES = 20
"""So many of its slices are."""
EVENTS = 8
"""And so many of its last events."""
AGES = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def crawls(statuses: list[Status]) -> RenderableType:
    """A line for each crawl."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("id", overflow="fold")
    table.add_column("state")
    for count in ("documents", "of", "pages", "in stream"):
        table.add_column(count, justify="right")
    table.add_column("enqueued", no_wrap=True)
    for status in statuses:
        total = f"{status.total:,}" if status.total is not None else "?"
        counts = (f"{status.documents:,}", total, f"{status.pages:,}", f"{status.backlog:,}")
        table.add_row(status.id, status.state.value, *counts, _ago(status.enqueued))
    return table


async def crawl(fleet: Fleet, handle: Handle) -> list[RenderableType]:
    """All about one crawl, its last pages, and what moved it last."""
    status = await handle.status()
    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in [*_facts(status), *await _readers(handle)]:
        facts.add_row(name, Text(value))
    slices = await handle.slices()
    tables = _slices(slices), await _pages(fleet, handle, slices), await _events(handle, is_sliced=bool(slices))
    return [facts, *(table for table in tables if table.row_count)]


def _facts(status: Status) -> list[tuple[str, str]]:
    total = f" of {status.total:,}" if status.total is not None else ""
    facts = [
        ("crawl", status.id),
        ("state", status.state.value),
        ("verdict", str(status.verdict or "")),
        ("error", status.error),
        ("notice", status.notice),
        ("tries again", status.fault),
        ("snoozes", f"until {_moment(status.until)}: {status.reason}" if status.reason else ""),
        ("documents", f"{status.documents:,}{total}"),
        ("slices", f"{status.slices:,}, {status.slices_over:,} of them over" if status.slices > 1 else ""),
        ("pages", f"{status.pages:,}, {size(status.bytes)}"),
        ("quarantine", f"{status.quarantined:,} documents that could not be had" if status.quarantined else ""),
        ("stream", f"{status.backlog:,} documents{_dropped(status)}"),
        ("cursor", _cursor(status) if status.slices == 1 else ""),
        ("leases", f"{status.leases}, {status.rescued} of them after a rescue"),
        ("lease", f"{status.worker} until {_moment(status.until)}" if status.worker else ""),
        ("enqueued", _moment(status.enqueued)),
        ("committed", _moment(status.committed)),
        ("over since", _moment(status.finished)),
    ]
    return [(name, value) for name, value in facts if value]


def _cursor(status: Status) -> str:
    if status.cursor is not None:
        return repr(status.cursor)
    return "the end" if status.state is State.FINISHED else "the start"


def _dropped(status: Status) -> str:
    return f"; those up to {status.trimmed} are read and dropped" if status.trimmed != BEFORE_ALL else ""


async def _readers(handle: Handle) -> list[tuple[str, str]]:
    there = sorted((await handle.consumers()).items())
    return [("reader", f"{name or 'unnamed'}, done with {position}") for name, position in there]


def _slices(slices: Mapping[str, tuple[str, Status]]) -> Table:
    """Those that are not over first, for they are what is looked for."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("slice", "which", "state"):
        table.add_column(column)
    for column in ("documents", "of"):
        table.add_column(column, justify="right")
    told = sorted(slices.items(), key=lambda slice_: slice_[1][1].state is State.FINISHED)
    for number, (title, status) in told[:SLICES]:
        total = f"{status.total:,}" if status.total is not None else "?"
        table.add_row(number, title, status.state.value, f"{status.documents:,}", total)
    if told[SLICES:]:
        table.add_row("…", f"{len(told) - SLICES:,} more")
    return table


async def _pages(fleet: Fleet, handle: Handle, slices: Mapping[str, tuple[str, Status]]) -> Table:
    """Of a crawl in slices the last one of each that was at work last."""
    latest = sorted(slices, key=lambda number: slices[number][1].committed or 0, reverse=True)[:PAGES]
    columns = ("page", "documents", "bytes", "status", "ms", "worker")
    table = Table(*(["slice"] if slices else []), *columns, box=None, pad_edge=False, header_style="bold")
    for number in latest or [WHOLE]:
        ledger = SliceKeys(handle.id, number).ledger
        for entry_id, row in reversed(await fleet.redis.xrevrange(ledger, count=1 if slices else PAGES)):
            fields = (row[name.encode()].decode() for name in columns[1:])
            table.add_row(*([number] if slices else []), entry_id.decode().partition("-")[0], *fields)
    return table


async def _events(handle: Handle, *, is_sliced: bool) -> Table:
    columns = ("who", "what", "state after", "why")
    table = Table("when", *(["slice"] if is_sliced else []), *columns, box=None, pad_edge=False, header_style="bold")
    for event in (await handle.events())[-EVENTS:]:
        told = (event.who, event.what, event.after.value, Text(event.why))
        table.add_row(_moment(event.at), *([event.slice] if is_sliced else []), *told)
    return table


def _ago(moment: float) -> str:
    seconds = max(0.0, time.time() - moment)
    each, unit = next((age for age in AGES if seconds >= 2 * age[0]), AGES[-1])
    return f"{seconds / each:.0f} {unit} ago"


def _moment(moment: float | None) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if moment else ""
