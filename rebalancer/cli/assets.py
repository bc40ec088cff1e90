"""`rebalancer assets`: files that come with the program, for other programs."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from rebalancer.cli.plan import write_report

NAMES = ("grafana.json",)


@click.command(epilog="\b\nExamples:\n  rebalancer assets\n  rebalancer assets grafana.json --output board.json")
@click.argument("name", required=False, type=click.Choice(NAMES))
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file instead of stdout.")
def command(*, name: str | None, output: Path | None) -> None:
    """List the files that come with the program, or print one.

    grafana.json is a board for the figures of REBALANCER_METRICS_PORT.
    """
    if name is None:
        click.echo("\n".join(NAMES))
        return
    text = (files("rebalancer") / "assets" / name).read_text(encoding="utf-8")
    if output is None:
        click.echo(text, nl=False)
    else:
        write_report(output, text)
