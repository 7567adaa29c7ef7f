"""A SCIM server, filled over its own API."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.real.process import Site, client, started
from tests.real.records import SIZES, records


@contextmanager
def scim(place: Path) -> Generator[Site]:
    """The collections are tenants, and the users of one are listed by their ids, which the server makes up."""
    with started([sys.executable, "-m", "tests.real.programs.scim_app"], place / "scim.log") as origin:
        with client(origin) as http:
            users = {name: sorted(_load(http, name), key=lambda user: user["id"]) for name in SIZES}
        yield Site(origin, lambda _, collection: users[collection])


def _load(http: httpx.Client, tenant: str) -> list[Any]:
    return [http.post(f"/{tenant}/v2/Users", json=_user(one)).raise_for_status().json() for one in records(tenant)]


def _user(record: dict[str, Any]) -> dict[str, Any]:
    user = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": f"user-{record['id']}@example.org",
        "externalId": str(record["big"]),
        "displayName": record["name"],
        "active": record["id"] % 2 == 0,
    }
    return {**user, "title": record["note"]} if record["note"] else user
