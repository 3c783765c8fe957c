// The overview is complete without this, which reads the page again, for another filter or
// after a change, and puts what came into place.
(() => {
const $ = id => document.getElementById(id);
const q = $("q"), dialog = $("keys"), form = $("filter");
const parts = ["now", "choices", "sum", "ways", "matrix", "rest"];
const groups = ["service", "region", "kind", "state", "none"];
let wanted = new URL(location), asking, typing, due, stream, last = 0;
const opened = new Map(); // groups opened or closed by hand

const say = text => $("live").textContent = text;

// What has the focus, or stands at the top of the window, stays there.
const anchor = () => {
  for (const e of [active(), ...document.querySelectorAll("#matrix summary, #matrix th a, #rest h2")]) {
    const {top, height} = e.getBoundingClientRect();
    if (height && top >= 0 && top < innerHeight && e.closest("#matrix, #rest")) return [nameOf(e), top];
  }
};
const nameOf = e => {
  const group = e.closest("details"), href = e.getAttribute("href");
  return e.id ? "#" + e.id : (group ? `#${group.id} ` : "") + e.localName + (href ? `[href="${href}"]` : "");
};
const find = name => document.querySelector(name), active = () => document.activeElement;

const swap = page => {
  const held = active(), focus = nameOf(held), top = anchor();
  for (const d of page.querySelectorAll("details[id]")) if (opened.has(d.id)) d.open = opened.get(d.id);
  for (const id of parts) {
    const from = page.getElementById(id);
    if (id === "choices" && held.localName === "select") continue; // may be open
    if (!from.isEqualNode($(id))) $(id).replaceChildren(...from.childNodes);
  }
  find(".bar").replaceWith(page.querySelector(".bar"));
  if (!held.isConnected) find(focus)?.focus({preventScroll: true});
  const hold = () => top && scrollBy(0, (find(top[0])?.getBoundingClientRect().top ?? top[1]) - top[1]);
  hold();
  const y = scrollY; // what comes into sight may turn out higher than it was thought
  requestAnimationFrame(() => requestAnimationFrame(() => scrollY === y && hold()));
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

// Where one is has the focus.
const step = (by, first) => {
  const all = [...document.querySelectorAll("#matrix summary, #matrix details[open] tbody th>a, #matrix .flat tbody th>a")];
  const here = active(), row = here.closest("#matrix tr")?.querySelector("th>a") || here;
  const at = first ? -1 : all.indexOf(row);
  all[at < 0 ? 0 : at + by]?.focus();
};
const aside = by => {
  const all = [...active().closest("tr")?.querySelectorAll("th>a, td>a") || []];
  all[all.indexOf(active()) + by]?.focus();
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
  if (e.key === "Escape") return e.preventDefault(), active().blur();
  if (e.target.closest("input, select, textarea")) return;
  const act = e.target.closest("#matrix") && arrows[e.key] || on.checked && keys[e.key];
  if (act) { e.preventDefault(); act(); }
});
$("help").hidden = false;
$("help").addEventListener("click", keys["?"]);

// After a change the page is read again, 3 s after the last time, unless one marks text.
const renew = () => due ||= setTimeout(() => {
  due = 0;
  getSelection().isCollapsed ? load() : renew();
}, Math.max(200, last + 3000 - Date.now()));
const listen = () => {
  stream?.close();
  if (document.hidden) return; // connections are few for all tabs
  let lost;
  stream = new EventSource("/api/v1/stream");
  for (const k of ["verdict", "incident", "probe"]) stream.addEventListener(k, renew);
  stream.onopen = () => { say("live"); if (lost) renew(); };
  stream.onerror = () => { lost = true; say("not live: connection lost"); };
};
document.addEventListener("visibilitychange", () => { listen(); if (!document.hidden) renew(); });
listen();
})();
