"""TLS means that the certificate is trusted and names the host: for Redis, and for the servers of crawls.

Each certificate in `tests/certificates/` is its own authority, valid until 2100, and stands behind its key, which is
for nothing else. One names this machine, the other elsewhere.example.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from pagefleet.connection import check, open_redis
from pagefleet.errors import RedisUnusable, RetryNow
from pagefleet.http import open_client, open_sync_client, send, send_sync
from pagefleet.limits import Limits
from pagefleet.page import Request, Response
from pagefleet.transport import tls

FOLDER = Path(__file__).parents[1] / "certificates"
HERE, ELSEWHERE = FOLDER / "here.pem", FOLDER / "elsewhere.pem"
Ask = Callable[[Request], Awaitable[Response | RetryNow]]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def behind_tls(certificate: Path, talk: Talk) -> AsyncGenerator[int]:
    """The port of a server with this certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.invariant("S-11")
@pytest.mark.parametrize(
    ("certificate", "trusted", "is_taken"),
    [(HERE, HERE, True), (ELSEWHERE, ELSEWHERE, False), (HERE, ELSEWHERE, False), (HERE, None, False)],
)
async def test_a_redis_is_the_one_that_its_certificate_names(
    redis_url: str, certificate: Path, trusted: Path | None, is_taken: bool
) -> None:
    connections: set[asyncio.Task[None] | None] = set()
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.current_task())
        replies, requests = await asyncio.open_unix_connection(redis_url.removeprefix("unix://"))
        with suppress(OSError):
            while request := await reader.read(65536):
                asked.append(request)
                requests.write(request)
                writer.write(await replies.read(65536))
        for stream in (requests, writer):
            stream.close()

    async with behind_tls(certificate, talk) as port:
        url = f"rediss://localhost:{port}/0" + (f"?ssl_ca_certs={trusted}" if trusted else "")
        redis = open_redis(url)
        try:
            if is_taken:
                await check(redis, url)
            else:
                with pytest.raises(RedisUnusable, match="CERTIFICATE_VERIFY_FAILED"):
                    await check(redis, url)
        finally:
            await redis.aclose(close_connection_pool=True)
        await asyncio.gather(*(task for task in connections if task))
    assert bool(asked) == is_taken


async def ask_async(request: Request) -> Response | RetryNow:
    async with open_client() as client:
        return await send(client, request, Limits(seconds=10))


async def ask_sync(request: Request) -> Response | RetryNow:
    with open_sync_client() as client:
        return await asyncio.to_thread(send_sync, client, request, Limits(seconds=10))


@pytest.mark.invariant("S-11")
@pytest.mark.parametrize("ask", [ask_async, ask_sync])
@pytest.mark.parametrize(
    ("certificate", "trusted", "is_taken"),
    [(HERE, HERE, True), (ELSEWHERE, ELSEWHERE, False), (HERE, ELSEWHERE, False), (HERE, None, False)],
)
async def test_a_server_is_the_one_that_its_certificate_names(
    ask: Ask, certificate: Path, trusted: Path | None, is_taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]")
            await writer.drain()
        writer.close()

    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    tls.cache_clear()
    try:
        async with behind_tls(certificate, talk) as port:
            answer = await ask(Request("GET", f"https://localhost:{port}/"))
    finally:
        tls.cache_clear()
    assert isinstance(answer, Response) == is_taken
    assert bool(asked) == is_taken
