"""`pagefleet`: the command line.

    app.py        the commands
    drain.py      `pagefleet crawl`: everything on one machine
    local.py      workers and a scheduler as child processes
    output.py     documents into a file, each once, across interruptions
    progress.py   what a crawl is doing, on stderr
    demo.py       `pagefleet demo`

Exit status: 0 finished, 1 failed, 2 usage, 130 interrupted.
"""

import sys


def main() -> None:
    """The entry point; without the packages of the command line it says which to install."""
    try:
        from pagefleet.cli.app import app  # noqa: PLC0415 — they are an extra
    except ModuleNotFoundError as error:
        sys.exit(f"pagefleet: the command line needs {error.name}; install it: pip install 'pagefleet[cli]'")
    app()
