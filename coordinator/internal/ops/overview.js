// The overview is complete without this: it asks for the same page again, with another
// filter or after a change, and puts what came into place.
(() => {
"use strict";
const $ = id => document.getElementById(id);
const q = $("q"), dialog = $("keys"), form = $("filter");
const parts = ["now", "choices", "sum", "ways", "matrix", "rest"];
const groups = ["service", "region", "kind", "state", "none"];
const every = 3000; // ms between two readings
let wanted = new URL(location), asking, typing, due, stream, last = 0;
const opened = new Map(); // groups that a person opened or closed

const say = text => $("live").textContent = text;

// What stands at the top of the window stays there.
const anchor = () => {
  for (const e of document.querySelectorAll("#matrix summary, #matrix tbody th a, #rest h2")) {
    const box = e.getBoundingClientRect();
    if (box.height && box.top >= 0) return [nameOf(e), box.top];
  }
};
const nameOf = e => {
  const group = e.closest("details"), href = e.getAttribute("href");
  return e.id ? "#" + e.id : (group ? `#${group.id} ` : "") + e.localName + (href ? `[href="${href}"]` : "");
};
const find = name => document.querySelector(name);

const swap = page => {
  const held = document.activeElement, focus = nameOf(held), top = anchor();
  for (const d of page.querySelectorAll("details[id]")) if (opened.has(d.id)) d.open = opened.get(d.id);
  for (const id of parts) {
    const from = page.getElementById(id);
    if (id === "choices" && held.localName === "select") continue; // it may be unfolded
    if (from.innerHTML !== $(id).innerHTML) $(id).replaceChildren(...from.childNodes);
  }
  document.querySelector(".bar").replaceWith(page.querySelector(".bar"));
  if (!held.isConnected) find(focus)?.focus({preventScroll: true});
  const e = top && find(top[0]);
  if (e) scrollBy(0, e.getBoundingClientRect().top - top[1]);
};

const load = async () => {
  asking?.abort();
  const mine = asking = new AbortController();
  last = Date.now();
  try {
    const r = await fetch(wanted, {signal: mine.signal});
    if (r.redirected) return location.reload(); // to the login
    const page = new DOMParser().parseFromString(await r.text(), "text/html");
    if (!r.ok) throw new Error(page.querySelector("main p")?.textContent || r.status);
    swap(page);
    history.replaceState(null, "", wanted);
    say(stream?.readyState === 1 ? "live" : "not live");
  } catch (e) {
    if (!mine.signal.aborted) say("not renewed: " + e.message);
  }
};
const go = changes => {
  clearTimeout(typing);
  for (const k in changes) changes[k] ? wanted.searchParams.set(k, changes[k]) : wanted.searchParams.delete(k);
  wanted.search = wanted.search.replaceAll("%2C", ",");
  return load();
};

form.addEventListener("input", e => {
  clearTimeout(typing);
  if (e.target === q) typing = setTimeout(() => go({q: q.value.trim()}), 150);
  else if (e.target.localName === "select") go({[e.target.name]: e.target.value});
});
form.addEventListener("submit", async e => {
  e.preventDefault();
  await go({q: q.value.trim()});
  step(1, true);
});
document.addEventListener("click", e => {
  const summary = e.target.closest("summary"), a = e.target.closest("#choices a, #ways a");
  if (summary) opened.set(summary.parentNode.id, !summary.parentNode.open);
  if (!a || e.ctrlKey || e.metaKey || e.shiftKey) return;
  e.preventDefault();
  wanted = new URL(a.href);
  q.value = wanted.searchParams.get("q") || "";
  load();
});

// Rows and groups, and the cells of a row, are links: focus is where one is.
const step = (by, first) => {
  const all = [...document.querySelectorAll("#matrix summary, #matrix details[open] tbody th>a, #matrix .flat tbody th>a")];
  const here = document.activeElement, row = here.closest("#matrix tr")?.querySelector("th>a") || here;
  const at = first ? -1 : all.indexOf(row);
  all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))]?.focus();
};
const aside = by => {
  const all = [...document.activeElement.closest("tr")?.querySelectorAll("th>a, td>a") || []];
  all[all.indexOf(document.activeElement) + by]?.focus();
};
const on = $("on");
try { on.checked = !localStorage.noKeys; } catch {}
on.addEventListener("change", () => localStorage.noKeys = on.checked ? "" : 1);
const param = name => wanted.searchParams.get(name) || "";
const keys = {
  "/": () => q.select(),
  j: () => step(1),
  k: () => step(-1),
  g: () => go({group: groups[(groups.indexOf(param("group") || groups[0]) + 1) % groups.length]}),
  t: () => go({state: param("state") === form.dataset.sick ? "" : form.dataset.sick}),
  "?": () => dialog.showModal(),
};
const arrows = {ArrowDown: () => step(1), ArrowUp: () => step(-1), ArrowRight: () => aside(1), ArrowLeft: () => aside(-1)};
document.addEventListener("keydown", e => {
  if (e.ctrlKey || e.metaKey || e.altKey || dialog.open) return;
  if (e.key === "Escape") return document.activeElement.blur();
  if (e.target.closest("input, select, textarea")) return;
  const act = e.target.closest("#matrix") && arrows[e.key] || on.checked && keys[e.key];
  if (act) e.preventDefault(), act();
});
$("help").hidden = false;
$("help").addEventListener("click", keys["?"]);

// After a change the page is read again, soon, but not while somebody marks text.
const renew = () => due ||= setTimeout(() => {
  due = 0;
  getSelection().isCollapsed ? load() : renew();
}, Math.max(200, last + every - Date.now()));
const listen = () => {
  stream?.close();
  if (document.hidden) return; // a browser has few connections for all its tabs
  let lost = false;
  stream = new EventSource("/api/v1/stream");
  for (const kind of ["verdict", "incident", "probe"]) stream.addEventListener(kind, renew);
  stream.onopen = () => { say("live"); if (lost) renew(); };
  stream.onerror = () => { lost = true; say("not live: connection lost"); };
};
document.addEventListener("visibilitychange", () => { listen(); if (!document.hidden) renew(); });
listen();
})();
