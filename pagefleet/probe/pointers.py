"""Where an answer names its next page: hypotheses, from names and shapes alone. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pagefleet.decode import is_object
from pagefleet.probe.case import Case
from pagefleet.probe.observation import Member, Observation, looks_like_url, whole_number
from pagefleet.probe.params import (
    COMMON_TOKEN_PARAMS,
    COUNTED_TOKEN_PARAMS,
    CURSORS,
    OFFSETS,
    PAGE_NUMBERS,
    first_of,
    token_params,
)
from pagefleet.probe.words import DONE, MORE, MORE_URLS, is_next, is_token, is_url_name, plain

SINGLE = 2
"""So many parameters of a cursor are tried one by one; the others all at once."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A paginator, and what speaks for it."""

    paginate: dict[str, Any]
    evidence: str


@dataclass(frozen=True, slots=True)
class Token:
    """A cursor somewhere in an answer; where it goes is to be found out."""

    member: Member
    likely: tuple[str, ...]
    """Parameters to be tried one by one."""
    common: tuple[str, ...]
    """And all at once."""
    more: dict[str, Any] = field(default_factory=dict[str, Any])
    """What else is known of a cursor of this name."""

    def paginate(self, param: str) -> dict[str, Any]:
        return {"kind": "cursor", "next": self.member.path, "param": param, **self.more}


@dataclass(frozen=True, slots=True)
class Flag:
    """A member that says whether there is more."""

    field: str
    """Of a paginator: more or done."""
    member: Member

    @property
    def says_more(self) -> bool:
        return _truth(self.member.value) is (self.field == "more")


def links(observation: Observation) -> Iterator[Candidate]:
    """Links to the next page, the most explicit first."""
    if "next" in observation.rels:
        yield Candidate({"kind": "link_header"}, 'the answer has a header Link: <…>; rel="next"')
    for path, found in observation.link_objects:
        if any(_has_rel(link, "next") for link in found):
            yield Candidate({"kind": "link_object", "next": path}, f"{path} has a link with rel = next")
    for member in sorted(observation.members, key=lambda member: member.path.count(".")):
        if path := _url_path(member, observation):
            yield Candidate({"kind": "next_url", "next": path}, f"{path} holds a URL")


def _has_rel(link: Any, rel: str) -> bool:
    said = link.get("rel")
    return rel in (said if isinstance(said, list) else str(said or "").split())


def _url_path(member: Member, observation: Observation) -> str:
    """Where the URL of the next page is, if that is what this member is."""
    value, name = member.value, member.name
    if not (is_next(name) or plain(name) in MORE_URLS or _is_below_next(member)):
        return ""
    if is_object(value):
        inner = next((key for key in ("href", "url", "uri", "@id") if looks_like_url(value.get(key))), "")
        return {"": "", "href": member.path}.get(inner, f"{member.path}.{inner}")
    is_relative = is_url_name(name) and isinstance(value, str) and "/" in value
    return member.path if looks_like_url(value) or is_relative else ""


def _is_below_next(member: Member) -> bool:
    """`paging.next.link`."""
    parts = member.path.split(".")
    return len(parts) > 1 and plain(parts[-2]) == "next" and plain(parts[-1]) in {"link", "url", "href", "uri"}


def tokens(case: Case) -> Iterator[Token]:
    """Cursors, those with `next` in their name first."""
    members = [member for member in case.observation.members if _is_cursor(member)]
    for member in sorted(members, key=lambda member: (not is_next(member.name), member.path.count("."))):
        yield _token(case, member)


def _is_cursor(member: Member) -> bool:
    value = member.value
    if isinstance(value, bool) or not isinstance(value, str | int) or not value or looks_like_url(value):
        return False
    return is_token(member.name) and not (plain(member.name) == "offset" and whole_number(value) is not None)


def _token(case: Case, member: Member) -> Token:
    observation, name = case.observation, member.name
    asked = first_of(observation.asked(), CURSORS)
    linked = [param for param, values in observation.params().items() if str(member.value) in values]
    derived = [param for param in token_params(_bare(name)) if _fits(case, param, member.value, is_derived=True)]
    known = [param for param in [*asked, *linked, *derived] if _fits(case, param, member.value, is_derived=True)]
    numbers = COUNTED_TOKEN_PARAMS if whole_number(member.value) is not None else ()
    common = [param for param in (*COMMON_TOKEN_PARAMS, *numbers) if _fits(case, param, member.value)]
    likely = list(dict.fromkeys(known))[:SINGLE]
    rest = [param for param in dict.fromkeys([*known, *common]) if param not in likely]
    more: dict[str, Any] = {}
    if plain(name) == "nextcursormark":
        more["repeated"] = "end"
    return Token(member, tuple(likely), tuple(rest), more)


def _bare(name: str) -> str:
    """A header's name without its X-, as a parameter would be written."""
    return name.lower().replace("-", "_").removeprefix("x_") if "-" in name and name == name.title() else name


def _fits(case: Case, param: str, value: Any, *, is_derived: bool = False) -> bool:
    """Can this parameter take such a cursor? A number must be the next page or the next document, where it counts."""
    number, word = whole_number(value), plain(param)
    asked = whole_number(case.observation.asked().get(param, ""))
    if number is None:
        return is_derived or word not in OFFSETS | PAGE_NUMBERS
    if word in PAGE_NUMBERS:
        return number in ({1, 2} if asked is None else {asked + 1})
    if word in OFFSETS:
        return number - (asked or 0) in {case.count, case.count + 1}
    return True


def names_next(case: Case) -> bool:
    """Is there something that names a next page, and is not empty?"""
    return any(links(case.observation)) or any(is_next(token.member.name) for token in tokens(case))


def flags(observation: Observation) -> list[Flag]:
    """Members that say whether there is more."""
    found = [Flag("more", member) for member in observation.members if plain(member.name) in MORE]
    found += [Flag("done", member) for member in observation.members if plain(member.name) in DONE]
    return [flag for flag in found if _truth(flag.member.value) is not None]


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else None


def protocols(case: Case) -> Iterator[Candidate]:
    """Protocols with rules of their own, known by what they look like."""
    names = {member.path: member for member in case.observation.members}
    path = case.place.path
    if path.startswith("/oai:OAI-PMH/"):
        token = "//oai:resumptionToken"  # noqa: S105 — a path
        yield Candidate(
            {"kind": "cursor", "next": token, "param": "resumptionToken", "keep": ["verb"], "repeated": "end"},
            "OAI-PMH: a resumptionToken goes with the verb alone",
        )
    following = names.get("continue")
    if "query" in names and ("batchcomplete" in names or (following is not None and is_object(following.value))):
        paginate: dict[str, Any] = {"kind": "continue"}
        if "batchcomplete" in names or path.removesuffix("[*]").endswith("query.pages"):
            paginate["complete"] = "batchcomplete"
        yield Candidate(paginate, "MediaWiki: all members of `continue` go into the next request")


def empty_pointers(case: Case) -> Iterator[Candidate]:
    """What says that there is no next page, and would lead to it if there were one."""
    observation = case.observation
    if observation.rels.keys() & {"first", "last", "prev", "previous"} and "next" not in observation.rels:
        yield Candidate({"kind": "link_header"}, "the Link header names other pages, and no next one")
    for path, found in observation.link_objects:
        rels = {str(link.get("rel")) for link in found}
        if rels & {"first", "last", "prev", "previous"} and "next" not in rels:
            yield Candidate({"kind": "link_object", "next": path}, f"{path} names other pages, and no next one")
    names = {member.name for member in observation.members}
    if "@odata.context" in names and "@odata.nextLink" not in names:
        yield Candidate(
            {"kind": "next_url", "next": '$["@odata.nextLink"]'}, "OData: the last page has no @odata.nextLink"
        )
    for member in observation.members:
        if not is_next(member.name) or member.value not in (None, "", False):
            continue
        yield Candidate(_led_on_by(member), f"{member.path} is there, and empty")


def _led_on_by(member: Member) -> dict[str, Any]:
    """The paginator of a pointer that is empty: whether it would hold a URL or a cursor is told by its name."""
    name = plain(member.name)
    if name.endswith(("cursor", "token", "marker", "mark", "key", "start", "offset", "id")):
        params = [param for param in token_params(_bare(member.name)) if plain(param) != "next"]
        return {"kind": "cursor", "next": member.path, "param": params[0]}
    if name in ("nextpage", "xnextpage"):
        return {"kind": "cursor", "next": member.path, "param": "page"}
    return {"kind": "next_url", "next": member.path}
