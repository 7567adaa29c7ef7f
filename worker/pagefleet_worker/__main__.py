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
from pagefleet.redaction import redacted
from pagefleet.settings import Settings
from pagefleet.tasks import fast_loop
from pagefleet_worker.processes import Processes
from pagefleet_worker.worker import work

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Redacting(logging.Formatter):
    """What libraries and tracebacks quote may hold a secret of a crawl."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def main() -> int:
    """Run until a signal; 0 drained, 1 failed."""
    parser = argparse.ArgumentParser(prog="pagefleet worker")
    known = os.environ.get("REDIS_URL")  # the usual way: everybody may read arguments, and a URL may hold a password
    parser.add_argument("--redis", default=known, required=not known)
    parser.add_argument("--concurrency", type=int, default=50)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--parent", type=int, default=0, help="drain when this process is no longer our parent")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(Redacting(FORMAT))
    logging.getLogger("arq").setLevel(logging.WARNING)  # it tells of each job
    if options.processes > 1:
        os.environ["REDIS_URL"] = options.redis
        return Processes(options.processes, "--concurrency", str(options.concurrency)).run()
    if options.parent:
        threading.Thread(target=follow, args=(options.parent,), daemon=True).start()
    try:
        with asyncio.Runner(loop_factory=fast_loop()) as runner:
            runner.run(work(options.redis, Settings(), options.concurrency))
    except PagefleetError as error:
        print(f"pagefleet worker: {error}", file=sys.stderr)
        return 1
    return 0


def follow(parent: int) -> None:
    """A worker that somebody started for a while must not outlive them, even if they were killed."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
