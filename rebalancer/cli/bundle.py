"""`rebalancer bundle`: one file for whoever helps, with all that they will ask for and no secret."""

from __future__ import annotations

import os
import zipfile
from contextlib import suppress
from datetime import UTC
from pathlib import Path

import click

from rebalancer.cli.terminal import echo_document
from rebalancer.errors import ConfigError
from rebalancer.service.clock import SystemClock

OWNER_ONLY = 0o600
EXAMPLES = """\b
Examples:
  rebalancer bundle
  rebalancer bundle --output /tmp/help.zip --runs 100
  journalctl -u rebalancer.service -n 5000 > service.log
  rebalancer bundle --log service.log
"""


@click.command(epilog=EXAMPLES)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Where to write it; else here.")
@click.option("--runs", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many of the last runs.")
@click.option(
    "--log", "logs", multiple=True, type=click.Path(dir_okay=False, path_type=Path),
    help="A log to put in, keys masked; may be given again.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(*, output: Path | None, runs: int, logs: tuple[Path, ...], as_json: bool) -> None:
    """Write a support file: versions, settings, targets, checks, status, the last runs.

    Keys and signatures are masked in all of it. It does hold balances, orders and the account's id: give it only to
    somebody whom you would show these. It asks no exchange and changes nothing.
    """
    from rebalancer.cli.bundle_parts import collect  # noqa: PLC0415  # reads settings and journal

    for log in logs:
        if not log.is_file():
            raise click.UsageError(f"--log: there is no file {log}")
    now = SystemClock().now().astimezone(UTC)
    path = output or Path(f"rebalancer-bundle-{now:%Y%m%dT%H%M%SZ}.zip")
    head, parts = collect(now, runs=runs, logs=logs)
    write_private(path, parts)
    sizes = {name: len(text.encode()) for name, text in parts.items()}
    if as_json:
        files = [{"name": name, "bytes": size} for name, size in sizes.items()]
        echo_document({"schema": "rebalancer.bundle/1", "path": str(path), "files": files})
        return
    click.echo(f"{head}\n{path} holds")
    for name, size in sizes.items():
        click.echo(f"  {name:<16} {size:>9,} bytes")
    click.echo("No key is in it; balances, orders and the account's id are. Only you can read it.")


def write_private(path: Path, parts: dict[str, str]) -> None:
    """Write a zip that only its owner can read, whole or not at all; ConfigError where it cannot be written."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        try:
            with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
                for name, text in parts.items():
                    bundle.writestr(name, text)
            draft.replace(path)
        finally:
            with suppress(FileNotFoundError):
                draft.unlink()
    except OSError as exc:
        reason = os.strerror(exc.errno or 0)
        raise ConfigError(f"{path}: cannot be written: {reason}; name another place with --output") from None
