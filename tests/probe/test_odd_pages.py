"""Pages that are ordinary enough to be met, and odd enough to have broken the probe once."""

import pytest

from pagefleet.errors import Stop
from pagefleet.page import Response
from pagefleet.probe.elements import html_places, parsed_html
from pagefleet.probe.observe import observe
from pagefleet.probe.report import printable

URL = "https://api.example.org/things"
TAILWIND = (
    b'<ul class="sm:p-4"><li class="w-1/2 a">one</li><li class="w-1/2 a">two</li><li class="w-1/2 a">three</li></ul>'
)


def test_classes_that_are_no_identifiers_are_in_no_selector() -> None:
    page = parsed_html(TAILWIND)
    assert page is not None
    assert [place.path for place in html_places(page)] == ["ul > li"]


@pytest.mark.parametrize("body", [b"a\rb\rc", b'"a\n"b"c\n', b"a,b\r1,2\r"])
def test_text_that_is_no_table(body: bytes) -> None:
    with pytest.raises(Stop, match="nor anything else that is known here"):
        observe(Response(200, URL, {"content-type": "text/plain"}, body))


def test_what_a_server_calls_things_is_not_sent_to_a_terminal() -> None:
    assert printable("to\x1b[2Jtal é") == "to\\x1b[2Jtal é"
