"""The folder of a unix socket: the server's own, or a private one in the temp folder when the
path would be longer than a socket address holds, or stranger than clients can read."""

import contextlib
import os
from pathlib import Path

from gateway.config import socket_dir
from gateway.embedded.process import CannotStart


def make(data_dir: Path, socket_name: str, *, uid: int | None = None) -> Path:
    """Only `uid` may enter it; a folder of that name that a stranger made is refused."""
    folder = socket_dir(data_dir.parent, data_dir.name, socket_name)
    if folder == data_dir:
        return folder
    owner = os.getuid() if uid is None else uid
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid == 0 and owner != 0:
        os.chown(folder, owner, owner, follow_symlinks=False)
    if folder.is_symlink() or folder.lstat().st_uid != owner:
        raise CannotStart(f"{folder} belongs to somebody else: remove it, or shorten VAR_DIR.")
    folder.chmod(0o700)
    return folder


def remove(data_dir: Path, socket_name: str) -> None:
    """After the server has ended, which takes its socket away. The next start makes it again."""
    folder = socket_dir(data_dir.parent, data_dir.name, socket_name)
    if folder != data_dir:
        with contextlib.suppress(OSError):
            folder.rmdir()
