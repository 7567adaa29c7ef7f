"""The machine: its cores, what its processes use of it, and what it is called in a report."""

import asyncio
import importlib.util
import os
import platform
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

_named = os.environ.setdefault("BENCHMARK_CORES", " ".join(map(str, sorted(os.sched_getaffinity(0)))))
CORES = [int(core) for core in _named.split()]
"""Of the process that began all this: those that it starts have one."""
SERVERS, CLIENT = CORES[0], CORES[-1]
"""Redis, the web server and whoever only looks run on one core, what is measured on another (if there is another)."""


@contextmanager
def pinned(core: int) -> Generator[None]:
    """Processes that are started in this block stay on this core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    return [pid, *(member for child in children for member in family(child))]


def servers_pids() -> list[int]:
    """The servers of the benchmark that started this program."""
    return [member for pid in os.environ.get("BENCHMARK_SERVERS", "").split() for member in family(int(pid))]


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time of all threads of these processes, to the nanosecond."""
    threads = [thread for pid in pids for thread in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def kernel_seconds(pids: Iterable[int]) -> float:
    """What of that was spent in the kernel, to some ten milliseconds."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(every[12]) for every in fields) / os.sysconf("SC_CLK_TCK")


def busy_and_ours() -> tuple[float, float]:
    """Processor seconds of the whole machine since it started, and of this process and those that it has waited for."""
    fields = list(map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9]))
    busy = sum(fields) - fields[3] - fields[4]  # all but idle and waiting for disks
    return busy / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4])


class Load:
    """Of the machine by others, from now on."""

    def __init__(self) -> None:
        self._started, self._before = time.monotonic(), busy_and_ours()

    def described(self) -> str:
        """One line for a report."""
        seconds, (busy, ours) = time.monotonic() - self._started, busy_and_ours()
        others = max(0.0, busy - self._before[0] - ours + self._before[1]) / seconds
        return f"It took {seconds:.0f} s; other processes used {others:.2f} cores meanwhile."


def peak_mebibytes(pid: int) -> float:
    """The most memory that a process has held so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"the kernel does not say the peak memory of {pid}; run the benchmarks on Linux")


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed: a floor is as low as it can be had."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop  # noqa: PLC0415  # not everywhere

    return uvloop.new_event_loop


def described() -> str:
    """One line for a report."""
    names = (
        line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "name" in line
    )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1024**3
    return f"{next(names, platform.machine())}, {len(CORES)} cores, {memory:.0f} GiB, Linux {platform.release()}"
