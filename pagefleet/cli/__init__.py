"""`pagefleet`: the command line.

app.py          the commands
options.py      what they are given
execution.py    how they are carried out
drain.py        `pagefleet crawl`: everything on one machine
read.py         `pagefleet documents`
shown.py        `pagefleet ls` and `show`
audit.py        `pagefleet audit`
doctor.py       `pagefleet doctor`
presets.py      `pagefleet presets`
probe.py        `pagefleet probe`, and `pagefleet crawl` of a URL
demo.py         `pagefleet demo`
airports.py     its server, and its data
local.py        workers and a scheduler as child processes
output.py       where documents go: a file, a pipe
writing.py      documents into one of these, each once, across interruptions
progress.py     what a crawl is doing, on stderr
interrupts.py   Ctrl-C, once and twice
ending.py       an error as one line and a status
"""

import sys


def main() -> None:
    """The entry point; without the packages of the command line it says which to install."""
    try:
        from pagefleet.cli.app import run  # noqa: PLC0415 — they are an extra
    except ModuleNotFoundError as error:
        sys.exit(f"pagefleet: the command line needs {error.name}; install it: pip install 'pagefleet[cli]'")
    except KeyboardInterrupt:  # before there is anything to end
        sys.exit(130)
    run()
