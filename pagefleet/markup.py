"""XML and HTML to documents: elements chosen by XPath or CSS, as JSON by a mapping that never depends on counts.

    <record id="7"><title>A</title><title lang="fr">B</title></record>
    {"@id": "7", "title": ["A", {"@lang": "fr", "#text": "B"}]}

An attribute is a member `@name`. A child element is in an array under its name, even when it is the only one. An
element without attributes and children is its text; else its text, if it has any, is the member `#text` (text between
children, joined by single spaces). Names are as written, prefix included; declarations of namespaces are left out. An
HTML element is its attributes and `#text`. A crawl with `original = true` also gets `#original`, the element as markup.
Nothing outside the body is ever read: no DTD, no entities, no network.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
from lxml import etree, html
from lxml.cssselect import CSSSelector
from lxml.etree import _Element as Element  # pyright: ignore[reportPrivateUsage]  # it has no other name

from pagefleet.bounds import DEFAULT, Bounds
from pagefleet.decode import Decoded, is_array, is_object
from pagefleet.errors import Garbled, Stop
from pagefleet.redaction import cut

ORIGINAL = "#original"
MOST_NAMESPACES = 100
"""That an element may use; each of its names is looked up among them."""

NAMESPACES = {
    "atom": "http://www.w3.org/2005/Atom",
    "dc": "http://purl.org/dc/elements/1.1/",
    "media": "http://search.yahoo.com/mrss/",
    "oai": "http://www.openarchives.org/OAI/2.0/",
    "oai_dc": "http://www.openarchives.org/OAI/2.0/oai_dc/",
    "opensearch": "http://a9.com/-/spec/opensearch/1.1/",
    "s3": "http://s3.amazonaws.com/doc/2006-03-01/",
}
"""Prefixes that every XPath may use; a crawl adds its own."""
FORBIDDEN = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|&#(?:x0*(?:[0-8bcef]|1[0-9a-f])|0*(?:[0-8]|1[124-9]|2\d|3[01]));", re.IGNORECASE
)
"""Characters that XML has no place for; servers copy them out of their databases all the same."""


class XmlDecoder:
    """Takes XML apart by XPath 1.0."""

    def __init__(
        self, documents: str, members: Sequence[str], namespaces: Mapping[str, str], *, with_original: bool = False
    ) -> None:
        known = {**NAMESPACES, **namespaces}
        self._documents = _xpath(documents, known)
        self._members = {member: _xpath(member, known) for member in members}
        self._path = documents
        self._with_original = with_original

    def decode(self, body: bytes, bounds: Bounds = DEFAULT) -> Decoded:
        """Elements as JSON; raises `Stop` when the body is not XML, or has a DTD."""
        bounds.check_markup(body)
        tree = _parse_xml(body)
        try:
            found: Any = self._documents(tree)
            members = {
                member: value for member, path in self._members.items() if (value := _text(path(tree))) is not None
            }
        except etree.XPathError as error:
            fault = cut(str(error), 200)
            raise Stop(f"reading by the XPath {self._path!r}, or one of a member: {fault}; correct it") from error
        if not is_array(found) or not all(isinstance(one, Element) for one in found):
            raise Stop(f"documents={self._path!r} names no elements; write an XPath that does")
        return Decoded(bounds.collected(map(self._document, found), body), members)

    def _document(self, element: Element) -> bytes:
        mapped = as_json(element)
        if self._with_original:
            mapped = mapped if is_object(mapped) else {"#text": mapped}
            mapped[ORIGINAL] = etree.tostring(element, encoding="unicode", with_tail=False)
        return msgspec.json.encode(mapped)


def _xpath(path: str, namespaces: Mapping[str, str]) -> etree.XPath:
    try:
        compiled = etree.XPath(path, namespaces=namespaces)
        compiled(etree.Element("nothing"))  # a prefix that is not declared is found only now
    except etree.XPathError as error:
        raise ValueError(f"{path!r} is not an XPath ({error})") from error
    return compiled


class HtmlDecoder:
    """Takes HTML apart by CSS selectors; a member is `selector`, `selector::text` or `selector::attr(name)`."""

    def __init__(self, documents: str, members: Sequence[str] = (), *, with_original: bool = False) -> None:
        self._documents = _selector(documents)
        self._members = {member: _Extract(member) for member in members}
        self._with_original = with_original

    def decode(self, body: bytes, bounds: Bounds = DEFAULT) -> Decoded:
        """Elements as JSON; HTML is never wrong, so an error page is only one without documents."""
        bounds.check_markup(body)
        try:
            tree = html.document_fromstring(body, parser=html.HTMLParser(no_network=True))
        except etree.ParserError:  # nothing but blanks or comments
            return Decoded([], {})
        try:
            members = {
                member: value for member, extract in self._members.items() if (value := extract(tree)) is not None
            }
            return Decoded(bounds.collected(map(self._document, _selected(self._documents, tree)), body), members)
        except ValueError as error:  # a name or an attribute that lxml can parse, and not hand out
            raise Garbled(f"the page is HTML that cannot be read: {cut(str(error), 80)}") from error

    def _document(self, element: Element) -> bytes:
        attributes: Mapping[str, str] = dict(cast("Any", element.attrib))
        mapped = {**{f"@{name}": value for name, value in attributes.items()}, "#text": _joined_text(element)}
        if self._with_original:
            mapped[ORIGINAL] = etree.tostring(element, encoding="unicode", method="html", with_tail=False)
        return msgspec.json.encode(mapped)


class _Extract:
    def __init__(self, text: str) -> None:
        selector, _, what = text.partition("::")
        self._selector = _selector(selector)
        found = re.fullmatch(r"attr\(([\w:-]+)\)|text|", what)
        if found is None:
            raise ValueError(f"{text!r}: behind :: comes text or attr(name)")
        self._attribute = found[1] if what.startswith("attr") else None
        self._is_text = what == "text"

    def __call__(self, tree: Element) -> str | None:
        for element in _selected(self._selector, tree):
            if self._is_text:
                return _joined_text(element)
            value = element.get(self._attribute or "href")
            return value if value is not None or self._attribute else _joined_text(element)
        return None


def _selected(selector: CSSSelector, tree: Element) -> list[Element]:
    found: Any = selector(tree)
    return list(found)


def _selector(text: str) -> CSSSelector:
    try:
        return CSSSelector(text, translator="html")
    except Exception as error:  # cssselect's own errors have no common class
        raise ValueError(f"{text!r} is not a CSS selector: {error}") from error


def _parse_xml(body: bytes) -> Element:
    try:
        tree = _parsed(body)
    except etree.XMLSyntaxError as error:
        mended = _mended(body)
        if mended is None:
            head = body[:60].decode(errors="replace")
            raise Garbled(f"the page is not XML ({cut(str(error), 80)}): it starts with {head!r}") from error
        tree = mended
    declared: Any = tree.getroottree().docinfo.internalDTD
    if declared is not None:
        raise Stop("the page has a document type definition, which may name files and grow without end; it is not read")
    return tree


def _parsed(body: bytes) -> Element:
    return etree.fromstring(body, parser=_xml_parser())


def _mended(body: bytes) -> Element | None:
    """The body without characters that XML forbids, if it has any and that is all that was wrong."""
    mended = FORBIDDEN.sub(b"", body)
    if mended == body:
        return None
    try:
        return _parsed(mended)
    except etree.XMLSyntaxError:
        return None


def _xml_parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_pis=True)


def as_json(element: Element) -> Any:
    """An element by the mapping above."""
    attributes: Mapping[str, str] = dict(cast("Any", element.attrib))
    found: dict[str, Any] = {f"@{_name(element, key)}": value for key, value in attributes.items()}
    texts: list[str | None] = [element.text]
    for child in element:
        tag: Any = child.tag  # comments have a function for one
        if isinstance(tag, str):
            found.setdefault(_name(child, tag), []).append(as_json(child))
        texts.append(child.tail)
    text = " ".join(part for part in (" ".join((text or "").split()) for text in texts) if part)
    if not found:
        return element.text if len(element) == 0 and element.text else text
    if text:
        found["#text"] = text
    return found


def _joined_text(element: Element) -> str:
    return " ".join("".join(str(text) for text in element.itertext()).split())


def _name(element: Element, tag: str) -> str:
    namespace, _, name = tag[1:].rpartition("}") if tag[:1] == "{" else ("", "", tag)
    if not namespace:
        return name
    known = element.nsmap
    if len(known) > MOST_NAMESPACES:
        raise Stop(f"an element of the page has more than {MOST_NAMESPACES} namespaces")
    prefix = {uri: prefix for prefix, uri in known.items()}.get(namespace)
    return f"{prefix}:{name}" if prefix else name


def _text(found: Any) -> str | None:
    if is_array(found):
        found = found[0] if found else None
    if found is None:
        return None
    if isinstance(found, Element):
        return (found.text or "").strip()
    return f"{found:.0f}" if isinstance(found, float) else str(found).strip()
