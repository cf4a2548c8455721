"""Fail when a wheel lacks what it must carry, or carries what it must not, or its tag is wrong."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

NEEDED = ("initkit/__init__.py", "initkit/py.typed", "initkit/stream/*.bin")


def main(wheel: str) -> None:
    """Compare the names in the wheel with what is needed."""
    names = zipfile.ZipFile(wheel).namelist()
    print(f"{Path(wheel).name}: {len(names)} files")
    for need in NEEDED:
        start, _, end = need.partition("*")
        if not any(name.startswith(start) and name.endswith(end) for name in names):
            sys.exit(f"the wheel has no {need}")
    extra = [name for name in names if not name.startswith(("initkit/", "torch_initkit-"))]
    if extra:
        sys.exit(f"the wheel carries {extra}")
    compiled = any(name.startswith("initkit/stream/_kernel.") for name in names)
    if compiled == wheel.endswith("-none-any.whl"):
        sys.exit("the tag does not say whether the wheel has the C extension")
    if not compiled:
        print("note: built without the C extension (no compiler here?)")


if __name__ == "__main__":
    for each in sys.argv[1:]:
        main(each)
