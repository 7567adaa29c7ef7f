"""Benchmarks: `make bench`, and what `docs/performance.md` is written from.

programs/                what is measured, each in a process of its own
crew.py                  a worker and a scheduler
pages.py                 what they crawl
site.py                  a server that answers after a while
servers.py               nginx, that site and Redis, on one core
machine.py               cores, processor time and memory of processes
outcome.py               what a program says at its end
subjects.py              the programs by name, and one run of one
rounds.py                all of them in turns, and ratios
bench.py rows/           one run of the benchmarks, and the rows of its tables
sampling.py profile.py   where a worker's processor time goes
report.py plot.py        what is written to docs/
scaling/                 what Redis takes, and where it ends: `make bench-scaling`
peers/                   what others do with the same pages: `make bench-peers`
"""
