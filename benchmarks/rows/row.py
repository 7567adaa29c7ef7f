"""One row of the table: what was asked for, and what was measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A figure and its target; 0: none is set, the figure is for comparison."""

    what: str
    target: float
    measured: float
    is_limit: bool = False
    """The target is a limit, which the figure must not be above."""
    unit: str = "x"
    """x: a ratio of two figures of one run."""
    note: str = ""

    @property
    def is_met(self) -> bool:
        return self.measured <= self.target if self.is_limit else self.measured >= self.target

    def cells(self) -> tuple[str, ...]:
        """What, target, measured, met, note; without a target: what, measured, note."""
        measured = self._said(self.measured)
        if not self.target:
            return self.what, measured, self.note
        target = f"{'at most' if self.is_limit else 'at least'} {self.target:g} {self.unit}".rstrip()
        return self.what, target, measured, "yes" if self.is_met else "**no**", self.note

    def _said(self, figure: float) -> str:
        digits = 0 if figure >= 100 or not self.unit else 1 if figure >= 10 else 2
        return f"{figure:.{digits}f} {self.unit}".rstrip()
