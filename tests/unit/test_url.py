"""URLs are taken apart quickly where that is safe, and always as httpx takes them apart."""

from urllib.parse import urljoin

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pagefleet.errors import Stop
from pagefleet.url import is_whole, joined, origin, split

HOSTS = st.sampled_from(
    [
        "a.example",
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "xn--nxasmq6b",
        "xn--a",
        "a..b",
        "-",
        ".",
        "A.example",
        "[::1]",
        "a_b",
    ]
)
PORTS = st.sampled_from(["", ":", ":80", ":443", ":0", ":00080", ":8080", ":65535", ":65536", ":99999999999", ":x"])
USERS = st.sampled_from(["", "", "", "u@", "u:p@", "a.example@"])
TARGETS = st.text(st.sampled_from("ab/.?&=%2fF#:@[]{}|\\^~!$'()*+,;-_ \"<>\n\té"), max_size=12)


@st.composite
def urls(draw: st.DrawFn) -> str:
    scheme = draw(st.sampled_from(["http", "https", "HTTP", "ftp"]))
    return f"{scheme}://{draw(USERS)}{draw(HOSTS)}{draw(PORTS)}{draw(st.sampled_from(['', '/']))}{draw(TARGETS)}"


@given(urls())
@example("http://a.example/x\n")
@example("http://a.example:80/x")
@example("http://a.example/a/../b?c=%2f#d")
def test_a_request_goes_where_httpx_would_send_it(url: str) -> None:
    try:
        site, target = split(url)
    except httpx.InvalidURL:
        return
    theirs = httpx.URL(url)
    assert not theirs.userinfo
    assert (site.scheme, site.host.encode(), target) == (theirs.scheme, theirs.raw_host, theirs.raw_path)
    assert site.port == (theirs.port or {"http": 80, "https": 443}[theirs.scheme])
    assert site.netloc.encode() == theirs.netloc
    host = f"[{site.host}]" if ":" in site.host else site.host
    assert origin(url) == f"{site.scheme}://{host}:{site.port}"
    assert is_whole(url)


@given(urls(), TARGETS | urls())
@example("http://a.example/x?y=1", "/z?cursor=a%2Fb")
@example("http://a.example:80/x", "/z")
@example("https://a.example/x", "HTTP:////a:%&")
def test_a_link_leads_where_it_does_when_it_is_taken_apart(base: str, link: str) -> None:
    """But for an empty parameter, which urljoin drops; and a link with odd characters is left to httpx anyway."""
    if not (is_whole(base) and link.isascii() and link.isprintable()) or ";" in link:
        return
    try:
        ours = joined(base, link)
    except Stop:
        with pytest.raises((httpx.InvalidURL, ValueError)):
            httpx.URL(str(httpx.URL(urljoin(base, link))))
        return
    assert ours == str(httpx.URL(urljoin(base, link)))
