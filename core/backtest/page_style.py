"""How the report's page looks."""

from __future__ import annotations

STYLE = """
:root{--ink:#1c2733;--soft:#5c6b7a;--line:#dfe5ea;--paper:#fbfcfd;--card:#fff;--sea:#0b6e8f;--gain:#2a7f62;--loss:#b5532a;
--warn:#b5532a;--doubt:#8a6d00;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--ink:#dde5ec;--soft:#93a3b3;--line:#2a3642;--paper:#12181f;--card:#19212a;
--sea:#58b7d6;--gain:#6cc3a1;--loss:#e08d63;--warn:#e08d63;--doubt:#d9b84a}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1040px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:25px;line-height:1.25;margin:0 0 6px}
h2{font-size:17px;margin:44px 0 12px;padding-bottom:6px;border-bottom:1px solid var(--line)}
h3{font-size:14px;margin:20px 0 6px}
p{margin:6px 0;max-width:76ch}
header p,.quiet{color:var(--soft)}
code{font:13px ui-monospace,"Cascadia Mono",Menlo,Consolas,monospace}
.partial{background:color-mix(in srgb,var(--warn) 14%,transparent);
border-left:4px solid var(--warn);padding:8px 12px;color:var(--ink)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin-top:18px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 12px;display:flex;flex-direction:column}
.tile span{color:var(--soft);font-size:12.5px}
.tile b{font-size:16px;font-variant-numeric:tabular-nums;white-space:nowrap}
.tile i{color:var(--soft);font-style:normal;font-size:12.5px;font-variant-numeric:tabular-nums}
.findings{list-style:none;margin:0;padding:0}
.findings li{display:grid;grid-template-columns:76px 1fr;gap:10px;padding:7px 0;border-bottom:1px solid var(--line)}
.findings b{font-size:12.5px;text-transform:uppercase;letter-spacing:.04em;padding-top:2px}
.fine b{color:var(--gain)}.doubt b{color:var(--doubt)}.warning b{color:var(--warn)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:5px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th{font-weight:600;font-size:12.5px;color:var(--soft)}
th.text,td.text{text-align:left}
tbody tr:hover{background:color-mix(in srgb,var(--sea) 7%,transparent)}
.plain th{text-align:left;width:120px}.plain td{white-space:normal}
svg{width:100%;height:auto;display:block}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--soft);font-variant-numeric:tabular-nums}
svg .name{font-weight:600}svg .count{font-size:10.5px}
.grid{stroke:var(--line);stroke-opacity:1;stroke-width:1}.start{stroke:var(--soft)}
.equity{fill:none;stroke:var(--sea);stroke-width:1.6;stroke-linejoin:round}
.fall{fill:var(--loss);fill-opacity:.38;stroke:var(--loss);stroke-width:1}
.gain{fill:var(--gain)}.loss{fill:var(--loss)}
ul{padding-left:20px;max-width:84ch}
@media print{body{background:#fff}h2{break-after:avoid}section{break-inside:avoid}}
"""
