"""Models of open data: catalogues, maps, biodiversity, news."""

import json
from typing import Any

from tests.dialects.model import Answered, Asked, Model, Refused, number, position, said, token


class Ckan(Model):
    """More rows than the server likes are cut without a word; unsorted pages would overlap."""

    page, path = 100, "/api/3/action/package_search"

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("fq", "q", "start", "rows", need=["sort"])
        found = self.documents(number(given.get("start", 0), 0, 10**9), min(int(given.get("rows", 10)), self.page))
        return said({"success": True, "result": {"count": self.count, "results": found}})


class Socrata(Model):
    """The body is the array, without a total; without an order the request is refused here, and senseless there."""

    page, path = 5000, "/resource/abcd-1234.json"

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("$where", "$limit", "$offset", need=["$order"])
        if given["$order"] != ":id":
            raise Refused(400, "no order")
        return said(
            self.documents(number(given.get("$offset", 0), 0, 10**9), number(given.get("$limit", 1000), 0, 50_000))
        )


class ArcGis(Model):
    """maxRecordCount is what it is; the flag is missing on the last page; errors come with 200."""

    page, path = 300, "/arcgis/rest/services/things/FeatureServer/0/query"

    def document(self, number: int) -> Any:
        return {"attributes": {"OBJECTID": number + 1}}

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("resultOffset", "resultRecordCount", need=["where", "outFields", "orderByFields", "f"])
        if given["where"] == "wrong":
            return said({"error": {"code": 400, "message": "'Invalid field: wrong' parameter is invalid"}})
        start = number(given.get("resultOffset", 0), 0, 10**9)
        found = self.documents(start, min(int(given.get("resultRecordCount", self.page)), self.page))
        more = {"exceededTransferLimit": True} if start + len(found) < self.count else {}
        return said({"objectIdFieldName": "OBJECTID", "features": found, **more})


class HnAlgolia(Model):
    """1,000 hits of a search, whatever nbHits says; pages count from 0."""

    page, path = 100, "/api/v1/search_by_date"

    def document(self, number: int) -> Any:
        return {"objectID": str(number)}

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("tags", "numericFilters", "query", "page", "hitsPerPage")
        size, page = number(given.get("hitsPerPage", 20), 1, 1000), number(given.get("page", 0), 0, 10**6)
        there = min(self.count, 1000)
        found = self.documents(page * size, max(0, min(size, there - page * size)))
        return said({"hits": found, "nbHits": self.count, "page": page, "nbPages": -(-there // size)})


class Stac(Model):
    """The next page is a POST whose body holds a token only; the search itself goes along by `merge`."""

    page, path, method = 100, "/search", "POST"

    def answer(self, asked: Asked) -> Answered:
        asked.params()
        given = asked.json("limit", "datetime", "bbox", "token", need=["collections"])
        start = position(given["token"]) if "token" in given else 0
        found = self.documents(start, number(given.get("limit", 10), 1, 10_000))
        links: list[dict[str, Any]] = [{"rel": "self", "href": asked.origin + self.path, "method": "POST"}]
        if start + len(found) < self.count:
            body = {"token": token(start + len(found))}
            links.append({"rel": "next", "href": "/search", "method": "POST", "merge": True, "body": body})
        return said({"type": "FeatureCollection", "features": found, "links": links})


class OgcFeatures(Model):
    """More than the limit is cut; links of other relations and formats stand around the right one."""

    page, path = 20, "/collections/things/items"

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("f", "limit", "bbox", "offset")
        if given.get("f") != "json":
            raise Refused(400, "another format")
        start = number(given.get("offset", 0), 0, 10**9)
        found = self.documents(start, min(number(given.get("limit", 10), 1, 10_000), self.page))
        links = [{"rel": "alternate", "type": "text/html", "href": asked.link(f="html")}]
        if start + len(found) < self.count:
            links.append({"rel": "next", "type": "application/geo+json", "href": asked.link(offset=start + len(found))})
        return said({"type": "FeatureCollection", "features": found, "links": links})


class Gbif(Model):
    """Behind its depth it answers 400, in plain text."""

    page, path = 250, "/v1/occurrence/search"

    def __init__(self, count: int, depth: int = 100_001) -> None:
        super().__init__(count)
        self._depth = depth

    def document(self, number: int) -> Any:
        return {"key": number}

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("taxonKey", "country", "offset", "limit")
        start, size = number(given.get("offset", 0), 0, 10**9), number(given.get("limit", 20), 0, 300)
        if start + size > self._depth:
            text = f"Max offset of {self._depth} exceeded: {start} + {size}".encode()
            return Answered(text, 400, {"Content-Type": "text/plain"})
        found = self.documents(start, size)
        is_over = start + len(found) >= self.count
        return said({"offset": start, "limit": size, "endOfRecords": is_over, "count": self.count, "results": found})


class INaturalist(Model):
    """Ids have gaps, and total_results counts what is above id_above."""

    page, path = 200, "/v1/observations"

    def document(self, number: int) -> Any:
        return {"id": 1000 + 7 * number}

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("taxon_id", "place_id", "per_page", "id_above", need=["order_by", "order"])
        if (given["order_by"], given["order"]) != ("id", "asc"):
            raise Refused(422, "another order")
        above = number(given.get("id_above", 0), 0, 10**12)
        rest = [one for one in self.documents() if one["id"] > above]
        return said({"total_results": len(rest), "results": rest[: number(given.get("per_page", 30), 1, 200)]})


class Datasette(Model):
    """Asking for more than the maximum is refused, as the real one does."""

    page, path = 1000, "/db/things.json"

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("_size", "_next", need=["_shape"])
        if given["_shape"] != "objects":
            raise Refused(400, "another shape")
        start = position(given["_next"]) if "_next" in given else 0
        found = self.documents(start, number(given.get("_size", 100), 0, 1000))
        end = start + len(found)
        link = asked.link(_next=token(end)) if end < self.count else None
        return said({"rows": found, "filtered_table_rows_count": self.count, "next_url": link})


class OData(Model):
    """The link is opaque; a page may be empty and have one."""

    page, path = 500, "/v1.0/users"

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("$select", "$top", "$skiptoken")
        if not json.loads(asked.headers.get("prefer", "").partition("odata.maxpagesize=")[2] or "0"):
            raise Refused(400, "no page size")
        start = position(given["$skiptoken"]) if "$skiptoken" in given else 0
        found = self.documents(start, self.page) if "$skiptoken" in given else []
        more = {} if start + len(found) >= self.count else {"$skiptoken": token(start + len(found))}
        link = {"@odata.nextLink": asked.link(**more)} if more else {}
        return said({"@odata.context": "$metadata#users", "value": found, **link})
