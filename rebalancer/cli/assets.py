"""`rebalancer assets`: files that come with the program, for other programs."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from rebalancer.cli.manual import PROGRAM, SHELLS, completion, manual
from rebalancer.cli.plan import write_report

BOARD, PAGE, SCHEMA = "grafana.json", f"{PROGRAM}.1", "targets.schema.json"
NAMES = (BOARD, SCHEMA, PAGE, *(f"{PROGRAM}.{shell}" for shell in SHELLS))


@click.command(
    epilog="\b\nExamples:\n  rebalancer assets\n  rebalancer assets grafana.json --output board.json\n"
    "  source <(rebalancer assets rebalancer.bash)\n  rebalancer assets rebalancer.1 > rebalancer.1"
)
@click.argument("name", required=False, type=click.Choice(NAMES))
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file instead of stdout.")
def command(*, name: str | None, output: Path | None) -> None:
    """List the files that come with the program, or print one.

    A board for the figures of REBALANCER_METRICS_PORT, the JSON Schema of targets.toml for editors, the man page, and
    completions for bash, zsh and fish.
    """
    if name is None:
        click.echo("\n".join(NAMES))
        return
    text = _text_of(name)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_report(output, text)


def _text_of(name: str) -> str:
    from rebalancer.cli.main import main  # noqa: PLC0415  # which imports this module

    if name == PAGE:
        assert isinstance(main, click.Group)
        return manual(main)
    if name in {BOARD, SCHEMA}:
        return (files("rebalancer") / "assets" / name).read_text(encoding="utf-8")
    return completion(name.rpartition(".")[2], main)
