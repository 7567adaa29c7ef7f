"""Many crawls in one worker, two workers, and how soon a crawl begins."""

from collections.abc import Iterator

from benchmarks import servers
from benchmarks.bench import Bench
from benchmarks.pages import COLLECTIONS, Place
from benchmarks.programs.latency import SAMPLES
from benchmarks.rounds import Series, per_wall_second, rounds
from benchmarks.rows.row import Row
from benchmarks.subjects import Subject, of_product, of_python, run

MANY = 64
DELAY = 0.05
"""Seconds until a far server answers."""
SHARED_PAGES = 157
"""Of each of the crawls: 10,000 pages together."""


def crawls(bench: Bench) -> Iterator[Row]:
    """Sixty-four crawls against one, and their connections."""
    one, many = of_product("one crawl"), of_product(f"{MANY} crawls", f"--crawls={MANY}", times=MANY)
    with servers.site(bench.place, DELAY, made=["k1", "b100"]) as origin:
        place = Place(COLLECTIONS["k1"], 100, 1)
        series = rounds((one, many), origin, place, bench.redis_url, max(1, bench.rounds // 2), warm=0)
        yield _scaled(series, one, many, "100 x 1 KB", 0.8)
        before = servers.connections(origin)
        place = Place(COLLECTIONS["b100"], SHARED_PAGES, 1)
        series = rounds((many,), origin, place, bench.redis_url, 1, warm=0)
        opened = servers.connections(origin) - before - 1
        pages = place.pages * MANY
        yield Row(f"new connections, {MANY} crawls of one origin, {pages:,} pages", 100, opened, is_limit=True, unit="")
        both = Series({**series.outcomes, **rounds((one,), origin, place, bench.redis_url, 1, warm=0).outcomes})
        yield _scaled(both, one, many, "100 x 100 B", 0)


def _scaled(series: Series, one: Subject, many: Subject, pages: str, target: float) -> Row:
    ratio = series.ratio(many, one, per_wall_second) / MANY
    said = f"documents per second, {MANY} crawls at 50 ms in one worker, against {MANY} x one crawl, pages of {pages}"
    busy = series.median(many, lambda outcome: outcome.cpu / outcome.wall)
    served = series.median(many, lambda outcome: outcome.more["cpu_servers"] / outcome.wall)
    return Row(said, target, ratio, note=f"the worker used {busy:.0%} of its core, the servers {served:.0%} of theirs")


def processes(bench: Bench) -> Iterator[Row]:
    """Two processes of a worker against one; the second shares its core with Redis and the web server."""
    what, last = "documents per second, two worker processes against one, pages of", servers.LAST
    place = Place(COLLECTIONS["xml"], last["xml"], last["xml"] - 1)
    yield _doubled(bench, f"{what} XML (100 x 4 KB)", place, 64, 2, 1.8)
    place = Place(COLLECTIONS["k1"], last["k1"], last["k1"] - 99)
    yield _doubled(bench, f"{what} JSON (100 x 1 KB)", place, 24, 4)


def _doubled(bench: Bench, what: str, place: Place, crawls: int, concurrency: int, target: float = 0.0) -> Row:
    """More crawls than are worked on at once, so that a process that is done sooner takes more of them."""
    options = f"--crawls={crawls}", f"--concurrency={concurrency}"
    is_exact = not place.collection.is_xml
    one, two = (
        of_product(name, *options, f"--processes={number}", is_exact=is_exact, times=crawls)
        for number, name in enumerate(("one process", "two processes"), 1)
    )
    series = rounds((one, two), bench.origin, place, bench.redis_url, max(1, bench.rounds // 2), warm=0)
    share = series.median(one, lambda outcome: outcome.more["cpu_servers"] / outcome.cpu)
    note = f"the servers use {share:.2f} of a worker's CPU, so two cores allow {2 / (1 + share):.2f} x"
    return Row(what, target, series.ratio(two, one, per_wall_second), note=note)


def latency(bench: Bench) -> Iterator[Row]:
    """How soon a crawl begins."""
    last = servers.LAST["k1"]
    subject = of_python("latency", "latency", times=SAMPLES)
    outcome = run(subject, bench.origin, Place(COLLECTIONS["k1"], last, last - 1), bench.redis_url)
    what = f"enqueue to the first document in the stream, idle fleet, p50 of {SAMPLES} (poll delay 0.1 s)"
    yield Row(what, 0.2, outcome.more["p50"], is_limit=True, unit="s", note=f"at most {outcome.more['most']:.2f} s")
