"""What a target makes of the fuzzer's bytes. Numbers and choices are taken from their end, all else from their start,
so that a body in front of a few zeros is a seed."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
VALUES = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        2**63,
        10**20,
        1.5,
        "0",
        "1e999",
        "7",
        "",
        "a",
        "\ud83d",
        "é",
        "env:HOME",
        "$narrow",
    ),
    *("?at=2", "/things?a=b&c=", "https://api.example.org/things?page=2", "//b.example/", "a/b", "x" * 40_000),
]
NAMES = ["href", "rel", "method", "body", "merge", "id", "a", "next", "$cursor", "$fallback", "$narrow", "$replay"]
TOKENS = 150
"""That a body is made of at most."""


class Provider(Protocol):
    """The part of atheris' FuzzedDataProvider that is used; atheris is not where the suite and the linters run."""

    def ConsumeIntInRange(self, low: int, high: int, /) -> int: ...  # noqa: N802

    def ConsumeBytes(self, count: int, /) -> bytes: ...  # noqa: N802

    def remaining_bytes(self) -> int: ...


class Draw:
    """Draws from the fuzzer's bytes; `drawn` is what a finding prints."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.drawn: list[object] = []

    @property
    def left(self) -> int:
        """Bytes."""
        return self._provider.remaining_bytes()

    def number(self, low: int, high: int) -> int:
        """One of these, both included; the lowest when nothing is left."""
        return self._provider.ConsumeIntInRange(low, high)

    def flag(self) -> bool:
        """False when nothing is left."""
        return self.number(0, 1) == 1

    def choice(self, options: Sequence[T]) -> T:
        """One of these; the first when nothing is left."""
        found = options[self.number(0, len(options) - 1)]
        self.drawn.append(found)
        return found

    def data(self, most: int) -> bytes:
        """Up to so many bytes."""
        found = self._provider.ConsumeBytes(self.number(0, most))
        self.drawn.append(found)
        return found

    def body(self, tokens: Sequence[bytes]) -> bytes:
        """All that is left, as it is; or a token for each byte, since what is long or must be spelt right is hard to
        come upon."""
        left = self._provider.ConsumeBytes(self.left - 1 if self.left else 0)
        found = b"".join(tokens[byte % len(tokens)] for byte in left[:TOKENS]) if self.flag() else left
        self.drawn.append(found)
        return found

    def text(self, most: int) -> str:
        """Up to so many bytes, as text that has an encoding."""
        return self.data(most).decode(errors="replace")

    def value(self, depth: int = 3) -> Any:
        """Of JSON."""
        kind = self.number(0, 9 if depth else 7)
        if kind < 3:
            return self.text(300) if kind else self.number(-3, 2**40)
        if kind < 8:
            return self.choice(VALUES)
        if kind == 8:
            return [self.value(depth - 1) for _ in range(self.number(0, 3))]
        return {self.choice(NAMES): self.value(depth - 1) for _ in range(self.number(0, 4))}
