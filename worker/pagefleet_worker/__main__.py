"""`python -m pagefleet_worker`: one worker process, or a few under a parent that restarts what dies."""

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
import time

from pagefleet.errors import PagefleetError
from pagefleet.settings import Settings
from pagefleet_worker.worker import work


def main() -> int:
    """Run until a signal; 0 drained, 1 failed."""
    parser = argparse.ArgumentParser(prog="pagefleet worker")
    parser.add_argument("--redis", required=True)
    parser.add_argument("--concurrency", type=int, default=50)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--parent", type=int, default=0, help="drain when this process is no longer our parent")
    options = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    for chatty in ("arq", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    if options.processes > 1:
        return supervise(options)
    if options.parent:
        threading.Thread(target=follow, args=(options.parent,), daemon=True).start()
    try:
        asyncio.run(work(options.redis, Settings(), options.concurrency))
    except PagefleetError as error:
        print(f"pagefleet worker: {error}", file=sys.stderr)
        return 1
    return 0


def follow(parent: int) -> None:
    """A worker that somebody started for a while must not outlive them, even if they were killed."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def supervise(options: argparse.Namespace) -> int:
    """Keep `processes` workers; pass signals on; start another for one that died, not faster than one a second."""
    arguments = ["--redis", options.redis, "--concurrency", str(options.concurrency), "--parent", str(os.getpid())]
    children = [_spawn(arguments) for _ in range(options.processes)]
    is_draining = False

    def drain(signum: int, _: object) -> None:
        nonlocal is_draining
        is_draining = True
        for child in children:
            os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, drain)
    signal.signal(signal.SIGINT, drain)
    worst = 0
    while children:
        child, status = os.wait()
        if child not in children:
            continue
        children.remove(child)
        code = os.waitstatus_to_exitcode(status)
        if is_draining:
            worst = max(worst, abs(code))
        else:
            print(f"pagefleet worker: process {child} ended with {code}; starting another", file=sys.stderr)
            time.sleep(1)
            children.append(_spawn(arguments))
    return min(worst, 1)


def _spawn(arguments: list[str]) -> int:
    command = [sys.executable, "-m", "pagefleet_worker", *arguments]
    return os.posix_spawn(sys.executable, command, os.environ)


if __name__ == "__main__":
    sys.exit(main())
