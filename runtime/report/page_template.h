#pragma once

namespace bgw::report {

/// Mustache template of the page. {{x}} is escaped, {{{x}}} is not: only our own SVG stands there.
inline constexpr const char* kPageTemplate = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{title}}</title>
<style>
:root { color-scheme: light dark; --text: #1d2329; --soft: #5c6670; --page: #ffffff; --panel: #f6f8fa; --line: #d8dee4; --good: #1a7f37; --bad: #b42318; --accent: #0b62a8; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e8ec; --soft: #9aa5b1; --page: #14181c; --panel: #1c2228; --line: #353e47; --good: #4cc26b; --bad: #ff7b6b; --accent: #6db7f2; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 62rem; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .7rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .4rem; }
p.lead { font-size: 1.1rem; margin: 0 0 .8rem; max-width: 46rem; }
.soft, caption, figcaption { color: var(--soft); }
.facts { display: flex; flex-wrap: wrap; gap: .6rem; padding: 0; margin: 1.2rem 0; list-style: none; }
.facts li { background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; padding: .45rem .9rem; }
.facts b { display: block; font-size: 1.2rem; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .93rem; }
th, td { text-align: left; padding: .32rem .9rem .32rem 0; border-bottom: 1px solid var(--line); vertical-align: baseline; }
th { font-weight: 600; color: var(--soft); white-space: nowrap; }
.n { text-align: right; white-space: nowrap; }
code, pre, .mono { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .86em; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: .4rem; padding: .7rem .9rem; overflow-x: auto; margin: .4rem 0; }
.good { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; }
.missing { color: var(--bad); }
figure { margin: 1rem 0; } figure svg { max-width: 100%; height: auto; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: 1rem; }
.matrix td { text-align: center; padding: .35rem .6rem; border: 1px solid var(--line); }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .45rem 0; background: var(--panel); }
summary { cursor: pointer; padding: .45rem .8rem; } details > div { padding: 0 .9rem .8rem; }
td code { white-space: nowrap; }
details pre { background: var(--page); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: .3rem 0; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
a { color: var(--accent); }
</style>
</head>
<body>
<h1>{{title}}</h1>
{{#lead}}<p class="lead">{{lead}}</p>{{/lead}}
<ul class="facts">
{{#facts}}<li><b>{{value}}</b><span class="soft">{{name}}</span></li>
{{/facts}}</ul>
{{#has_overridden}}<p>Parameters other than in the program: {{#overridden}}<code>{{name}} = {{new}}</code> <span class="soft">(in the program {{old}})</span> {{/overridden}}</p>{{/has_overridden}}
{{#has_missing}}<p class="missing">Some results are missing. This makes them:</p><pre>{{make_all}}</pre>{{/has_missing}}

{{#problems}}<p class="missing">{{text}}</p>
{{/problems}}
{{#has_checks}}<h2>Checks</h2>
<div class="scroll"><table>
<tr><th>check</th><th class="n">value</th><th class="n">reference</th><th class="n">difference</th><th class="n">in sigma</th><th>must be</th><th>verdict</th><th>source</th></tr>
{{#checks}}<tr><td>{{name}}</td><td class="n">{{value}}</td><td class="n">{{reference}}</td><td class="n">{{difference}}</td><td class="n">{{sigmas}}</td><td>{{criterion}}</td><td>{{#holds}}<span class="good">holds</span>{{/holds}}{{#fails}}<span class="bad">does not hold</span>{{/fails}}{{#open}}<span class="missing">open</span>{{/open}}{{#message}} <span class="soft">{{message}}</span>{{/message}}</td><td class="soft">{{source}}</td></tr>
{{/checks}}</table></div>{{/has_checks}}

{{#tables}}<h2>{{name}}</h2>
{{#doc}}<p class="soft">{{doc}}</p>{{/doc}}
{{#missing}}<p class="missing">Missing. This makes it:</p><pre>{{command}}</pre>{{/missing}}
<div class="scroll"><table>
<tr>{{#head}}<th class="n">{{text}}</th>{{/head}}</tr>
{{#rows}}<tr>{{#cells}}<td class="n">{{text}}</td>{{/cells}}</tr>
{{/rows}}</table></div>
{{/tables}}

{{#has_figures}}<h2>Figures</h2>{{/has_figures}}
{{#figures}}<figure>{{{svg}}}{{#problem}}<p class="missing">{{problem}}</p>{{/problem}}{{#missing}}<p class="missing">{{name}} is missing. This makes it:</p><pre>{{command}}</pre>{{/missing}}<figcaption>{{name}}{{#doc}}: {{doc}}{{/doc}}</figcaption></figure>
{{/figures}}

<h2>Results</h2>
<p class="soft">Every number with one standard error, as 1.234(5) for 1.234 ± 0.005. The cost is counted in evaluations of the energy: an energy or an energy with its gradient is one, a Hessian-vector product two.</p>
<div class="scroll"><table>
<tr><th>task</th><th>result</th><th class="n">value</th><th>unit</th><th class="n">samples</th><th class="n">energy calls</th><th class="n">time</th><th>key</th></tr>
{{#results}}<tr><td>{{task}}</td><td>{{result}}{{#note}} <a href="#convention-{{note}}">[{{note}}]</a>{{/note}}</td><td class="n">{{value}}</td><td>{{unit}}</td><td class="n">{{samples}}</td><td class="n">{{calls}}</td><td class="n">{{time}}</td><td>{{#key}}<a class="mono" href="#{{key}}">{{short_key}}</a>{{/key}}{{#missing}}<span class="missing">missing</span>: <code>{{command}}</code>{{/missing}}</td></tr>
{{/results}}</table></div>
{{#conventions}}<p class="soft" id="convention-{{number}}">[{{number}}] {{text}}</p>
{{/conventions}}

{{#has_training}}<h2>Training</h2>{{/has_training}}
{{#training}}<h3>{{name}}</h3><div class="pair">{{#plots}}<figure>{{{svg}}}{{#problem}}<p class="missing">{{problem}}</p>{{/problem}}</figure>{{/plots}}</div>
{{/training}}

{{#has_histograms}}<h2>Work and weights</h2>
<p class="soft">Forward: from the model to the crystal, over samples of the model. Reverse: the same work over samples of the crystal. An estimate stands on the overlap of the two.</p>{{/has_histograms}}
<div class="pair">{{#histograms}}<figure>{{{svg}}}{{#problem}}<p class="missing">{{problem}}</p>{{/problem}}</figure>{{/histograms}}</div>

{{#has_overlaps}}<h2>Overlap of states</h2>
<p class="soft">Row i, column j: the probability that a sample of state i is taken for one of state j. Neighbours should share a few hundredths at least.</p>{{/has_overlaps}}
{{#overlaps}}<h3>{{name}}</h3><div class="scroll"><table class="matrix">
{{#rows}}<tr>{{#cells}}<td style="background: color-mix(in srgb, var(--accent) {{percent}}%, transparent)">{{text}}</td>{{/cells}}</tr>
{{/rows}}</table></div>
{{/overlaps}}

<h2>Plan</h2>
{{#graph}}<figure>{{{graph}}}</figure>{{/graph}}

<h2>Provenance</h2>
{{#provenance}}<details id="{{key}}"><summary><b>{{name}}</b> <span class="soft">{{kind}}</span> <span class="mono soft">{{short_key}}</span></summary><div>
<dl><dt>key</dt><dd class="mono">{{key}}</dd>{{#facts}}<dt>{{name}}</dt><dd>{{value}}</dd>{{/facts}}</dl>
{{#has_inputs}}<h3>Inputs</h3><dl>{{#inputs}}<dt>{{role}}</dt><dd>{{task}} <a class="mono" href="#{{key}}">{{key}}</a></dd>{{/inputs}}</dl>{{/has_inputs}}
<h3>Parameters, in angstrom, eV, K and fs</h3><pre>{{parameters}}</pre></div></details>
{{/provenance}}
<p class="soft">{{program}}, SHA-256 <span class="mono">{{program_sha}}</span>, by bgw {{version}}.</p>
</body>
</html>
)html";

}  // namespace bgw::report
