"""What is being probed: the first answer, and what was taken for its documents."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import httpx

from pagefleet.errors import Stop
from pagefleet.formats import Reader
from pagefleet.page import Page, Response
from pagefleet.paths import parse_path
from pagefleet.probe.asking import Walked
from pagefleet.probe.envelope import written_query
from pagefleet.probe.observation import Member, Observation, Place
from pagefleet.probe.sameness import Relation, relation


@dataclass(frozen=True, slots=True)
class Case:
    """The first answer, with one of its places taken for the documents."""

    observation: Observation
    place: Place
    headers: Mapping[str, str]
    key: str | None
    total: Member | None = None
    """Where the number of all documents seems to be declared, and that number."""

    @property
    def url(self) -> str:
        return self.observation.response.url

    @property
    def documents(self) -> list[Any]:
        return self.place.documents

    @property
    def count(self) -> int:
        return len(self.place.documents)

    @property
    def declared(self) -> int | None:
        return None if self.total is None else int(self.total.value)

    @property
    def says_more(self) -> bool:
        """Does it declare more documents than it holds?"""
        return self.declared is not None and self.declared > self.count

    def said(self, paginate: Mapping[str, Any], *, without: Sequence[str] = ()) -> dict[str, Any]:
        """A crawl with this paginator; parameters that it sets itself are left out of the URL."""
        url = httpx.URL(self.url)
        for name in without:
            url = url.copy_remove_param(name)
        said: dict[str, Any] = {"url": str(url)}
        if self.headers:
            said["headers"] = dict(self.headers)
        if self.observation.format != "auto":
            said["format"] = self.observation.format
        said["documents"] = self.place.path
        if self.key:
            said["key"] = self.key
        said["paginate"] = dict(paginate)
        return self.with_namespaces(said)

    def with_namespaces(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """The prefixes that its paths need, and no others."""
        texts = json.dumps([said.get("documents"), said.get("total"), said.get("paginate")])
        needed = {prefix: uri for prefix, uri in self.observation.namespaces.items() if f"{prefix}:" in texts}
        return {**said, "namespaces": needed} if needed else dict(said)

    def leniently(self) -> "Case | None":
        """The same with a place that may be missing; None where that cannot be written."""
        try:
            names = parse_path(self.place.path)
        except ValueError:
            return None
        if self.observation.format != "auto" or not names:
            return None
        return replace(self, place=replace(self.place, path=f"{written_query(names)}[*]"))

    def with_params(self, params: Mapping[str, Any]) -> str:
        """The probed URL with these parameters."""
        return str(httpx.URL(self.url).copy_merge_params(params))

    def read(self, response: Response) -> list[Any] | None:
        """The documents of another answer; None when it is none."""
        if not httpx.codes.is_success(response.status):
            return None
        try:
            reader = Reader(self.observation.format, self.place.path, (), self.observation.namespaces)
            return [json.loads(one) for one in reader.read(response).documents]
        except (Stop, ValueError):  # a path that names a member as odd as this one
            return None

    def relation(self, documents: Sequence[Any]) -> Relation:
        """Of these documents to the first ones."""
        return relation(self.documents, documents, self.key)


class Standing(IntEnum):
    """What came of a trial, the best first."""

    VERIFIED = 0
    """The second page is there, and it is new."""
    ENDS = 1
    """There is one page, and what would lead to another is understood."""
    UNSURE = 2
    REFUTED = 3


@dataclass(frozen=True, slots=True)
class Trial:
    """A description of a crawl, and what came of trying it."""

    said: Mapping[str, Any]
    standing: Standing
    evidence: str
    walked: Walked | None = None
    is_mixed: bool = False
    """It was refuted by documents that came twice: what it tried has an effect, so nothing else will have another."""

    @property
    def paginate(self) -> Mapping[str, Any]:
        return dict(self.said["paginate"])

    @property
    def kind(self) -> str:
        return str(self.paginate["kind"])

    @property
    def first_url(self) -> str:
        """What fetched the first page."""
        return self._url(None)

    @property
    def second_url(self) -> str:
        """What fetched the second one."""
        return self._url(self.walked.pages[0].cursor if self.walked else None)

    def _url(self, cursor: Any) -> str:
        if self.walked is None:
            return str(self.said["url"])
        crawl = self.walked.crawl
        return crawl.paginate.request(crawl.first(), cursor).url

    def with_paginate(self, more: Mapping[str, Any]) -> "Trial":
        """The same with more said of its paginator."""
        return replace(self, said={**self.said, "paginate": {**self.paginate, **more}})

    @property
    def fetched(self) -> Sequence[Page]:
        return self.walked.pages if self.walked else ()

    def pages(self) -> list[list[Any]]:
        """The documents of the pages that it fetched."""
        return [[json.loads(one) for one in page.documents] for page in self.fetched]
