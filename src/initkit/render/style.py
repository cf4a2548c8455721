"""What pages look like: colours for light and dark, in notebooks and by themselves."""

from __future__ import annotations

import re

_LIGHT = (
    "--ink:#1c2024;--dim:#667;--line:#dde;--bar:#bcd3f5;--warn:#9a6700;--bad:#b42318;--page:#fff;"
    "--one:#2563c9;--two:#c2410c;--three:#0f8a5f;--four:#8b3fc7;--five:#b0286d;color-scheme:light"
)
_DARK = (
    "--ink:#e6e8ec;--dim:#99a;--line:#334;--bar:#2d4a78;--warn:#e3b341;--bad:#ff8a80;"
    "--page:#14171b;--one:#7cb0ff;--two:#ff9e64;--three:#5fd3a3;--four:#c49bff;--five:#ff8ac0;color-scheme:dark"
)
# How JupyterLab, VS Code, Colab and documentation themes say what they are: a notebook may be dark
# on a light system, and the other way round.
_SAYS_LIGHT = (
    ":is([data-jp-theme-light=true],.vscode-light,.vscode-high-contrast-light,[theme=light],"
    "[data-theme=light])"
)
_SAYS_DARK = (
    ":is([data-jp-theme-light=false],.vscode-dark,"
    ".vscode-high-contrast:not(.vscode-high-contrast-light),[theme=dark],[data-theme=dark])"
)


PAGE = (
    "html{background:#fff;color-scheme:light dark}body{margin:0}"
    "@media(prefers-color-scheme:dark){html{background:#14171b}}"
)


_PICTURE = """
@@ .grid{stroke:var(--line);fill:none}@@ .line{fill:none;stroke-width:1.6}
@@ .ink-one{--c:var(--one)}@@ .ink-two{--c:var(--two)}
@@ .ink-three{--c:var(--three)}@@ .ink-four{--c:var(--four)}
@@ .ink-five{--c:var(--five)}@@ .ink-dim{--c:var(--dim)}
@@ path.line{stroke:var(--c)}@@ path.area,@@ circle,@@ rect{fill:var(--c)}
""".replace("\n", "")
PICTURE = (
    f"svg{{{_LIGHT};font:11px system-ui,sans-serif;fill:var(--dim);background:var(--page)}}"
    f"@media(prefers-color-scheme:dark){{svg{{{_DARK}}}}}{_PICTURE.replace('@@', 'svg')}"
)
"""What a picture looks like that is a file of its own."""


# The class stands three times, so that no style sheet of a notebook's beats it by specificity.
_TEMPLATE = """
@@{%LIGHT;color:var(--ink);background:var(--page);font:14px/1.45 system-ui,sans-serif;padding:.5em}
@media(prefers-color-scheme:dark){@@{%DARK}}
%SAYS_LIGHT @@{%LIGHT}%SAYS_DARK @@{%DARK}
@@ h2{font-size:1.3em;margin:.2em 0}@@ h3{font-size:1.05em;margin:.8em 0 .2em}
@@ h2,@@ h3,@@ p,@@ li,@@ summary{color:inherit}
@@ .scroll{overflow:auto;max-height:85vh}
@media print{@@ .scroll{overflow:visible;max-height:none}}
@@ table{border-collapse:collapse;border:0;margin:.3em 0;color:var(--ink);
background:var(--page);font:inherit;table-layout:auto}
@@ tr,@@ tr:hover{background:var(--page);color:var(--ink)}
@@ th,@@ td{text-align:left;vertical-align:top;padding:.2em .7em;border:0;color:var(--ink);
border-bottom:1px solid var(--line);white-space:nowrap;font-variant-numeric:tabular-nums;
background-color:transparent;max-width:none}
@@ td:first-child{white-space:normal;min-width:14em}
@@ td[title]{white-space:normal;overflow-wrap:break-word;min-width:11em;max-width:24em}
@@ td.r[title]{min-width:0}
@@ small{display:block;color:var(--dim);white-space:normal;max-width:22em;font-size:.85em}
@media(max-width:900px){@@ table{font-size:13px}@@ th,@@ td{padding:.2em .45em}}
%STACKED
@@ td details{white-space:pre-wrap}@@ td summary{cursor:pointer;white-space:normal}
@@ tr[aria-selected=true]{background:var(--bar)}
@@ .tools{display:flex;flex-wrap:wrap;gap:.3em 1em;align-items:center;margin:.2em 0}
@@ select,@@ button{font:inherit;color:var(--ink);background:var(--page);
border:1px solid var(--line);padding:.2em .5em}
@@ th{position:sticky;top:0;background:var(--page)}@@ th[aria-sort]{cursor:pointer}
@@ th[aria-sort=ascending]:after{content:" \\2191"}
@@ th[aria-sort=descending]:after{content:" \\2193"}
@@ .r{text-align:right}@@ td.t,@@ td.t summary{white-space:pre-wrap}
@@ td.t summary{list-style:none}@@ td.t summary:after{content:" \\25b8"}
@@ td.t [open] summary:after{content:" \\25be"}
@@ td.p{white-space:normal;overflow-wrap:anywhere;min-width:9em}
@@ td[style]{background:linear-gradient(90deg,var(--bar) var(--b),transparent var(--b))
bottom/100% 3px no-repeat}
@@ .muted,@@ .rest{color:var(--dim)}@@ .warning{color:var(--warn)}@@ .error{color:var(--bad)}
@@ section.warning,@@ section.error{border-left:4px solid;padding-left:.8em}
@@ figure{display:inline-block;vertical-align:top;margin:.3em 1.4em .6em 0}
@@ svg{max-width:100%;height:auto;display:block;font-size:11px;fill:var(--dim)}
%PICTURE
@@ ul{margin:.2em 0;padding-left:1.3em}@@ li{white-space:pre-wrap}
@@ input{font:inherit;padding:.2em .5em;margin:.2em 0;min-width:16em;color:var(--ink);
background:var(--page);border:1px solid var(--line)}
""".replace("\n", "").replace("%PICTURE", _PICTURE)
# Many columns in a narrow place, which a cell of a notebook may be on a wide screen: a row's name
# has a line by itself, and the other cells stand in columns below it, as wide as what they hold.
_STACKED = """
@@ .scroll{container-type:inline-size}
@container(max-width:1200px){@@ table:not(.wide) td:not(.r){white-space:normal;
overflow-wrap:anywhere}}
@supports(grid-template-columns:subgrid){@container(max-width:1200px){
@@ .wide{display:grid;grid-template-columns:repeat(var(--n),auto)}
@@ .wide :is(thead,tbody,tr){display:grid;grid-column:1/-1;grid-template-columns:subgrid}
@@ .wide tr{padding:0;border-bottom:1px solid var(--line)}
@@ .wide :is(th,td){min-width:0;border:0;white-space:normal}@@ .wide .r{white-space:nowrap}
@@ .wide :is(th,td):first-child{grid-column:1/-1}@@ .wide th:first-child{padding-bottom:0}
@@ .wide thead{position:sticky;top:0;z-index:1}@@ .wide small{max-width:14em}}}
""".replace("\n", "")
_WORDS = {
    "%STACKED": _STACKED.replace("@@", ".initkit" * 3),
    "@@": ".initkit" * 3,
    "%LIGHT": _LIGHT,
    "%DARK": _DARK,
    "%SAYS_LIGHT": _SAYS_LIGHT,
    "%SAYS_DARK": _SAYS_DARK,
}
STYLE = re.sub("|".join(_WORDS), lambda found: _WORDS[found[0]], _TEMPLATE)
