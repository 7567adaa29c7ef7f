"""The scheduler: enqueues slices whose snooze is over, and rescues those that a worker left behind.

    scheduler.py  the sweep
    __main__.py   `pagefleet scheduler`

Any number may run: each slice is looked at in one script, which does nothing the second time.
"""
