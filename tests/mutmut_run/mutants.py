"""The mutants of a file: mutmut makes them, and each is known by what it changes."""

from __future__ import annotations

import ast
import hashlib
import random
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import chdir
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from mutmut.mutation.file_mutation import MutatedFile, mutate_file_contents
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

SETTINGS = "[mutmut]\nsource_paths =\n    rebalancer\n"  # mutmut makes nothing in a folder without them


@dataclass(frozen=True)
class Change:
    """One mutant by what it changes, which stays the same when mutmut numbers its mutants anew."""

    file: str
    function: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """One changed function: `name` is mutmut's, `source` the whole of it, `change` what differs."""

    name: str
    source: str
    change: Change

    @property
    def file(self) -> str:
        """The path of its file from the root."""
        return self.change.file

    @property
    def key(self) -> str:
        """What a verdict is kept under: another text of the function is another mutant."""
        return hashlib.sha256(f"{self.file}\n{self.change.function}\n{self.source}".encode()).hexdigest()[:24]


def make_mutants(copy: Path, file: str) -> list[Mutant]:
    """Put all mutants of a file into the copy's file, beside what they change, and return them."""
    (copy / "setup.cfg").write_text(SETTINGS, encoding="utf-8")
    place = copy / file
    with chdir(copy):
        made = mutate_file_contents(file, place.read_text(encoding="utf-8"))
    ast.parse(made.code)
    place.write_text(made.code, encoding="utf-8")
    return list(_described(file, made))


def _described(file: str, made: MutatedFile) -> Iterator[Mutant]:
    module = file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    lines = made.code.splitlines()
    for name in made.mutant_names:
        function, owner = orig_function_and_class_names_from_key(name)
        original = name.partition("__mutmut_")[0] + "__mutmut_orig"
        before, after = (_source(lines, made, each, function) for each in (original, name))
        parts = list(unified_diff(before, after, lineterm=""))[3:]
        old, new = ("\n".join(line[1:].strip() for line in parts if line.startswith(sign)) for sign in "-+")
        change = Change(file, f"{owner}.{function}" if owner else function, old, new)
        yield Mutant(f"{module}.{name}", "\n".join(after), change)


def _source(lines: Sequence[str], made: MutatedFile, generated: str, function: str) -> list[str]:
    """Return a generated function's lines under the name of the function that it stands for."""
    span = made.line_span_by_function_name[generated]
    own = textwrap.dedent("\n".join(lines[span.start - 1 : span.end])).strip("\n")
    return own.replace(f"def {generated}(", f"def {function}(", 1).splitlines()


def applied(program: str, mutant: Mutant) -> str:
    """Return the text of a file with the mutant in place of its function."""
    node = _found(ast.parse(program), mutant.change.function)
    changed = ast.parse(mutant.source).body[0]
    lines, new = program.splitlines(), mutant.source.splitlines()[changed.lineno - 1 :]
    indent = " " * node.col_offset
    lines[node.lineno - 1 : node.end_lineno] = [indent + line if line else line for line in new]
    return "\n".join(lines) + "\n"


def _found(tree: ast.Module, qualified: str) -> ast.FunctionDef | ast.AsyncFunctionDef:
    place: ast.Module | ast.ClassDef = tree
    *owners, name = qualified.split(".")
    for owner in owners:
        place = next(node for node in place.body if isinstance(node, ast.ClassDef) and node.name == owner)
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return next(node for node in place.body if isinstance(node, kinds) and node.name == name)


def sampled(mutants: Sequence[Mutant], count: int | None, seed: int) -> list[Mutant]:
    """Return at most `count` mutants of each file, the same for the same seed, fewer within more; all without a count."""
    if count is None:
        return list(mutants)
    kept: list[Mutant] = []
    for file in sorted({mutant.file for mutant in mutants}):
        mine = sorted((mutant for mutant in mutants if mutant.file == file), key=lambda mutant: mutant.name)
        random.Random(f"{seed} {file}").shuffle(mine)
        kept += mine[:count]
    return kept
