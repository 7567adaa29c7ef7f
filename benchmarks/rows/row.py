"""One row of the table: what was asked for, and what was measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A ratio and its target; 0: none is set, the figure is for comparison."""

    what: str
    target: float
    measured: float
    is_limit: bool = False
    """The target is a limit, which the figure must not be above."""
    note: str = ""

    @property
    def is_met(self) -> bool:
        return self.measured <= self.target if self.is_limit else self.measured >= self.target

    def cells(self) -> tuple[str, str, str, str, str]:
        """What, target, measured, met, note."""
        if not self.target:
            return self.what, "", f"{self.measured:.3g} x", "", self.note
        sign = "≤" if self.is_limit else "≥"
        return (
            self.what,
            f"{sign} {self.target:g} x",
            f"{self.measured:.3g} x",
            "yes" if self.is_met else "no",
            self.note,
        )
