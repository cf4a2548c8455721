"""Rows become text for a terminal or a page of HTML."""

from .columns import Column, column_html, column_table
from .folding import Fold, fold_rows, split_name
from .html import Notes, Section, Table, html_page
from .svg import Picture, Series, line_chart, strips
from .text import fold, format_shape, text_table

__all__ = [
    "Column",
    "Fold",
    "Notes",
    "Picture",
    "Section",
    "Series",
    "Table",
    "column_html",
    "column_table",
    "fold",
    "fold_rows",
    "format_shape",
    "html_page",
    "line_chart",
    "split_name",
    "strips",
    "text_table",
]
