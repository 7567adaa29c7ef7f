"""The commands: each reads its options and says what the library does."""

import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from pagefleet.cli import presets, probe, shown
from pagefleet.cli.audit import audited
from pagefleet.cli.demo import demonstrate
from pagefleet.cli.doctor import look
from pagefleet.cli.drain import DIRECTORY, Drain
from pagefleet.cli.ending import UNVERIFIED, USAGE, Refused, end, fail
from pagefleet.cli.execution import at_crawls, become, check, check_environment, over, printed
from pagefleet.cli.interrupts import Interrupts
from pagefleet.cli.options import File, Headers, Id, Name, Output, Redis, SharedRedis, Source
from pagefleet.cli.output import opened
from pagefleet.cli.progress import say
from pagefleet.cli.read import read
from pagefleet.crawl import Crawl
from pagefleet.crawlfile import load, renamed
from pagefleet.errors import PagefleetError
from pagefleet.fleet import Fleet, Handle
from pagefleet.states import State

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Drain paginated HTTP APIs: resumable anywhere, every document once.",
)


@app.command()
def crawl(
    source: Source,
    output: Output = "-",
    redis: Redis = None,
    workers: Annotated[int, typer.Option("--workers", metavar="N", min=1, max=64, help="Worker processes.")] = 2,
    name: Name = None,
    headers: Headers = None,
) -> int:
    """Do everything on this machine: Redis, scheduler, workers, and the documents into a file.

    Ctrl-C drains; the same command goes on where it stopped, and the file ends up with every document once.
    """
    is_url, given = probe.is_url(source), probe.parsed(headers or [])
    if given and not is_url:
        raise Refused(f"crawling by {source}: -H goes with a URL; write headers into the crawl file")
    said, where = None if is_url else _load(Path(source), name), opened(output)
    check(redis)

    async def crawled(interrupts: Interrupts) -> int:
        found = said or await probe.find_out(source, given, name)
        return UNVERIFIED if found is None else await Drain(found, where, workers, interrupts).run(redis)

    return over(crawled)


@app.command("probe")
def probe_url(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="Of a collection, as a crawl would begin.", show_default=False)
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the crawl file here, too.")
    ] = None,
    headers: Headers = None,
) -> int:
    """Find out how a URL is paginated, by a few requests, and print a crawl file with the evidence.

    What is not certain is said, and ends with status 4.
    """
    if not probe.is_url(url):
        raise Refused(f"probing {url}: write a whole URL, such as https://api.example.org/things")
    given = probe.parsed(headers or [])
    return over(lambda _: probe.show(url, given, output))


@app.command()
def enqueue(file: File, redis: Redis = None, name: Name = None) -> int:
    """Start a crawl on a fleet, and print its id. The same crawl again changes nothing."""
    said = _load(file, name)
    check(redis)

    async def enqueued() -> None:
        async with Fleet(redis) as fleet:
            handle = await fleet.enqueue(said)
            print(handle.id)
            state = (await handle.status()).state
            if state in (State.FAILED, State.PAUSED):
                say(f"{handle.id} was there already, {state}; `pagefleet resume {handle.id}` goes on with it")
            elif state is State.CANCELLED:
                free = f"give this one another --name, or `pagefleet delete {handle.id}` first"
                say(f"{handle.id} was there already, and is cancelled for good; {free}")
        if redis is None:
            say(
                f"it is in {DIRECTORY}/, where nobody advances it before `pagefleet crawl`; a fleet is given by --redis"
            )

    return over(lambda _: enqueued())


@app.command("ls")
def list_crawls(redis: Redis = None) -> int:
    """List all crawls, the latest first."""

    async def listed(fleet: Fleet) -> None:
        printed(shown.crawls(await fleet.crawls()))

    return at_crawls(redis, listed)


@app.command()
def show(crawl_id: Id, redis: Redis = None) -> int:
    """Show all about one crawl: state, counts, checkpoint, lease, readers, verdict, last pages, and what moved it."""

    async def told(fleet: Fleet) -> None:
        printed(*await shown.crawl(fleet, fleet.crawl(crawl_id)))

    return at_crawls(redis, told)


@app.command()
def pause(crawl_id: Id, redis: Redis = None) -> int:
    """Stop a crawl where it is, to be resumed."""
    return _steer(crawl_id, redis, Handle.pause)


@app.command()
def resume(crawl_id: Id, redis: Redis = None) -> int:
    """Go on with a crawl that was paused, or that failed, from its checkpoint."""
    return _steer(crawl_id, redis, Handle.resume)


@app.command()
def replay(crawl_id: Id, redis: Redis = None) -> int:
    """Try the documents again that a finished crawl could not have; they arrive behind the others."""
    return _steer(crawl_id, redis, Handle.replay)


@app.command()
def cancel(crawl_id: Id, redis: Redis = None) -> int:
    """End a crawl where it is, for good; what it delivered stays."""
    return _steer(crawl_id, redis, Handle.cancel)


@app.command()
def delete(crawl_id: Id, redis: Redis = None) -> int:
    """Delete a crawl that is over, with its documents; its name is free then."""
    return at_crawls(redis, lambda fleet: fleet.crawl(crawl_id).delete())


@app.command()
def audit(crawl_id: Id, redis: Redis = None) -> int:
    """Derive again, from what is in Redis, that a crawl is whole; ends with 3 if anything speaks against it."""
    check(redis, DIRECTORY)
    return over(lambda _: audited(crawl_id, redis))


@app.command()
def doctor(redis: Redis = None) -> int:
    """Look for what may be wrong with a fleet's Redis and what is in it; ends with 1 if anything is."""
    check(redis, DIRECTORY)
    return over(lambda _: look(redis))


@app.command()
def forget(crawl_id: Id, consumer: Annotated[str, typer.Argument(metavar="READER")], redis: Redis = None) -> int:
    """Keep no documents for a reader that will not come back; `pagefleet show` lists them."""

    async def forgotten(fleet: Fleet) -> None:
        handle = fleet.crawl(crawl_id)
        if consumer not in await handle.consumers():
            await handle.status()  # or there is no such crawl
            raise Refused(
                f"forgetting {consumer}: it does not read {crawl_id}; `pagefleet show {crawl_id}` says who does"
            )
        await handle.forget(consumer)

    return at_crawls(redis, forgotten)


@app.command()
def documents(
    crawl_id: Id,
    output: Output = "-",
    redis: Redis = None,
    is_rest: Annotated[
        bool, typer.Option("--rest", help="To stdout, without those that were read and dropped.")
    ] = False,
) -> int:
    """Read the documents of a crawl, to its end; with a file, go on where the last reading stopped."""
    check(redis, DIRECTORY)
    where = opened(output)
    return over(lambda _: read(crawl_id, redis, where, is_rest=is_rest))


@app.command("presets")
def list_presets(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One of them.", show_default=False)] = None,
) -> None:
    """List the APIs that are known; with a name, print a crawl file to begin with, and what to mind."""
    if name is None:
        printed(presets.listed())
    else:
        print(presets.crawl_file(name))


@app.command()
def worker(
    redis: SharedRedis = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", metavar="N", min=1, help="Slices at once in one process.")
    ] = 50,
    processes: Annotated[int, typer.Option("--processes", metavar="N", min=1, max=64, help="Worker processes.")] = 1,
    allow: Annotated[
        str,
        typer.Option(
            "--allow",
            metavar="PLACES",
            envvar="PAGEFLEET_ALLOW",
            help="Private places that crawls may go to: 10.0.0.0/8,internal.example:8080.",
        ),
    ] = "",
) -> None:
    """Advance crawls until a signal comes; any number on any machines."""
    os.environ["PAGEFLEET_ALLOW"] = allow
    become("worker", redis, "--concurrency", str(concurrency), "--processes", str(processes))


@app.command()
def scheduler(redis: SharedRedis = None) -> None:
    """Enqueue what is due and rescue what was abandoned; one is enough, several do no harm."""
    become("scheduler", redis)


@app.command()
def demo(
    workers: Annotated[int, typer.Option("--workers", metavar="N", min=2, max=16, help="Worker processes.")] = 3,
) -> int:
    """See it at work: a real API, three workers, one of them killed, and every document accounted for."""
    check_environment()
    return over(lambda _: demonstrate(workers))


def run() -> NoReturn:
    """Every command passes here; its errors end as one line on stderr, and a status."""
    try:
        status = app(standalone_mode=False)
    except PagefleetError as error:
        end(error)
    except Exception as error:
        explain = getattr(error, "format_message", None)  # typer's own classes, or click's: that is its version's
        if explain is None:
            raise
        _explain(explain(), getattr(error, "ctx", None))
    _flush()
    raise SystemExit(status)


def _flush() -> None:
    """Python would complain of a reader that has gone, at its very end."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain(words: str, context: Any) -> NoReturn:
    """A command line that cannot be read; without words, all that was asked for was help."""
    if words:
        command = context.command_path if context else "pagefleet"
        fail(f"reading the command line: {words.rstrip('.')}; `{command} --help` says what there is", USAGE)
    raise SystemExit(USAGE)


def _load(file: Path, name: str | None) -> Crawl:
    said = load(file)
    return renamed(said, name) if name is not None else said


def _steer(crawl_id: str, redis: str | None, verb: Callable[[Handle], Coroutine[Any, Any, str]]) -> int:
    async def steered(fleet: Fleet) -> None:
        print(await verb(fleet.crawl(crawl_id)))

    return at_crawls(redis, steered)
