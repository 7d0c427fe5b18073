"use strict";
// What comes from a server or a client is shown as text, never as markup: there is no innerHTML here, and the
// page's policy has the browser refuse it.
const SET = document.body.dataset.set, COUNTERS = document.body.dataset.counters;
const STATUSES = ["NotStarted", "Running", "Completed", "Failed"];
const RUNNING = 200, FAILED = 50, FOUND = 100, STEPS = 100;
const byId = (id) => document.getElementById(id);
const running = new Map(), failed = new Map();
let token = sessionStorage.getItem("token") || "", live = 0, shown = null, steps = [], opener = null;

function el(tag, attributes, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...inside.map((part) => (part instanceof Node ? part : document.createTextNode(String(part)))));
  return made;
}

class Refused extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (token) headers.Authorization = "Bearer " + token;
  const answer = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit" });
  if (answer.ok) return answer;
  let message = "";
  try { message = (await answer.json()).error.message; } catch { /* it said nothing */ }
  throw new Refused(answer.status, message || "the server answered " + answer.status);
}

const get = async (path) => (await ask(path)).json();
const list = async (query) => (await get(SET + "?" + query)).value;
const text = (value) => "'" + value.replaceAll("'", "''") + "'";
const at = (id) => SET + "/" + encodeURIComponent(id);

// Live: the stream first, then the lists, so that nothing falls between them.

async function follow() {
  const mine = ++live;
  let last = null, pause = 500;
  while (mine === live) {
    try {
      const headers = { Accept: "text/event-stream" };
      if (last) headers["Last-Event-ID"] = last;
      const stream = await ask(SET + "/events?$deltatoken=latest", { headers });
      if (!last) await load();
      say("live");
      byId("entry").hidden = true;
      pause = 500;
      for await (const event of events(stream.body)) {
        if (mine !== live) return;
        last = event.id || last;
        hear(event);
      }
    } catch (error) {
      if (mine !== live) return;
      if (error.status === 401 || error.status === 403) return enter(error.message);
      // The feed no longer reaches back: begin anew.
      if (error.status === 410) last = null;
      say(error.message + "; trying again", true);
    }
    await new Promise((done) => setTimeout(done, pause));
    pause = Math.min(pause * 2, 15000);
  }
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    for (let end; (end = rest.indexOf("\n\n")) >= 0; rest = rest.slice(end + 2)) {
      const event = {};
      for (const line of rest.slice(0, end).split("\n")) {
        const colon = line.indexOf(": ");
        if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 2);
      }
      if (event.data) yield event;
    }
  }
}

async function load() {
  const [runs, fails] = await Promise.all([
    list("$filter=" + encodeURIComponent("status eq 'Running'") + "&$top=1000"),
    list("$filter=" + encodeURIComponent("status eq 'Failed'") + "&$orderby=lastActionDateTime%20desc&$top=" + FAILED),
  ]);
  running.clear();
  failed.clear();
  [...runs, ...fails].forEach(take);
  await count();
  draw();
}

function take(operation) {
  running.delete(operation.id);
  failed.delete(operation.id);
  if (operation.status === "Running") running.set(operation.id, operation);
  if (operation.status === "Failed") failed.set(operation.id, operation);
  if (failed.size > FAILED * 2) {
    const kept = newest();
    failed.clear();
    for (const one of kept) failed.set(one.id, one);
  }
}

function hear(event) {
  const operation = JSON.parse(event.data);
  if (event.event === "deleted") {
    running.delete(operation.id);
    failed.delete(operation.id);
    if (shown && shown.id === operation.id) tell("It has been deleted.");
  } else {
    take(operation);
    if (shown && shown.id === operation.id) show(operation);
  }
  soon();
}

// Many events make one drawing, and one count.
let waits = false;
function soon() {
  if (waits) return;
  waits = true;
  setTimeout(async () => {
    waits = false;
    draw();
    try { await count(); } catch (error) { say(error.message, true); }
  }, 400);
}

async function count() {
  const body = await (await ask(COUNTERS)).text();
  const types = new Map(), all = [0, 0, 0, 0];
  for (const line of body.split("\n")) {
    const found = /^longrun_operations\{type="(.*)",status="(\w+)"\} (\d+)$/.exec(line);
    if (!found) continue;
    const name = found[1].replaceAll('\\"', '"').replaceAll("\\\\", "\\"), place = STATUSES.indexOf(found[2]);
    if (!types.has(name)) types.set(name, [0, 0, 0, 0]);
    types.get(name)[place] += +found[3];
    all[place] += +found[3];
  }
  const row = (name, numbers) => el("tr", {}, el("th", { scope: "row" }, name),
    ...numbers.map((number, place) => el("td", { class: number ? STATUSES[place] : "none" }, number)));
  const rows = [...types].map(([name, numbers]) => row(name || "(none)", numbers));
  byId("counts").querySelector("tbody").replaceChildren(...rows, row("all", all));
}

// Drawing.

function age(from) {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(from)) / 1000));
  if (seconds < 60) return seconds + " s";
  if (seconds < 3600) return Math.floor(seconds / 60) + " min";
  if (seconds < 86400) return Math.floor(seconds / 3600) + " h " + (Math.floor(seconds / 60) % 60) + " min";
  return Math.floor(seconds / 86400) + " d " + (Math.floor(seconds / 3600) % 24) + " h";
}

const labels = (operation) => Object.entries(operation.labels || {}).map(([key, value]) => key + "=" + value).join("  ");
const reason = (operation) => (operation.error ? operation.error.code + ": " + operation.error.message : "");
const newest = () => [...failed.values()]
  .sort((a, b) => Date.parse(b.lastActionDateTime) - Date.parse(a.lastActionDateTime)).slice(0, FAILED);

function row(operation) {
  const right = el("span", { class: "age" });
  if (operation.status === "Running" && operation.percentageComplete !== undefined) {
    const percent = operation.percentageComplete;
    right.append(el("progress", { max: 100, value: percent, "aria-label": percent + " %" }), " " + percent + " % ");
  }
  const since = operation.status === "Running" ? operation.startedDateTime : operation.lastActionDateTime;
  right.append(el("span", { "data-since": since }, age(since)));
  const more = [operation.cancellationRequestedDateTime && operation.status === "Running" ? "cancelling" : "",
    reason(operation), operation.statusDetail || "", labels(operation)].filter(Boolean).join("  ·  ");
  const button = el("button", { class: "row", type: "button", "data-id": operation.id },
    el("span", { class: "what" }, el("span", { class: operation.status }, operation.type || operation.status), " ", operation.id),
    right, el("span", { class: "more" }, more));
  button.addEventListener("click", () => { opener = operation.id; open(operation.id); });
  return el("li", {}, button);
}

function fill(id, operations, none) {
  const place = byId(id).querySelector("ul"), focus = place.contains(document.activeElement) && document.activeElement.dataset.id;
  place.replaceChildren(...operations.map(row), ...(operations.length ? [] : [el("li", { class: "none" }, none)]));
  // Who moves by keyboard stays where they were.
  if (focus) for (const button of place.querySelectorAll("button")) if (button.dataset.id === focus) button.focus();
}

function draw() {
  const runs = [...running.values()].sort((a, b) => Date.parse(a.startedDateTime) - Date.parse(b.startedDateTime));
  fill("running", runs.slice(0, RUNNING), "Nothing runs.");
  fill("failed", newest(), "Nothing has failed.");
}

setInterval(() => {
  for (const span of document.querySelectorAll("[data-since]")) span.textContent = age(span.dataset.since);
}, 1000);

function say(what, isTrouble = false) {
  byId("state").textContent = what;
  byId("state").classList.toggle("trouble", isTrouble);
}

const tell = (what) => { byId("told").textContent = what; };

function enter(why) {
  token = "";
  sessionStorage.removeItem("token");
  say("not signed in", true);
  byId("entry").hidden = false;
  byId("why").textContent = why;
  byId("token").focus();
}

// One operation.

async function open(id) {
  tell("");
  steps = [];
  try {
    show(await get(at(id)));
    if (!byId("one").open) byId("one").showModal();
  } catch (error) { say(error.message, true); }
}

function value(name, what) {
  const plain = typeof what === "object" ? JSON.stringify(what, null, 1) : String(what);
  if (name === "resourceLocation" && /^https?:\/\//i.test(plain)) {
    return el("a", { href: plain, rel: "noopener noreferrer", target: "_blank" }, plain);
  }
  return plain;
}

function show(operation) {
  shown = operation;
  byId("name").textContent = operation.id;
  const badge = byId("badge");
  badge.className = operation.status;
  badge.textContent = [operation.status, reason(operation)].filter(Boolean).join(" · ");
  const step = (name, when) => (when ? [[when, name]] : []);
  const ended = operation.status === "Completed" || operation.status === "Failed";
  const seen = operation.status === "Running" && operation.percentageComplete !== undefined
    ? operation.percentageComplete + " %" + (operation.statusDetail ? ", " + operation.statusDetail : "") : "";
  if (seen && !steps.some(([, name]) => name === seen)) steps.push([operation.lastActionDateTime, seen]);
  steps = steps.slice(-STEPS);
  const history = [...step("created", operation.createdDateTime),
    ...step(operation.holder ? "started by " + operation.holder : "started", operation.startedDateTime),
    ...step("asked to end", operation.cancellationRequestedDateTime), ...steps,
    ...step(ended ? operation.status : "", ended && operation.lastActionDateTime)];
  history.sort((a, b) => Date.parse(a[0]) - Date.parse(b[0]));
  byId("history").replaceChildren(...history.map(([when, name]) => el("li", {}, new Date(when).toLocaleString(), "  ", name)));
  const members = Object.entries(operation).filter(([name]) => !name.startsWith("@") && name !== "id" && name !== "status");
  byId("members").replaceChildren(...members.flatMap(([name, what]) => [el("dt", {}, name), el("dd", {}, value(name, what))]));
  byId("cancel").disabled = ended || Boolean(operation.cancellationRequestedDateTime);
}

byId("cancel").addEventListener("click", async () => {
  try {
    await ask(at(shown.id) + "/cancel", { method: "POST" });
    show(await get(at(shown.id)));
    tell(shown.status === "Running" ? "It has been asked to end." : "It has ended.");
  } catch (error) {
    tell(error.status === 403 ? "You may not cancel operations." : error.message);
  }
});
byId("close").addEventListener("click", () => byId("one").close());
byId("one").addEventListener("close", () => {
  shown = null;
  for (const button of document.querySelectorAll("button.row")) if (button.dataset.id === opener) return button.focus();
});

byId("search").addEventListener("submit", async (event) => {
  event.preventDefault();
  const query = byId("query").value.trim(), equals = query.indexOf("=");
  byId("found").hidden = !query;
  if (!query) return;
  try {
    const found = equals > 0
      ? await list("$filter=" + encodeURIComponent("labels/" + query.slice(0, equals) + " eq " + text(query.slice(equals + 1)))
        + "&$orderby=createdDateTime%20desc&$top=" + FOUND)
      : [await get(at(query))];
    fill("found", found.slice(0, FOUND), "No operation has this label.");
  } catch (error) {
    fill("found", [], error.message);
  }
});
byId("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  token = byId("token").value;
  byId("token").value = "";
  sessionStorage.setItem("token", token);
  follow();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(event.target.tagName) && !byId("one").open) {
    event.preventDefault();
    byId("query").focus();
  }
});
follow();
