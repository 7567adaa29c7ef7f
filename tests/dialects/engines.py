"""Models of search engines and data stores."""

import json
from typing import Any
from xml.sax.saxutils import escape

from tests.dialects.model import Answered, Asked, Model, Refused, number, position, said, token


class Hits(Model):
    """What Elasticsearch's two ways to page have in common: nobody counts above 10,000 who is not told to."""

    page, path, method = 1000, "/things/_search", "POST"
    is_counted = False

    def document(self, number: int) -> Any:
        return {"_index": "things", "_id": f"d{number}", "_source": {"created": number // 3}, "sort": self.sort(number)}

    def sort(self, number: int) -> list[Any]:
        return [number]

    def hits(self, start: int, size: int, **more: Any) -> Answered:
        failed = {"_shards": {"total": 3, "successful": 3, "failed": 0}}
        value = self.count if self.is_counted else min(self.count, 10_000)
        found = {"total": {"value": value}, "hits": self.documents(start, size)}
        return said({"took": 1, "timed_out": False, **failed, "hits": found, **more})


class ElasticsearchScroll(Hits):
    """A scroll's id stays the same, each request for it moves on, and it takes no other parameters than its own."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self._at: int | None = None
        self._size = 0

    def routed(self, asked: Asked) -> Answered:
        if (asked.method, asked.path) != ("POST", "/_search/scroll"):
            return super().routed(asked)
        asked.params()
        given = asked.json(need=["scroll", "scroll_id"])
        if self._at is None or given["scroll_id"] != "DXF1ZXJ5+/==":
            raise Refused(404, "search_context_missing_exception: No search context found")
        return self._next()

    def answer(self, asked: Asked) -> Answered:
        asked.params(need=["scroll"])
        given = asked.json("sort", "query", "track_total_hits", "size")
        self._at, self._size = 0, number(given.get("size", 10), 1, 10_000)
        self.is_counted = given.get("track_total_hits", False)
        return self._next()

    def _next(self) -> Answered:
        start = self._at or 0
        self._at = min(start + self._size, self.count)
        return self.hits(start, self._size, _scroll_id="DXF1ZXJ5+/==")

    def forget(self) -> None:
        self._at = None


class ElasticsearchSearchAfter(Hits):
    """search_after holds as many values as there are sort fields; a point in time has a new id with each answer."""

    def sort(self, number: int) -> list[Any]:
        return [number // 3, f"d{number:06}"]

    def routed(self, asked: Asked) -> Answered:
        with_pit = b'"pit"' in asked.body
        if (asked.method, asked.path) != ("POST", "/_search" if with_pit else self.path):
            raise Refused(404, "index_not_found_exception")
        return self.answer(asked)

    def answer(self, asked: Asked) -> Answered:
        asked.params()
        given = asked.json("size", "track_total_hits", "query", "pit", "search_after", need=["sort"])
        self.is_counted = given.get("track_total_hits", False)
        start = 0
        if "search_after" in given:
            after: list[Any] = given["search_after"]
            if len(after) != len(given["sort"]):
                raise Refused(400, "search_after has another number of values than sort")
            start = next((n for n in range(self.count) if self.sort(n) > after), self.count)
        if "pit" not in given:
            return self.hits(start, number(given.get("size", 10), 1, 10_000))
        if given["pit"].get("id") != f"pit-{start}" or "keep_alive" not in given["pit"]:
            raise Refused(404, "search_context_missing_exception")
        size = number(given.get("size", 10), 1, 10_000)
        return self.hits(start, size, pit_id=f"pit-{min(start + size, self.count)}")


class Solr(Model):
    """The end is the cursorMark that was sent; the unique key must be in the sort, and start must not be there."""

    page, path = 500, "/solr/things/select"

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("fq", "wt", "rows", "cursorMark", need=["q", "sort"])
        if "id " not in given["sort"]:
            raise Refused(400, "Cursor functionality requires a sort containing a uniqueKey field tie breaker")
        mark = given.get("cursorMark", "*")
        start = 0 if mark == "*" else position(mark)
        found = self.documents(start, number(given.get("rows", 10), 0, 100_000))
        following = token(start + len(found)) if found else mark
        response = {"numFound": self.count, "start": 0, "docs": found}
        return said({"responseHeader": {"status": 0}, "response": response, "nextCursorMark": following})


class DynamoDbScan(Model):
    """Keys are objects, numbers are strings, and a page may be empty without being the last."""

    page, path, method = 50, "/", "POST"

    def document(self, number: int) -> Any:
        return {"pk": {"S": f"thing-{number}"}, "n": {"N": str(number)}}

    def answer(self, asked: Asked) -> Answered:
        if asked.headers.get("x-amz-target") != "DynamoDB_20120810.Scan":
            raise Refused(400, "UnknownOperationException")
        asked.params()
        if asked.headers.get("content-type") != "application/x-amz-json-1.0":
            raise Refused(404, "UnknownOperationException")
        given = asked.json("Limit", "ExclusiveStartKey", need=["TableName"])
        key = given.get("ExclusiveStartKey")
        start = 0 if key is None else self._behind(key)
        found = [] if key is None else self.documents(start, self.page)  # the first megabyte was filtered out
        end = start + len(found)
        more = {} if end == self.count else {"LastEvaluatedKey": {"pk": {"S": f"thing-{end - 1}"}}}
        return said({"Items": found, "Count": len(found), "ScannedCount": self.page, **more})

    def _behind(self, key: Any) -> int:
        if not isinstance(key, dict) or list(key) != ["pk"]:  # pyright: ignore[reportUnknownArgumentType]
            raise Refused(400, "The provided starting key is invalid")
        return int(str(json.loads(json.dumps(key))["pk"]["S"]).removeprefix("thing-")) + 1


class S3List(Model):
    """XML whose flag is a word; with a token start-after is not looked at."""

    page, path = 1000, "/"

    def document(self, number: int) -> Any:
        return {"Key": [f"2024/{number:05} & more"], "Size": [str(number)]}

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("max-keys", "prefix", "continuation-token", need=["list-type"])
        if given["list-type"] != "2":
            raise Refused(400, "InvalidArgument")
        start = position(given["continuation-token"]) if "continuation-token" in given else 0
        found = self.documents(start, min(number(given.get("max-keys", 1000), 0, 10**6), 1000))
        is_truncated = start + len(found) < self.count
        contents = "".join(
            f"<Contents><Key>{escape(one['Key'][0])}</Key><Size>{one['Size'][0]}</Size></Contents>" for one in found
        )
        following = (
            f"<NextContinuationToken>{token(start + len(found))}</NextContinuationToken>" if is_truncated else ""
        )
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>bucket</Name><KeyCount>{len(found)}</KeyCount><IsTruncated>{str(is_truncated).lower()}</IsTruncated>"
            f"{contents}{following}</ListBucketResult>"
        )
        return Answered(text.encode(), headers={"Content-Type": "application/xml"})


class CouchChanges(Model):
    """last_seq stands on every page, and is opaque."""

    page, path = 1000, "/things/_changes"

    def document(self, number: int) -> Any:
        return {"seq": f"{number + 1}-g1AAAA{number:x}", "id": f"d{number}", "changes": [{"rev": "1-a"}]}

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("limit", "include_docs", "since")
        since = given.get("since", "0")
        start = int(since.partition("-g1AAAA")[0])
        if since not in ("0", self._sequence(start)):
            raise Refused(400, "Malformed sequence supplied in 'since' parameter.")
        found = self.documents(start, number(given.get("limit", self.count), 0, 10**9))
        end = start + len(found)
        return said({"results": found, "last_seq": self._sequence(end), "pending": self.count - end})

    def _sequence(self, end: int) -> str:
        return f"{end}-g1AAAA{end - 1:x}" if end else "0"


class CouchAllDocs(Model):
    """startkey is JSON, and inclusive."""

    page, path = 1000, "/things/_all_docs"

    def document(self, number: int) -> Any:
        return {"id": f'd{number:06}"+é', "key": f'd{number:06}"+é', "value": {"rev": "1-a"}}

    def answer(self, asked: Asked) -> Answered:
        given = asked.params("include_docs", "limit", "startkey")
        try:
            key = json.loads(given.get("startkey", '""'))
        except ValueError as error:
            raise Refused(400, "invalid UTF-8 JSON") from error
        start = next((n for n in range(self.count) if self.document(n)["key"] >= key), self.count)
        found = self.documents(start, number(given.get("limit", self.count), 0, 10**9))
        return said({"total_rows": self.count, "offset": start, "rows": found})
