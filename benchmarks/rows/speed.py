"""Documents per processor second of the process that fetches them, and per second of the clock."""

from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.rounds import per_cpu_second, per_wall_second
from benchmarks.rows.row import Row
from benchmarks.subjects import FLOOR, LIBRARY, NAIVE, PIPELINE, PRODUCT

SIZES = {"k1big": "1,000 x 1 KB", "b100": "100 x 100 B", "k1gz": "100 x 1 KB, gzip"}


def cpu(bench: Bench) -> Iterator[Row]:
    """The whole product, and documents(source) alone."""
    series = bench.series("k1")
    what = "documents per worker CPU second"
    yield Row(f"{what}, against {NAIVE.name}", 15, series.ratio(PRODUCT, NAIVE, per_cpu_second))
    yield Row(f"{what}, against {PIPELINE.name}", 5, series.ratio(PRODUCT, PIPELINE, per_cpu_second))
    yield Row(f"{what}, against the floor", 0, series.ratio(PRODUCT, FLOOR, per_cpu_second))
    yield Row("documents(source) per CPU second, against the floor", 0, series.ratio(LIBRARY, FLOOR, per_cpu_second))


def wall(bench: Bench) -> Iterator[Row]:
    """One crawl, one worker."""
    series = bench.series("k1")
    what = "documents per second, one crawl, one worker"
    busy = series.median(PRODUCT, lambda outcome: outcome.cpu / outcome.wall)
    served = series.median(PRODUCT, lambda outcome: outcome.more["cpu_servers"] / outcome.wall)
    note = f"the worker used {busy:.0%} of its core, the servers {served:.0%} of theirs"
    yield Row(f"{what}, against the floor", 0.7, series.ratio(PRODUCT, FLOOR, per_wall_second), note=note)
    yield Row(f"{what}, against {NAIVE.name}", 0, series.ratio(PRODUCT, NAIVE, per_wall_second))


def sizes(bench: Bench) -> Iterator[Row]:
    """Pages of other sizes; the targets are set for 100 x 1 KB."""
    for collection, pages in SIZES.items():
        series = bench.series(collection)
        for other in (NAIVE, PIPELINE, FLOOR):
            ratio = series.ratio(PRODUCT, other, per_cpu_second)
            yield Row(f"documents per worker CPU second, pages of {pages}, against {other.name}", 0, ratio)
