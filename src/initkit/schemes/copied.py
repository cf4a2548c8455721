"""The scheme that starts one parameter as another."""

from __future__ import annotations

import re
from dataclasses import replace

from .. import distributions
from ..errors import OptionError
from ..numbers import frozen
from .base import Scheme
from .site import Site


@frozen
class CopyOf(
    Scheme,
    name="copy_of",
    formula="x of the other parameter",
    source="Mnih et al. 2015, target networks; He et al. 2019, MoCo's momentum encoder",
    moments="those of the other parameter",
    positional=("parameter",),
    reads="site",
):
    """Start with the same values as another parameter of the model.

    Each ``*`` stands for what the rule's own took: ``{"target.*": "copy_of('q.*')"}`` starts
    ``target.0.weight`` as ``q.0.weight``. In a table under a module's path the name is relative to
    that module, as the keys are, or else to the model. The other parameter must be started by a
    rule, and have the same shape and dtype.
    """

    parameter: str
    whole = True

    def __post_init__(self) -> None:
        super().__post_init__()
        given: object = self.parameter  # whatever the text of a rule held
        if not isinstance(given, str) or not given:
            message = f"copy_of: parameter must be a name such as 'q.*', not {self.parameter!r}"
            raise OptionError(message, owner=self.name, option="parameter")

    def resolve(self, site: Site) -> distributions.Distribution:
        for path, stars in site.scopes:
            if self.parameter.count("*") in (0, len(stars)):
                name = path + fill_stars(self.parameter, replace(site, stars=stars))
                if name in site.others:
                    return distributions.Copy(name)
        return distributions.Copy(fill_stars(self.parameter, site))


def fill_stars(text: str, site: Site) -> str:
    """Return a name with what the wildcards of the rule took in place of its stars."""
    pieces = text.split("*")
    wanted, taken = len(pieces) - 1, len(site.stars)
    if wanted and wanted != taken:
        raise site.mismatch(
            f"{text!r} has {wanted} '*', and the name in its rule {taken or 'none'}; "
            "write as many in both, as in {'target.*': \"copy_of('q.*')\"}"
        )
    filled = pieces[0]
    for star, piece in zip(site.stars, pieces[1:], strict=False):
        filled += star + piece
    # A first "*." may stand for nothing, and so may the one that it fills.
    return re.sub(r"\.{2,}", ".", filled).strip(".")
