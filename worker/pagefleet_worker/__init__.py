"""The worker: advances slices, page by page.

slice.py      a leased slice: renews, commits, and knows why it must stop
sliced.py     whether a slice is walked, or split into smaller ones
advance.py    the loop, and what each way out of it means for the slice
budget.py     the fleet's budget, in Redis
clients.py    the HTTP clients of a process
worker.py     arq's worker with our settings, drained by signals
watchdog.py   ends a worker whose event loop hangs
processes.py  several processes under one parent
__main__.py   `pagefleet worker`
"""
