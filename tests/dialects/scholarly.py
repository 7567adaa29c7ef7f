"""Models of the APIs of libraries, archives and preprint servers."""

from typing import Any
from xml.sax.saxutils import escape

from tests.dialects.model import Answered, Asked, Model, Refused, number, position, said, token


class Crossref(Model):
    """The cursor is one for all pages, each request for it moves on, and the last page has one, too."""

    page, path = 1000, "/works"

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self._at: int | None = None

    def document(self, number: int) -> Any:
        return {"DOI": f"10.5555/{number}"}

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("rows", "filter", "mailto", need=["cursor"])
        rows = number(given.get("rows", 20), 0, 1000)
        self._at = 0 if given["cursor"] == "*" else self._at
        if self._at is None or given["cursor"] not in ("*", "DnF1ZXJ5+/=="):
            raise Refused(404, "Resource not found.")
        items = self.documents(self._at, rows)
        self._at += len(items)
        return said({"message": {"total-results": self.count, "items": items, "next-cursor": "DnF1ZXJ5+/=="}})

    def forget(self) -> None:
        self._at = None


class OpenAlex(Model):
    """Each page with results has a cursor, so the last one is empty. Without a key cursors are refused."""

    page, path = 100, "/works"

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("per_page", "filter", "api_key", need=["cursor"])
        if given.get("api_key") != "hunter2":
            raise Refused(401, "cursor paging needs a key")
        start = 0 if given["cursor"] == "*" else position(given["cursor"])
        found = self.documents(start, number(given.get("per_page", 25), 1, 100))
        following = token(start + len(found)) if found else None
        return said({"meta": {"count": self.count, "next_cursor": following}, "results": found})


class EuropePmc(Model):
    """The end is the cursor that was sent; what hitCount says drifts, but never below what is there."""

    page, path = 1000, "/europepmc/webservices/rest/search"

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("pageSize", "cursorMark", "resultType", need=["query", "format"])
        mark = given.get("cursorMark", "*")
        start = 0 if mark == "*" else position(mark)
        found = self.documents(start, number(given.get("pageSize", 25), 1, 1000))
        following = token(start + len(found)) if found else mark
        return said({"hitCount": self.count, "nextCursorMark": following, "resultList": {"result": found}})


class DataCite(Model):
    """Without page[cursor]=1 it would count pages; the link holds a token in its place."""

    page, path = 1000, "/dois"

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("page[size]", "query", "mailto", need=["page[cursor]"])
        start = 0 if given["page[cursor]"] == "1" else position(given["page[cursor]"])
        found = self.documents(start, number(given.get("page[size]", 25), 0, 1000))
        links: dict[str, Any] = {"self": asked.link()}
        if found:
            links["next"] = asked.link(**{"page[cursor]": token(start + len(found))})
        return said({"data": found, "meta": {"total": self.count}, "links": links})


class Zenodo(Model):
    """25 a page are all that a stranger gets; behind the window there is no link, and no error."""

    page, path = 25, "/api/records"

    def __init__(self, count: int, window: int = 10_000) -> None:
        super().__init__(count)
        self._window = window

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("q", "size", "sort", "page")
        most = 100 if "authorization" in asked.headers else 25
        size, page = number(given.get("size", 10), 1, most), number(given.get("page", 1), 1, 10_000)
        if (page - 1) * size >= self._window:
            raise Refused(400, "Maximum number of results have been reached.")
        found = self.documents((page - 1) * size, size)
        has_next = page * size < min(self.count, self._window)
        links = {"self": asked.link()} | ({"next": asked.link(page=page + 1)} if has_next else {})
        return said({"hits": {"hits": found, "total": self.count}, "links": links})


class Arxiv(Model):
    """Atom; a page is empty now and then; errors are entries."""

    page, path = 1000, "/api/query"

    def __init__(self, count: int, hiccup: int | None = None) -> None:
        super().__init__(count)
        self._hiccup = hiccup
        """The page that starts here comes empty once."""

    def document(self, number: int) -> Any:
        return {"id": [f"http://arxiv.org/abs/{number}"], "title": [f"On <{number}>"]}

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("start", "max_results", need=["search_query", "sortBy", "sortOrder"])
        start, size = number(given.get("start", 0), 0, 29_999), number(given.get("max_results", 10), 0, 2000)
        if given["search_query"] == "wrong":
            return self._feed("<entry><id>http://arxiv.org/api/errors#x</id><title>Error</title>"
                              "<summary>incorrect id format</summary></entry>")  # fmt: skip
        if start == self._hiccup:
            self._hiccup = None
            return self._feed("")
        entries = [(one["id"][0], escape(one["title"][0])) for one in self.documents(start, size)]
        return self._feed("".join(f"<entry><id>{id_}</id><title>{title}</title></entry>" for id_, title in entries))

    def _feed(self, entries: str) -> Answered:
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
            '<link href="http://arxiv.org/api/query" rel="self"/><title>ArXiv Query</title>'
            '<opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">'
            f"{self.count}</opensearch:totalResults>{entries}</feed>"
        )
        return Answered(text.encode(), headers={"Content-Type": "application/atom+xml"})


class PubMed(Model):
    """9,999 ids of a search, the page that crosses that is cut, and behind it is an error with 200."""

    page, path = 1000, "/entrez/eutils/esearch.fcgi"

    def document(self, number: int) -> Any:
        return str(number)

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("retmode", "retstart", "retmax", "tool", "email", need=["db", "term"])
        if given["db"] != "pubmed" or given.get("retmode") != "json":
            raise Refused(400, "that is another format")
        start, size = int(given.get("retstart", 0)), number(given.get("retmax", 20), 0, 10_000)
        if start > 9998:
            text = "Search Backend failed: Exception:\\n'retstart' cannot be larger than 9998."
            return said({"header": {}, "esearchresult": {"ERROR": text}})
        ids = self.documents(start, min(size, 9999 - start))
        return said({"header": {}, "esearchresult": {"count": str(self.count), "idlist": ids}})


class SemanticScholarBulk(Model):
    """The page size is the server's, and total is about right; here it is."""

    page, path, secret = 1000, "/graph/v1/paper/search/bulk", ("x-api-key", "hunter2")

    def document(self, number: int) -> Any:
        return {"paperId": f"{number:040x}"}

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("sort", "fields", "year", "token", need=["query"])
        start = position(given["token"]) if "token" in given else 0
        found = self.documents(start, self.page)
        following = token(start + len(found)) if start + len(found) < self.count else None
        return said({"total": self.count, "token": following, "data": found})


class Biorxiv(Model):
    """The cursor counts documents, is a part of the path, and may be anything."""

    page = 30

    def document(self, number: int) -> Any:
        return {"doi": f"10.1101/{number // 2}", "version": str(1 + number % 2)}

    def routed(self, asked: Asked) -> Answered:
        asked.params()
        match asked.path.strip("/").split("/"):
            case ["details", "biorxiv", _, _, cursor, "json"] if cursor.isdecimal():
                found = self.documents(int(cursor), self.page)
            case _:
                raise Refused(404, "no such thing")
        status = "ok" if found else "no posts found"
        message = {"status": status, "cursor": cursor, "count": len(found), "total": str(self.count)}
        return said({"messages": [message if found else {"status": status}], "collection": found})

    def answer(self, asked: Asked) -> Answered:
        return self.routed(asked)


class InternetArchive(Model):
    """The cursor is missing on the last page; with `count` it does not advance; total is that of the rest."""

    page, path = 5000, "/services/search/v1/scrape"

    def document(self, number: int) -> Any:
        return {"identifier": f"item-{number}"}

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("fields", "count", "cursor", need=["q"])
        size = number(given.get("count", 5000), 100, 10_000)
        start = position(given["cursor"]) if "cursor" in given and "count" not in given else 0
        found = self.documents(start, size)
        more = {"cursor": token(start + len(found))} if start + len(found) < self.count else {}
        return said({"items": found, "count": len(found), "total": self.count - start, **more})
