"""Which tests are to ask a mutant, and in which order: those that enter its function, the likeliest to fail first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from tests.mutmut_run.switch import function_of
from tests.mutmut_run.trials import Known

FAVOURITES = 3


class Covering:
    """The tests of each function; what killed one mutant of it is asked first about the next."""

    def __init__(self, known: Iterable[Known]) -> None:
        self._tests: defaultdict[str, list[Known]] = defaultdict(list)
        self._kills: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for test in sorted(known, key=lambda test: (test.cpu_s, test.name)):
            for function in test.functions:
                self._tests[function].append(test)

    def has(self, mutant: str) -> bool:
        """Return whether any test enters the mutant's function."""
        return function_of(mutant) in self._tests

    def note_kill(self, mutant: str, test: str) -> None:
        """Remember that a test killed a mutant."""
        self._kills[function_of(mutant)][test] += 1

    def tests_for(self, mutant: str, cpu_s_max: float | None, first: str | None = None) -> Sequence[Known]:
        """Return those that killed most of its like, then the cheapest first; with a budget what fits, at least one.

        `first` names one that comes before all others.
        """
        function = function_of(mutant)
        best = {name for name, _ in self._kills[function].most_common(FAVOURITES)}
        tests = sorted(self._tests[function], key=lambda test: (test.name != first, test.name not in best))
        spent, kept = 0.0, list[Known]()
        for test in tests:
            spent += test.cpu_s
            if kept and cpu_s_max is not None and spent > cpu_s_max:
                break
            kept.append(test)
        return kept
