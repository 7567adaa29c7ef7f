"""`python -m pagefleet_scheduler`: sweep until a signal comes."""

import argparse
import asyncio
import logging
import os
import signal
import sys

from pagefleet.errors import PagefleetError
from pagefleet.settings import Settings
from pagefleet.tasks import ended
from pagefleet_scheduler.scheduler import schedule


def main() -> int:
    """Run until a signal; 0 stopped, 1 failed."""
    parser = argparse.ArgumentParser(prog="pagefleet scheduler")
    known = os.environ.get("REDIS_URL")  # the usual way: everybody may read arguments, and a URL may hold a password
    parser.add_argument("--redis", default=known, required=not known)
    parser.add_argument("--parent", type=int, default=0, help="stop when this process is no longer our parent")
    options = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    try:
        asyncio.run(run(options.redis, options.parent))
    except PagefleetError as error:
        print(f"pagefleet scheduler: {error}", file=sys.stderr)
        return 1
    return 0


async def run(url: str, parent: int) -> None:
    """Schedule until SIGTERM or SIGINT, or until the parent has gone."""
    sweeping = asyncio.ensure_future(schedule(url, Settings()))
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopped.set)
    while not (sweeping.done() or stopped.is_set()) and (not parent or os.getppid() == parent):
        await asyncio.wait({sweeping}, timeout=0.1)
    if not sweeping.done() or sweeping.cancelled():
        await ended(sweeping)
    else:
        sweeping.result()


if __name__ == "__main__":
    sys.exit(main())
