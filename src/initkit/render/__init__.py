"""Rows become text for a terminal or a page of HTML."""

from .columns import Column, column_html, column_table
from .folding import Fold, fold_rows, split_name
from .html import Notes, Table, html_page
from .text import fold, format_shape, text_table

__all__ = [
    "Column",
    "Fold",
    "Notes",
    "Table",
    "column_html",
    "column_table",
    "fold",
    "fold_rows",
    "format_shape",
    "html_page",
    "split_name",
    "text_table",
]
