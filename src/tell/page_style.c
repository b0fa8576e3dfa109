/* SPDX-License-Identifier: ISC */
#include "page_private.h"

/*
 * Colours are variables, so that dark mode changes only them. Each has a
 * contrast of 4.5:1 or more to what is behind it (WCAG 2.1, 1.4.3). Words and
 * the kind of the border say the same as the colour: forced colours and
 * printers leave those. Nothing here may need a style attribute, which the
 * policy forbids.
 */
const char page_style[] =
    ":root{color-scheme:light dark;--page:#f4f4f2;--card:#fff;--text:#1c1c1a;"
    "--soft:#5a5a55;--line:#d5d5cf;--good:#1a6e33;--watch:#8a5200;"
    "--act:#b3201b;--off:#5a5a55}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#161615;--card:#222220;"
    "--text:#ecece8;--soft:#a9a9a2;--line:#44443f;--good:#6fcf8a;"
    "--watch:#f0b45a;--act:#ff8f88;--off:#a9a9a2}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;padding:1rem;background:var(--page);color:var(--text);"
    "font:1rem/1.45 system-ui,sans-serif;overflow-wrap:anywhere}\n"
    "header,main,footer{max-width:76rem;margin:0 auto}\n"
    "h1{font-size:1.4rem;margin:0}\n"
    "h2{font-size:1.15rem;margin:0}\n"
    "p{margin:.3rem 0}\n"
    "header p,footer,dt,figcaption,.advice{color:var(--soft)}\n"
    "main{display:grid;gap:1rem;padding:1rem 0;align-items:start;"
    "grid-template-columns:repeat(auto-fill,minmax(min(22rem,100%),1fr))}\n"
    "section{background:var(--card);border:1px solid var(--line);"
    "border-left:.5rem solid var(--off);border-radius:.4rem;"
    "padding:.8rem 1rem;min-width:0;break-inside:avoid}\n"
    ".good{border-left-color:var(--good)}\n"
    ".watch{border-left-color:var(--watch);border-left-style:dashed}\n"
    ".act{border-left-color:var(--act);border-left-style:double}\n"
    ".off{border-left-style:dotted}\n"
    ".state{font-weight:600}\n"
    ".good .state{color:var(--good)}\n"
    ".watch .state{color:var(--watch)}\n"
    ".act .state{color:var(--act)}\n"
    ".off .state{color:var(--off)}\n"
    ".word{border:2px solid;border-radius:.3rem;padding:0 .4rem;"
    "margin-right:.3rem;text-transform:uppercase;font-size:.85rem}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .8rem;"
    "margin:.6rem 0}\n"
    "dd{margin:0}\n"
    "ul{margin:.6rem 0;padding-left:1.1rem}\n"
    "li{margin:.4rem 0}\n"
    ".advice{display:block}\n"
    "figure{margin:.6rem 0 0}\n"
    "svg{display:block;width:100%;height:auto;max-height:8rem}\n"
    ".bar{fill:var(--text)}\n"
    ".none{fill:var(--soft)}\n"
    ".base{stroke:var(--line)}\n"
    ".fail{stroke:var(--act);stroke-width:1.5;fill:none}\n"
    "@media(forced-colors:active){.bar,.none{fill:CanvasText}"
    ".fail{stroke:CanvasText}}\n"
    "@media print{:root{--page:#fff;--card:#fff;--text:#000;--soft:#333;"
    "--line:#888;--good:#000;--watch:#000;--act:#000;--off:#000}"
    "body{padding:0;font-size:10pt}main{display:block}"
    "section{margin:0 0 1rem}}\n";
