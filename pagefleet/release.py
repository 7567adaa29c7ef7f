"""Which release this is."""

from functools import cache
from importlib import metadata


@cache
def version() -> str:
    """Of the distribution. It is looked up for whoever asks first: that takes 4 ms."""
    try:
        return metadata.version("pagefleet")
    except metadata.PackageNotFoundError:  # `make fuzz` reads it from a folder
        return "unreleased"
