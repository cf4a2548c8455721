"""Files are written whole or not at all, and read as what they are or refused by name."""

from .reading import parse_json, parse_toml, read_text
from .writing import replacing, write_text

__all__ = ["parse_json", "parse_toml", "read_text", "replacing", "write_text"]
