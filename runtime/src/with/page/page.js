"use strict";
// Shows a snapshot, and asks for the next ones: by server-sent events, or again and again where those do not come.
// All that is shown is set as text. Only the picture of the stop is markup: the server's own, parsed as XML.

const at = (id) => document.getElementById(id);
const isLive = document.documentElement.dataset.kind === "live";
const SIGNS = { starting: "◌", ready: "●", draining: "◒", stopping: "◑", stopped: "■" };
const KINDS = { starting: "busy", ready: "good", draining: "warn", stopping: "warn", stopped: "busy" };

// ----- texts -----

function span(ms) {
  const seconds = Math.floor(ms / 1000);
  if (ms < 1000) return `${ms} ms`;
  if (seconds < 60) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** As `span`, to the second: of what is known no better. */
const coarse = (ms) => (ms < 1000 ? "just now" : `${span(ms - (ms % 1000)).replace(".0 s", " s")} ago`);
const counted = (count, one, more) => `${count} ${count === 1 ? one : more}`;

/** Sets a text where it has changed, so that a selection stays. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function show(id, isShown) {
  at(id).hidden = !isShown;
}

// ----- tables and lists -----

/** As many children as there are items: each is changed in its place. */
function fill(parent, items, make, change) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  items.forEach((item, index) => {
    let child = parent.children[index];
    if (!child) {
      child = make();
      parent.append(child);
    }
    change(child, item);
  });
}

function list(id, texts) {
  fill(at(id), texts, () => document.createElement("li"), say);
}

/** Rows whose cells are texts, or functions that fill a cell. The first one is the row's head. */
function rows(id, labels, items, cells, className = () => "") {
  const makeRow = () => {
    const row = document.createElement("tr");
    labels.forEach((label, index) => {
      const cell = document.createElement(index ? "td" : "th");
      if (index) cell.dataset.label = label;
      else cell.scope = "row";
      row.append(cell);
    });
    // On a phone rows are blocks, and would be no rows for a screen reader.
    row.setAttribute("role", "row");
    [...row.cells].forEach((cell, index) => cell.setAttribute("role", index ? "cell" : "rowheader"));
    return row;
  };
  fill(at(id).tBodies[0], items, makeRow, (row, item) => {
    row.className = className(item);
    cells(item).forEach((content, index) => {
      const cell = row.cells[index];
      if (typeof content === "function") content(cell);
      else say(cell, content);
    });
  });
}

/** A name, and below it the place in the source. */
function named(name, place, depth, hidden) {
  return (cell) => {
    if (!cell.children.length) {
      const parts = ["span", "span", "div"].map((kind) => document.createElement(kind));
      parts[0].className = "unseen";
      parts[2].className = "at";
      cell.append(...parts);
    }
    cell.className = depth ? `in-${Math.min(depth, 4)}` : "";
    const [before, text, below] = cell.children;
    say(before, hidden);
    say(text, name);
    say(below, place);
  };
}

function number(text) {
  return (cell) => {
    cell.className = "number";
    say(cell, text);
  };
}

// ----- the parts of the page -----

function showState(view) {
  const isOver = view.end !== null;
  const word = isOver ? (view.end[0] === 0 ? "ended well" : `ended: exit code ${view.end[0]}`) : view.state;
  const kind = isOver ? (view.end[0] === 0 ? "good" : "bad") : KINDS[view.state];
  say(at("name"), view.name ?? "graceful");
  document.title = `${word} · ${view.name ?? "graceful"}`;
  at("state").className = kind;
  say(at("sign"), isOver ? (view.end[0] === 0 ? "✔" : "✖") : SIGNS[view.state]);
  say(at("word"), word);
  const readiness = view.is_ready ? "takes new work" : "takes no new work";
  const reason = isOver && view.end[1] ? `${view.end[1]}; ` : "";
  say(at("since"), isOver ? `${reason}had run for ${span(view.up)}` : `for ${span(view.since)}; ${readiness}; up ${span(view.up)}`);
}

function showStop(view) {
  const { stop } = view;
  show("stop", stop !== null);
  show("timeline", stop !== null);
  if (!stop) return;
  say(at("cause"), `Cause: ${stop.cause}. It ${view.end ? "took" : "has taken"} ${span(stop.spent)}.`);
  show("budget", stop.budget !== null && !view.end);
  show("budget-text", !view.end);
  if (stop.budget) {
    const [total, abort] = stop.budget;
    const left = Math.max(0, total - stop.spent);
    const share = total ? (100 * left) / total : 0;
    at("left").style.width = `${share}%`;
    at("left").className = stop.spent >= abort ? "short" : "";
    at("abort").style.left = `${total ? (100 * (total - abort)) / total : 0}%`;
    const untilAbort = stop.spent < abort ? `; what still runs is aborted in ${span(abort - stop.spent)} (dashed line)` : "; what still ran has been aborted";
    const text = `${span(left)} of ${span(total)} left${untilAbort}`;
    say(at("budget-text"), text);
    at("budget").setAttribute("aria-valuemax", total);
    at("budget").setAttribute("aria-valuenow", left);
    at("budget").setAttribute("aria-valuetext", text);
  } else {
    say(at("budget-text"), "There is no deadline.");
  }
  list("notes", stop.notes);
  const held = stop.held_up_by;
  say(at("held-up"), held ? `Held up longest${view.end ? "" : " so far"} by ${held[0]}: ${held[1]}.` : "Nothing has held it up.");
  showPicture(stop.picture);
  const labels = ["what", "where", "from", "to", "waited for", "remark"];
  rows("bars", labels, stop.bars, (bar) => [
    bar.name, bar.at, number(span(bar.from)), number(span(bar.to)), number(bar.waited_for ? span(bar.waited_for) : ""), bar.note,
  ]);
  list("events", stop.events.map(([name, after]) => `${name}, after ${span(after)}`));
}

function showPicture(markup) {
  const parsed = new DOMParser().parseFromString(markup, "image/svg+xml").documentElement;
  if (parsed.localName === "svg") at("picture").replaceChildren(document.importNode(parsed, true));
}

function showBlocked(view) {
  show("blocked", view.blocked.length > 0);
  const change = (item, blocked) => {
    if (!item.children.length) {
      const parts = ["strong", "span", "code", "span"].map((kind) => document.createElement(kind));
      parts[1].className = "at";
      item.append(parts[0], " ", parts[1], " blocks the thread ", parts[2], parts[3]);
    }
    const [name, place, thread, long] = item.children;
    say(name, `▲ ${blocked.name}`);
    say(place, blocked.at);
    say(thread, blocked.thread);
    say(long, `, for ${span(blocked.for)} at least`);
  };
  fill(at("threads"), view.blocked, () => document.createElement("li"), change);
}

function showWorkers(view) {
  const labels = ["worker", "live", "now", "oldest", "last polled", "restarts", "ended", "last failure"];
  const cells = (row) => [
    named(row.name, row.stage === "main" ? row.at : `${row.at} · stage ${row.stage}`, row.parents.length, row.parents.length ? `${row.parents.join(" > ")} > ` : ""),
    number(`${row.live}`),
    (row.is_blocked ? "▲ " : "") + (row.live ? row.doing : ""),
    number(row.oldest === null || !row.live ? "" : span(row.oldest)),
    number(row.polled === null ? "" : coarse(row.polled)),
    row.restarts ? `${row.restarts}${row.restarts_lately ? `, ${row.restarts_lately} in the last minute` : ""}` : "",
    (cell) => {
      cell.className = row.ended.length < 3 ? "short" : "";
      say(cell, row.ended.map(([count, how]) => `${count} ${how}`).join(", "));
    },
    (cell) => {
      cell.className = "failure";
      say(cell, row.failure ? `${row.failure[0]} (${coarse(row.failure[1])})` : "");
    },
  ];
  rows("workers", labels, view.workers, cells, (row) => (row.is_blocked ? "is-blocked" : row.live ? "" : "is-gone"));
  say(at("more"), view.more ? `and ${view.more} more kinds of workers` : "");
}

function showHooks(view) {
  show("hooks-part", view.hooks.length > 0);
  const stages = { BeforeStop: "before_stop", OnStop: "on_stop", AfterStop: "after_stop" };
  rows("hooks", ["hook", "stage", "progress", "began", "took"], view.hooks, (hook) => [
    hook.name,
    stages[hook.stage] ?? hook.stage,
    (hook.is_bad ? "▲ " : "") + hook.progress,
    number(hook.began === null ? "" : `after ${span(hook.began)}`),
    number(hook.took === null ? "" : span(hook.took)),
  ]);
}

function showHolds(view) {
  const sum = (items) => items.reduce((count, item) => count + item.live, 0);
  const connections = sum(view.workers.filter((row) => row.name === "connection"));
  const requests = sum(view.holds.filter((hold) => hold.name === "request"));
  const others = sum(view.holds.filter((hold) => hold.name !== "request"));
  const parts = [counted(requests, "request", "requests"), counted(connections, "connection", "connections"), counted(others, "other hold", "other holds")];
  if (view.untracked) parts.push(counted(view.untracked, "task that nothing tracks", "tasks that nothing tracks"));
  say(at("hand"), parts.join(", "));
  show("holds", view.holds.length > 0);
  rows("holds", ["hold", "held", "taken in all"], view.holds, (hold) => [named(hold.name, hold.at, 0, ""), number(`${hold.live}`), number(`${hold.taken}`)]);
}

/** How many were alive, as a line that ends now. What nobody has noted is a gap. */
function showMinute(view) {
  const SECONDS = 60, HIGH = 100, WIDE = 600;
  const past = view.past.filter(([ago]) => ago <= SECONDS * 1000);
  const counts = past.map(([, alive]) => alive);
  const most = Math.max(1, ...counts);
  const x = (ago) => WIDE - (ago / (SECONDS * 1000)) * WIDE;
  const y = (alive) => HIGH - (alive / most) * (HIGH - 8);
  let edge = "", area = "", last = null;
  for (const [ago, alive] of past) {
    const isNew = last === null || last - ago > 3500;
    const point = `${x(ago).toFixed(1)} ${y(alive).toFixed(1)}`;
    if (isNew && last !== null) area += `L${x(last).toFixed(1)} ${HIGH}Z`;
    area += isNew ? `M${x(ago).toFixed(1)} ${HIGH}L${point}` : `L${point}`;
    edge += (isNew ? "M" : "L") + point;
    last = ago;
  }
  if (last !== null) area += `L${x(last).toFixed(1)} ${HIGH}Z`;
  if (!at("minute").firstChild) {
    const markup = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDE} ${HIGH}" preserveAspectRatio="none" role="img"><path class="area"/><path class="edge"/></svg>`;
    at("minute").append(document.importNode(new DOMParser().parseFromString(markup, "image/svg+xml").documentElement, true));
  }
  const chart = at("minute").firstChild;
  chart.querySelector(".area").setAttribute("d", area);
  chart.querySelector(".edge").setAttribute("d", edge);
  const now = counts.length ? counts[counts.length - 1] : 0;
  const text = `Alive: ${now} now; between ${Math.min(...counts, now)} and ${Math.max(...counts, now)} in the last ${counted(past.length ? Math.max(1, Math.round(past[0][0] / 1000)) : 1, "second", "seconds")}. Main, workers and holds count.`;
  chart.setAttribute("aria-label", text);
  say(at("minute-text"), text);
}

function render(view) {
  document.body.className = view.is_last ? "over" : "";
  for (const part of [showState, showStop, showBlocked, showMinute, showWorkers, showHooks, showHolds]) part(view);
}

// ----- contact -----

const contact = { last: Date.now(), isOver: !isLive, source: null, isAsking: false };

function receive(text) {
  const view = JSON.parse(text);
  contact.last = Date.now();
  render(view);
  if (view.is_last) {
    contact.isOver = true;
    contact.source?.close();
  }
  sayContact(view);
}

function sayContact(view) {
  const time = new Date(contact.last).toLocaleTimeString();
  const lost = !contact.isOver && Date.now() - contact.last > 4000;
  at("contact").className = lost ? "lost" : "";
  if (lost) say(at("contact"), `▲ no contact for ${Math.round((Date.now() - contact.last) / 1000)} s: this is how it was at ${time}`);
  else if (!contact.isOver) say(at("contact"), `live, ${time}`);
  else if (!isLive) say(at("contact"), "written when it ended");
  else if (view?.end) say(at("contact"), `it ended at ${time}: this page keeps what it was`);
  else if (view) say(at("contact"), `the server of this page was told to stop at ${time}: what followed is not seen here`);
}

function listen() {
  contact.source?.close();
  contact.source = new EventSource(location.href);
  contact.source.onmessage = (event) => receive(event.data);
  contact.source.addEventListener("end", (event) => receive(event.data));
}

/** One snapshot, in an answer that ends: for proxies that hold back what has not. */
async function ask() {
  if (contact.isAsking) return;
  contact.isAsking = true;
  try {
    const url = new URL(location.href);
    url.search = "?once";
    const answer = await fetch(url, { headers: { accept: "text/event-stream" }, cache: "no-store" });
    const data = (await answer.text()).split("\n").find((line) => line.startsWith("data: "));
    if (data) receive(data.slice(6));
  } catch {
    // It is not there. The next try may find it.
  }
  contact.isAsking = false;
}

show("page", true);
render(JSON.parse(at("data").textContent));
sayContact(null);
if (isLive) {
  listen();
  let ticks = 0;
  setInterval(() => {
    if (contact.isOver) return;
    sayContact(null);
    ticks += 1;
    const silent = Date.now() - contact.last;
    if (silent > 4000 && silent < 120000 && ticks % 2 === 0) {
      ask();
      if (contact.source.readyState === EventSource.CLOSED) listen();
    }
  }, 1000);
}
