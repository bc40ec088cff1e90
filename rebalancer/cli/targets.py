"""`rebalancer targets`: read and edit the allocation."""

from __future__ import annotations

from pathlib import Path

import click

from rebalancer.cli.context import load_settings
from rebalancer.cli.exits import Exit
from rebalancer.cli.target_changes import confirm, set_, undo
from rebalancer.cli.target_file import text_before, text_kept
from rebalancer.cli.target_history import history
from rebalancer.cli.target_words import shown, targets_document, text_of
from rebalancer.cli.terminal import echo_document, heading
from rebalancer.core.money import plain
from rebalancer.errors import ConfigError
from rebalancer.targets.edit import diff, previous_of
from rebalancer.targets.file import load_targets
from rebalancer.targets.settings import settings_of

CHECK_SCHEMA = "rebalancer.targets-check/1"


@click.group(epilog="\b\nExamples:\n  rebalancer targets show\n  rebalancer targets set BTC=40 USDT=10")
def command() -> None:
    """Show, check, change or compare the target weights."""


@command.command(short_help="Show the weights and settings in force.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def show(*, as_json: bool) -> None:
    """Show the weights and every setting in force, defaults included."""
    settings = load_settings()
    path = settings.paths.targets
    targets = load_targets(path)
    if as_json:
        echo_document(targets_document(path, targets))
        return
    click.echo(heading(settings.mode, settings.venue_kind))
    click.echo(f"{path} ({targets.digest[:12]})")
    for asset, weight in targets.weights.items():
        click.echo(f"  {asset:<8}{plain(weight):>8} %{'  cash' if asset == targets.quote else ''}")
    for name, section in settings_of(targets).items():
        click.echo(f"[{name}]")
        for key, value in section.items():
            click.echo(f"  {key:<24}{shown(value)}")


@command.command(short_help="Check a file: every problem, with its line.")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def check(*, file: Path | None, as_json: bool) -> int:
    """Check FILE (the file in use by default): every problem, with its line."""
    path = file or load_settings().paths.targets
    try:
        targets = load_targets(path)
    except ConfigError as exc:
        if not as_json:
            raise
        echo_document({"schema": CHECK_SCHEMA, "file": str(path), "problems": str(exc).splitlines()})
        return Exit.CONFIG
    if as_json:
        echo_document({"schema": CHECK_SCHEMA, "file": str(path), "problems": []})
    else:
        click.echo(f"{path}: in order, {len(targets.assets)} assets, sum 100")
    return Exit.DONE


@command.command(
    name="diff",
    short_help="Show what changed since the version before.",
    epilog="\b\nExamples:\n  rebalancer targets diff\n  rebalancer targets diff 5f3a91c2",
)
@click.argument("version", required=False)
@click.option("--against", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Another file.")
def diff_(*, version: str | None, against: Path | None) -> None:
    """Show what changed since the version before, since VERSION of `targets history`, or against another file."""
    if version and against:
        raise click.UsageError("VERSION and --against are two things to compare with; choose one")
    settings = load_settings()
    path = settings.paths.targets
    if against is not None:
        before, name = text_of(against), str(against)
    elif version is not None:
        before, name = text_kept(settings.paths.state, version), f"version {version}"
    else:
        before, name = text_before(path), str(previous_of(path))
    changes = diff(before, text_of(path), str(path), name)
    click.echo(changes or "no difference", nl=not changes)


@command.command(short_help="Print the JSON Schema of the file, for editors.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file instead of stdout.")
def schema(*, output: Path | None) -> None:
    """Print the JSON Schema of targets.toml, by which an editor completes and checks it.

    Named in the first line of the file, as in `#:schema ./targets.schema.json`, it is found by Even Better TOML and by
    every other editor that uses taplo.
    """
    from rebalancer.cli.plan import write_report  # noqa: PLC0415
    from rebalancer.targets.schema import schema_text  # noqa: PLC0415

    if output is None:
        click.echo(schema_text(), nl=False)
    else:
        write_report(output, schema_text())
        click.echo(f"written  {output}")


for change in (set_, confirm, undo, history):
    command.add_command(change)
