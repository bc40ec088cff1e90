"""The kill switch: the mere presence of a file stops every send, also of a process that does not answer."""

from __future__ import annotations

import os
from pathlib import Path


class PauseSwitch:
    """Asked before every place call. What cannot be looked at counts as paused."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def path(self) -> Path:
        """Return where the file lies."""
        return self._path

    def active(self) -> bool:
        """Return whether nothing may be sent."""
        try:
            self._path.stat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def reason(self) -> str:
        """Return what the owner wrote when pausing, if it can be read."""
        try:
            return self._path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def pause(self, text: str) -> None:
        """Stop every send from now on; the file is durable when this returns."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("w", encoding="utf-8", errors="backslashreplace") as file:  # any word must do
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def resume(self) -> bool:
        """Lift the pause; return whether there was one."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True
