"""A Redis Cluster on this machine: three nodes, without replicas."""

import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks import servers

NODES, SLOTS = 3, 16384
VERSION = 7
"""Of Redis: ADDSLOTSRANGE, and a port of one's own for the nodes' talk."""


@contextmanager
def cluster(place: Path, count: int = NODES) -> Generator[list[str]]:
    """The URLs of its nodes."""
    with ExitStack() as stack:
        urls: list[str] = []
        nodes: list[tuple[Any, int]] = []
        for number in range(count):
            home, port = place / f"node{number}", servers.free_port()
            home.mkdir(parents=True)
            options: dict[str, str | int] = {"cluster_enabled": "yes", "cluster_port": port}
            urls.append(stack.enter_context(servers.redis(home, **options)))
            nodes.append((stack.enter_context(Redis.from_url(urls[-1])), port))
        _join(nodes)
        yield urls


def _join(nodes: list[tuple[Any, int]]) -> None:
    share = SLOTS // len(nodes)
    first = nodes[0][0]
    for number, (node, talk) in enumerate(nodes):
        last = SLOTS - 1 if number == len(nodes) - 1 else (number + 1) * share - 1
        node.execute_command("CLUSTER ADDSLOTSRANGE", number * share, last)
        node.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        if number:
            known = node.connection_pool.connection_kwargs
            first.execute_command("CLUSTER MEET", known["host"], known["port"], talk)
    until = time.monotonic() + 30
    while not all(_is_whole(node, len(nodes)) for node, _ in nodes):
        if time.monotonic() > until:
            raise RuntimeError("the nodes of the cluster have not found each other in 30 s")
        time.sleep(0.05)


def _is_whole(node: Any, count: int) -> bool:
    info = node.cluster("info")
    return info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == count
