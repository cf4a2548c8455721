"""Rows become text for a terminal or a page of HTML."""

from .columns import Column, column_html, column_lines, column_table
from .folding import Fold, Grid, Traits, brief_names, fold_alike, fold_rows, split_name
from .html import Mark, Names, Notes, Section, Table, html_page
from .plots import count_decades, count_whole, figure, say_nothing
from .ranges import brief_ranges, common_start, spanned, template
from .svg import (
    Density,
    Ink,
    Picture,
    Series,
    Spot,
    densities,
    line_chart,
    scatter,
    strips,
    tie_pictures,
)
from .terminal import Line, Shown, Tone, check_count, lines_of, lines_of_each, show, terminal_width
from .text import fold, format_shape, text_table
from .tied import MOST_PLACES, TieFold, fold_ties, one_place_a_name, places_of_names

__all__ = [
    "MOST_PLACES",
    "Column",
    "Density",
    "Fold",
    "Grid",
    "Ink",
    "Line",
    "Mark",
    "Names",
    "Notes",
    "Picture",
    "Section",
    "Series",
    "Shown",
    "Spot",
    "Table",
    "TieFold",
    "Tone",
    "Traits",
    "brief_names",
    "brief_ranges",
    "check_count",
    "column_html",
    "column_lines",
    "column_table",
    "common_start",
    "count_decades",
    "count_whole",
    "densities",
    "figure",
    "fold",
    "fold_alike",
    "fold_rows",
    "fold_ties",
    "format_shape",
    "html_page",
    "line_chart",
    "lines_of",
    "lines_of_each",
    "one_place_a_name",
    "places_of_names",
    "say_nothing",
    "scatter",
    "show",
    "spanned",
    "split_name",
    "strips",
    "template",
    "terminal_width",
    "text_table",
    "tie_pictures",
]
