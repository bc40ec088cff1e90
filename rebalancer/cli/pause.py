"""`rebalancer pause`: the kill switch."""

from __future__ import annotations

import click

from rebalancer.cli.context import load_settings, login_name, make_state_dir
from rebalancer.cli.terminal import heading
from rebalancer.service.clock import SystemClock
from rebalancer.service.pause import PauseSwitch


@click.command(epilog="\b\nExample:\n  rebalancer pause --reason 'moving coins by hand'")
@click.option("--reason", default="", help="Kept in the file and shown by status.")
def command(*, reason: str) -> None:
    """Stop every send from now on, also between two orders of a running cycle."""
    settings = load_settings()
    make_state_dir(settings)
    switch = PauseSwitch(settings.paths.pause)
    at = SystemClock().now()
    switch.pause(f"{reason or 'by hand'}, {login_name()}, {at:%Y-%m-%d %H:%M} UTC")
    click.echo(heading(settings.mode, settings.venue_kind))
    click.echo(f"Paused: {switch.path} exists, so nothing is sent.\n`rebalancer resume` lifts it.")
