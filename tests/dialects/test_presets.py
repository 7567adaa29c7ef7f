"""Every preset against a model of its API, over real HTTP: all documents, once, in order, and no request too odd."""

import pytest

from pagefleet.errors import Stop
from pagefleet.presets import names
from tests.dialects.cases import CASES, Fields
from tests.dialects.drive import crawl, doubts, drained, found
from tests.dialects.host import Host


def test_each_preset_has_a_model() -> None:
    assert sorted(CASES) == names()


each = pytest.mark.parametrize("preset", sorted(CASES))


@each
def test_all_documents_once_in_order(host: Host, preset: str) -> None:
    kind = CASES[preset].model
    for count in (0, 1, kind.page - 1, kind.page, kind.page + 1, 2 * kind.page, 2 * kind.page + 1):
        model = kind(count)
        got = drained(host, model, crawl(host, preset))
        assert found(got) == model.documents(), count
        assert doubts(got) == CASES[preset].doubts(count), count
        assert len(model.asked) <= kind.answers * -(-count // kind.page) + 2, count


@each
def test_a_parameter_too_many_is_refused(host: Host, preset: str) -> None:
    """By the model: what is sent beside what the API knows would be seen."""
    with pytest.raises(Stop):
        drained(host, CASES[preset].model(3), crawl(host, preset, {"params": {"surplus": 1}}))


@pytest.mark.parametrize(
    ("preset", "wrong"), [(preset, wrong) for preset in sorted(CASES) for wrong in CASES[preset].wrong], ids=str
)
def test_what_the_api_refuses_stops_the_crawl(host: Host, preset: str, wrong: Fields) -> None:
    kind = CASES[preset].model
    with pytest.raises(Stop):
        drained(host, kind(2 * kind.page), crawl(host, preset, wrong))
