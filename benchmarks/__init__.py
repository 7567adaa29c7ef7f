"""Benchmarks: `make bench`, and what `docs/performance.md` is written from.

programs/     what is measured, each in a process of its own
pages.py      what they crawl
site.py       a server that answers after a while
servers.py    nginx, that site and Redis, on one core
machine.py    cores, processor time and memory of processes
outcome.py    what a program says at its end
subjects.py   the programs by name, and one run of one
rounds.py     all of them in turns, and ratios
"""
