"""What it takes to import us."""

import os
import random
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.machine import CLIENT, pinned
from benchmarks.rows.row import Row
from benchmarks.servers import ROOT

OURS, FLEET = "import pagefleet", "from pagefleet import Fleet"
THEIRS = "import httpx, pydantic, redis.asyncio"
TIMES = 15
MEASURED = "import time; before = time.process_time(); {}; print(time.process_time() - before)"


def imports(_: Bench) -> Iterator[Row]:
    """Processor time, in turns, each in a process of its own; the first ones write the bytecode."""
    seconds: dict[str, list[float]] = {statement: [] for statement in (OURS, FLEET, THEIRS)}
    for number in range(TIMES + 1):
        for statement in random.sample(sorted(seconds), len(seconds)):
            took = _seconds(statement)
            if number:
                seconds[statement].append(took)
    milliseconds = {statement: 1000 * statistics.median(every) for statement, every in seconds.items()}
    notes = {OURS: "without Redis, which `Fleet` brings", FLEET: _beside()}
    for statement, target in ((OURS, 1.3), (FLEET, 0)):
        ratio = statistics.median(x / y for x, y in zip(seconds[statement], seconds[THEIRS], strict=True))
        note = f"{milliseconds[statement]:.0f} ms and {milliseconds[THEIRS]:.0f} ms; {notes[statement]}"
        yield Row(f"`{statement}` against `{THEIRS}`", target, ratio, is_limit=True, note=note)


def _seconds(statement: str) -> float:
    return float(_python("-c", MEASURED.format(statement)).stdout)


def _beside() -> str:
    """Which of our modules, and which other packages, take the time that is not theirs, by Python's own account."""
    said = _python("-X", "importtime", "-c", f"{THEIRS}; {FLEET}").stderr
    lines = [line.split("|") for line in said.splitlines() if line.startswith("import time:") and "[us]" not in line]
    last = max(number for number, line in enumerate(lines) if line[2].strip() in THEIRS)
    took = Counter[str]()
    for own, _, name in lines[last + 1 :]:
        module = name.strip()
        package = module.partition(".")[0]
        took[module if package == "pagefleet" else package] += int(own.partition(":")[2])
    return "most of what it adds: " + ", ".join(f"{name} {us / 1000:.0f} ms" for name, us in took.most_common(5))


def _python(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, *words]
    with pinned(CLIENT):
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
