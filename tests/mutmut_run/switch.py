"""Stand where mutmut's trampoline stands: note which functions run, and put one mutant in its function's place."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

from mutmut.mutation import trampoline

Function = Callable[..., Any]
ORIGINAL = "_mutmut_orig"


class Switch:
    """The functions that have mutants, by the mutants' names; install it before the program is imported."""

    def __init__(self) -> None:
        self.entered: set[str] = set()  # functions that ran, as mutmut names them: rebalancer.core.money.x_plain
        self._versions: list[tuple[str, dict[str, Function]]] = []

    def install(self) -> None:
        """Let the copy's modules register their functions here as they are imported."""
        trampoline.wrap_in_trampoline = self._register

    def _register(self, versions: dict[str, Function], is_classmethod: bool = False) -> Callable[[Function], Function]:
        def decorate(function: Function) -> Function:
            self._versions.append((function.__module__, versions))
            entered = self.entered.add

            @functools.wraps(function)
            def chosen(*args: Any, **kwargs: Any) -> Any:
                version = versions[ORIGINAL]
                entered(f"{version.__module__}.{version.__name__}")
                if is_classmethod:
                    return getattr(args[0], version.__name__)(*args[1:], **kwargs)
                return version(*args, **kwargs)

            return chosen

        return decorate

    def functions_entered(self) -> list[str]:
        """Return what ran since the last time that `entered` was cleared."""
        return sorted(function_of(name) for name in self.entered)

    def activate(self, mutant: str) -> None:
        """Let the mutant be its function from now on, in this process and in those that it starts."""
        module, _, name = mutant.rpartition(".")
        versions = next(each for of, each in self._versions if of == module and name in each)
        versions[ORIGINAL] = versions[name]
        os.environ["MUTANT_UNDER_TEST"] = mutant  # mutmut's own trampoline reads it where the program is started anew


def function_of(mutant: str) -> str:
    """Return the function that a mutant, or the original, is a version of, as mutmut names it."""
    return mutant.partition("__mutmut_")[0]
