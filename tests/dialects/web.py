"""Models of forges, wikis, weblogs, social networks, feeds and frameworks."""

from typing import Any

from tests.dialects.business import BEARER
from tests.dialects.model import Answered, Asked, Model, Refused, number, position, said, token


class GitHub(Model):
    """Links of several relations in one header; the media type must be asked for."""

    page, path, secret = 100, "/repos/o/n/issues", BEARER

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("state", "per_page", "page")
        if asked.headers.get("accept") != "application/vnd.github+json":
            raise Refused(415, "Unsupported 'Accept' header")
        size, page = number(given.get("per_page", 30), 1, 100), number(given.get("page", 1), 1, 10**6)
        last = max(1, -(-self.count // size))
        links = {"prev": page - 1, "first": 1} if page > 1 else {}
        links |= {"next": page + 1, "last": last} if page < last else {}
        header = ", ".join(f'<{asked.link(page=number)}>; rel="{rel}"' for rel, number in links.items())
        return said(self.documents((page - 1) * size, size), {"Link": header} if header else {})


class GitHubGraphql(Model):
    """The last page has an endCursor, too; errors come with 200."""

    page, path, method, secret = 100, "/graphql", "POST", BEARER

    def answer(self, asked: Asked) -> Answered:
        asked.params()
        given = asked.json("variables", need=["query"])
        if "$after" not in given["query"]:
            return said({"data": None, "errors": [{"message": "Parse error"}]})
        variables = given.get("variables", {})
        start = position(variables["after"]) if variables.get("after") else 0
        found = self.documents(start, self.page)
        end = start + len(found)
        info = {"endCursor": token(end) if found else None, "hasNextPage": end < self.count}
        return said({"data": {"viewer": {"repositories": {"nodes": found, "pageInfo": info}}}})


class GitLab(Model):
    """Keysets want to be ordered by id; there is no total."""

    page, path, secret = 100, "/api/v4/groups/g/projects", ("private-token", "hunter2")

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("per_page", "cursor", need=["pagination", "order_by", "sort"])
        if (given["pagination"], given["order_by"]) != ("keyset", "id"):
            raise Refused(405, "Keyset pagination is not yet available for this type of request")
        start = position(given["cursor"]) if "cursor" in given else 0
        found = self.documents(start, number(given.get("per_page", 20), 1, 100))
        end = start + len(found)
        return said(found, {"Link": f'<{asked.link(cursor=token(end))}>; rel="next"'} if end < self.count else {})


class MediaWiki(Model):
    """Two modules continue at once: every list of pages comes twice, the second time with what was left out."""

    page, answers, path = 500, 2, "/w/api.php"

    def document(self, number: int) -> Any:
        title = {"pageid": number + 1, "title": f"P{number}"}
        return {**title, "coordinates": [{"lat": number}]} if number % 2 else title

    def answer(self, asked: Asked) -> Answered:
        names = ["gcmtitle", "gcmlimit", "gcmcontinue", "prop", "colimit", "cocontinue", "continue"]
        given = asked.params(*names, "maxlag", need=["action", "format", "formatversion", "generator"])
        if given.get("gcmtitle") == "lag":
            return said({"error": {"code": "maxlag", "info": "Waiting for a database server: 6 seconds lagged."}})
        if given.keys() & {"gcmcontinue", "cocontinue"} and "continue" not in given:
            return said({"error": {"code": "badcontinue", "info": 'Invalid value for parameter "continue".'}})
        start, size = position(given.get("gcmcontinue", token(0))), number(given.get("gcmlimit", 10), 1, 500)
        return self._list(start, size, is_rest="cocontinue" in given)

    def _list(self, start: int, size: int, *, is_rest: bool) -> Answered:
        pages = self.documents(start, size)
        if not pages:
            return said({"batchcomplete": True})
        if not is_rest:
            bare = [{"pageid": one["pageid"], "title": one["title"]} for one in pages]
            ways = {"cocontinue": f"{start}|1", "gcmcontinue": token(start), "continue": "||"}
            return said({"continue": ways, "query": {"pages": bare}})
        more = {"continue": {"gcmcontinue": token(start + size), "continue": "gcmcontinue||"}}
        return said({"batchcomplete": True, "query": {"pages": pages}} | (more if start + size < self.count else {}))


class WordPress(Model):
    """A plugin has lowered the page size; behind the last page is a 400; the first page is always there."""

    page, path = 60, "/wp-json/wp/v2/posts"

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("per_page", "page", need=["orderby", "order"])
        size, page = min(number(given.get("per_page", 10), 1, 100), self.page), number(given.get("page", 1), 1, 10**6)
        pages = -(-self.count // size)
        if page > max(1, pages):
            body = {"code": "rest_post_invalid_page_number", "message": "The page number requested is larger …"}
            return said(body, status=400)
        counts = {"X-WP-Total": str(self.count), "X-WP-TotalPages": str(pages)}
        return said(self.documents((page - 1) * size, size), counts)


class Kubernetes(Model):
    """No token is an empty one; it dies with the snapshot, and the 410 offers another one."""

    page, path, secret = 500, "/api/v1/pods", BEARER

    def document(self, number: int) -> Any:
        return {"metadata": {"uid": f"u-{number}", "resourceVersion": "7"}}

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("limit", "labelSelector", "continue")
        if "continue" in given and not self.is_known:
            offer = {"metadata": {"continue": token(0)}, "reason": "Expired", "code": 410}
            return said({"kind": "Status", **offer}, status=410)
        start = position(given["continue"]) if "continue" in given else 0
        found = self.documents(start, number(given.get("limit", 10**6), 1, 10**6))
        self.is_known, rest = True, self.count - start - len(found)
        meta = {"continue": token(start + len(found)), "remainingItemCount": rest} if rest else {"continue": ""}
        return said({"kind": "PodList", "metadata": {"resourceVersion": "7", **meta}, "items": found})


class Mastodon(Model):
    """Pages are filtered after they were cut: the first is empty, and the link is what counts."""

    page, path = 40, "/api/v1/accounts/1/statuses"

    def document(self, number: int) -> Any:
        return {"id": str(10**17 - number)}

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("limit", "max_id", "exclude_replies")
        size = min(number(given.get("limit", 20), 1, 10**6), 40)
        start = 10**17 - number(given.get("max_id", 10**17), 0, 10**17)
        found = self.documents(start, size) if "max_id" in given else []
        end = start + len(found)
        links = [f'<{asked.link(max_id=10**17 - end)}>; rel="next"'] if end < self.count else []
        links.append(f'<{asked.link(min_id=10**17 - start)}>; rel="prev"')
        return said(found, {"Link": ", ".join(links)})


class Bluesky(Model):
    """A page may be empty and have a cursor."""

    page, path = 100, "/xrpc/app.bsky.feed.getAuthorFeed"

    def document(self, number: int) -> Any:
        return {"post": {"uri": f"at://did:plc:x/app.bsky.feed.post/{number}"}}

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("limit", "filter", "cursor", need=["actor"])
        start = position(given["cursor"]) if "cursor" in given else 0
        found = self.documents(start, number(given.get("limit", 50), 1, 100)) if "cursor" in given else []
        end = start + len(found)
        return said({"feed": found, **({"cursor": token(end)} if end < self.count else {})})


class Drf(Model):
    """A page behind the last is a 404; behind a proxy the links would say http."""

    page, path = 25, "/api/things/"

    def __init__(self, count: int, origin: str | None = None) -> None:
        super().__init__(count)
        self._origin = origin

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("page", "search")
        page, pages = number(given.get("page", 1), 1, 10**6), max(1, -(-self.count // self.page))
        if page > pages:
            return said({"detail": "Invalid page."}, status=404)
        link = asked.link(page=page + 1) if page < pages else None
        if link and self._origin:
            link = link.replace(asked.origin, self._origin)
        found = self.documents((page - 1) * self.page, self.page)
        return said({"count": self.count, "next": link, "previous": None, "results": found})


class Atom(Model):
    """The link is relative, and stands among others; entries have links of their own."""

    page, path = 10, "/feed.atom"

    def document(self, number: int) -> Any:
        return {"id": [f"urn:x:{number}"], "link": [{"@rel": "next", "@href": "/elsewhere"}]}

    def answer(self, asked: Asked) -> Answered:
        start = number(asked.params("start").get("start", 0), 0, 10**9)
        found = self.documents(start, self.page)
        end = start + len(found)
        following = f'<link rel="next" href="?start={end}"/>' if end < self.count else ""
        entries = "".join(
            f'<entry><id>{one["id"][0]}</id><link rel="next" href="/elsewhere"/></entry>' for one in found
        )
        inside = f'<link rel="self" href="{self.path}"/>{following}{entries}'
        text = f'<feed xmlns="http://www.w3.org/2005/Atom">{inside}</feed>'
        return Answered(text.encode(), headers={"Content-Type": "application/atom+xml; charset=utf-8"})


class OaiPmh(Model):
    """A token goes with the verb alone; errors come with 200; the last token is empty; one page has none."""

    page, path = 50, "/oai"

    def document(self, number: int) -> Any:
        return {"header": [{"identifier": [f"oai:x:{number}"]}]}

    def answer(self, asked: Asked) -> Answered:
        if "resumptionToken" in dict(asked.query):
            given = asked.params(need=["verb", "resumptionToken"])
            return self._list(given["resumptionToken"])
        given = asked.params("from", "until", "set", need=["verb", "metadataPrefix"])
        if given["metadataPrefix"] != "oai_dc":
            return self._error("cannotDisseminateFormat")
        self.is_known = True
        return self._list(token(0)) if self.count else self._error("noRecordsMatch")

    def _list(self, resumption: str) -> Answered:
        if not self.is_known or not resumption.endswith("+/=="):
            return self._error("badResumptionToken")
        start = position(resumption)
        found = self.documents(start, self.page)
        end = start + len(found)
        element = f"<resumptionToken>{token(end)}</resumptionToken>" if end < self.count else "<resumptionToken/>"
        records = "".join(
            f"<record><header><identifier>{one['header'][0]['identifier'][0]}</identifier></header></record>"
            for one in found
        )
        return self._xml(f"<ListRecords>{records}{element if self.count > self.page else ''}</ListRecords>")

    def _error(self, code: str) -> Answered:
        return self._xml(f'<error code="{code}">no</error>')

    def _xml(self, inside: str) -> Answered:
        text = f'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><request/>{inside}</OAI-PMH>'
        return Answered(text.encode(), headers={"Content-Type": "text/xml;charset=UTF-8"})
