"""Files are written whole or not at all, and read as what they are or refused by name."""

from .reading import as_path, no_file, parse_json, parse_toml, read_text
from .tensors import StoredTensor, stored_tensors, why_refused
from .writing import replacing, write_text

__all__ = [
    "StoredTensor",
    "as_path",
    "no_file",
    "parse_json",
    "parse_toml",
    "read_text",
    "replacing",
    "stored_tensors",
    "why_refused",
    "write_text",
]
