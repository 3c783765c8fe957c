// A page with graphs is complete without this, which says the values under the pointer, goes
// to the window over which one drags where any can be chosen, and reads the page again after
// a change.
(() => {
const $ = id => document.getElementById(id);
const main = $("main"), tip = $("tip"), mark = $("mark"), read = new Map();
let over, start, due, stream, last = Date.now();
const say = text => $("live").textContent = text;
main.dataset.fixed || document.documentElement.classList.add("aimed"); // the pointer says that one can drag
const ms = name => +main.dataset[name];

// The numbers of a graph, by whose they are and when.
const rowsOf = name => {
  const url = `/api/v1/graphs/${name}.json?${main.dataset.query}`;
  if (!read.has(url)) read.set(url, fetch(url).then(async r => {
    if (!r.ok) throw new Error(r.status);
    const rows = new Map();
    for (const [t, of, ...values] of (await r.json()).rows) {
      const key = of + " " + Date.parse(t);
      rows.set(key, [...rows.get(key) || [], values]);
    }
    return rows;
  }).catch(e => { read.delete(url); throw e; }));
  return read.get(url);
};
const time = v => v < 1000 ? `${+v.toPrecision(3)} ms` : `${+(v / 1000).toPrecision(3)} s`;
const words = {
  availability: ([[worst, looked, , ...bad]]) => [worst, ...["down", "intermittent", "slow", "maintenance"].map((w, i) => bad[i] && `${w} ${+(bad[i] / 60).toFixed(1)} min`).filter(w => w), `looked ${Math.floor(looked * 100)} %`].join(", "),
  latency: ([[n, ...p]]) => `p50 ${time(p[0])}, p95 ${time(p[1])}, p99 ${time(p[2])}, ${n} runs`,
  phases: rows => rows.map(([phase, v]) => `${phase} ${time(v)}`).join(", "),
  failures: ([[outcome, n]]) => `${n} runs, ${outcome}`,
  mail: ([[sent, , late, pending, lost, unknown, longest]]) => [`${sent} mails`, ...Object.entries({late, pending, lost, unknown}).map(([w, n]) => n && `${n} ${w}`).filter(w => w), longest && `longest delay ${time(longest * 1e3)}`].filter(w => w).join(", "),
  probe: ([[n, ...v]]) => [`${n} results`, ...["down", "own_network", "own_late", "own_error"].map((w, i) => v[i] && `${v[i]} ${w}`).filter(w => w), `waited ${time(v[4] * 1e3)} at most`, v[5] === null ? "clock not measured" : `clock ${v[5]} to ${v[6]} ms`].join(", "),
};
const none = {availability: "not measured", latency: "no run completed", phases: "no run completed", failures: "none", probe: "nothing known", mail: "no mail sent"};

// Where the pointer is: the graph, the row, its picture and the time, in whole steps.
const spot = e => {
  const pic = e.target.closest?.(".pic"), plot = pic?.querySelector("svg.plot"), box = plot?.getBoundingClientRect();
  if (!box?.width) return;
  const step = ms("step"), share = Math.min(1, Math.max(0, (e.clientX - box.left) / box.width));
  const i = Math.min(Math.ceil((ms("to") - ms("from")) / step) - 1, Math.floor(share * (ms("to") - ms("from")) / step));
  return {graph: pic.closest("[data-graph]")?.dataset.graph, of: pic.closest("[data-of]")?.dataset.of, box, x: e.clientX, i, at: ms("from") + i * step};
};
const stamp = at => new Date(at).toISOString().slice(0, 16).replace("T", " ");
const hide = () => { over = start = null; tip.hidden = mark.hidden = true; };
const put = (box, from, to) => {
  mark.style.left = from + scrollX + "px";
  mark.style.width = Math.max(1, to - from) + "px";
  mark.style.top = box.top + scrollY + "px";
  mark.style.height = box.height + "px";
  mark.hidden = false;
};
const show = (s, text) => {
  tip.textContent = text;
  tip.hidden = false;
  tip.style.left = scrollX + Math.max(4, Math.min(s.x + 12, document.documentElement.clientWidth - tip.offsetWidth - 4)) + "px";
  tip.style.top = s.box.bottom + scrollY + 4 + "px";
};
document.addEventListener("pointermove", async e => {
  if (start) {
    const x = Math.min(start.box.right, Math.max(start.box.left, e.clientX));
    put(start.box, Math.min(start.x, x), Math.max(start.x, x));
    return;
  }
  const s = spot(e);
  if (!s?.graph) return hide();
  over = s;
  put(s.box, s.x, s.x);
  try {
    const rows = (await rowsOf(s.graph)).get(s.of + " " + s.at);
    if (over === s && !start) show(s, `${stamp(s.at)} UTC: ${rows ? words[s.graph](rows) : none[s.graph]}`);
  } catch (e) {
    if (over === s) show(s, "not read: " + e.message);
  }
});
document.addEventListener("pointerdown", e => {
  if (e.button || e.pointerType === "touch") return; // fingers scroll
  const s = spot(e);
  if (!s?.graph || main.dataset.fixed) return;
  e.preventDefault(); // no text is marked
  start = s;
  tip.hidden = true;
});
document.addEventListener("pointerup", e => {
  if (!start) return;
  const {box, x} = start, step = ms("step"), length = ms("to") - ms("from");
  const at = v => ms("from") + Math.min(1, Math.max(0, (v - box.left) / box.width)) * length;
  const wide = Math.abs(e.clientX - x);
  const from = Math.floor(at(Math.min(x, e.clientX)) / step) * step;
  const to = Math.max(from + 3e5, Math.ceil(at(Math.max(x, e.clientX)) / step) * step);
  hide();
  if (wide < 6) return;
  const url = new URL(location);
  for (const name of url.searchParams.has("seq") ? ["range", "probe", "epoch", "seq"] : ["range"]) url.searchParams.delete(name);
  url.searchParams.set("from", new Date(from).toISOString());
  url.searchParams.set("to", new Date(to).toISOString());
  url.hash = "";
  location = url;
});
addEventListener("keydown", e => e.key === "Escape" && hide());
addEventListener("blur", hide);

// What has changed comes into place; what has the focus keeps it.
const swap = page => {
  const held = document.activeElement, href = held.getAttribute("href");
  const next = page.getElementById("main"), key = e => e.getAttribute("aria-labelledby") || e.className;
  const now = [...main.children], then = [...next.children];
  Object.assign(main.dataset, next.dataset);
  read.clear();
  if (now.map(key).join() === then.map(key).join()) then.forEach((e, i) => e.isEqualNode(now[i]) || now[i].replaceWith(e));
  else main.replaceChildren(...then);
  document.querySelector(".bar").replaceWith(page.querySelector(".bar"));
  if (!held.isConnected && href) document.querySelector(`a[href="${CSS.escape(href)}"]`)?.focus({preventScroll: true});
};
const load = async () => {
  last = Date.now();
  try {
    const r = await fetch(location);
    if (r.redirected) return location.reload(); // to the login
    const page = new DOMParser().parseFromString(await r.text(), "text/html");
    if (!r.ok) throw new Error(page.querySelector("main p")?.textContent || r.status);
    if (start) return renew();
    swap(page);
    say("live");
  } catch (e) {
    say("not renewed: " + e.message);
  }
};
const renew = () => due ||= setTimeout(() => {
  due = 0;
  !start && getSelection().isCollapsed ? load() : renew();
}, Math.max(200, last + 3000 - Date.now()));
const listen = () => {
  stream?.close();
  if (document.hidden) return; // connections are few for all tabs
  let lost;
  stream = new EventSource("/api/v1/stream");
  stream.addEventListener("verdict", e => JSON.parse(e.data).check === main.dataset.check && renew());
  stream.addEventListener("probe", e => JSON.parse(e.data).name === main.dataset.probe && renew());
  stream.onopen = () => { say("live"); if (lost) renew(); };
  stream.onerror = () => { lost = true; say("not live: connection lost"); };
};
if (main.dataset.live) {
  document.addEventListener("visibilitychange", () => { listen(); if (!document.hidden) renew(); });
  setInterval(() => document.hidden || renew(), Math.max(3e4, ms("step"))); // a step has passed
  listen();
}
})();
