"""Fail when a wheel lacks what it must carry, or carries what it must not."""

from __future__ import annotations

import sys
import zipfile

NEEDED = ("initkit/__init__.py", "initkit/py.typed", "initkit/stream/*.bin")


def main(wheel: str) -> None:
    """Compare the names in the wheel with what is needed."""
    names = zipfile.ZipFile(wheel).namelist()
    print(f"{wheel.rpartition('/')[2]}: {len(names)} files")
    for need in NEEDED:
        start, _, end = need.partition("*")
        if not any(name.startswith(start) and name.endswith(end) for name in names):
            sys.exit(f"the wheel has no {need}")
    extra = [name for name in names if not name.startswith(("initkit/", "torch_initkit-"))]
    if extra:
        sys.exit(f"the wheel carries {extra}")
    if not any(name.startswith("initkit/stream/") and name.endswith(".so") for name in names):
        print("note: built without the C extension (no compiler here?)")


if __name__ == "__main__":
    main(sys.argv[1])
