"""Where the number of all documents is declared: hypotheses, and what the pages say of them. Pure."""

import re
from collections.abc import Sequence

from pagefleet.decode import is_object
from pagefleet.probe.observation import Member, Observation, whole_number
from pagefleet.probe.words import is_count, is_total, plain

EXACT = ("eq", "exact", None)


def totals(observation: Observation, count: int) -> list[Member]:
    """Numbers that may be the total of a page of so many documents, the likeliest first."""
    strong = [found for member in observation.members if (found := _strong(observation, member))]
    weak = [member for member in observation.members if _is_weak(member, count)]
    plausible = [member for member in (*strong, *weak) if (whole_number(member.value) or 0) >= count]
    return sorted(plausible, key=lambda member: (not is_total(_name(member)), "filtered" not in plain(member.name)))


def _name(member: Member) -> str:
    """The last word of the path that is one: `total.value` is a total."""
    parts = [part for part in re.split(r"[.:/\[\]\"@]+", member.path) if part]
    return parts[-2] if parts[-1] in ("value", "count") and len(parts) > 1 and is_total(parts[-2]) else member.name


def _strong(observation: Observation, member: Member) -> Member | None:
    if whole_number(member.value) is None or not is_total(_name(member)):
        return None
    if _name(member) != member.name:  # Elasticsearch says how exact it is
        beside = member.path.rpartition(".")[0]
        relation = next((one.value for one in observation.members if one.path == f"{beside}.relation"), None)
        return member if relation in EXACT else None
    return member


def _is_weak(member: Member, count: int) -> bool:
    """A plain `count` may be that of this page."""
    number = whole_number(member.value)
    is_plain = is_count(member.name) and not is_total(_name(member)) and not is_object(member.value)
    return number is not None and number > count and is_plain


def is_refuted(total: int, counts: Sequence[int], *, is_over: bool) -> bool:
    """Do pages of so many documents contradict a declared total?"""
    return sum(counts) > total or (len([n for n in counts if n]) > 1 and total == counts[0] and not is_over)
