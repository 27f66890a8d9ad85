"use strict";
// Keeps an open page true: fields as they come from /events, ages as time goes by, and a banner when nothing comes.

const body = document.body;
const { base, live, after, session } = body.dataset;
const SILENT_MS = 10000; // two beats and a bit: then this page is cut off
const $ = (id) => document.getElementById(id);
const all = (selector, root = document) => root.querySelectorAll(selector);

let ahead = 0; // how far the server's clock is ahead of this one, ms
let heard = Date.now(); // when anything came last
let desk = {}; // the fields of the whole garage
let marked = {}; // the mark that each part was drawn with
const turns = {}; // how often each part was asked for
let over = false; // the sign-in has ended

// ---------- ages

function passed(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  for (const [unit, length, most] of [["s", 1, 120], ["min", 60, 7200], ["h", 3600, 172800]]) if (s < most) return `${Math.floor(s / length)} ${body.dataset[unit]}`;
  return `${Math.floor(s / 86400)} ${body.dataset.d}`;
}

const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };

function tick() {
  const now = Date.now() + ahead;
  for (const node of all("time[data-at]")) put(node, node.dataset.at ? passed(now - Number(node.dataset.at)) : "");
  for (const node of all("[data-expires]")) {
    const left = Math.ceil((Number(node.dataset.at) - now) / 1000);
    put(node, node.dataset.at && left > 0 ? body.dataset.left.replace("~", left) : "");
  }
  look();
}

// ---------- what is cut off looks cut off

function look() {
  if (live === undefined) return;
  const silent = Date.now() - heard;
  const cut = over || silent > SILENT_MS ? "page" : desk.cut ? "broker" : "";
  const banner = $("banner");
  body.classList.toggle("cut", Boolean(cut));
  $("lamp").className = `lamp ${cut ? "off" : "on"}`;
  banner.hidden = !cut;
  if (cut && banner.dataset.cut !== cut + over) {
    banner.dataset.cut = cut + over;
    const words = document.createElement("p");
    words.textContent = over ? body.dataset.ended : cut === "page" ? "" : desk.cut;
    if (over) {
      const link = document.createElement("a");
      link.href = location.href;
      link.textContent = body.dataset.sign;
      words.append(link);
    }
    banner.replaceChildren(words);
  } else if (!cut) banner.dataset.cut = "";
  if (cut === "page" && !over) put(banner.firstChild, body.dataset.cut.replace("~", Math.floor(silent / 5000) * 5));
  for (const button of all("[data-dialog]")) able(button, cut);
  for (const button of all("dialog .strong")) button.disabled = Boolean(cut);
}

function able(button, cut) {
  const why = button.dataset.off ? button.closest("[data-lane]")?.dataset.why ?? button.dataset.why ?? "" : "";
  button.setAttribute("aria-disabled", String(Boolean(cut || why || button.dataset.never)));
}

function reasons(root) { // why the boom cannot be lifted, as the server has drawn it
  for (const node of all("[data-f=cannot_lift]", root)) { const lane = node.closest("[data-lane]"); if (lane) lane.dataset.why = node.textContent; }
}
reasons(document);

// ---------- fields

// What a page shows of a lane stands in few places: they are looked up once for each message, and not for each field.
const PLACES = "[data-f], [data-t], [data-expires], [data-old], [data-hide], [data-href], [data-src], [data-alt], [data-attr]";

function show(root, fields) {
  for (const node of [root, ...all(PLACES, root)]) {
    const { f, t, expires, old, hide, href, src, alt, attr } = node.dataset;
    if (f in fields) { put(node, fields[f]); if (node.matches("p, a")) node.hidden = !fields[f]; }
    if (t in fields) node.dataset.at = fields[t];
    if (expires in fields) node.dataset.at = fields[expires];
    if (old in fields) node.classList.toggle("old", Boolean(fields[old]));
    if (hide in fields) node.hidden = !fields[hide];
    if (href in fields) node.href = `${base}/visits/${fields[href]}`;
    if (src in fields) picture(node, `${base}/lanes/${fields[src]}`);
    if (alt && "screen" in fields) node.alt = alt.replace("~", fields.screen);
    for (const pair of (attr ?? "").split(" ")) {
      const [attribute, field] = pair.split(":");
      if (field in fields) node.dataset[attribute] = fields[field];
    }
  }
  if ("cannot_lift" in fields) root.dataset.why = fields.cannot_lift;
  for (const node of all("[data-field]")) {
    const value = fields[node.dataset.field];
    if (value !== undefined && node.dataset.drawn !== value) { node.dataset.drawn = value; soon(node); }
  }
  if (document.querySelector("dialog[open]")) return; // an open form keeps what it was opened for
  for (const input of all("[data-v]")) if (input.dataset.v in fields) input.value = fields[input.dataset.v];
}

// Pictures come two at a time, the newest of each lane, and only where they can be seen: fifty lanes must not hold up words.
const wanted = new Map();
const seen = new Set();
let coming = 0;
const eye = new IntersectionObserver((entries) => {
  for (const one of entries) if (one.isIntersecting) seen.add(one.target); else seen.delete(one.target);
  fetchPictures();
}, { rootMargin: "200px" });
for (const node of all("[data-src]")) eye.observe(node);

function picture(node, src) { wanted.set(node, src); fetchPictures(); }

function fetchPictures() {
  for (const [node, src] of wanted) {
    if (coming >= 2) return;
    if (!seen.has(node)) continue;
    wanted.delete(node);
    coming++;
    const next = new Image();
    const done = () => { coming--; fetchPictures(); };
    next.onload = () => { node.src = next.src; done(); };
    next.onerror = done;
    next.src = src;
  }
}

setInterval(() => { // the countdown on the glass
  for (const node of all("img[data-live]")) {
    const ends = Number(node.closest("[data-lane]")?.querySelector("[data-expires]")?.dataset.at ?? 0);
    if (ends > Date.now() + ahead && !body.classList.contains("cut")) picture(node, `${node.src.split("&")[0]}&s=${Math.floor(Date.now() / 1000)}`);
  }
}, 1000);

function garage(fields) {
  Object.assign(desk, fields);
  for (const [name, value] of Object.entries(fields)) for (const node of all(`[data-desk="${name}"]`)) { put(node, value); node.hidden = !value && name !== "roles"; }
  for (const node of all("[data-desk=alerts]")) node.dataset.tone = desk.alerts_tone ?? "";
  if (desk.lanes !== undefined && desk.lanes !== body.dataset.lanes && live === "" && document.querySelector(".cards")) location.reload();
  for (const node of all("[data-part][data-mark]")) refresh(node, desk[node.dataset.mark]);
  look();
}

// ---------- parts of the page that the server draws anew

async function refresh(node, mark) {
  const name = node.dataset.part + (node.dataset.query ?? "");
  if (marked[name] === undefined && mark !== undefined) { marked[name] = mark; if (!node.dataset.drawn) { node.dataset.drawn = "1"; return; } }
  if (mark !== undefined && marked[name] === mark) return;
  if (node.querySelector("dialog[open]") || (node.contains(document.activeElement) && document.activeElement.matches("input"))) { node.dataset.late = "1"; return; } // somebody is filling it in
  marked[name] = mark;
  const turn = turns[name] = (turns[name] ?? 0) + 1;
  try {
    const answer = await fetch(`${base}/part/${node.dataset.part}?${node.dataset.query ?? ""}`, { credentials: "same-origin" });
    if (!answer.ok) return;
    const drawn = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (turn !== turns[name]) return; // a newer one is on its way
    const held = node.contains(document.activeElement) ? document.activeElement.dataset.dialog : null; // keep the keyboard where it was
    node.replaceChildren(...drawn.body.childNodes);
    if (held) (node.querySelector(`[data-dialog="${held}"]`) ?? node.querySelector("[data-dialog]"))?.focus();
    reasons(node);
    tick();
  } catch { /* the banner says it */ }
}

const later = {};
function soon(node) {
  clearTimeout(later[node.dataset.part]);
  later[node.dataset.part] = setTimeout(() => refresh(node), 150);
}

// ---------- lines

function lines(heard) { // of many only those that would still stand there
  for (const list of all("[data-lines]")) {
    const { only, most } = list.dataset;
    for (const said of heard.filter((one) => !only || one.session === only).slice(-Number(most))) line(list, said);
    while (list.children.length > Number(most)) list.lastChild.remove();
  }
  if (!session || heard.some((one) => one.session === session)) for (const node of all("[data-part][data-on=line]")) soon(node);
}

function line(list, said) {
  if (list.querySelector(`[data-n="${said.n}"]`)) return; // the page was drawn with it
  list.querySelector(".none:not(.missed)")?.remove();
  const row = document.createElement("li");
  row.className = `${said.kind} new`;
  row.dataset.n = said.n;
  const piece = (tag, name, text) => { const node = document.createElement(tag); if (name) node.className = name; node.textContent = text; row.append(node); return node; };
  piece("time", "", said.time);
  piece("span", `kind ${said.kind}`, said.label);
  if (!live || list.dataset.only) piece("span", "where", said.lane).dir = "ltr";
  const words = piece("span", "words", said.words);
  words.lang = "en"; words.dir = "ltr";
  if (said.session) { const link = piece("a", "code", said.code); link.href = `${base}/visits/${said.session}`; link.dir = "ltr"; }
  list.prepend(row);
}

function missed(words) {
  for (const list of all("[data-lines]")) {
    const row = document.createElement("li");
    row.className = "none missed";
    row.textContent = words;
    list.prepend(row);
  }
}

function action(said) {
  for (const node of all("[data-part][data-on=action]")) soon(node);
  if (!document.querySelector("dialog[open]")) for (const input of all("input[name=newest]")) if (input.dataset.subject === said.subject) input.value = said.id;
}

// ---------- with the next frame

// What comes is shown with the next frame, once for each lane: after a pause a burst costs no more than what is left of it.
const WAITING_MOST = 500; // lines, while a page is in the background
const BUSY = 25; // changes of lanes in a second: so many arms and cars that move would be painted without end
const waiting = { lanes: new Map(), lines: [] };
let frame = 0;
let changes = 0; // since the last second began
setInterval(() => { body.classList.toggle("busy", changes > BUSY); changes = 0; }, 1000);

function gather() { frame ||= requestAnimationFrame(flush); }

function flush() {
  frame = 0;
  const said = [...waiting.lanes], heard = waiting.lines;
  waiting.lanes.clear();
  waiting.lines = [];
  changes += said.length;
  for (const [lane, fields] of said) {
    for (const root of all(`[data-lane="${lane}"]`)) show(root, fields);
    if (session) moved({ lane, fields });
  }
  if (heard.length) lines(heard);
  look();
}

function laneSaid({ lane, fields }) {
  waiting.lanes.set(lane, { ...waiting.lanes.get(lane), ...fields });
  gather();
}

function lineSaid(said) {
  waiting.lines.push(said);
  if (waiting.lines.length > WAITING_MOST) waiting.lines.shift();
  gather();
}

// ---------- the stream

let stream = null;
let last = after;
let tries = 0;

function listen() {
  stream?.close();
  if (over) return;
  const mine = new EventSource(`${base}/events?lane=${encodeURIComponent(live)}${last ? `&after=${encodeURIComponent(last)}` : ""}`);
  stream = mine;
  const on = (name, take) => mine.addEventListener(name, (event) => {
    if (mine !== stream) return;
    heard = Date.now();
    if (event.lastEventId) last = event.lastEventId;
    take(event.data);
  });
  on("beat", (data) => { ahead = JSON.parse(data).at - Date.now(); tries = 0; });
  on("desk", (data) => garage(JSON.parse(data).fields));
  on("lane", (data) => laneSaid(JSON.parse(data)));
  on("line", (data) => lineSaid(JSON.parse(data)));
  on("action", (data) => action(JSON.parse(data)));
  on("missed", missed);
  on("ended", () => { over = true; mine.close(); look(); });
  mine.onerror = async () => {
    if (mine !== stream || mine.readyState !== EventSource.CLOSED) return; // else the browser tries again by itself
    try { // refused: is it the sign-in?
      const answer = await fetch(`${base}/part/actions`, { credentials: "same-origin" });
      if (answer.status === 401) { over = true; look(); return; }
    } catch { /* not there */ }
    setTimeout(() => { if (mine === stream) listen(); }, Math.min(15000, 1000 * 2 ** tries++));
  };
}

let at = null; // a visit's page: whether its lane still has it
function moved(said) {
  if (said.fields.session === undefined || said.lane !== live) return;
  if (at !== null && (at === session) !== (said.fields.session === session) && !document.querySelector("dialog[open]")) location.reload();
  at = said.fields.session;
}

// ---------- what a person does

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener) {
    if (opener.getAttribute("aria-disabled") === "true") return;
    $(opener.dataset.dialog).showModal();
  }
  if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
});
document.addEventListener("close", (event) => { // what changed while a form was open
  const part = event.target.closest?.("[data-late]");
  if (part) { delete part.dataset.late; soon(part); }
}, true);
document.addEventListener("submit", (event) => { // one press is one form
  const button = event.target.querySelector("button.strong");
  if (event.target.dataset.sent) event.preventDefault();
  else if (event.target.method === "post") { event.target.dataset.sent = "1"; button?.setAttribute("aria-disabled", "true"); }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.closest("input, textarea, dialog") && $("q")) { event.preventDefault(); $("q").focus(); }
});
addEventListener("pagehide", () => stream?.close()); // a browser has few connections for one site
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); }); // a page out of the browser's memory is of old
document.addEventListener("visibilitychange", () => { if (!document.hidden && live !== undefined && Date.now() - heard > SILENT_MS) listen(); });

tick();
setInterval(tick, 1000);
if (live !== undefined) listen();
