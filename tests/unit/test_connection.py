"""Redis' URLs: what is wrong with one is said, and nobody is shown a password."""

import pytest

from pagefleet.connection import open_pool, without_password
from pagefleet.errors import RedisUnusable


@pytest.mark.parametrize("kind", ["redis", "rediss", "sentinel"])
@pytest.mark.parametrize("before", ["hunter2", "123", "5,9", "a:7"])
@pytest.mark.parametrize("mark", ["/", "?", "#", "[", "/?#"])
def test_a_password_that_cuts_the_url_short_is_not_shown(kind: str, before: str, mark: str) -> None:
    """Not escaped, it ends what should be a host and a port."""
    url = f"{kind}://user:{before}{mark}hunter3@host:1/x"
    assert without_password(url) == f"{kind}://..."
    with pytest.raises(RedisUnusable) as refused:
        open_pool(url)
    assert str(refused.value).startswith(f"reading the Redis URL {kind}://...: ")
    assert before not in str(refused.value)
    assert "hunter3" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "redis://:hunter2\n@host",
            "redis://:hun\tter2@host",
            "unix://user:hunter2/x@/tmp/s.sock",
            "redis:hunter2@host",
        ),
        *(
            "redis://:x[hunter2]y@host",
            "redis://:hunter2\uff1f@host",
            "redis://:p@hunter2#x@host",
            "redis://:98765?x@host",
        ),
        *("redis://:p@hunter2?x@host", "sentinel://:p@hunter2,b?x@host/x", "hunter2@host", "redis://:hunter2 @host"),
    ],
)
def test_nor_is_one_in_any_other_way(url: str) -> None:
    with pytest.raises(RedisUnusable) as refused:
        open_pool(url)
    for part in ("hunter2", "ter2", "98765"):
        assert part not in str(refused.value)
        assert part not in without_password(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:hunter2@host:1/0", "redis://host:1/0"),
        ("rediss://user:hunter%2F2@[::1]:1/0", "rediss://[::1]:1/0"),
        ("redis://host:1/0?password=hunt@er2", "redis://host:1/0"),
        ("unix://:hunter2@/tmp/a@b/redis.sock?db=1", "unix:///tmp/a@b/redis.sock"),
        ("sentinel://:hunter2@one:1,two:2/service/3", "sentinel://one:1,two:2/service/3"),
    ],
)
def test_what_is_shown_of_a_url(url: str, shown: str) -> None:
    assert without_password(url) == shown
    open_pool(url)
