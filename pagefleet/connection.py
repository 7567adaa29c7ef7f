"""The one way to Redis: from a URL to a client that gives up late, and the check that this Redis keeps documents."""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    InvalidResponse,
    MasterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from pagefleet.errors import RedisUnusable
from pagefleet.tasks import TimeLimits

PASSING = (
    RedisConnectionError,
    RedisTimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    MasterDownError,
    NoScriptError,
    OutOfMemoryError,
    OSError,
)
"""What means: send the same bytes again."""
PASSING_CODE = re.compile(r"(?:^|: -)(?:NOREPLICAS|BUSY|LOADING|READONLY|MASTERDOWN|OOM|MISCONF|NOSCRIPT|UNBLOCKED) ")
"""The same, where redis-py has no class for it, or a script of Redis 6.2 passes it on. At the place of a code only: a
crawl may be called BUSY."""
PLAIN = re.compile(
    r"((?:redis|rediss|sentinel)://)(?:[!$-.0->A-Z^-~]*@)?([\w.,:\[\]-]*(?:/[\w./-]*)?)(?:\?(?:\w+=[^#\s]*)?)?"
    r"|(unix://)(?:[!$-.0->A-Z^-~]*@)?(/[^?#\s]*)(?:\?(?:\w+=[^#\s]*)?)?",
    re.ASCII,
)
"""A URL whose parts are not in doubt: before the last `@` stands no /, ?, #, [, ] or blank, nor another `@`."""
LONGEST_BACKOFF = 0.5


def open_pool(url: str, *, is_patient: bool = False) -> ConnectionPool:
    """Connections for `redis://`, `rediss://` (TLS, host names checked), `unix://`, or
    `sentinel://[user:password@]host:port,host:port/service[/database]`; raises `RedisUnusable` for another.

    A patient pool tries each command again until Redis answers. arq needs that: it has no thought of its own for a
    Redis that goes away, and a busy worker would live on without ever polling again.
    """
    options: dict[str, Any] = {"socket_timeout": 5.0, "socket_connect_timeout": 2.0, "health_check_interval": 15}
    if is_patient:
        options["retry"] = Retry(ExponentialBackoff(cap=LONGEST_BACKOFF, base=0.02), -1)
        options["retry_on_error"] = list(PASSING)
    try:
        if "@" in url and not PLAIN.fullmatch(url):
            raise ValueError("write what is no letter or digit in its password as %40 (@), %2F (/) and so on")
        if url.startswith("sentinel://"):
            return _sentinel_pool(url, options)
        if not url.startswith("unix://"):
            options["socket_keepalive"] = True
        if url.startswith("rediss://"):
            options["ssl_check_hostname"] = "ssl_cert_reqs=none" not in url  # redis-py 5 has to be told
        _check_url(url)
        pool = ConnectionPool.from_url(url, **options)
        pool.connection_class = _told(pool.connection_class)
        pool.make_connection()  # type: ignore[no-untyped-call]  # it connects later, but looks at its options now
        return pool
    except TypeError as error:
        name = str(error).rpartition(" ")[2]
        raise RedisUnusable(f"reading the Redis URL {without_password(url)}: there is no option {name}") from error
    except ValueError as error:
        raise RedisUnusable(f"reading the Redis URL {without_password(url)}: {error}") from error


def _check_url(url: str) -> None:
    """What redis-py says unclearly, or takes for the default without a word."""
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError("write redis://host:6379/0, rediss://..., unix:///path or sentinel://host:26379/service")
    if parts.scheme == "unix" and not parts.path:
        raise ValueError("write the path of its socket: unix:///path")
    if parts.scheme != "unix" and not re.fullmatch(r"/?\d*", parts.path):
        raise ValueError(f"a database is a number, and here it is {parts.path[1:]!r}")


def _sentinel_pool(url: str, options: dict[str, Any]) -> SentinelConnectionPool:
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    service, _, database = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("name the service: sentinel://host:26379,host:26379/mymaster")
    nodes = [
        (host or "localhost", int(port or 26379)) for host, _, port in (h.partition(":") for h in hosts.split(","))
    ]
    known = {"username": unquote(user) or None, "password": unquote(password) or None, "db": int(database or 0)}
    sentinel = Sentinel(nodes, sentinel_kwargs=dict(options))  # type: ignore[no-untyped-call]  # redis-py types neither
    is_tls = parse_qs(parts.query).get("tls") == ["true"]
    pool = SentinelConnectionPool(  # type: ignore[no-untyped-call]
        service, sentinel, ssl=is_tls, check_connection=True, **known, **options
    )
    pool.connection_class = _told(pool.connection_class)
    return pool


def _told(kind: type[Any]) -> type[Any]:
    """This kind of connection, where the loop's own error for one that was closed meanwhile is redis-py's: uvloop's is
    a RuntimeError, asyncio's since Python 3.12 an AttributeError of its transport."""

    class Told(kind):  # type: ignore[misc]  # it is one of three
        async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
            try:
                await super().send_packed_command(command, check_health)
            except (RuntimeError, AttributeError) as error:
                raise RedisConnectionError(f"writing to Redis: {error}") from error

    return Told


def open_redis(url: str) -> Redis:
    """A client for `url`; close it with `aclose(close_connection_pool=True)`."""
    return Redis(connection_pool=open_pool(url))


ANSWER = 5.0
"""Seconds in which Redis has to answer."""


class Line:
    """Sends commands that are packed already, each over a connection that it has to itself until the answer is there.

    The connections are the pool's, and are closed with it. redis-py's own way looks before each command whether a
    connection is still there, packs arguments one by one and starts a task to keep the time: three times the work.
    """

    def __init__(self, redis: Redis) -> None:
        self._pool: Any = redis.connection_pool  # typed as the synchronous one
        self._free: list[Any] = []
        self._limits = TimeLimits()

    async def call(self, command: bytes) -> Any:
        """The answer; raises what redis-py raises, and never sends anything twice."""
        connection = self._free.pop() if self._free else await self._taken()
        try:
            with self._limits.within(ANSWER):
                await connection.send_packed_command(command, check_health=False)  # it connects again where it must
                return await connection.read_response()
        except TimeoutError as error:
            raise RedisTimeoutError(f"no answer within {ANSWER:g} s") from error
        finally:
            self._free.append(connection)

    async def _taken(self) -> Any:
        connection: Any = await self._pool.get_connection()
        connection.socket_timeout, connection.health_check_interval = None, 0
        return connection


def packed(*arguments: bytes | str | float, documents: Sequence[bytes] = ()) -> bytes:
    """One command as it goes over the wire (RESP), with documents as its last arguments."""
    texts = [one if isinstance(one, bytes) else str(one).encode() for one in arguments]
    texts += documents
    parts = [b""] * (2 * len(texts))
    parts[::2], parts[1::2] = list(map(_lengths.__getitem__, map(len, texts))), texts
    return b"".join([b"*%d" % len(texts), *parts, b"\r\n"])


class _Lengths(dict[int, bytes]):
    """What stands before an argument of so many bytes."""

    def __missing__(self, length: int) -> bytes:
        text = b"\r\n$%d\r\n" % length
        if len(self) < MOST_LENGTHS:
            self[length] = text
        return text


MOST_LENGTHS = 4096
_lengths = _Lengths()


async def check(redis: Redis, url: str) -> None:
    """Raise `RedisUnusable` unless this Redis answers, and would rather refuse a write than forget a document."""
    try:
        info = await redis.info("memory")
    except (RedisError, OSError) as error:
        said = str(error).rstrip(".") or type(error).__name__
        raise RedisUnusable(f"connecting to Redis at {without_password(url)}: {said}; {_advice(error)}") from error
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise RedisUnusable(
            f"checking Redis at {without_password(url)}: its maxmemory-policy is {policy}, which drops documents and "
            f"checkpoints in silence; set it to noeviction (redis-cli config set maxmemory-policy noeviction)"
        )


def _advice(error: Exception) -> str:
    match error.__cause__ or error:  # redis-py makes a ConnectionError of what it meets while it connects
        case AuthenticationError() | NoPermissionError():
            return "check user and password in the URL"
        case InvalidResponse():
            return "that is no Redis: check host and port"
        case BusyLoadingError():
            return "wait until it has read its data"
        case _:
            return "start it, or give another --redis"


async def patiently(call: Callable[[], Any], what: str, patience: float) -> Any:
    """Make a call to Redis again while the answer is only that Redis cannot answer now, for `patience` seconds.

    What it answers is Any: redis-py types most of its methods for the synchronous client and this one at once.
    """
    deadline = time.monotonic() + patience
    backoff = 0.02
    while True:
        try:
            return await call()
        except (RedisError, OSError) as error:
            if not _is_passing(error):
                raise
            if time.monotonic() + backoff > deadline:
                raise RedisUnusable(
                    f"running {what}: {error}, for {patience:g} s; check Redis and try again"
                ) from error
        await asyncio.sleep(backoff)
        backoff = min(LONGEST_BACKOFF, backoff * 2)


def _is_passing(error: Exception) -> bool:
    if isinstance(error, AuthenticationError):
        return False
    return isinstance(error, PASSING) or PASSING_CODE.search(str(error)) is not None


def is_out_of_memory(error: RedisError) -> bool:
    """Redis has reached its maxmemory, and refuses what needs more."""
    return isinstance(error, OutOfMemoryError) or "OOM command not allowed" in str(error)


def without_password(url: str) -> str:
    """A URL of Redis for others; its query may hold a password too. Of one that may be cut in the middle of a password
    hardly anything is shown."""
    if found := PLAIN.fullmatch(url):
        return (found[1] or found[3]) + (found[2] if found[1] else found[4])
    scheme, there, _ = url.partition("://")
    if "@" in url:
        return f"{scheme}://..." if there and scheme.isalnum() else "..."
    return re.split("[?#]", url)[0]
