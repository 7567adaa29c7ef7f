"""What an answer names as its next page, tried: links, then cursors in one parameter after the other."""

from collections.abc import Mapping
from typing import Any

from pagefleet.probe.asking import Asking, Steps
from pagefleet.probe.case import Case, Standing, Trial
from pagefleet.probe.counting import effective
from pagefleet.probe.cursors import with_end
from pagefleet.probe.pointers import Token, flags, links, protocols, tokens
from pagefleet.probe.trial import affordable, tried


class Pointing:
    """Tries what one case names."""

    def __init__(self, asking: Asking, case: Case) -> None:
        self._asking, self._case = asking, case

    def search(self) -> Steps[list[Trial]]:
        """What came of all that it names, the best one last."""
        trials: list[Trial] = []
        for candidate in [*protocols(self._case), *links(self._case.observation)]:
            trials.append((yield from self._led_on(candidate.paginate, candidate.evidence)))
            if _is_enough(trials[-1]):
                return trials
        for token in tokens(self._case):
            trials += yield from self._token(token)
            if _is_enough(trials[-1]):
                break
        return trials

    def _token(self, token: Token) -> Steps[list[Trial]]:
        """A cursor, in one parameter after the other, and then in all."""
        trials: list[Trial] = []
        for param in token.likely:
            trials.append((yield from self._token_in(token, param)))
            if _is_enough(trials[-1]):
                return trials
        found = yield from effective(self._asking, self._case, token.common, token.member.value)
        if found:
            trials.append((yield from self._token_in(token, found)))
        return trials

    def _token_in(self, token: Token, param: str) -> Steps[Trial]:
        evidence = f"{token.member.path} holds a cursor, and the parameter {param} takes it"
        return (yield from self._led_on(token.paginate(param), evidence))

    def _led_on(self, paginate: Mapping[str, Any], evidence: str) -> Steps[Trial]:
        """By a member that says whether there is more as well, if there is one and it does."""
        said = [flag for flag in flags(self._case.observation) if flag.says_more]
        flagged = [{said[0].field: said[0].member.path}] if said else []
        trial = Trial(self._case.said(paginate), Standing.REFUTED, "")
        for more in [*flagged, {}]:
            described = self._case.said({**paginate, **more})
            trial = yield from tried(self._asking, self._case, described, evidence, affordable(self._asking))
            if trial.kind == "cursor":
                trial = yield from with_end(self._asking, self._case, trial)
            if trial.standing <= Standing.ENDS:
                break
        return trial


def _is_enough(trial: Trial) -> bool:
    """It holds, or nothing else can."""
    return trial.standing <= Standing.ENDS or trial.is_mixed
