"""`rebalancer resume`: lift the pause."""

from __future__ import annotations

import click

from rebalancer.cli.context import load_settings
from rebalancer.cli.terminal import heading
from rebalancer.service.pause import PauseSwitch


@click.command()
def command() -> None:
    """Lift the pause; the next cycle plans afresh."""
    settings = load_settings()
    lifted = PauseSwitch(settings.paths.pause).resume()
    click.echo(heading(settings.mode, settings.venue_kind))
    click.echo("Resumed; the next cycle plans afresh." if lifted else "There was no pause: nothing changed.")
