"""What commands are given: their arguments and options, as typer reads them."""

from pathlib import Path
from typing import Annotated

import typer

File = Annotated[Path, typer.Argument(metavar="FILE", help="A crawl file, TOML or JSON.", show_default=False)]
Source = Annotated[
    str,
    typer.Argument(metavar="FILE|URL", help="A crawl file, TOML or JSON; a URL is probed first.", show_default=False),
]
Headers = Annotated[
    list[str] | None,
    typer.Option(
        "--header",
        "-H",
        metavar="'NAME: VALUE'",
        help="With a URL; secrets by name, 'Authorization: Bearer env:TOKEN'.",
    ),
]
Id = Annotated[str, typer.Argument(metavar="ID", help="A crawl, as `pagefleet ls` names it.", show_default=False)]
Redis = Annotated[
    str | None,
    typer.Option(
        "--redis",
        metavar="URL",
        envvar="REDIS_URL",
        help="redis://, rediss://, unix:// or sentinel://; none: our own, in .pagefleet/",
    ),
]
SharedRedis = Annotated[
    str | None,
    typer.Option("--redis", metavar="URL", envvar="REDIS_URL", help="redis://, rediss://, unix:// or sentinel://."),
]
Output = Annotated[
    str, typer.Option("--output", "-o", metavar="FILE", help="Where the documents go, as JSON Lines; - is stdout.")
]
Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="Call the crawl this, whatever the file says.")
]
