"""Rows become text for a terminal or a page of HTML."""

from .html import Cell, Notes, Table, bars, html_page
from .text import fold, text_table

__all__ = [
    "Cell",
    "Notes",
    "Table",
    "bars",
    "fold",
    "html_page",
    "text_table",
]
