"""What people type for the endpoints, without a crawl file, and what they expect then."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.real.records import record

GRAPHQL = (
    "/graphql/?query={things(shelf:%22many%22,first:20)"
    "{pageInfo{hasNextPage%20endCursor}edges{node{id%20name%20score%20note%20nested}}}}"
)
MERGED = "/api.php?action=query&generator=allpages&gapprefix=many&prop=links%7Ccategories&format=json"


def same(document: Any) -> Any:
    """The document as the crawl file of the endpoint finds it."""
    return document


def row(found: list[Any]) -> Any:
    """Datasette gives arrays of values when nobody asks for objects."""
    return dict(zip(record(1), found, strict=True))


def unowned(found: dict[str, Any]) -> Any:
    """The first version of this API says whose an object is."""
    return {name: value for name, value in found.items() if name != "Owner"}


@dataclass(frozen=True, slots=True)
class Typed:
    """A path behind the origin; whose documents are expected, and how these are made of what is found."""

    path: str
    crawl: str
    collection: str = "many"
    made: Callable[[Any], Any] = same


KNOWN = [
    Typed("/things/many.json", "datasette-next-url", made=row),
    Typed("/things/many.json?_shape=objects", "datasette-next-url"),
    Typed("/things/many.json?_shape=objects&_size=20", "datasette-next-url"),
    Typed("/things/many.json?_shape=array", "datasette-link"),
    Typed("/things/many.json?_shape=array&_nl=on", "datasette-link"),
    Typed("/things/many.json?_shape=objects&_size=max", "datasette-next-url"),
    Typed("/things/empty.json?_shape=objects", "datasette-next-url", "empty"),
    Typed("/page/many/", "django-page"),
    Typed("/page/many/?page=1", "django-page"),
    Typed("/page/many", "django-page"),
    Typed("/page/exact/?page_size=10", "django-page", "exact"),
    Typed("/page/one/", "django-page", "one"),
    Typed("/page/empty/", "django-page", "empty"),
    Typed("/limit/many/", "django-limit"),
    Typed("/limit/more/?limit=10", "django-limit", "more"),
    Typed("/limit/many/?limit=30&offset=0", "django-limit"),
    Typed("/cursor/many/", "django-cursor"),
    Typed("/cursor/exact/?page_size=40", "django-cursor", "exact"),
    Typed("/jsonapi/many/", "django-jsonapi"),
    Typed("/pages/many", "fastapi-pages"),
    Typed("/pages/many?page=1&size=20", "fastapi-pages"),
    Typed("/pages/one", "fastapi-pages", "one"),
    Typed("/pages/exact?size=20", "fastapi-pages", "exact"),
    Typed("/offset/many", "fastapi-offset"),
    Typed("/offset/many?offset=0&limit=20", "fastapi-offset"),
    Typed("/offset/exact?limit=20", "fastapi-offset", "exact"),
    Typed("/links/many", "fastapi-links"),
    Typed("/linked/many", "fastapi-linked"),
    Typed("/linked/one", "fastapi-linked", "one"),
    Typed("/v1/buckets/things/collections/many/records", "kinto"),
    Typed("/v1/buckets/things/collections/more/records?_limit=10", "kinto", "more"),
    Typed("/api.php?action=query&list=allpages&apprefix=many&format=json", "mediawiki-list"),
    Typed("/api.php?action=query&list=allpages&apprefix=one&aplimit=50&format=json", "mediawiki-list", "one"),
    Typed("/many?list-type=2&max-keys=20", "moto-s3"),
    Typed("/exact?list-type=2&max-keys=20", "moto-s3", "exact"),
    Typed("/many?list-type=2", "moto-s3"),
    Typed("/oai?verb=ListRecords&metadataPrefix=oai_dc&set=many", "oai-records"),
    Typed("/oai?verb=ListRecords&metadataPrefix=oai_dc&set=one", "oai-records", "one"),
    Typed("/oai?verb=ListIdentifiers&metadataPrefix=oai_dc&set=more", "oai-identifiers", "more"),
    Typed("/v2/_catalog", "registry"),
    Typed("/v2/_catalog?n=20", "registry"),
    Typed("/many/v2/Users", "scim-index"),
    Typed("/many/v2/Users?startIndex=1&count=20", "scim-index"),
    Typed("/one/v2/Users", "scim-index", "one"),
    Typed("/exact/v2/Users?count=10", "scim-index", "exact"),
    Typed("/many/v2/Users?cursor=&count=20", "scim-cursor"),
]
"""These are found out."""
HARD = [
    Typed(GRAPHQL, "django-graphql"),
    Typed("/things/one.json?_shape=array", "datasette-link", "one"),
    Typed(
        "/api.php?action=query&generator=allpages&gapprefix=many&prop=links%7Ccategories&format=json&formatversion=2",
        "mediawiki-merged",
    ),
    Typed(
        "/api.php?action=query&generator=allpages&gapprefix=many&prop=links%7Ccategories&format=json",
        "mediawiki-merged",
    ),
    Typed("/many?max-keys=20", "moto-s3", made=unowned),
    Typed("/empty?list-type=2", "moto-s3", "empty"),
    Typed("/oai?verb=ListRecords&metadataPrefix=oai_dc&set=empty", "oai-records", "empty"),
    Typed("/v2/_catalog?n=1000", "registry"),
    Typed("/empty/v2/Users", "scim-index", "empty"),
]
"""These are found out, or not known; never wrong."""
