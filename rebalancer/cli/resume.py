"""`rebalancer resume`: lift the pause."""

from __future__ import annotations

import click

from rebalancer.cli.context import load_settings
from rebalancer.service.pause import PauseSwitch


@click.command()
def command() -> None:
    """Lift the pause; the next cycle plans afresh."""
    lifted = PauseSwitch(load_settings().paths.pause).resume()
    click.echo("Resumed; the next cycle plans afresh." if lifted else "There was no pause.")
