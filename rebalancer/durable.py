"""Files replaced as a whole, so that no moment, power loss included, leaves half of one."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_durably(path: Path, content: bytes, mode: int, *, owner: tuple[int, int] | None = None) -> None:
    """Replace a file by a whole new one that survives the loss of power; its owner is kept where we may."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            if owner is not None:
                with suppress(PermissionError):  # only root gives files away; root must, or the service cannot read it
                    os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)  # after the owner: a new owner clears bits
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make what was put into a folder, or taken out of it, survive the loss of power."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
