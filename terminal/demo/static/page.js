"use strict";
// Draws the lane's state as it comes from /events, and sends what the visitor does to /act. It decides nothing itself.

const $ = (id) => document.getElementById(id);
const still = matchMedia("(prefers-reduced-motion: reduce)");
const narrow = matchMedia("(max-width: 860px) and (min-height: 521px), (max-width: 480px)"); // as in page.css
const KEPT = 200;
const PAINTS = [
  ["#3c6e8f", "#86b0ca", "#1f4159"], ["#e9ecee", "#ffffff", "#a5b0b8"], ["#a5322f", "#d97268", "#651a1b"],
  ["#3b444b", "#7c8992", "#191f23"], ["#2d6a5c", "#74ab9c", "#153f36"], ["#c79a3b", "#ecd08b", "#7d5c17"],
];
const SPEAKERS = { fee: "reader", order: "worker", screen: "worker", paid: "listener", receipt: "worker", lift: "worker", barrier: "barrier", vehicle: "loops", refund: "worker", command: "console" };
const ROLES = ["reader", "worker", "lcd", "listener", "barrier", "loops"];

const ON_THE_PHONE = ["phone_scan", "pay", "decline"];

let state = null;
let busy = null; // the act that is under way

// ---------- what the visitor does

const chosen = () => {
  const value = document.querySelector("input[name=ticket]:checked").value;
  if (value === "own") return { kind: "minutes", minutes: Math.min(129600, Math.max(0, Math.round(Number($("minutes").value) || 0))) };
  return /^\d+$/.test(value) ? { kind: "minutes", minutes: Number(value) } : { kind: value, minutes: 90 };
};

const ARGUMENTS = {
  drive_up: chosen,
  cut_broker: () => ({ seconds: Number($("seconds").value) }),
  cut_payby: () => ({ seconds: Number($("seconds").value) }),
};

async function act(what) {
  if (busy === what) return;
  if (!what.startsWith("cut_")) busy = what;
  $("toast").hidden = true;
  if (what === "phone_scan") $("phone").classList.add("looking");
  if (narrow.matches) $(ON_THE_PHONE.includes(what) && what !== "pay" ? "phone" : "scene").scrollIntoView({ block: "center", behavior: still.matches ? "auto" : "smooth" });
  const looked = what === "phone_scan" && !still.matches ? new Promise((done) => setTimeout(done, 650)) : null;
  draw();
  try {
    await looked; // a camera takes a moment to find its code
    const answer = await fetch("/act", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ do: what, ...(ARGUMENTS[what]?.() ?? {}) }),
    });
    const { why } = answer.ok ? await answer.json() : { why: "The demo did not take that." };
    if (why && !ON_THE_PHONE.includes(what)) toast(why); // the phone says it itself
  } catch {
    toast("The demo does not answer. Is it still running?");
  } finally {
    if (busy === what) busy = null;
    if (what === "phone_scan") $("phone").classList.remove("looking");
    draw();
  }
}

let toasted = 0;
function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toasted);
  toasted = setTimeout(() => { $("toast").hidden = true; }, 5000);
}

// ---------- what to do next

// The guide follows what the LCD shows, not what was last said to it: a terminal that has lost the broker says so by
// itself. Whatever it shows to a car that stands there, something can be done about it.
const TROUBLE = ["help", "closed", "out-of-order"];

function next() {
  const { car, ticket, screen, phone, boom } = state;
  const waits = (words, step) => ({ words, step, act: null });
  const trouble = TROUBLE.includes(screen.state);
  const code = screen.help_code ? `, help code ${screen.help_code}` : "";
  const says = trouble ? `The terminal says ${screen.state}: ${screen.reason ?? "no reason"}${code}.` : "";
  const own = phone.order && phone.order.order_no === state.order_no; // an order of before pays nothing now
  if (car.phase === "away" && trouble) return { words: `${says} Nobody is served until that is over. Drive up all the same, or wait.`, step: 0, act: "drive_up" };
  if (car.phase === "away") return { words: "Choose a ticket below, or keep this one, and drive up to the terminal.", step: 0, act: "drive_up" };
  if (car.phase === "arriving") return waits("The car rolls up. The first loop in the floor will notice it.", 0);
  if (car.phase === "leaving") return waits("The car passes the second loop; behind it the boom comes down by itself.", 4);
  if (car.phase === "backing") return waits("The car backs out. What was open for it is closed.", 0);
  if (boom.state === "up" && screen.invoice && phone.state !== "invoice") return { words: "The boom is up. The screen shows a code for the tax invoice: scan it with the phone, or drive off.", step: 4, act: "drive_off" };
  if (boom.state === "up") return { words: "The boom is up.", step: 4, act: "drive_off" };
  if (boom.state === "rising") return waits("The barrier checked the lift and pulsed its relay once. The boom rises.", 4);
  if (trouble) return { words: `${says} Back out, or ${screen.state === "help" ? "scan again" : "wait"}.`, step: 1, act: "back_out" };
  if (!ticket.scanned) return { words: "The loop feels the car. Hold the ticket under the scanner.", step: 1, act: "scan" };
  if (screen.state === "idle" && phone.state !== "paying" && !(phone.state === "paid" && own)) return { words: "The terminal asks for a ticket. Hold it under the scanner again.", step: 1, act: "scan" };
  if (phone.state === "paying") return waits("The phone pays.", 3);
  if (screen.state === "pay" && phone.state !== "home" && !own) return { words: "The terminal shows a new code. Point the phone at it.", step: 2, act: "phone_scan" };
  if (phone.state === "paid") return waits("PayBy notifies the listener, the worker signs a lift, the barrier checks it.", 4);
  if (phone.state === "order" && screen.scanned) return { words: "PayBy says that a phone read the code, and the terminal says so. Pay the order, or decline.", step: 3, act: "pay" };
  if (phone.state === "order" && screen.state === "pay") return { words: "The phone read the code off the screen and shows the order. Pay it, or decline.", step: 3, act: "pay" };
  if (phone.state === "declined" && screen.state === "pay") return { words: "Declined. The code stays until its time is over; scan it again, or back out.", step: 2, act: "phone_scan" };
  if (screen.state === "pay") return { words: "The terminal shows PayBy’s code. Point the phone at it.", step: 2, act: "phone_scan" };
  if (screen.state === "free") return waits("Nothing to pay. The worker signs a lift.", 4);
  return waits("The ticket is read; the worker asks PayBy for an order.", 1);
}

const NAMES = { drive_up: "Drive up", scan: "Scan ticket", phone_scan: "Scan code", pay: "Pay", drive_off: "Drive off", back_out: "Back out" };

// ---------- drawing

const set = (id, text) => { const node = $(id); if (node.textContent !== text) node.textContent = text; };

function draw() {
  if (!state) return;
  const { car, loops, boom, phone, screen } = state;
  set("garage", state.garage); set("lane", state.lane); set("wall-name", state.garage);
  drawCar(car);
  $("loop-waiting").classList.toggle("on", loops.waiting);
  $("loop-boom").classList.toggle("on", loops.under_boom);
  arm.aim(boom);
  drawFrame(state.frame);
  const tone = boom.state === "up" || boom.state === "rising" || screen.state === "paid" || screen.state === "free" ? "go"
    : TROUBLE.includes(screen.state) ? "stop" : screen.state === "wait" ? "wait" : "idle";
  $("terminal").dataset.tone = $("scene").dataset.tone = tone;
  drawCard(state.ticket?.scanned ?? 0);
  set("lcd-words", inWords(screen));
  set("scene-words", `The exit lane. ${{ away: "No car is there", arriving: "A car drives up", waiting: "A car waits at the terminal", leaving: "The car drives through", backing: "The car backs out" }[car.phase]}. The boom is ${boom.state}.`);
  $("lcd").alt = inWords(screen);
  drawPhone(phone, screen);
  for (const name of ["broker", "payby"]) lamp(`lamp-${name}`, !(name in state.cut));
  drawRoles();

  const able = new Set(state.can);
  for (const button of document.querySelectorAll("[data-do]")) {
    const off = !able.has(button.dataset.do) || busy === button.dataset.do;
    if (button.disabled !== off) keepFocus(button, () => { button.disabled = off; });
  }
  const step = next();
  set("guide-words", step.words + (!step.act && "broker" in state.cut ? " The broker is away: messages wait for it." : ""));
  const button = $("next");
  const label = step.act === "pay" && phone.order ? `Pay ${phone.order.currency} ${phone.order.amount}` : NAMES[step.act] ?? "One moment";
  set("next", label);
  button.dataset.act = step.act ?? "";
  button.classList.toggle("go", step.act === "pay" || step.act === "drive_off");
  const off = !step.act || !able.has(step.act) || busy !== null;
  button.setAttribute("aria-disabled", String(off));
  [...$("steps").children].forEach((li, i) => {
    li.className = i < step.step ? "done" : i === step.step ? "now" : "";
    if (i === step.step) li.setAttribute("aria-current", "step"); else li.removeAttribute("aria-current");
  });
}

function keepFocus(button, change) {
  const had = document.activeElement === button;
  change();
  if (had && button.disabled) $("next").focus({ preventScroll: true });
}

let drawnCar = "";
function drawCar(car) {
  const key = `${car.number} ${car.phase}`;
  if (key === drawnCar) return;
  const node = $("car");
  const [paint, light, dark] = PAINTS[car.number % PAINTS.length];
  if (car.phase === "arriving") {
    node.dataset.phase = "away";
    document.documentElement.style.setProperty("--car", paint);
    document.documentElement.style.setProperty("--car-light", light);
    document.documentElement.style.setProperty("--car-dark", dark);
    node.getBoundingClientRect(); // the way starts at the garage's door
  }
  node.style.setProperty("--travel", `${drawnCar ? car.travel_s : 0}s`);
  node.dataset.phase = car.phase;
  drawnCar = key;
}

let drawnScans = null;
function drawCard(scans) {
  const more = drawnScans !== null && scans > drawnScans;
  drawnScans = scans;
  for (const card of more ? [$("card"), $("big-card")] : []) {
    card.classList.remove("go");
    card.getBoundingClientRect(); // so that the same animation starts anew
    card.classList.add("go");
  }
}

let drawnFrame = 0;
function drawFrame(number) {
  if (number === drawnFrame) return;
  drawnFrame = number;
  const picture = new Image();
  picture.onload = () => {
    if (number !== drawnFrame) return; // a newer one is on its way
    $("lcd").src = picture.src;
    $("finder").src = picture.src;
    $("lcd-small").setAttribute("href", picture.src);
  };
  picture.src = `/lcd.png?${number}`;
}

function inWords(screen) {
  const money = screen.amount ? `${screen.currency} ${screen.amount}` : "";
  switch (screen.state) {
    case undefined: return "The screen is dark.";
    case "idle": return "The screen says: scan your ticket.";
    case "wait": return "The screen says: please wait.";
    case "pay": return screen.scanned ? "The screen says: scanned. Confirm in your app." : `The screen shows a code to pay ${money}.`;
    case "paid": return screen.invoice ? "The screen says: paid, and shows a code for the tax invoice." : "The screen says: paid, thank you.";
    case "free": return "The screen says: nothing to pay.";
    default: return `The screen says: ${screen.state}, ${screen.reason ?? ""}${screen.help_code ? `, help code ${screen.help_code}` : ""}.`;
  }
}

function drawPhone(phone, screen) {
  $("phone").dataset.state = phone.state;
  const pay = document.querySelector("[data-do=pay]");
  if (phone.order) {
    const { merchant, subject, amount, currency, order_no } = phone.order;
    set("merchant", merchant); set("mark", merchant.slice(0, 1)); set("subject", subject); set("amount", amount); set("currency", currency); set("order-no", order_no);
    set("done-merchant", merchant); set("done-amount", amount); set("done-currency", currency);
    pay.textContent = phone.state === "paying" ? "Paying" : `Pay ${currency} ${amount}`;
  }
  $("scan-invoice").hidden = !screen.invoice;
  if (phone.invoice) $("invoice").href = phone.invoice; else $("invoice").removeAttribute("href");
  set("done-title", phone.state === "declined" ? "Declined" : "Paid");
  for (const id of ["phone-note", "order-note"]) {
    const known = screen.scanned && screen.state === "pay" ? "The terminal says: Scanned." : "";
    set(id, phone.note || (id === "phone-note" ? "Point it at the terminal." : known));
    $(id).classList.toggle("bad", Boolean(phone.note));
  }
}

function lamp(id, on) { $(id).className = `lamp ${on ? "on" : "off"}`; }

function drawRoles() {
  const names = [...ROLES, ...Object.keys(state.roles).filter((name) => !ROLES.includes(name) && name !== "run")]; // run is all of them
  const list = $("roles");
  for (const name of names) {
    let item = $(`role-${name}`);
    if (!item) {
      item = document.createElement("li");
      item.id = `role-${name}`;
      const light = document.createElement("i");
      item.append(light, name);
      list.append(item);
    }
    const health = "broker" in state.cut ? "unknown" : state.roles[name] ?? "unknown";
    item.title = `${name}: ${health}`;
    item.firstChild.className = `lamp ${{ online: "on", degraded: "half", offline: "off" }[health] ?? ""}`;
  }
}

// The arm turns about its post, from level to upright.
const arm = {
  pivot: [782, 374], across: [196, 0], up: [0, -196], pieces: 9, angle: 0, from: 0, to: 0, since: 0, lasts: 0, known: "",
  aim({ state: name, rise_s, close_s }) {
    if (name === this.known) return;
    const first = this.known === "";
    this.known = name;
    const full = (86 * Math.PI) / 180;
    [this.to, this.lasts] = { rising: [full, rise_s], up: [full, 0.1], lowering: [0, close_s], down: [0, 0.1] }[name] ?? [0, 0];
    if (first) this.lasts = 0;
    this.from = this.angle;
    this.since = performance.now();
    $("boom-light").setAttribute("class", { up: "up", rising: "moving", lowering: "moving" }[name] ?? "");
    this.turn();
  },
  turn() {
    const part = this.lasts > 0 && !(still.matches && this.lasts < 0.2) ? Math.min(1, (performance.now() - this.since) / (1000 * this.lasts)) : 1;
    this.angle = this.from + (this.to - this.from) * (0.5 - Math.cos(Math.PI * part) / 2);
    this.paint();
    if (part < 1) { cancelAnimationFrame(this.due); this.due = requestAnimationFrame(() => this.turn()); }
  },
  paint() {
    const at = (t, lift) => [0, 1].map((i) => this.pivot[i] + t * (Math.cos(this.angle) * this.across[i] + Math.sin(this.angle) * this.up[i]) + (i ? lift : 0));
    const group = $("arm"), shadow = $("arm-shadow"), flat = Math.cos(this.angle);
    for (const [name, value] of Object.entries({ x1: 784, y1: 456, x2: 784 + 0.84 * flat * this.across[0], y2: 456 + flat * this.across[1] })) shadow.setAttribute(name, value.toFixed(1));
    if (!group.firstChild) {
      for (let i = 0; i < this.pieces + 3; i++) group.append(document.createElementNS("http://www.w3.org/2000/svg", "line"));
    }
    const draw = (i, a, b, stroke, width, cap) => {
      const line = group.children[i];
      const [x1, y1] = at(a, 0), [x2, y2] = at(b, 0);
      for (const [name, value] of Object.entries({ x1, y1, x2, y2 })) line.setAttribute(name, value.toFixed(2));
      line.setAttribute("stroke", stroke); line.setAttribute("stroke-width", width); line.setAttribute("stroke-linecap", cap);
    };
    draw(0, -0.12, 0, "#20282e", 15, "round");
    draw(1, 0, 1.012, "#5b2427", 10.5, "round");
    draw(2, 0, 1, "#f7f8f8", 8.5, "round");
    for (let i = 0; i < this.pieces; i++) {
      const a = 0.1 + (i * 0.9) / this.pieces;
      draw(i + 3, a, a + 0.9 / this.pieces, i % 2 ? "#f7f8f8" : "#d6363c", i === this.pieces - 1 ? 8.5 : 8.5, "butt");
    }
  },
};

// ---------- the wire

function show(message) {
  const list = $("messages");
  list.querySelector(".none")?.remove();
  const row = document.createElement("details");
  row.className = message.routine ? "new routine" : "new";
  const summary = document.createElement("summary");
  const time = document.createElement("time");
  const at = String(message.data.at ?? "");
  time.dateTime = at;
  time.textContent = at ? localTime(at) : "";
  const kind = document.createElement("span");
  kind.className = `kind ${message.kind}`;
  kind.textContent = message.kind;
  const words = document.createElement("span");
  words.className = "words";
  words.textContent = message.kind === "health" ? `${message.topic.split("/")[4]} ${message.words}` : message.words;
  const topic = document.createElement("span");
  topic.className = "topic";
  topic.textContent = message.topic.split("/").slice(2).join("/") + (message.retained ? " (retained)" : "");
  topic.title = message.topic;
  summary.append(time, kind, words, topic);
  row.append(summary);
  row.addEventListener("toggle", () => {
    if (row.open && row.children.length === 1) row.append(asJson(message));
  });
  const top = list.scrollTop;
  const before = list.scrollHeight;
  list.prepend(row);
  if (top > 4) list.scrollTop = top + list.scrollHeight - before; // stay with what is being read
  while (list.children.length > KEPT) list.lastChild.remove();
  spoke(SPEAKERS[message.kind]);
}

function asJson(message) {
  const pre = document.createElement("pre");
  pre.append(`${message.topic}\n`);
  for (const part of JSON.stringify(message.data, null, 2).split(/("[\w-]+"(?=: ))/)) {
    if (/^"[\w-]+"$/.test(part)) {
      const name = document.createElement("b");
      name.textContent = part;
      pre.append(name);
    } else pre.append(part);
  }
  return pre;
}

function localTime(at) {
  const date = new Date(at);
  return `${date.toLocaleTimeString("en-GB")}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

function spoke(role) {
  const item = role && $(`role-${role}`);
  if (!item) return;
  item.classList.add("spoke");
  requestAnimationFrame(() => requestAnimationFrame(() => item.classList.remove("spoke")));
}

// ---------- start

// What has the focus is never under the bar with the next step: the page keeps that much room free when it scrolls.
new ResizeObserver(() => document.documentElement.style.setProperty("--bar", `${Math.ceil($("guide").getBoundingClientRect().height)}px`)).observe($("guide"));

$("ticket-form").addEventListener("submit", (event) => { event.preventDefault(); if (state?.can.includes("drive_up")) act("drive_up"); });
// Whoever types a stay wants that one; whoever only passes by with the tab key keeps the ticket that is chosen.
for (const kind of ["click", "input"]) $("minutes").addEventListener(kind, () => { document.querySelector("input[name=ticket][value=own]").checked = true; });
for (const button of document.querySelectorAll("[data-do]:not([type=submit])")) button.addEventListener("click", () => act(button.dataset.do));
$("next").addEventListener("click", () => { if ($("next").getAttribute("aria-disabled") === "false") act($("next").dataset.act); });
$("routine").addEventListener("change", (event) => $("messages").classList.toggle("all", event.target.checked));
$("clear").addEventListener("click", () => $("messages").replaceChildren());

function tell() {
  $("clock").textContent = new Date().toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  for (const name of ["broker", "payby"]) {
    const left = state?.cut[name];
    set(`left-${name}`, left === undefined ? "" : `${Math.max(0, Math.ceil(left - (performance.now() - state.came) / 1000))} s`);
  }
}
setInterval(tell, 500);

const stream = new EventSource("/events");
stream.addEventListener("open", () => { lamp("lamp-page", true); $("messages").replaceChildren(); drawnFrame = 0; });
stream.addEventListener("error", () => {
  lamp("lamp-page", false);
  set("guide-words", "The demo does not answer. Is it still running?");
  $("next").setAttribute("aria-disabled", "true");
});
stream.addEventListener("state", (event) => { state = { ...JSON.parse(event.data), came: performance.now() }; draw(); tell(); });
stream.addEventListener("message", (event) => { if (event.data) show(JSON.parse(event.data)); });
