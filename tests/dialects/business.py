"""Models of the APIs of companies' software: all of them ask who you are."""

from typing import Any

from tests.dialects.model import Answered, Asked, Model, Refused, number, position, said, token

BEARER = ("authorization", "Bearer hunter2")


class Stripe(Model):
    """The cursor is the id of the last document, and must exist."""

    page, path, secret = 100, "/v1/charges", BEARER

    def document(self, number: int) -> Any:
        return {"id": f"ch_{number:05}"}

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("limit", "created", "starting_after")
        start = 0
        if "starting_after" in given:
            ids = [one["id"] for one in self.documents()]
            if given["starting_after"] not in ids:
                raise Refused(400, "resource_missing")
            start = ids.index(given["starting_after"]) + 1
        found = self.documents(start, number(given.get("limit", 10), 1, 100))
        return said({"object": "list", "data": found, "has_more": start + len(found) < self.count})


class Slack(Model):
    """Pages are short without being the last; errors come with 200; no cursor is an empty one."""

    page, path = 200, "/api/conversations.history"

    def document(self, number: int) -> Any:
        return {"ts": f"1700000000.{number:06}"}

    def answer(self, asked: Asked) -> Answered:
        if asked.headers.get("authorization") != "Bearer hunter2":
            return said({"ok": False, "error": "not_authed"})
        given = asked.params("limit", "oldest", "cursor", need=["channel"])
        if given["channel"] != "C0123456789":
            return said({"ok": False, "error": "channel_not_found"})
        start = position(given["cursor"]) if "cursor" in given else 0
        size = number(given.get("limit", 100), 1, 999)
        found = self.documents(start, size if start else size - 1)
        following = token(start + len(found)) if start + len(found) < self.count else ""
        return said({"ok": True, "messages": found, "response_metadata": {"next_cursor": following}})


class Notion(Model):
    """All of it in the body; the version must be named."""

    page, path, method, secret = 100, "/v1/databases/d/query", "POST", BEARER

    def answer(self, asked: Asked) -> Answered:
        asked.params()
        given = asked.json("page_size", "filter", "sorts", "start_cursor")
        if "notion-version" not in asked.headers:
            raise Refused(400, "missing_version")
        start = position(given["start_cursor"]) if "start_cursor" in given else 0
        found = self.documents(start, number(given.get("page_size", 100), 1, 100))
        has_more = start + len(found) < self.count
        following = token(start + len(found)) if has_more else None
        return said({"object": "list", "results": found, "has_more": has_more, "next_cursor": following})


class HubSpot(Model):
    """paging is missing on the last page."""

    page, path, secret = 100, "/crm/v3/objects/contacts", BEARER

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("limit", "properties", "archived", "after")
        return self.paged(given, 100)

    def paged(self, given: dict[str, Any], most: int, **more: Any) -> Answered:
        start = number(given.get("after", 0), 0, 10**9)
        found = self.documents(start, number(given.get("limit", 10), 1, most))
        end = start + len(found)
        paging = {"paging": {"next": {"after": str(end), "link": "?"}}} if end < self.count else {}
        return said({"results": found, **more, **paging})


class HubSpotSearch(HubSpot):
    """Behind 10,000 results it answers 400."""

    page, path, method = 200, "/crm/v3/objects/contacts/search", "POST"

    def answer(self, asked: Asked) -> Answered:
        asked.params()
        given = asked.json("limit", "properties", "after", need=["filterGroups", "sorts"])
        if int(given.get("after", 0)) >= 10_000:
            raise Refused(400, "VALIDATION_ERROR")
        return self.paged(given, 200, total=self.count)


class Salesforce(Model):
    """The page size is Salesforce's, and the link is relative."""

    page, path, secret = 2000, "/services/data/v60.0/query", BEARER

    def document(self, number: int) -> Any:
        return {"Id": f"001{number:012}"}

    def routed(self, asked: Asked) -> Answered:
        base, _, locator = asked.path.partition("/01g")
        if not locator:
            return super().routed(asked)
        asked.params()
        return self._from(number(locator.rpartition("-")[2], 0, 10**9)) if base == self.path else super().routed(asked)

    def answer(self, asked: Asked) -> Answered:
        asked.params(need=["q"])
        return self._from(0)

    def _from(self, start: int) -> Answered:
        found = self.documents(start, self.page)
        end = start + len(found)
        more = {} if end >= self.count else {"nextRecordsUrl": f"{self.path}/01gD0000002HU6K-{end}"}
        return said({"totalSize": self.count, "done": not more, "records": found, **more})


class Shopify(Model):
    """Beside a page_info only limit and fields are allowed."""

    page, path, secret = 250, "/admin/api/2024-10/products.json", ("x-shopify-access-token", "hunter2")

    def answer(self, asked: Asked) -> Answered:
        names = ["page_info", "limit", "fields"]
        given = asked.params(*names) if "page_info" in dict(asked.query) else asked.params(*names, "status", "since_id")
        start = position(given["page_info"]) if "page_info" in given else 0
        size = number(given.get("limit", 50), 1, 250)
        found = self.documents(start, size)
        links = [f'<{asked.origin}{self.path}?limit={size}&page_info=0%2B%2F%3D%3D>; rel="previous"'] if start else []
        if start + len(found) < self.count:
            links.append(f'<{asked.origin}{self.path}?limit={size}&page_info={start + size}%2B%2F%3D%3D>; rel="next"')
        return said({"products": found}, {"Link": ", ".join(links)} if links else {})


class Jira(Model):
    """maxResults is lowered without a word; the token is missing on the last page."""

    page, path, secret = 50, "/rest/api/3/search/jql", ("authorization", "Basic aHVudGVyMg==")

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("maxResults", "fields", "nextPageToken", need=["jql"])
        start = position(given["nextPageToken"]) if "nextPageToken" in given else 0
        found = self.documents(start, min(number(given.get("maxResults", 50), 1, 5000), self.page))
        is_last = start + len(found) >= self.count
        more = {} if is_last else {"nextPageToken": token(start + len(found))}
        return said({"issues": found, "isLast": is_last, **more})


class Zendesk(Model):
    """The last page has a link, too; without page[size] it would be another API."""

    page, path, secret = 100, "/api/v2/tickets.json", ("authorization", "Basic aHVudGVyMg==")

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("sort", "page[after]", need=["page[size]"])
        start = position(given["page[after]"]) if "page[after]" in given else 0
        found = self.documents(start, number(given["page[size]"], 1, 100))
        has_more = start + len(found) < self.count
        links = {"next": asked.link(**{"page[after]": token(start + len(found))}), "prev": None}
        return said({"tickets": found, "meta": {"has_more": has_more}, "links": links})


class Airtable(Model):
    """The offset is a token, which dies."""

    page, path, secret = 100, "/v0/appBase/Table", BEARER

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("pageSize", "view", "offset")
        if "offset" in given and not self.is_known:
            raise Refused(422, "LIST_RECORDS_ITERATOR_NOT_AVAILABLE")
        start = position(given["offset"]) if "offset" in given else 0
        found = self.documents(start, number(given.get("pageSize", 100), 1, 100))
        self.is_known = True
        more = {"offset": token(start + len(found))} if start + len(found) < self.count else {}
        return said({"records": found, **more})


class Scim(Model):
    """Counts from 1, cuts what is too much, and leaves Resources out when there are none."""

    page, path, secret = 40, "/scim/v2/Users", BEARER

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("startIndex", "count", "filter")
        start = number(given.get("startIndex", 1), 1, 10**9)
        found = self.documents(start - 1, min(number(given.get("count", 20), 0, 10_000), self.page))
        resources = {"Resources": found} if found else {}
        headers = {"Content-Type": "application/scim+json"}
        return said({"totalResults": self.count, "startIndex": start, "itemsPerPage": len(found), **resources}, headers)


class Dropbox(Model):
    """Goes on at another URL, which takes the cursor alone; a page may be empty; the cursor may be reset."""

    page, path, method, secret = 2000, "/2/files/list_folder", "POST", BEARER

    def routed(self, asked: Asked) -> Answered:
        asked.params()
        if (asked.method, asked.path) != ("POST", f"{self.path}/continue"):
            return super().routed(asked)
        start = position(asked.json(need=["cursor"])["cursor"])
        if not self.is_known:
            raise Refused(409, "reset/..")
        return self._from(start, self.page)

    def answer(self, asked: Asked) -> Answered:
        given = asked.json("recursive", "limit", need=["path"])
        self.is_known = True
        number(given.get("limit", 2000), 1, 2000)
        return self._from(0, 0)  # the first answer is empty at times

    def _from(self, start: int, size: int) -> Answered:
        found = self.documents(start, size)
        end = start + len(found)
        return said({"entries": found, "cursor": token(end), "has_more": end < self.count})
