"""What each choice is worth."""

from collections.abc import Iterator

from benchmarks import servers
from benchmarks.bench import Bench
from benchmarks.pages import COLLECTIONS, Place
from benchmarks.rounds import Series, per_cpu_second, per_wall_second, rounds, whole
from benchmarks.rows.fleet import DELAY, MANY
from benchmarks.rows.row import Row
from benchmarks.subjects import Subject, of_product, of_python

WAYS = {
    "ours": "our transport",
    "httpx": "httpx.AsyncClient",
    "httpx-aiohttp": "httpx.AsyncClient with httpx-aiohttp's transport",
}


def choices(bench: Bench) -> Iterator[Row]:
    """Transport, event loop, keys, a window of pages."""
    yield from transport(bench)
    yield from loop_and_key(bench)
    yield from window(bench)


def transport(bench: Bench) -> Iterator[Row]:
    """Plain fetching of pages of 100 x 1 KB."""
    count = max(1, bench.rounds // 2)
    for crawls, pages in ((1, 500), (MANY, 20)):
        ways = {way: of_python(name, "fetch", way, f"--crawls={crawls}", times=crawls) for way, name in WAYS.items()}
        last = servers.LAST["k1"]
        place = Place(COLLECTIONS["k1"], last, last - pages + 1)
        series = rounds(list(ways.values()), bench.origin, place, bench.redis_url, count)
        for way in ("httpx", "httpx-aiohttp"):
            what = f"pages per CPU second, {crawls} at a time: {WAYS['ours']}, against {WAYS[way]}"
            note = ", ".join(f"{_microseconds(series, ways[one])} us" for one in ("ours", way))
            yield Row(what, 0, series.ratio(ways["ours"], ways[way], per_cpu_second), note=f"{note} a page")


def _microseconds(series: Series, subject: Subject) -> str:
    return f"{1e6 * series.median(subject, lambda outcome: outcome.cpu / outcome.documents * 100):.0f}"


def loop_and_key(bench: Bench) -> Iterator[Row]:
    """Of the whole product."""
    plain, slow, key = (
        of_product("Pagefleet"),
        of_product("on asyncio's loop", "--loop=asyncio"),
        of_product("with `key`", "--key"),
    )
    series = rounds((plain, slow, key), bench.origin, whole("k1"), bench.redis_url, bench.rounds)
    what = "documents per worker CPU second"
    yield Row(f"{what}: uvloop, against asyncio's loop", 0, series.ratio(plain, slow, per_cpu_second))
    yield Row(f"{what}: with `key`, against without", 0, series.ratio(key, plain, per_cpu_second))


def window(bench: Bench) -> Iterator[Row]:
    """One crawl of a far server, where pages can be counted."""
    one, eight = of_product("window = 1", "--window=1"), of_product("window = 8", "--window=8")
    with servers.site(bench.place, DELAY, made=["k1"]) as origin:
        place = Place(COLLECTIONS["k1"], 200, 1)
        series = rounds((one, eight), origin, place, bench.redis_url, 1, warm=0)
    what = "documents per second, one crawl at 50 ms: `window = 8`, against 1"
    yield Row(what, 0, series.ratio(eight, one, per_wall_second))
