"""The layers, read from the imports themselves: arrows point inward, and each outside thing has one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "rebalancer"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))

# What the modules of each part may import of this package, by longest matching prefix. `*` is everything.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "rebalancer": (),
    "rebalancer.__main__": ("rebalancer.cli",),
    "rebalancer.errors": (),
    "rebalancer.seams": (),
    "rebalancer.core": ("rebalancer.core",),
    "rebalancer.venues": ("rebalancer.venues", "rebalancer.core", "rebalancer.errors", "rebalancer.seams"),
    "rebalancer.journal": ("rebalancer.journal", "rebalancer.core", "rebalancer.errors", "rebalancer.seams"),
    "rebalancer.simulator": ("rebalancer.simulator", "rebalancer.core.money", "rebalancer.seams"),
    "rebalancer.service": (
        "rebalancer.service",
        "rebalancer.core",
        "rebalancer.errors",
        "rebalancer.seams",
        "rebalancer.journal",
        "rebalancer.venues.base",
        "rebalancer.durable",
    ),
    "rebalancer.backtest": ("rebalancer.backtest", "rebalancer.core", "rebalancer.errors"),
    "rebalancer.report": (
        "rebalancer.report",
        "rebalancer.core",
        "rebalancer.journal.queries",
        "rebalancer.journal.trades",
        "rebalancer.journal.weeks",
        "rebalancer.backtest",
    ),
    "rebalancer.alerts": (
        "rebalancer.alerts",
        "rebalancer.core",
        "rebalancer.errors",
        "rebalancer.seams",
        "rebalancer.service.cycle",
        "rebalancer.logs",
        "rebalancer.report.words",
        "rebalancer.durable",
    ),
    "rebalancer.metrics": (
        "rebalancer.alerts.condition",
        "rebalancer.core",
        "rebalancer.errors",
        "rebalancer.journal.state",
        "rebalancer.seams",
        "rebalancer.service.cycle",
    ),
    "rebalancer.web": (
        "rebalancer.web",
        "rebalancer.core",
        "rebalancer.errors",
        "rebalancer.journal",
        "rebalancer.report",
        "rebalancer.seams",
        "rebalancer.cron_trigger",
        "rebalancer.targets",
        "rebalancer.service.clock",
        "rebalancer.service.pause",
        "rebalancer.service.requests",
    ),
    "rebalancer.durable": (),
    "rebalancer.targets": (
        "rebalancer.targets",
        "rebalancer.core",
        "rebalancer.errors",
        "rebalancer.cron_trigger",
        "rebalancer.durable",
    ),
    "rebalancer.settings": ("rebalancer.errors",),
    "rebalancer.logs": (),
    "rebalancer.sdnotify": (),
    "rebalancer.cron_trigger": (),
    "rebalancer.scheduler": (
        "rebalancer.service",
        "rebalancer.core",
        "rebalancer.errors",
        "rebalancer.seams",
        "rebalancer.cron_trigger",
        "rebalancer.sdnotify",
        "rebalancer.settings",
    ),
    "rebalancer.cli": ("*",),
}

# The one door of each outside thing.
ONLY_IN: dict[str, tuple[str, ...]] = {
    "httpx": ("rebalancer.venues.htx.transport", "rebalancer.simulator.transport", "rebalancer.alerts.channels"),
    "httpcore": ("rebalancer.venues.htx.deadline",),
    "starlette": ("rebalancer.web",),
    "prometheus_client": ("rebalancer.metrics",),
    "apprise": ("rebalancer.alerts.channels",),
    "apscheduler": ("rebalancer.scheduler", "rebalancer.cron_trigger"),
    "pydantic": ("rebalancer.settings",),
    "pydantic_settings": ("rebalancer.settings",),
    "sqlite3": ("rebalancer.journal",),
    "numpy": (
        "rebalancer.core.drift",
        "rebalancer.core.bands",
        "rebalancer.core.destination",
        "rebalancer.core.planner",
        "rebalancer.core.subsets",
        "rebalancer.core.valuation",
        "rebalancer.core.wishes",
        "rebalancer.backtest",
    ),
    "socket": ("rebalancer.sdnotify", "rebalancer.simulator.server", "rebalancer.cli.page_server"),
}

# What the core may take of the standard library: nothing that reads a clock, a file, a network or chance.
CORE_STDLIB = {
    "__future__",
    "base64",
    "bisect",
    "collections",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "functools",
    "hashlib",
    "itertools",
    "json",
    "math",
    "operator",
    "re",
    "types",
    "typing",
}


def module_name(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            assert node.module is not None
            yield node.module
            if node.module == "rebalancer" or node.module.startswith("rebalancer."):
                for alias in node.names:
                    below = ROOT.joinpath(*node.module.split("."), alias.name)
                    if below.with_suffix(".py").exists() or below.is_dir():
                        yield f"{node.module}.{alias.name}"


def within(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def rule_for(name: str) -> tuple[str, ...]:
    known = [prefix for prefix in MAY_IMPORT if name == prefix or name.startswith(prefix + ".")]
    assert known != ["rebalancer"] or name == "rebalancer", f"{name}: say in MAY_IMPORT what it may import"
    return MAY_IMPORT[max(known, key=len)]


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_point_inward(path: Path) -> None:
    name, allowed = module_name(path), rule_for(module_name(path))
    if "*" in allowed:
        return
    ours = {target for target in imports_of(path) if within(target, ("rebalancer",))}
    # Importing a package alone (`from rebalancer.core import x`) names the package and the module; both are checked.
    wrong = {
        target
        for target in ours
        if not within(target, allowed) and not any(a.startswith(target + ".") for a in allowed)
    }
    assert not wrong, f"{name} imports {sorted(wrong)}; it may import {allowed}"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_outside_things_come_in_by_one_door(path: Path) -> None:
    name = module_name(path)
    for target in imports_of(path):
        doors = ONLY_IN.get(target.partition(".")[0])
        assert doors is None or within(name, doors), f"{name} imports {target}, which belongs in {doors}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "core").glob("*.py")), ids=module_name)
def test_core_is_pure(path: Path) -> None:
    for target in imports_of(path):
        top = target.partition(".")[0]
        assert top in CORE_STDLIB | {"rebalancer", "numpy"}, f"{module_name(path)} imports {target}"


# Where money is read, kept, cut to size, sent and booked. Floats are for weights and for waiting.
OF_MONEY = ("journal", "venues", "service", "core/fit", "core/caps", "core/ledger", "core/depth", "core/collar", "core/legs",
            "core/sizing", "core/holdings", "core/settled")  # fmt: skip
FLOATS_ALLOWED = {"rebalancer.venues.htx.client": {"_wait_s"}}


@pytest.mark.parametrize(
    "path", [p for p in MODULES if str(p.relative_to(PACKAGE)).startswith(OF_MONEY)], ids=module_name
)
def test_no_money_becomes_a_float(path: Path) -> None:
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(function, ast.FunctionDef) or function.name in FLOATS_ALLOWED.get(module_name(path), ()):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"float", "to_float", "from_float", "round"}:
                raise AssertionError(f"{path}:{node.lineno}: {ast.unparse(node)} in {function.name}")
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Decimal":
                given = node.args[0] if node.args else None
                assert not (isinstance(given, ast.Constant) and isinstance(given.value, float)), f"{path}:{node.lineno}"


REPEATING = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.AsyncFor)


def calls_of(attribute: str, holder: str = "") -> dict[str, list[ast.FunctionDef]]:
    """Return by module the functions that call a method of this name, on something of that name."""
    made: dict[str, list[ast.FunctionDef]] = {}
    for path in MODULES:
        functions = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.FunctionDef)]
        for function in functions:
            for node in ast.walk(function):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                    continue
                if node.func.attr == attribute and ast.unparse(node.func.value).endswith(holder):
                    made.setdefault(module_name(path), []).append(function)
    return made


def test_a_place_call_has_one_way_out_and_nothing_on_it_repeats_or_is_decorated() -> None:
    """Of one intent there is one call, ever: no retry may be within reach of it."""
    ways = {
        "rebalancer.service.execute": calls_of("place", "venue"),
        "rebalancer.venues.htx.client": calls_of("post_once"),
        "rebalancer.venues.htx.transport": calls_of("handle_request", "pool"),
    }
    for module, found in ways.items():
        assert list(found) == [module] and len(found[module]) == 1, found
        (function,) = found[module]
        assert not function.decorator_list, function.name
        words = {node.attr if isinstance(node, ast.Attribute) else node.id for node in ast.walk(function)
                 if isinstance(node, ast.Attribute | ast.Name)}  # fmt: skip
        assert not [word for word in words if "retry" in word.lower()], f"{module}.{function.name}"
    (sends,) = ways["rebalancer.service.execute"]["rebalancer.service.execute"]
    (signs,) = ways["rebalancer.venues.htx.client"]["rebalancer.venues.htx.client"]
    for function in (sends, signs):
        assert not [node for node in ast.walk(function) if isinstance(node, REPEATING)], function.name
    (leg,) = calls_named("rebalancer.service.execute", sends.name)
    assert not [node for node in ast.walk(leg) if isinstance(node, REPEATING) and sends.name in ast.unparse(node)]


def calls_named(module: str, name: str) -> list[ast.FunctionDef]:
    """Return the functions of a module that call one of its functions."""
    (path,) = (path for path in MODULES if module_name(path) == module)
    return [
        function
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef)
        and any(isinstance(n, ast.Call) and ast.unparse(n.func) == name for n in ast.walk(function))
    ]


def test_nobody_imports_the_command_line() -> None:
    for path in MODULES:
        if not within(module_name(path), ("rebalancer.cli", "rebalancer.__main__")):
            assert not any(within(target, ("rebalancer.cli",)) for target in imports_of(path)), path


def test_top_level_is_what_the_owner_fixed() -> None:
    allowed = {"pyproject.toml", "README.md", "LICENSE", "rebalancer", "targets.toml", "tests", "systemd"}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert found <= allowed | {"build", "dist"}, found - allowed


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_rooms_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400, f"{path}: {text.count(chr(10))} lines; split it by purpose"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            assert size <= 70, f"{path}:{node.lineno} {node.name}: {size} lines"
