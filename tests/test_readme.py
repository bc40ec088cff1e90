"""The README is true: what it lists is what there is, and its commands, files and output are real."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import click
import pytest

from rebalancer.cli.exits import MEANING
from rebalancer.cli.main import VERBS
from rebalancer.core.targets import BandPolicy, Limits, Schedule
from rebalancer.settings import PREFIX, Settings
from rebalancer.targets.file import load_targets, parse_targets
from rebalancer.targets.keys import SETTINGS, TOP_KEYS, Number

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOP_LEVEL = (".ci/", "rebalancer/", "systemd/", "tests/")
CODE = re.compile(r"`([^`\n]+)`")


def section(title: str) -> str:
    """Return the text below a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of each row of the tables in a text, headings included."""
    for line in text.splitlines():
        if line.startswith("| ") and line.endswith("|"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def table(title: str) -> dict[str, list[str]]:
    """Return the other cells of a section's rows by each name that the first cell has in backticks."""
    return {name: cells[1:] for cells in rows(section(title)) for name in CODE.findall(cells[0])}


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def command_of(verb: str) -> click.Command:
    found = importlib.import_module(f"rebalancer.cli.{verb}").command
    assert isinstance(found, click.Command)
    return found


def options_of(command: click.Command) -> set[str]:
    own = {option for param in command.params for option in param.opts}
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    return own.union(*(options_of(each) for each in inner))


def test_no_placeholder_is_left() -> None:
    assert "@@" not in README


def test_every_verb_stands_in_the_table_from_harmless_to_harmful() -> None:
    assert [name for name in table("Commands") if name in VERBS] == list(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_named_for_a_verb_exists(verb: str) -> None:
    named = {word for cell in table("Commands")[verb] for word in CODE.findall(cell) if word.startswith("--")}
    assert named <= options_of(command_of(verb))


@pytest.mark.parametrize("verb", ["targets", "backtest"])
def test_every_subcommand_of_a_group_is_named(verb: str) -> None:
    command = command_of(verb)
    assert isinstance(command, click.Group)
    named = {word.split()[0] for word in CODE.findall(table("Commands")[verb][0])}
    assert named == set(command.commands)


def test_every_command_shown_names_a_verb_that_exists() -> None:
    for verb in re.findall(r"(?<![\w/.-])(?:\.venv/bin/)?rebalancer ([a-z]+)\b", "\n".join(CODE.findall(README))):
        assert verb in VERBS, verb
    for verb in re.findall(r"\brebalancer ([a-z]+)", "\n".join(fenced("sh"))):
        assert verb in VERBS, verb


def test_every_variable_of_the_environment_is_explained_and_no_other() -> None:
    named = {name for name in table("Settings") if name.startswith(PREFIX)}
    assert named == {PREFIX + field.upper() for field in Settings.model_fields}
    assert {"CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "CONFIGURATION_DIRECTORY", "NO_COLOR"} <= set(table("Settings"))


def test_every_key_of_the_targets_file_is_explained_and_no_other() -> None:
    known = {f"{part}.{key}" for part, keys in SETTINGS.items() for key in keys}
    known |= set(TOP_KEYS)
    known |= {f"{name}.COIN" for name in ("weights", "codes", "exit", "keep", "external", "bands.per_coin")}
    known -= {"bands.per_coin"}
    named = {name for name in table("Settings") if not re.fullmatch(r"[A-Z_]+", name)}
    assert named == known


@pytest.mark.parametrize("part", ["schedule", "bands", "limits"])
def test_the_defaults_of_the_targets_file_are_those_of_the_code(part: str) -> None:
    default = {"schedule": Schedule(), "bands": BandPolicy(), "limits": Limits()}[part]
    for field in fields(default):
        if field.name == "per_coin":  # a section of its own
            continue
        value = getattr(default, field.name)
        shown = table("Settings")[f"{part}.{field.name}"][0]
        assert shown == ("none" if value is None else f"`{value}`"), field.name


@pytest.mark.parametrize(("rule", "k"), [("relative", 20), ("clamp", 20), ("absolute", 5), ("theory", Decimal("0.12"))])
def test_the_default_of_k_follows_the_rule_as_the_table_says(rule: str, k: Decimal) -> None:
    text = fenced("toml")[0] + f'[bands]\nrule = "{rule}"\n'
    assert parse_targets(text, "README.md").bands.k == k
    told = [cells for cells in rows(section("Settings")) if len(cells) == 4 and f"`{rule}`" in cells[3]]
    assert any(cells[1] == f"`{k}`" for cells in told)


@pytest.mark.parametrize(
    ("part", "key", "kind"),
    [
        (part, key, kind)
        for part, keys in SETTINGS.items()
        for key, kind in keys.items()
        if isinstance(kind, Number) and key != "k"  # which has a range for each rule, on lines of its own
    ],
)
def test_the_range_of_each_number_is_that_of_the_code(part: str, key: str, kind: Number) -> None:
    high = f"{kind.high:f}".replace("1000000000", "10^9")
    assert f"{kind.low:f} to {high}" in table("Settings")[f"{part}.{key}"][1]


def test_every_exit_code_stands_with_its_meaning() -> None:
    cells = [cells for cells in rows(section("Exit codes")) if cells[0].startswith("`")]
    assert cells == [[f"`{int(code)}`", text] for code, text in MEANING.items()]


def test_the_targets_shown_are_valid_and_those_of_the_shipped_file() -> None:
    shown = parse_targets(fenced("toml")[0], "README.md")
    shipped = load_targets(ROOT / "targets.toml")
    assert (shown.quote, dict(shown.weights)) == (shipped.quote, dict(shipped.weights))


def test_the_shipped_file_shows_every_setting_at_its_default() -> None:
    shipped = load_targets(ROOT / "targets.toml")
    assert (shipped.schedule, shipped.bands) == (Schedule(), BandPolicy())
    optional = {"max_notional_per_day", "max_order_notional"}
    for field in fields(Limits):
        if field.name not in optional:
            assert getattr(shipped.limits, field.name) == getattr(Limits(), field.name)
    data = tomllib.loads((ROOT / "targets.toml").read_text(encoding="utf-8"))
    written = {f"{part}.{key}" for part in SETTINGS for key in data[part]}
    assert written == {f"{part}.{key}" for part, keys in SETTINGS.items() for key in keys}


@pytest.mark.parametrize("words", ["Run it", "Test it"])
def test_running_and_testing_take_one_command_each(words: str) -> None:
    assert README.count(f"**{words}**") == 1
    found = re.search(rf"\*\*{words}\*\*[^`]*\n```sh\n([^\n]+)\n```\n", README)
    assert found, words
    assert found[1].startswith("python3 -m venv .venv && .venv/bin/pip install ")


def test_every_file_named_exists() -> None:
    linked = [target for target in re.findall(r"\]\(([^)#]+)", README) if "://" not in target]
    named = [word for word in CODE.findall(README) if word.startswith(TOP_LEVEL)]
    assert named
    for path in [*linked, *named]:
        assert (ROOT / path).exists(), path


def test_every_benchmark_is_named() -> None:
    modules = {path.stem for path in (ROOT / "tests" / "benchmarks").glob("*.py")} - {"figures", "test_smoke"}
    assert set(re.findall(r"`python -m tests\.benchmarks\.(\w+)`", README)) == modules


def skeleton(report: str) -> list[str]:
    """Return a report without what depends on the moment: figures and places in bands are signs, wrapped lines one."""
    body, closing = report.strip().rsplit("\n\n", 1)
    joined = re.sub(r"\n +", " ", body) + "\n" + closing.replace("\n", " ")
    signs = re.sub(r"<?[-|o]{9}>?", "BAND", re.sub(r"[-+]?\d[\d,.:]*", "#", joined))
    return [" ".join(line.split()) for line in signs.splitlines()]


def test_the_report_shown_is_what_plan_prints_today(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)} | {
        f"{PREFIX}STATE_DIR": str(tmp_path),
        "NO_COLOR": "1",
    }
    command = [sys.executable, "-m", "rebalancer", "plan"]
    today = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    (shown,) = fenced("text")
    assert skeleton(shown) == skeleton(today)
    assert shown.splitlines()[1].split() == today.splitlines()[1].split()  # the heading of the table
