"""The commands: each reads its options, says what the library does, and turns errors into one line and a status."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from pagefleet.cli.demo import demonstrate
from pagefleet.cli.drain import drain
from pagefleet.cli.output import OutputError, copy
from pagefleet.crawl import Crawl, load
from pagefleet.errors import CrawlError, CrawlExists, PagefleetError
from pagefleet.fleet import Fleet, Status
from pagefleet.keys import SliceKeys

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Drain paginated HTTP APIs: resumable anywhere, every document once.",
)
out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 250)

File = Annotated[Path, typer.Argument(metavar="FILE", help="A crawl file, TOML or JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="A crawl, as `pagefleet ls` names it.")]
Redis = Annotated[
    str | None,
    typer.Option(
        "--redis", envvar="REDIS_URL", help="redis://, rediss://, unix:// or sentinel://; none: our own, in .pagefleet/"
    ),
]
Output = Annotated[str, typer.Option("--output", "-o", help="Where the documents go, as JSON Lines; - is stdout.")]
Name = Annotated[str | None, typer.Option("--name", help="Call the crawl this, instead of what the file says.")]


@app.command()
def crawl(
    file: File,
    output: Output = "-",
    redis: Redis = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Worker processes.")] = 2,
    name: Name = None,
) -> None:
    """Do everything on this machine: Redis, scheduler, workers, and the documents into a file.

    Ctrl-C drains; the same command goes on where it stopped, and the file ends up with every document once.
    """
    _run(drain(_load(file, name), redis, output, workers))


@app.command()
def enqueue(file: File, redis: Redis = None, name: Name = None) -> None:
    """Start a crawl on a fleet, and print its id. The same crawl again changes nothing."""

    async def enqueued() -> None:
        async with Fleet(redis) as fleet:
            print((await fleet.enqueue(_load(file, name))).id)

    _run(enqueued())


@app.command("ls")
def list_crawls(redis: Redis = None) -> None:
    """List all crawls, the latest first."""

    async def listed() -> None:
        table = Table("id", "state", "documents", "of", "pages", "unread", "since", box=None, pad_edge=False)
        async with Fleet(redis) as fleet:
            for status in await fleet.crawls():
                table.add_row(*_row(status))
        out.print(table)

    _run(listed())


@app.command()
def show(crawl_id: Id, redis: Redis = None) -> None:
    """Show all about one crawl: state, counts, checkpoint, lease, verdict, and its last pages."""

    async def shown() -> None:
        async with Fleet(redis) as fleet:
            for name, value in _facts(await fleet.crawl(crawl_id).status()):
                out.print(f"[bold]{name:10}[/bold]", end="")
                out.print(value, markup=False)
            ledger = await fleet.redis.xrevrange(SliceKeys(crawl_id).ledger, count=5)
        table = Table("page", "documents", "bytes", "status", "ms", "worker", box=None, pad_edge=False)
        for entry_id, row in reversed(ledger):
            fields = (row[name].decode() for name in (b"documents", b"bytes", b"status", b"ms", b"worker"))
            table.add_row(entry_id.decode().partition("-")[0], *fields)
        out.print(table)

    _run(shown())


@app.command()
def pause(crawl_id: Id, redis: Redis = None) -> None:
    """Stop a crawl where it is, to be resumed."""
    _steer(crawl_id, redis, "pause")


@app.command()
def resume(crawl_id: Id, redis: Redis = None) -> None:
    """Go on with a crawl that was paused, or that failed, from its checkpoint."""
    _steer(crawl_id, redis, "resume")


@app.command()
def cancel(crawl_id: Id, redis: Redis = None) -> None:
    """End a crawl where it is, for good; what it delivered stays."""
    _steer(crawl_id, redis, "cancel")


@app.command()
def documents(crawl_id: Id, output: Output = "-", redis: Redis = None) -> None:
    """Read the documents of a crawl, to its end; with a file, go on where the last reading stopped."""

    async def read() -> None:
        async with Fleet(redis) as fleet:
            await copy(fleet.crawl(crawl_id), output)

    _run(read())


@app.command()
def worker(
    redis: Redis = None,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, help="Slices at once in one process.")] = 50,
    processes: Annotated[int, typer.Option("--processes", min=1, max=64, help="Worker processes.")] = 1,
) -> None:
    """Advance crawls until a signal comes; any number on any machines."""
    _become("worker", redis, "--concurrency", str(concurrency), "--processes", str(processes))


@app.command()
def scheduler(redis: Redis = None) -> None:
    """Enqueue what is due and rescue what was abandoned; one is enough, several do no harm."""
    _become("scheduler", redis)


@app.command()
def demo(
    workers: Annotated[int, typer.Option("--workers", min=2, max=16, help="Worker processes.")] = 3,
) -> None:
    """See it at work: a real API, three workers, one of them killed, and every document accounted for."""
    _run(demonstrate(workers))


def _load(file: Path, name: str | None) -> Crawl:
    said = load(file)
    return said.renamed(name) if name else said


def _run(command: Coroutine[Any, Any, int | None]) -> None:
    """Errors are one line on stderr and a status."""
    try:
        raise SystemExit(asyncio.run(command) or 0)
    except (CrawlError, CrawlExists, OutputError) as error:
        _fail(str(error), 2)
    except PagefleetError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _fail("writing to stdout: whoever was reading it has gone; the checkpoint is kept", 1)


def _fail(line: str, status: int) -> NoReturn:
    print(f"pagefleet: {line}", file=sys.stderr)
    raise SystemExit(status)


def _steer(crawl_id: str, redis: str | None, verb: str) -> None:
    async def steered() -> None:
        async with Fleet(redis) as fleet:
            print(await getattr(fleet.crawl(crawl_id), verb)())

    _run(steered())


def _become(role: str, redis: str | None, *options: str) -> NoReturn:
    """This process becomes the worker or the scheduler: neither package is imported here, and signals go straight."""
    if redis is None:
        _fail(f"starting a {role}: no Redis to share; give --redis URL or set REDIS_URL", 2)
    os.execv(sys.executable, [sys.executable, "-m", f"pagefleet_{role}", "--redis", redis, *options])


def _row(status: Status) -> tuple[str, ...]:
    total = f"{status.total:,}" if status.total is not None else "?"
    counts = (f"{status.documents:,}", total, f"{status.pages:,}", f"{status.backlog:,}")
    return (status.id, status.state.value, *counts, _when(status.enqueued))


def _facts(status: Status) -> list[tuple[str, str]]:
    facts = [
        ("crawl", status.id),
        ("state", status.state.value),
        ("documents", f"{status.documents:,}" + (f" of {status.total:,}" if status.total is not None else "")),
        ("pages", f"{status.pages:,}, {status.bytes:,} bytes"),
        ("stream", f"{status.backlog:,} documents"),
        ("cursor", repr(status.cursor)),
        ("leases", f"{status.leases}, {status.rescued} of them after a rescue"),
        ("enqueued", _when(status.enqueued)),
    ]
    if status.worker:
        facts.append(("lease", f"{status.worker} until {_when(status.until)}"))
    if status.reason:
        facts.append(("snoozes", f"until {_when(status.until)}: {status.reason}"))
    if status.finished:
        facts.append(("over since", _when(status.finished)))
    if status.error:
        facts.append(("error", status.error))
    if status.verdict:
        facts.append(("verdict", str(status.verdict)))
    return facts


def _when(moment: float | None) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if moment else "-"
