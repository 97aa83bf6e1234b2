#include "conform/markup.hpp"

namespace aprotic::conform {

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto code = static_cast<unsigned char>(c);
        if (c == '&') {
            out += "&amp;";
        } else if (c == '<') {
            out += "&lt;";
        } else if (c == '>') {
            out += "&gt;";
        } else if (c == '"') {
            out += "&quot;";
        } else if (code < 0x20 && c != '\n' && c != '\t') {
            out += "\xEF\xBF\xBD";  // XML has no way to write it
        } else {
            out += c;
        }
    }
    return out;
}

std::string_view page_style() {
    return R"(<style>
:root { --ok: #2e7d4f; --soft: #b7791f; --bad: #b3261e; --note: #3b6ea8; --none: #9aa0a6; --line: #e2e5e9; --ink: #1d2329;
  --paper: #ffffff; --shade: #f6f7f9; }
@media (prefers-color-scheme: dark) { :root { --ok: #5cb585; --soft: #e0ac4f; --bad: #ef7b72; --note: #7fb0e6; --none: #747c85;
  --line: #333a42; --ink: #e4e7ea; --paper: #16191d; --shade: #1f2429; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 72rem; color: var(--ink); background: var(--paper);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
p.sub { margin: .2rem 0 1.4rem; color: var(--none); }
table { border-collapse: collapse; width: 100%; } td, th { padding: .35rem .6rem; text-align: left; vertical-align: top; }
tr { border-bottom: 1px solid var(--line); } th { font-weight: 600; font-size: .85rem; color: var(--none); }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code, pre { font: 12.5px/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
pre { margin: .2rem 0 .8rem; padding: .6rem .8rem; background: var(--shade); border-radius: 6px; overflow-x: auto;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.tiles { display: flex; flex-wrap: wrap; gap: .7rem; margin: 1rem 0; }
.tile { padding: .6rem 1rem; border: 1px solid var(--line); border-radius: 8px; min-width: 7rem; }
.tile b { display: block; font-size: 1.5rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.bar { display: flex; height: .8rem; border-radius: 4px; overflow: hidden; background: var(--line); min-width: 10rem; margin-top: .3rem; }
.bar i { display: block; height: 100%; }
a { color: inherit; text-decoration-color: var(--none); }
.v { display: inline-block; justify-self: start; padding: 0 .5rem; border-radius: 1rem; font-size: .8rem; font-weight: 600; white-space: nowrap;
  color: var(--paper); background: var(--none); }
.ok { background: var(--ok); } .non-strict { background: var(--soft); } .informational { background: var(--note); }
.failed, .failed-silent, .failed-crash { background: var(--bad); } .unimplemented, .inconclusive { background: var(--none); }
details { border-bottom: 1px solid var(--line); } summary { padding: .35rem .2rem; cursor: pointer; display: grid;
  grid-template-columns: 9rem 16rem 1fr; gap: .6rem; align-items: baseline; }
summary::marker { content: ""; } details[open] summary { background: var(--shade); } .body { padding: .2rem .8rem .8rem; }
.body dt { font-weight: 600; font-size: .85rem; color: var(--none); } .body dd { margin: 0 0 .5rem; }
.way { color: var(--none); } .us { color: var(--note); } .them { color: var(--ok); }
nav button { font: inherit; font-size: .85rem; padding: .2rem .7rem; margin-right: .3rem; border: 1px solid var(--line); border-radius: 1rem;
  background: var(--paper); color: var(--ink); cursor: pointer; } nav button.on { background: var(--ink); color: var(--paper); }
nav button:disabled { color: var(--none); cursor: default; }
@media (max-width: 46rem) { summary { grid-template-columns: 1fr; gap: .1rem; } table { display: block; overflow-x: auto; }
  .bar { min-width: 5rem; } }
</style>
)";
}

}  // namespace aprotic::conform
