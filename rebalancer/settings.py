"""Where and who: the environment and the credential files, checked. The only importer of pydantic.

Precedence: flag, environment, credential files, defaults. Secrets live in their own type and are never printed.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

from platformdirs import user_config_path, user_state_path
from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from rebalancer.errors import ConfigError

PREFIX = "REBALANCER_"
HTX_HOSTS = ("api.huobi.pro", "api-aws.huobi.pro")
DEFAULT_URL = "https://api.huobi.pro"
TARGETS_NAME = "targets.toml"
SECRET_NAMES = ("htx_access_key", "htx_secret_key")
ALERT_NAMES = ("notify_urls", "ping_url")  # their addresses hold tokens, so they are secrets too
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
PORT_MAX = 65535
# The whole text is matched, not its parsed parts: parsers forgive user names, new lines and empty queries.
_HTX_URL = re.compile(rf"https://({'|'.join(map(re.escape, HTX_HOSTS))})(:443)?/?")
_LOOPBACK_URL = re.compile(r"http://(localhost|127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}|\[::1\])(:([0-9]{1,5}))?/?")
_PING_URL = re.compile(r"https?://[!-~]+(?<!/)")
_KEY = re.compile(r"[!-~]+")  # visible ASCII


@dataclass(frozen=True, slots=True)
class Paths:
    """Where things lie. The pause file and the lock are one for the state directory, the journal is one a venue."""

    state: Path
    targets: Path

    @property
    def lock(self) -> Path:
        """Return the single-instance lock."""
        return self.state / "lock"

    @property
    def pause(self) -> Path:
        """Return the kill switch."""
        return self.state / "pause"

    @property
    def reports(self) -> Path:
        """Return where reports are kept."""
        return self.state / "reports"

    @property
    def embedded(self) -> Path:
        """Return where the embedded exchange and its journal live."""
        return self.state / "embedded"

    def journal(self, venue_kind: str) -> Path:
        """Return the journal of a kind of venue."""
        return (self.embedded if venue_kind == "embedded" else self.state) / "journal.db"


class Settings(BaseSettings):
    """The environment, one field a variable."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        hide_input_in_errors=True,
        extra="ignore",
        frozen=True,
        case_sensitive=False,
        env_ignore_empty=True,  # `REBALANCER_STATE_DIR=` in a unit means "not set", not "here"
    )

    mode: Literal["dry-run", "live"] = "dry-run"
    venue: Literal["embedded", "htx"] | None = None
    htx_url: str = DEFAULT_URL
    htx_account_id: str | None = Field(default=None, pattern=r"^[0-9]{1,20}$")
    htx_access_key: SecretStr | None = None
    htx_secret_key: SecretStr | None = None
    htx_private_key: SecretStr | None = None
    notify_urls: SecretStr | None = None
    ping_url: SecretStr | None = None
    digest: Literal["weekly", "off"] = "weekly"
    metrics_port: int | None = Field(default=None, ge=1, le=PORT_MAX)
    targets: Path | None = None
    state_dir: Path | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    clock_rate: float = Field(default=1.0, gt=0, le=100_000)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _check_url(self.htx_url)
        if self.htx_private_key is not None:
            raise ValueError("REBALANCER_HTX_PRIVATE_KEY: Ed25519 keys are not yet supported; make an HMAC key at HTX")
        if (self.htx_access_key is None) != (self.htx_secret_key is None):
            missing = "SECRET" if self.htx_secret_key is None else "ACCESS"
            raise ValueError(f"REBALANCER_HTX_{missing}_KEY is missing; a key needs both halves")
        for name, half in zip(SECRET_NAMES, self.key_pair() or (), strict=False):
            if not _KEY.fullmatch(half):
                raise ValueError(
                    f"{PREFIX}{name.upper()}: a key is one word of letters, digits and signs; paste it again"
                )
        ping = self.ping_address()
        if ping and not _PING_URL.fullmatch(ping):
            raise ValueError("REBALANCER_PING_URL: an address of a watcher, https://..., without query and new lines")
        if self.clock_rate != 1 and not is_loopback(self.htx_url):
            raise ValueError("REBALANCER_CLOCK_RATE is for a simulated exchange on loopback only")
        return self

    def __reduce__(self) -> str:
        """Refuse to be serialised: a pickle would hold the key."""
        raise TypeError("settings are not serialised")

    @property
    def has_key(self) -> bool:
        """Whether both halves of an API key are known."""
        return self.htx_access_key is not None and self.htx_secret_key is not None

    def key_pair(self) -> tuple[str, str] | None:
        """Return access key and secret for the signer, and for nobody else."""
        if self.htx_access_key is None or self.htx_secret_key is None:
            return None
        return self.htx_access_key.get_secret_value(), self.htx_secret_key.get_secret_value()

    def channels(self) -> tuple[str, ...]:
        """Return the addresses that notices go to, one a line or a word of the setting."""
        return tuple(self.notify_urls.get_secret_value().split()) if self.notify_urls else ()

    def ping_address(self) -> str:
        """Return the address of the watcher that misses us when we are silent, or an empty text."""
        return self.ping_url.get_secret_value().rstrip("/") if self.ping_url else ""

    @property
    def venue_kind(self) -> str:
        """Return embedded, loopback or htx: without a key a dry run uses the embedded exchange."""
        if self.venue == "embedded" or (self.venue is None and not self.has_key and self.mode != "live"):
            return "embedded"
        return self.public_kind

    @property
    def public_kind(self) -> str:
        """Return where public market data comes from: no key is needed for it."""
        if self.venue == "embedded":
            return "embedded"
        return "loopback" if is_loopback(self.htx_url) else "htx"

    @property
    def paths(self) -> Paths:
        """Return where things lie, by the rules of systemd and XDG."""
        return Paths(_state_dir(self.state_dir), _targets_path(self.targets))


SECRET_FIELDS = tuple(name for name, field in Settings.model_fields.items() if SecretStr in get_args(field.annotation))


def load() -> Settings:
    """Return the settings of this process; ConfigError names the variable and says what it takes."""
    credentials: dict[str, Any] = dict(_credentials_of_files(os.environ))
    try:
        return Settings(**credentials)
    except ValidationError as exc:
        raise ConfigError("; ".join(_explained(error) for error in exc.errors(include_input=False))) from None


def _explained(error: Any) -> str:
    name = "_".join(str(part) for part in error["loc"]).upper()
    text = error["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{name}: {text}" if name else text


def _credentials_of_files(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the credential files say and the environment does not."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return {}
    named = {variable.upper() for variable, value in environ.items() if value}  # as pydantic reads them
    found: dict[str, str] = {}
    for name in (*SECRET_NAMES, *ALERT_NAMES):
        path = Path(folder) / f"{PREFIX.lower()}{name}"
        if PREFIX + name.upper() in named:
            continue
        try:
            found[name] = path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"{path}: cannot be read as a credential: {type(exc).__name__}") from None
        if not found[name]:
            raise ConfigError(f"{path}: is empty; put the secret into it")
    return found


def reachable_secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return every secret that lies where this process looks for one, in order or not: for masking, never for use."""
    names = {PREFIX + name.upper() for name in SECRET_FIELDS}
    found = [value for variable, value in environ.items() if variable.upper() in names]
    folder = environ.get("CREDENTIALS_DIRECTORY")
    for name in SECRET_FIELDS if folder else ():
        with suppress(OSError, UnicodeDecodeError):
            found.append((Path(folder or "") / f"{PREFIX.lower()}{name}").read_text(encoding="utf-8"))
    return tuple(word for text in found for word in text.split())


def _check_url(url: str) -> None:
    """Allow https on the public HTX hosts and http on loopback; ValueError for anything else."""
    if not (_HTX_URL.fullmatch(url) or is_loopback(url)):
        raise ValueError(
            f"REBALANCER_HTX_URL: only https://{' or https://'.join(HTX_HOSTS)}, "
            "or http on loopback (http://127.0.0.1:PORT)"
        )


def is_loopback(url: str) -> bool:
    """Return whether a URL is plain http to this machine."""
    found = _LOOPBACK_URL.fullmatch(url)
    if found is None or not 0 < int(found[3] or 80) <= PORT_MAX:
        return False
    host = found[1].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # 127.0.0.999
        return False


def _state_dir(chosen: Path | None) -> Path:
    if chosen is not None:
        return chosen
    systemd = os.environ.get("STATE_DIRECTORY")
    return Path(systemd.split(":")[0]) if systemd else user_state_path("rebalancer")


def _targets_path(chosen: Path | None) -> Path:
    if chosen is not None:
        return chosen
    systemd = os.environ.get("CONFIGURATION_DIRECTORY")
    if systemd:
        return Path(systemd.split(":")[0]) / TARGETS_NAME
    here = Path(TARGETS_NAME)
    return here if here.exists() else user_config_path("rebalancer") / TARGETS_NAME


def unknown_names(environ: Mapping[str, str]) -> list[str]:
    """Return a line for each variable with our prefix that means nothing, with the nearest that does."""
    known = {name.upper() for name in Settings.model_fields}
    lines = []
    for name in sorted(environ):
        rest = name.upper().removeprefix(PREFIX)
        if name.upper().startswith(PREFIX) and rest not in known:
            near = difflib.get_close_matches(rest, known, 1)  # without the prefix, which makes all names alike
            lines.append(f"{name} means nothing{f'; did you mean {PREFIX}{near[0]}?' if near else ''}")
    return lines


def exposed_secrets(environ: Mapping[str, str]) -> list[str]:
    """Return a line for each secret that others on this machine may be able to read."""
    lines = [
        f"{PREFIX}{name.upper()} is in the environment; a credential file is safer"
        for name in (*SECRET_NAMES, *ALERT_NAMES)
        if environ.get(PREFIX + name.upper())
    ]
    folder = environ.get("CREDENTIALS_DIRECTORY")
    for name in (*SECRET_NAMES, *ALERT_NAMES) if folder else ():
        path = Path(folder or "") / f"{PREFIX.lower()}{name}"
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        if mode & (stat.S_IRGRP | stat.S_IROTH):
            lines.append(f"{path} can be read by others: chmod 600 it")
    return lines
