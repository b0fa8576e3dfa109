# SPDX-License-Identifier: ISC
"""
browser - a page in headless Chromium, as it is laid out and coloured.

A page of ours may run no script. So another one has it in frames of given
widths, and reads them from outside, which its policy does not forbid. Media
that a screen does not have (dark, print) are put on by naming them "all".
"""
import functools
import html
import http.server
import json
import os
import re
import shutil
import subprocess
import threading

import servers
from stage import Skip

LIMIT = 60  # seconds for one run; it takes two

READER = """<!DOCTYPE html><title>reader</title><body><pre id="result"></pre>
<script>
const frames = %s;
function colours(element) {
  let behind = element;
  while (behind && getComputed(behind).backgroundColor === 'rgba(0, 0, 0, 0)')
    behind = behind.parentElement;
  return [getComputed(element).color, getComputed(behind).backgroundColor];
}
function getComputed(element) {
  return element.ownerDocument.defaultView.getComputedStyle(element);
}
function put_on(sheet, media) {
  for (const rule of sheet.cssRules)
    if (rule.media && media && rule.media.mediaText.includes(media))
      rule.media.mediaText = 'all';
}
function read(frame, media) {
  const page = frame.contentDocument, root = page.documentElement;
  put_on(page.styleSheets[0], media);
  const sections = [...page.querySelectorAll('section')];
  const svg = [...page.querySelectorAll('svg')];
  return {
    title: page.title, width: root.clientWidth, scroll: root.scrollWidth,
    columns: new Set(sections.map(s => s.getBoundingClientRect().left)).size,
    borders: sections.map(s => getComputed(s).borderLeftStyle),
    states: [...page.querySelectorAll('.state')].map(s => s.textContent),
    plots: svg.map(s => [s.getBoundingClientRect().width,
                         s.getBoundingClientRect().height]),
    bars: [...page.querySelectorAll('svg > g')].map(
      g => [g.computedRole, g.computedName]),
    wide: sections.filter(s => s.scrollWidth > s.clientWidth).length,
    colours: [...page.querySelectorAll('h1,header p,h2,.state,dt,dd,li,.advice,' +
      'figcaption,footer p')].map(colours),
    scripts: frame.contentWindow.ran || false,
    odd: page.querySelector('#odd') ? colours(page.querySelector('#odd'))[0] : '',
  };
}
const result = {};
let left = frames.length;
for (const [name, width, media] of frames) {
  const frame = document.createElement('iframe');
  frame.width = width; frame.height = 900;
  frame.onload = () => {
    result[name] = read(frame, media);
    if (--left === 0)
      document.getElementById('result').textContent = JSON.stringify(result);
  };
  frame.src = 'page.html';
  document.body.appendChild(frame);
}
</script></body>
"""


class Folder:
    """A web server for one folder, which notes what it is asked for."""

    def __init__(self, path):
        self.asked = asked = []

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *args):
                asked.append(self.path)

        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=path))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = "http://127.0.0.1:%d/" % self.server.server_address[1]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def look_at(t, page, frames):
    """What the frames (name, width, medium or "") of a page show, by their names;
    what else was asked for; what the browser complains of."""
    chromium = shutil.which("chromium")
    if not chromium:
        raise Skip("chromium is not installed, which has some 400 MB")
    web = t.sub("web")
    for name, text in (("page.html", page), ("reader.html", READER % json.dumps(frames))):
        with open(os.path.join(web, name), "w", encoding="utf-8") as file:
            file.write(text)
    folder = Folder(web)
    t.at_end(folder.close)
    with open(t.path("dom"), "wb") as dom, open(t.path("complaints"), "wb") as said:
        child = subprocess.Popen(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
             # what a screen reader hears: computedRole, computedName
             "--enable-blink-features=ComputedAccessibilityInfo",
             "--disable-background-networking", "--enable-logging=stderr",
             "--user-data-dir=" + t.sub("chromium"), "--virtual-time-budget=20000",
             folder.address + "reader.html"], stdout=dom, stderr=said,
            stdin=subprocess.DEVNULL, env=dict(os.environ, HOME=t.sub("home")))
    try:
        servers.ended(child, LIMIT)
    finally:
        child.kill()
    dom, said = read(t.path("dom")), read(t.path("complaints"))
    found = re.search('<pre id="result">(.+?)</pre>', dom, re.DOTALL)
    assert found, (dom[-2000:], said[-2000:])
    complaints = [line for line in said.splitlines()
                  if "Content Security Policy" in line]
    asked = {path for path in folder.asked
             if path not in ("/page.html", "/reader.html", "/favicon.ico")}
    return json.loads(html.unescape(found.group(1))), asked, complaints


def contrast(pair):
    """Of two colours as "rgb(r, g, b)" (WCAG 2.1, relative luminance)."""
    def luminance(colour):
        parts = [int(n) / 255 for n in re.findall(r"\d+", colour)[:3]]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4
                  for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted(luminance(colour) for colour in pair)
    return (light + 0.05) / (dark + 0.05)
