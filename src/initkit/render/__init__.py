"""Rows become text for a terminal or a page of HTML."""

from .columns import Column, column_html, column_table
from .html import Notes, Table, html_page
from .text import fold, format_shape, text_table

__all__ = [
    "Column",
    "Notes",
    "Table",
    "column_html",
    "column_table",
    "fold",
    "format_shape",
    "html_page",
    "text_table",
]
