"""A file is written beside its target, flushed to the disk, and moved over it."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import FileError
from .reading import as_path


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a path to write to; what is written there takes the place of ``path`` at the end.

    Where the block raises, ``path`` is as it was and nothing lies beside it. A link stays a link,
    to a new file; an old file's permissions go to the new one, and a file that may not be written
    is not replaced. What is no plain file, such as ``/dev/stdout``, is written directly.

    Raises :class:`OSError` where the file cannot be written, and whatever the block raises.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        yield target
        return
    mode = _mode(target)
    # In the same folder, so that moving it is one step of one file system. The name is short, since
    # the target's own may be as long as names can be.
    beside = target.with_name(f".initkit-{secrets.token_hex(8)}.tmp")
    try:
        with beside.open("xb"):  # made here, so that what could never be written fails at once
            pass
        mode = mode if mode is not None else stat.S_IMODE(beside.stat().st_mode)
        yield beside
        beside.chmod(mode)  # afterwards: the block may have made the file anew
        _flush(beside)
        beside.replace(target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(beside):
            error.filename = str(path)  # users know nothing of the file beside it
        raise
    _flush_folder(target.parent)


def write_text(path: str | Path, text: str) -> Path:
    r"""Write a text as UTF-8, its lines ended by ``\n`` on every system.

    Raises :class:`FileError` where it cannot be written; an old file is as it was then.

    >>> import tempfile
    >>> write_text(Path(tempfile.mkdtemp()) / "plan.txt", "weight  4x3\n").read_text()
    'weight  4x3\n'
    """
    try:
        data = text.encode()
        with replacing(as_path(path)) as beside:
            beside.write_bytes(data)
    except (OSError, ValueError) as error:  # ValueError: NUL in a path, half a character in a text
        raise FileError(f"{path}: cannot be written: {error}", path=path) from None
    return Path(path)


def _mode(target: Path) -> int | None:
    """Return the permissions of a file that may be written; None where there is none yet."""
    if not target.exists():
        return None
    # A move needs the folder's permission alone, and would replace what the owner has protected.
    with target.open("ab"):
        return stat.S_IMODE(target.stat().st_mode)


def _flush(path: Path) -> None:
    """Wait until the disk has the file: a full one may say so only now."""
    with path.open("ab") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Wait until the disk has the folder's new entry, where the system can tell."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):  # the file stands there; only a loss of power could undo it
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
