"""`rebalancer dashboard`: the page, as a process of its own without keys."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rebalancer import __version__
from rebalancer.cli.context import load_settings, make_state_dir
from rebalancer.cli.local_disk import require_local_disk
from rebalancer.cli.page_server import door_on, server_of
from rebalancer.cli.terminal import heading
from rebalancer.errors import ConfigError
from rebalancer.service.clock import SystemClock

if TYPE_CHECKING:
    from rebalancer.settings import Settings
    from rebalancer.web.access import Access
    from rebalancer.web.pages import Pages

PORT = 8765
NICENESS = 10  # whoever floods the page must not take the processor from the service


@click.command(epilog="\b\nExamples:\n  rebalancer dashboard\n  rebalancer dashboard --port 9000")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; beyond loopback needs TLS.")
@click.option("--port", type=click.IntRange(1, 65535), default=PORT, show_default=True, help="Port to listen on.")
@click.option("--name", multiple=True, help="A further name under which the page is asked for, behind TLS.")
@click.option("--tls-cert", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Certificate, PEM.")
@click.option("--tls-key", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Its key, PEM.")
def command(*, host: str, port: int, name: tuple[str, ...], tls_cert: Path | None, tls_key: Path | None) -> None:
    """Show allocation, runs, cost and health in a browser; it can never trade.

    Needs pip install 'rebalancer[web]'. The token to log in with stands in the file web-token of the state directory;
    on a terminal a link is shown that brings it along.
    """
    settings = load_settings()
    require_web_extra()
    from rebalancer.web.access import Access, hosts_of, is_loopback, load_token  # noqa: PLC0415

    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key belong together")
    if not is_loopback(host) and tls_cert is None:
        raise ConfigError(f"--host {host} is beyond this machine, so it needs --tls-cert and --tls-key")
    make_state_dir(settings)
    require_local_disk(settings.paths.state)
    access = Access(load_token(settings.paths.state), hosts_of(host, port, name), secure=tls_cert is not None)
    os.nice(NICENESS)
    with _pages(settings, access) as pages, door_on(host, port, "choose another --port") as door:
        click.echo(heading(settings.mode, settings.venue_kind))
        page = f"{'https' if tls_cert else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/"
        click.echo(f"page on {page}")
        click.echo(f"the token stands in {settings.paths.state / 'web-token'}")
        if sys.stdout.isatty() and is_loopback(host):  # a terminal's owner may see it; a log must not hold it
            click.echo(f"this link brings it along:\n  {page}login#token={access.token}")
        with suppress(KeyboardInterrupt):  # the server raises it again, once it has answered what it was asked
            server_of(pages, access, cert=tls_cert, key=tls_key).run(sockets=[door])


def require_web_extra() -> None:
    """Raise ConfigError where the page's libraries are not installed."""
    if not all(find_spec(name) for name in ("starlette", "uvicorn")):
        raise ConfigError(f"the page needs its extra: {sys.executable} -m pip install 'rebalancer[web]'")


@contextmanager
def _pages(settings: Settings, access: Access) -> Iterator[Pages]:
    """Yield the views, the journal already read: the first answer is as quick as the others."""
    from rebalancer.web.pages import Pages, Place  # noqa: PLC0415

    place = Place(
        journal=settings.paths.journal(settings.venue_kind),
        state=settings.paths.state,
        targets=settings.paths.targets,
        mode=settings.mode,
        venue=settings.venue_kind,
        version=__version__,
    )
    pages = Pages(place, access, SystemClock())
    pages.warm()
    try:
        yield pages
    finally:
        pages.close()
