"""The frame of an HTML page: its colours in light and dark, its widths, and what keeps it from asking the network."""

from __future__ import annotations

# every pair of text and ground reaches a contrast of 4.5 (tests/reporters/test_html.py)
LIGHT = {
    "ground": "#ffffff", "box": "#f4f5f7", "text": "#1a1c1f", "faint": "#565d68", "line": "#d5d9e0",
    "error": "#b3261e", "warning": "#7a4a00", "info": "#0b5cad",
    "ready": "#1a6b3a", "installable": "#0b5cad", "blocked": "#7a4a00", "unsupported": "#565d68",
}  # fmt: skip
DARK = {
    "ground": "#14161a", "box": "#1e2127", "text": "#e4e6ea", "faint": "#a3abb7", "line": "#363b45",
    "error": "#ff8a80", "warning": "#f0b75e", "info": "#7db7ff",
    "ready": "#6fd39b", "installable": "#7db7ff", "blocked": "#f0b75e", "unsupported": "#a3abb7",
}  # fmt: skip
STYLE = """
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main,footer{max-width:60rem;margin:0 auto;padding:1rem}
h1{font-size:1.35rem;line-height:1.3;margin:0}
h2{font-size:1.1rem;margin:2rem 0 .5rem}
h3{font-size:1rem;margin:0}
p{margin:.4rem 0}
h1,h3,p,dd,td,li,th code{overflow-wrap:anywhere}
code,pre{font:.9em/1.5 ui-monospace,Menlo,Consolas,monospace}
pre code{font-size:1em}
pre{margin:0;padding:.5rem .75rem;background:var(--box);border:1px solid var(--line);border-radius:4px;
white-space:pre-wrap;overflow-wrap:anywhere}
summary:focus-visible{outline:2px solid var(--info);outline-offset:2px}
.answer,article{border-left:4px solid var(--own);padding:.25rem 0 .25rem 1rem}
article{margin:1rem 0}
.ignored h3,.ignored p{color:var(--faint)}
.word{color:var(--own);font-weight:600;white-space:nowrap}
.command{display:flex;gap:.75rem;margin:.4rem 0;align-items:baseline}
.command .label{flex:none;width:1.75rem;color:var(--faint)}
.command pre{flex:1;min-width:0}
details{color:var(--faint)}
summary{cursor:pointer}
ul{margin:.4rem 0;padding-left:1.25rem}
table{width:100%;border-collapse:collapse}
th,td{text-align:left;vertical-align:top;padding:.35rem .75rem .35rem 0;border-bottom:1px solid var(--line)}
thead th,dt,footer{color:var(--faint);font-weight:400}
tbody th{font-weight:400}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:0}
dd{margin:0;min-width:0}
@media (max-width:40rem){
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
tbody{display:block}
tbody tr{display:grid;grid-template-columns:1fr max-content;gap:0 1rem;padding:.5rem 0;
border-bottom:1px solid var(--line)}
tbody th,tbody td{padding:0;border:0}
tbody td:last-child{grid-column:1/-1}
dl{grid-template-columns:1fr;gap:0}
dd{margin-bottom:.5rem}
}
@media print{details>*{display:block}}
"""


def page(title: str, body: str, footer: str) -> str:
    """A whole document; the policy in it forbids scripts and anything from elsewhere."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
{_colours()}{STYLE}</style>
</head>
<body>
<main>
{body}
</main>
<footer>{footer}</footer>
</body>
</html>
"""


def _colours() -> str:
    own = "".join(
        f".{name}{{--own:var(--{name})}}" for name in LIGHT if name not in ("ground", "box", "text", "faint", "line")
    )
    return f":root{{{_variables(LIGHT)}}}\n@media (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}\n{own}"


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())
