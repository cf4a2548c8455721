"""Numbers that options of schemes take: a float, or a formula of fans, shapes and depth."""

from .numbers import Formula, Number, read_number

__all__ = ["Formula", "Number", "read_number"]
