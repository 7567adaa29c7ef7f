"""Many connections that send the same command at the same moment, as they do to a Redis that has too much to do."""

import socket
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

from hiredis import Reader

from benchmarks.scaling.spent import spent
from pagefleet.connection import packed

Command = tuple[bytes | str | float, ...]


class Wires:
    """Open connections; `send` waits until all of them have their answer."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self._sockets = sockets

    def send(self, sent: bytes, answers: int = 1) -> None:
        """The same bytes over each; raises what Redis answers with if that is an error."""
        for one in self._sockets:
            one.sendall(sent)
        for one in self._sockets:
            reader = Reader()
            for _ in range(answers):
                while (answer := reader.gets()) is False:
                    reader.feed(one.recv(65536))
                if isinstance(answer, Exception):
                    raise answer


@contextmanager
def opened(url: str, count: int) -> Generator[Wires]:
    """So many connections to a Redis."""
    parts = urlsplit(url)
    address = parts.hostname or "127.0.0.1", parts.port or 6379
    with ExitStack() as stack:
        yield Wires([stack.enter_context(socket.create_connection(address)) for _ in range(count)])


def core_time(redis: Any, wires: Wires, trips: Sequence[Sequence[Command]], rounds: int, count: int) -> float:
    """Seconds of Redis' core for each connection that makes these round trips; each trip is one or several commands."""
    bytes_and_answers = [(b"".join(packed(*command) for command in trip), len(trip)) for trip in trips]
    for sent, answers in bytes_and_answers:
        wires.send(sent, answers)  # once before: memory is there then
    with spent(redis) as found:
        for _ in range(rounds):
            for sent, answers in bytes_and_answers:
                wires.send(sent, answers)
    return found.core / rounds / count
