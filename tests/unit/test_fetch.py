"""One response: how often, how long, and whereto."""

from collections.abc import Generator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagefleet.errors import RetryNow, Stop
from pagefleet.fetch import Reply, Send, Wait, check_passing, fetch, retry_after
from pagefleet.limits import Limits
from pagefleet.page import Request, Response

GET = Request("GET", "https://api.example.org/a?key=1", {"Accept": "a/b"})
POST = Request("POST", "https://api.example.org/a", {"Accept": "a/b"}, b"{}")
FINE = Response(200, GET.url, {}, b"[]")


def answer(status: int, **headers: str) -> Response:
    return Response(status, GET.url, {name.replace("_", "-"): value for name, value in headers.items()}, b"")


def read(response: Response) -> Response:
    check_passing(response)
    return response


def begun(request: Request = GET, limits: Limits | None = None) -> Generator[Send | Wait, Reply, Response]:
    """A fetch whose first request is on its way."""
    flow = fetch(request, limits or Limits(), lambda asked: asked, read)
    assert flow.send(None) == Send(request)
    return flow


def outcome(flow: Generator[Send | Wait, Reply, Response], reply: Reply) -> Response:
    with pytest.raises(StopIteration) as end:
        flow.send(reply)
    value: Response = end.value.value
    return value


@pytest.mark.parametrize("status", [200, 204, 301, 304, 400, 401, 403, 404, 410, 422, 451, 501])
def test_other_answers_are_the_answer(status: int) -> None:
    assert outcome(begun(), answer(status)).status == status


@pytest.mark.parametrize(
    "fault", [RetryNow("connection reset"), *(answer(code) for code in (408, 500, 502, 503, 504, 524))]
)
def test_passing_faults_are_tried_again_and_then_told(fault: Reply) -> None:
    flow, waits = begun(limits=Limits(attempts=4)), list[float]()
    for _ in range(3):
        wait = flow.send(fault)
        assert isinstance(wait, Wait)
        assert not wait.cause.is_source
        waits.append(wait.cause.seconds)
        assert flow.send(None) == Send(GET)
    assert all(0 <= seconds <= 0.5 * 2**attempt for attempt, seconds in enumerate(waits, 1))
    with pytest.raises(Stop) as stop:
        flow.send(fault)
    said = str(fault) if isinstance(fault, RetryNow) else f"the server answered {fault.status if fault else 0}"
    assert str(stop.value) == f"fetching https://api.example.org/a?…: {said}, at each of 4 attempts; try again later"


def test_one_attempt_is_one() -> None:
    with pytest.raises(Stop, match="at each of 1 attempts"):
        begun(limits=Limits(attempts=1)).send(answer(500))


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        (answer(429), 5.0),
        (answer(429, retry_after="soon"), 5.0),
        (answer(429, retry_after="0"), 1.0),
        (answer(429, retry_after="120"), 120.0),
        (answer(429, retry_after="9" * 400), 86_400.0),
        (answer(503, retry_after="120"), 120.0),
        (answer(429, retry_after="Wed, 21 Oct 2015 07:28:30 GMT", date="Wed, 21 Oct 2015 07:28:00 GMT"), 30.0),
        (answer(429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT", date="Wed, 21 Oct 2015 07:29:00 GMT"), 1.0),
    ],
)
def test_patience_is_no_attempt(reply: Response, seconds: float) -> None:
    flow = begun(limits=Limits(attempts=1))
    for _ in range(3):
        wait = flow.send(reply)
        assert isinstance(wait, Wait)
        assert (wait.cause.seconds, wait.cause.is_source) == (seconds, True)
        assert str(wait.cause) == f"https://api.example.org/a?… answered {reply.status}"
        assert flow.send(None) == Send(GET)
    assert outcome(flow, FINE) == FINE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects(status: int) -> None:
    flow = begun()
    assert flow.send(answer(status, location="/b?c")) == Send(
        Request("GET", "https://api.example.org/b?c", {"Accept": "a/b"})
    )
    assert outcome(flow, FINE) == FINE


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")])
def test_redirects_of_a_post(status: int, method: str) -> None:
    """RFC 9110, 15.4: only 307 and 308 keep the method."""
    step = begun(POST).send(answer(status, location="/b"))
    assert isinstance(step, Send)
    assert (step.request.method, step.request.body) == (method, b"{}" if method == "POST" else None)


def test_redirects_end() -> None:
    flow = begun()
    for hop in range(5):
        flow.send(answer(302, location=f"/{hop}"))
    with pytest.raises(Stop, match=r"redirected more than 5 times, last to https://api.example.org/loop\?…"):
        flow.send(answer(302, location="/loop?key=1"))


def test_a_redirect_to_nowhere() -> None:
    with pytest.raises(Stop, match=r"leads on to 'http://a:b/', which is no URL"):
        begun().send(answer(302, location="http://a:b/"))


def test_each_request_is_dressed() -> None:
    def dress(request: Request) -> Request:
        if "/b" in request.url:
            raise Stop("not there")
        return Request(request.method, request.url, {"dressed": "yes"})

    flow = fetch(GET, Limits(), dress, lambda answer: answer)
    assert flow.send(None) == Send(Request("GET", GET.url, {"dressed": "yes"}))
    with pytest.raises(Stop, match="not there"):
        flow.send(answer(302, location="/b"))


# Retry-After


moments = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0)
)


@pytest.mark.invariant("L-4")
@given(moments, st.integers(-100_000, 100_000), st.integers(-12, 12))
def test_a_date_counts_from_the_servers_own(now: datetime, seconds: int, zone: int) -> None:
    until = (now + timedelta(seconds=seconds)).astimezone(timezone(timedelta(hours=zone)))
    headers = {"retry-after": format_datetime(until), "date": format_datetime(now, usegmt=True)}
    assert retry_after(headers) == max(0, seconds)


@pytest.mark.parametrize("date", [{}, {"date": "yesterday"}])
def test_a_date_without_the_servers_own(date: Mapping[str, str]) -> None:
    until = datetime.now(UTC) + timedelta(seconds=1000)
    found = retry_after({"retry-after": format_datetime(until, usegmt=True), **date})
    assert found is not None
    assert 900 < found <= 1000


@pytest.mark.parametrize(
    "said", ["Wednesday, 21-Oct-15 07:28:30 GMT", "Wed Oct 21 07:28:30 2015", "21 Oct 2015 07:28:30 -0000"]
)
def test_dates_of_old(said: str) -> None:
    """RFC 9110, 5.6.7: recipients accept the obsolete forms as well."""
    assert retry_after({"retry-after": said, "date": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 30.0


@pytest.mark.invariant("L-4")
@given(st.text("0123456789 -+:,.GMTWedOct²") | st.text())
def test_any_retry_after(said: str) -> None:
    found = retry_after({"retry-after": said, "date": said})
    assert found is None or found >= 0


@pytest.mark.invariant("L-4")
@pytest.mark.parametrize(
    ("said", "seconds"), [("7", 7.0), (" 7 ", 7.0), ("007", 7.0), ("-7", None), ("1.5", None), ("", None)]
)
def test_seconds(said: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": said}) == seconds
