"""A command line as the program itself takes it apart, without running it."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import click

from rebalancer.cli.main import main


def parsed(verb: str, arguments: Sequence[str]) -> click.Context:
    """Return a verb's options.

    Below the program's own context: click makes a command's help option once, with the names that the first context
    knows, and a context without ours would take `-h` away from the whole process.
    """
    above = click.Context(main, info_name="rebalancer", **main.context_settings)
    command = importlib.import_module(f"rebalancer.cli.{verb}").command
    assert isinstance(command, click.Command)
    return command.make_context(verb, list(arguments), parent=above)
