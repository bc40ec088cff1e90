"""`rebalancer dashboard`: the page, as a process of its own without keys."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rebalancer import __version__
from rebalancer.cli.context import load_settings, make_state_dir
from rebalancer.cli.terminal import heading
from rebalancer.errors import ConfigError
from rebalancer.service.clock import SystemClock

if TYPE_CHECKING:
    from rebalancer.settings import Settings
    from rebalancer.web.access import Access

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

    Needs pip install 'rebalancer[web]'. The token to log in with stands in the file web-token of the state directory.
    """
    settings = load_settings()
    require_web_extra()
    from rebalancer.web.access import Access, hosts_of, is_loopback, load_token  # noqa: PLC0415

    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key belong together")
    if not is_loopback(host) and tls_cert is None:
        raise ConfigError(f"--host {host} is beyond this machine, so it needs --tls-cert and --tls-key")
    make_state_dir(settings)
    access = Access(load_token(settings.paths.state), hosts_of(host, port, name), secure=tls_cert is not None)
    click.echo(heading(settings.mode, settings.venue_kind))
    click.echo(f"page on {'https' if tls_cert else 'http'}://{host}:{port}/")
    click.echo(f"the token stands in {settings.paths.state / 'web-token'}")
    _serve(settings, access, host, port, tls_cert, tls_key)


def require_web_extra() -> None:
    """Raise ConfigError where the page's libraries are not installed."""
    if not all(find_spec(name) for name in ("starlette", "uvicorn")):
        raise ConfigError("the page needs its extra: pip install 'rebalancer[web]'")


def _serve(settings: Settings, access: Access, host: str, port: int, cert: Path | None, key: Path | None) -> None:
    import uvicorn  # noqa: PLC0415

    from rebalancer.web.app import make_app  # noqa: PLC0415
    from rebalancer.web.pages import Pages, Place  # noqa: PLC0415

    place = Place(
        journal=settings.paths.journal(settings.venue_kind),
        state=settings.paths.state,
        targets=settings.paths.targets,
        mode=settings.mode,
        venue=settings.venue_kind,
        version=__version__,
    )
    os.nice(NICENESS)
    pages = Pages(place, access, SystemClock())
    pages.warm()
    try:
        uvicorn.run(
            make_app(pages, access),
            host=host,
            port=port,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            ssl_certfile=cert,
            ssl_keyfile=None if key is None else str(key),
        )
    finally:
        pages.close()
