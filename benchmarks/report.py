"""The part of `docs/performance.md` that a run of the benchmarks writes, between two marks."""

import importlib.metadata
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import described
from benchmarks.rounds import Series, per_cpu_second, per_wall_second
from benchmarks.rows.row import Row
from benchmarks.servers import ROOT, nginx
from benchmarks.subjects import PRODUCT, Subject
from pagefleet.embedded.server import find_server

PAGE = ROOT / "docs" / "performance.md"
PACKAGES = ("httpx", "httptools", "msgspec", "redis", "hiredis", "uvloop", "pydantic")


def write(name: str, text: str, page: Path = PAGE) -> None:
    """Between `<!-- name -->` and `<!-- /name -->`; raises when the page has no such marks."""
    whole, count = re.subn(
        rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)",
        lambda found: f"{found[1]}\n{text}\n{found[2]}",
        page.read_text(),
        flags=re.DOTALL,
    )
    if count != 1:
        raise RuntimeError(
            f"{page} needs the lines <!-- {name} --> and <!-- /{name} -->, once, to hold what was measured"
        )
    page.write_text(whole)


def conditions(command: str) -> str:
    """When, by what, on what, with what."""
    programs = [_version([str(find_server()), "--version"])]
    if web := nginx():
        programs.append(_version([web, "-v"]))
    packages = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    versions = ", ".join([f"Python {platform.python_version()}", *programs, *packages])
    return f"Measured on {datetime.now(UTC):%Y-%m-%d} by `{command}`: {described()}.\n{versions}."


def _version(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = done.stdout + done.stderr
    found = re.search(r"v=([\d.]+)|/([\d.]+)", said)
    name = "nginx" if "nginx" in said else "Redis"
    return f"{name} {(found[1] or found[2]) if found else '?'}"


def rows(every: Sequence[Row]) -> str:
    """Those with a target, and the others."""
    aimed, others = [row for row in every if row.target], [row for row in every if not row.target]
    texts: list[str] = []
    if aimed:
        texts += ["### Targets\n", table(("", "target", "measured", "met", ""), (row.cells() for row in aimed)), ""]
    if others:
        texts += ["### For comparison\n", table(("", "measured", ""), (row.cells() for row in others)), ""]
    return "\n".join(texts)


def figures(series: Series, subjects: Iterable[Subject], count: int) -> str:
    """Of each subject, in absolute numbers; `count` documents a page."""
    lines = [
        (
            subject.name,
            f"{1000 * count / series.median(subject, per_cpu_second):.2f}",
            f"{series.median(subject, per_cpu_second):,.0f}",
            f"{series.median(subject, per_wall_second):,.0f}",
            f"{series.median(subject, lambda outcome: outcome.rss):.0f}",
        )
        for subject in subjects
    ]
    heads = "", "CPU ms a page", "documents a CPU second", "documents a second", "peak MiB"
    return "### Pages of 100 x 1 KB, medians\n\n" + table(heads, lines) + "\n"


def parts(shares: Mapping[str, float], series: Series) -> str:
    """Where the worker's processor time goes."""
    page = 1e6 * series.median(PRODUCT, lambda outcome: outcome.cpu / outcome.documents) * 100
    kernel = series.median(PRODUCT, lambda outcome: outcome.more["cpu_kernel"] / outcome.cpu)
    lines = [(part, f"{share:.0%}", f"{share * page:.0f}") for part, share in shares.items()]
    text = table(("part", "share", "us a page"), lines)
    return f"### Where a worker's CPU goes\n\n{text}\n\nIn the kernel: {kernel:.0%} of it.\n"


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """In Markdown."""
    rule = ["---"] * len(heads)
    return "\n".join("| " + " | ".join(line) + " |" for line in (heads, rule, *lines))
