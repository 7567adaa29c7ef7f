"""XML and HTML as they come: elements that repeat, and what stands beside them."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from lxml import etree, html
from lxml.etree import _Element as Element  # pyright: ignore[reportPrivateUsage]  # it has no other name

from pagefleet.markup import NAMESPACES, as_json
from pagefleet.probe.observation import Member, Place, last_segment
from pagefleet.probe.words import ASIDE, DOCUMENTS, plain

PREFIXES = {uri: prefix for prefix, uri in NAMESPACES.items()}
MOST = 5000
"""Elements that are looked at."""
SEVERAL = 2
KNOWN = (
    ("/oai:OAI-PMH/oai:ListRecords/oai:record", "records of OAI-PMH"),
    ("/oai:OAI-PMH/oai:ListIdentifiers/oai:header", "headers of OAI-PMH"),
    ("/oai:OAI-PMH/oai:ListSets/oai:set", "sets of OAI-PMH"),
    ("/atom:feed/atom:entry", "entries of an Atom feed"),
    ("/rss/channel/item", "items of an RSS feed"),
    ("/s3:ListBucketResult/s3:Contents", "objects of a bucket"),
)


@dataclass
class Names:
    """XPaths of elements, with the prefixes that they need."""

    needed: dict[str, str] = field(default_factory=dict[str, str])

    def path(self, element: Element) -> str:
        above = "".join(f"/{self.name(one)}" for one in reversed(list(element.iterancestors())))
        return f"{above}/{self.name(element)}"

    def name(self, element: Element) -> str:
        uri, _, name = _tag(element)[1:].rpartition("}") if _tag(element)[:1] == "{" else ("", "", _tag(element))
        return f"{PREFIXES.get(uri) or self._own(uri, element)}:{name}" if uri else name

    def _own(self, uri: str, element: Element) -> str:
        for prefix, known in self.needed.items():
            if known == uri:
                return prefix
        wanted = next((prefix for prefix, known in element.nsmap.items() if known == uri and prefix), "n")
        prefix, number = wanted, 1
        while prefix in self.needed or prefix in NAMESPACES:
            number += 1
            prefix = f"{wanted}{number}"
        self.needed[prefix] = uri
        return prefix


def _tag(element: Element) -> str:
    """Its name; comments have none."""
    tag: Any = element.tag
    return tag if isinstance(tag, str) else ""


def _local(element: Element) -> str:
    return _tag(element).rpartition("}")[2]


def _text(element: Element) -> str:
    return " ".join("".join(str(text) for text in element.itertext()).split())


def parsed_xml(body: bytes) -> Element:
    """The root; raises `Stop` as the crawl would."""
    from pagefleet.markup import XmlDecoder  # noqa: PLC0415

    XmlDecoder("/*", (), {}).decode(body)  # it refuses what must not be read
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    return etree.fromstring(body, parser=parser)


def said_error(root: Element) -> str:
    """What OAI-PMH says in place of records."""
    found = _elements(root, "/oai:OAI-PMH/oai:error", {})
    return " ".join(f"{one.get('code')} {_text(one)}".strip() for one in found)


def xml_places(root: Element, names: Names, url: str) -> list[Place]:
    """Where the documents may be, the likeliest first."""
    known = [
        Place(
            path, [as_json(one) for one in _elements(root, path, {})], 12.0, f"{why}, {len(_elements(root, path, {}))}"
        )
        for path, why in KNOWN
        if _elements(root, path.rpartition("/")[0], {})
    ]
    return known or sorted(_repeated(root, names, url), key=lambda place: -place.score)


def _elements(root: Element, path: str, more: Mapping[str, str]) -> list[Element]:
    return cast("list[Element]", etree.XPath(path, namespaces={**NAMESPACES, **more})(root))


def _repeated(root: Element, names: Names, url: str) -> Iterator[Place]:
    """Elements with a name that several children of one parent have."""
    seen: set[str] = set()
    for parent in _walked(root):
        counts = Counter(tag for child in parent if (tag := _tag(child)))
        for child in parent:
            path = names.path(child) if counts[_tag(child)] >= SEVERAL else ""
            if not path or path in seen:
                continue
            seen.add(path)
            found = _elements(root, path, names.needed)
            if any(_is_within(path, other) for other in seen if other != path):
                continue
            yield _place(path, found, url)


def _is_within(path: str, other: str) -> bool:
    return path.startswith(f"{other}/")


def _place(path: str, found: list[Element], url: str) -> Place:
    name = plain(_local(found[0]))
    depth = path.count("/") - 2
    score = 4.0 if any(len(one) or one.attrib for one in found) else 1.0
    score += 3.0 * (name in DOCUMENTS | {"item", "entry", "row", "doc", "result", "hit", "object"})
    score += 3.0 * (last_segment(url) in (name, f"{name}s", f"{name[:-1]}ies"))
    score -= 6.0 * (name in ASIDE) + 0.5 * max(0, depth)
    return Place(path, [as_json(one) for one in found], score, f"{len(found)} elements {name}")


def _walked(root: Element) -> Iterator[Element]:
    for number, element in enumerate(root.iter()):
        if number >= MOST:
            return
        if _tag(element):
            yield element


def xml_members(root: Element, names: Names, documents: str) -> Iterator[Member]:
    """Attributes and texts of the elements that are no documents, nor within them."""
    found = _elements(root, documents, names.needed) if documents else []
    inside = {one for element in found for one in element.iter()}
    for element in _walked(root):
        if element in inside:
            continue
        path, local = names.path(element), _local(element)
        rel = element.get("rel")
        if rel and element.get("href") is not None:
            yield Member(f"{path}[@rel='{rel}']/@href", rel, element.get("href"))
            continue
        for name, value in element.attrib.items():
            if not str(name).startswith("{"):
                yield Member(f"{path}/@{name!s}", str(name), value)
        if len(element) == 0:
            yield Member(path, local, (element.text or "").strip() or None)


# HTML


def parsed_html(body: bytes) -> Element | None:
    """The root of whatever this is."""
    if not body.strip():
        return None
    return html.document_fromstring(body, parser=html.HTMLParser(no_network=True))


def html_places(root: Element) -> list[Place]:
    """Siblings of one class, those with the most text first."""
    found: list[Place] = []
    for parent in _walked(root):
        groups: dict[tuple[str, str], list[Element]] = {}
        for child in parent:
            if _tag(child):
                groups.setdefault((_tag(child), _fit(child.get("class"))), []).append(child)
        for (tag, kind), group in groups.items():
            if len(group) < SEVERAL or tag in {"script", "link", "meta", "br", "style", "option", "p"}:
                continue
            found.append(_html_place(tag, kind, parent, group))
    return sorted(found, key=lambda place: -place.score)


def _fit(names: str | None) -> str:
    """The first of an element's names, if a selector can hold it as it is: `sm:p-4` and `w-1/2` it cannot."""
    first = (names or "").split(" ")[0]
    return first if re.fullmatch(r"[A-Za-z_][\w-]*", first, re.ASCII) else ""


def _html_place(tag: str, kind: str, parent: Element, group: list[Element]) -> Place:
    selector = f"{tag}.{kind}" if kind else tag
    place, of = _fit(parent.get("id")), _fit(parent.get("class"))
    if not kind:
        above = f"{parent.tag}#{place}" if place else f"{parent.tag}.{of}" if of else str(parent.tag)
        selector = f"{above} > {tag}"
    texts = [_text(one) for one in group]
    within = {_tag(one) for one in parent.iterancestors()} | {_tag(parent)}
    score = min(8.0, sum(map(len, texts)) / 100) - 8.0 * bool(within & {"nav", "header", "footer", "form"})
    return Place(selector, list(texts), score, f"{len(group)} elements {selector}")


def html_members(root: Element) -> Iterator[Member]:
    """The links that say what they lead to."""
    for element in root.iter("link", "a"):
        for rel in (element.get("rel") or "").split():
            if rel in ("next", "prev", "first", "last") and element.get("href"):
                yield Member(f"{element.tag}[rel~={rel}]::attr(href)", rel, element.get("href"))


def described_html(body: bytes) -> str:
    """What a page of HTML is that nobody asked for."""
    root = parsed_html(body)
    if root is None:
        return "an empty page"
    title = " ".join(_text(one) for one in root.iter("title"))
    login = any(str(one.get("type", "")).lower() == "password" for one in root.iter("input"))
    said = f" {title[:60]!r}" if title else ""
    return f"a page{said} that asks for a password" if login else f"a page{said}"
