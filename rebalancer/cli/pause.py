"""`rebalancer pause`: the kill switch."""

from __future__ import annotations

import getpass

import click

from rebalancer.cli.context import load_settings
from rebalancer.service.clock import SystemClock
from rebalancer.service.pause import PauseSwitch


@click.command(epilog="\b\nExample:\n  rebalancer pause --reason 'moving coins by hand'")
@click.option("--reason", default="", help="Kept in the file and shown by status.")
def command(*, reason: str) -> None:
    """Stop every send from now on, also between two orders of a running cycle."""
    switch = PauseSwitch(load_settings().paths.pause)
    at = SystemClock().now()
    switch.pause(f"{reason or 'by hand'}, {getpass.getuser()}, {at:%Y-%m-%d %H:%M} UTC")
    click.echo(f"Paused: {switch.path} exists, nothing is sent. `rebalancer resume` lifts it.")
