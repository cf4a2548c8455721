"""What is there of modules that may never have been imported, or not to their end."""

from __future__ import annotations

import sys
from typing import Any


def loaded(module: str, attribute: str) -> Any:
    """Return an attribute of a module that is loaded; None where there is none, or none yet.

    Imports nothing: who has made an object of a class has imported it. Another thread may be in the
    middle of an import, and then the module stands there without some of its names.

    >>> loaded("math", "pi"), loaded("no.such.module", "pi"), loaded("math", "tau_of_tomorrow")
    (3.141592653589793, None, None)
    """
    return getattr(sys.modules.get(module), attribute, None)
