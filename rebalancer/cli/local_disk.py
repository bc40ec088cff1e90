"""The disk that a folder is on: of this machine, for the journal's locks mean nothing over a network; with room."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from rebalancer.errors import ConfigError

MOUNTS = Path("/proc/self/mountinfo")
# SQLite's documentation, "Write-Ahead Logging": all processes that use a database must be on one machine.
NETWORKS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "glusterfs", "lustre", "beegfs", "davfs", "9p"}
)
_FUSED = re.compile(r"fuse\.(sshfs|ceph(-fuse)?|glusterfs|s3fs|rclone|davfs2?|gcsfuse|smbnetfs|curlftpfs)")
_ESCAPED = re.compile(r"\\([0-7]{3})")


def require_local_disk(folder: Path) -> None:
    """Raise ConfigError for a folder on a network file system; where the machine does not say, it passes."""
    kind = file_system_of(folder)
    if kind in NETWORKS or _FUSED.fullmatch(kind):
        raise ConfigError(
            f"{folder}: is on a network file system ({kind}), where the journal is not safe; "
            "set REBALANCER_STATE_DIR to a folder on a disk of this machine"
        )


def free_bytes(folder: Path) -> int | None:
    """Return how much its user may still write to a folder, or None where the machine does not say."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def file_system_of(folder: Path) -> str:
    """Return the type of the file system that holds a folder, or an empty text where the machine does not say."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    place, found, kind = folder.resolve(), Path(), ""
    for line in lines:
        # proc(5): number, parent, device, root, mount point, options, optional fields, "-", type, ...
        before, _, after = line.partition(" - ")
        mount = Path(_ESCAPED.sub(lambda code: chr(int(code[1], 8)), before.split()[4]))
        # A later line of the same place was mounted over the earlier one.
        if place.is_relative_to(mount) and len(mount.parts) >= len(found.parts):
            found, kind = mount, after.split()[0]
    return kind
