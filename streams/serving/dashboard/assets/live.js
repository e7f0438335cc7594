// The live page: rows come as changes once a second; filter, order and keys need no server.
"use strict";

(() => {
  const POLL_MS = 1000;
  const HIDDEN_MS = 5000; // nobody looks
  const PATIENCE_MS = 8000;
  const SVG = "http://www.w3.org/2000/svg";
  const calls = new Map(); // key -> { row, element, parts }
  let order = [];
  let version = 0;
  let loaded = false;
  let answered = Date.now();
  let waiting = new Set(); // ids of alerts that were said
  let root, list, filter;

  const byId = (id) => document.getElementById(id);
  const clock = (ms, seconds = false) =>
    new Date(ms).toLocaleTimeString([], { timeStyle: seconds ? "medium" : "short" });
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  function make(tag, className, role) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (role) element.setAttribute("role", role);
    return element;
  }
  function say(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }
  function look(element, className) {
    if (element.className !== className) element.className = className;
  }
  function set(element, name, value) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }

  function newParty() {
    const row = make("div", "", "row");
    const cell = (className) => row.appendChild(make("div", className, "cell"));
    const party = { row, call: cell("c-call"), who: cell("c-who") };
    const meter = cell("c-meter");
    party.meter = meter.appendChild(make("div", "meter"));
    party.number = party.meter.appendChild(make("span", "number"));
    party.fill = party.meter.appendChild(make("div", "track")).appendChild(make("div", "fill"));
    const trend = cell("c-trend");
    party.svg = trend.appendChild(document.createElementNS(SVG, "svg"));
    party.svg.setAttribute("viewBox", "-1 -1 102 26");
    party.svg.setAttribute("preserveAspectRatio", "none");
    party.svg.setAttribute("role", "img");
    party.svg.setAttribute("aria-label", root.dataset.trend);
    party.rise = trend.appendChild(make("span", "rise"));
    const says = cell("c-says");
    party.feeling = says.appendChild(make("span", "says"));
    party.detail = says.appendChild(make("span", "small"));
    party.note = says.appendChild(make("div", "small note"));
    party.rests = cell("c-rests").appendChild(make("div", "rests"));
    return party;
  }

  function showParty(party, { line, note }, key, first) {
    set(party.row, "data-key", line.key);
    look(party.row, first ? "party" : "party later");
    say(party.who, line.name);
    look(party.meter, line.held ? "meter held" : "meter");
    say(party.number, line.distress);
    look(party.fill, `fill tone${line.tone}`);
    const width = `${line.level}%`;
    if (party.fill.style.width !== width) party.fill.style.width = width;
    const strokes = line.strokes.join(" M");
    if (party.strokes !== strokes) {
      party.strokes = strokes;
      party.svg.replaceChildren(
        ...line.strokes.map((points) => {
          const stroke = document.createElementNS(SVG, "polyline");
          stroke.setAttribute("points", points);
          return stroke;
        }),
      );
    }
    say(party.rise, line.rise);
    say(party.feeling, line.feeling);
    look(party.feeling, `says ${line.state}`);
    say(party.detail, line.detail ? ` ${line.detail}` : "");
    say(party.note, note);
    look(party.note, line.stale ? "small note stale" : "small note");
    const rests = JSON.stringify(line.carriers);
    if (party.carried !== rests) {
      party.carried = rests;
      party.rests.replaceChildren(
        ...line.carriers.map((one) => {
          const chip = make("span", one.present ? "" : "none");
          chip.textContent = `${one.name}${one.present ? "" : ":"} ${one.text}`;
          return chip;
        }),
      );
    }
  }

  function newCall(key) {
    const element = make("div", "call", "rowgroup");
    const head = make("div", "what");
    const parts = {
      head,
      link: head.appendChild(make("a", "quiet id")),
      small: head.appendChild(make("div", "small")),
      name: head.appendChild(make("div", "small name")),
      alerts: head.appendChild(make("div", "marks")),
      parties: [],
    };
    set(element, "data-call", key);
    return { element, parts, row: null, marks: "" };
  }

  function showCall(call, row) {
    call.row = row;
    const { element, parts } = call;
    look(element, `call ${row.group}`);
    while (parts.parties.length < row.parties.length) {
      const party = newParty();
      parts.parties.push(party);
      element.appendChild(party.row);
    }
    while (parts.parties.length > row.parties.length) parts.parties.pop().row.remove();
    row.parties.forEach((line, index) => showParty(parts.parties[index], line, row.key, !index));
    const first = parts.parties[0];
    if (first && first.call.firstChild !== parts.head) first.call.appendChild(parts.head);
    set(parts.link, "href", row.link);
    say(parts.link, row.detail || row.key);
    say(parts.small, `since ${clock(row.started)} · ${row.running}`);
    say(parts.name, row.key);
    set(parts.name, "title", row.key);
    const marks = JSON.stringify(row.alerts);
    if (call.marks !== marks) {
      call.marks = marks;
      parts.alerts.replaceChildren(
        ...row.alerts.map((one) => {
          const mark = make("a", `mark-alert ${one.severity}${one.waits ? "" : " taken"}`);
          mark.href = one.link;
          mark.title = one.title;
          mark.textContent = `${one.waits ? "▲" : "△"} ${one.text}`;
          return mark;
        }),
      );
    }
  }

  function announce(rows) {
    for (const row of rows)
      for (const one of row.alerts) {
        if (!one.waits || waiting.has(one.link)) continue;
        waiting.add(one.link);
        if (loaded) say(byId("live-news"), fill(root.dataset.newAlert, { alert: one.text, queue: row.detail || row.key }));
      }
  }

  const inside = () => list.matches(":hover") || list.contains(document.activeElement);

  function arrange() {
    const held = inside() && list.childElementCount > 0;
    const here = new Set(order);
    for (const [key, call] of calls)
      if (!here.has(key)) {
        call.element.remove();
        calls.delete(key);
      }
    if (held) {
      for (const key of order) if (!calls.get(key).element.isConnected) list.appendChild(calls.get(key).element);
    } else {
      let before = null; // moves only what is out of place, so that most of the page stays laid out
      for (const key of order) {
        const { element } = calls.get(key);
        const next = before ? before.nextSibling : list.firstChild;
        if (next !== element) list.insertBefore(element, next);
        before = element;
      }
    }
    const shown = [...list.children].map((element) => element.dataset.call);
    byId("live-held").hidden = !held || shown.every((key, index) => key === order[index]);
  }

  function narrow() {
    const wanted = filter.value.trim().toLowerCase();
    let shown = 0;
    for (const { row, element } of calls.values()) {
      const fits = !wanted || row.queue.toLowerCase().includes(wanted);
      if (element.hidden === fits) element.hidden = !fits;
      shown += fits;
    }
    const { one, many, some } = root.dataset;
    const count = calls.size;
    const lead = wanted ? fill(some, { shown, count }) : count === 1 ? one : fill(many, { count });
    say(byId("live-lead"), loaded ? lead : "");
    byId("live-table").hidden = !shown;
    byId("live-loading").hidden = loaded;
    byId("live-none").hidden = !loaded || count > 0;
    byId("live-unmatched").hidden = !loaded || !count || shown > 0;
  }

  function queues() {
    const names = [...new Set([...calls.values()].map(({ row }) => row.queue))].sort();
    const known = names.join("\n");
    const offered = byId("live-queues");
    if (offered.dataset.known === known) return;
    offered.dataset.known = known;
    offered.replaceChildren(
      ...names.map((name) => {
        const option = make("option");
        option.value = name;
        return option;
      }),
    );
  }

  function over(ended) {
    byId("live-over").hidden = !ended.length;
    const known = JSON.stringify(ended);
    const shown = byId("live-ended");
    if (shown.dataset.known === known) return;
    shown.dataset.known = known;
    shown.replaceChildren(
      ...ended.map((one) => {
        const item = make("li");
        item.dataset.ended = one.key;
        const link = item.appendChild(make("a", "quiet id"));
        link.href = one.link;
        link.textContent = one.title;
        const said = [one.key, one.detail, `${clock(one.began)}–${clock(one.ended)}`, one.length];
        item.appendChild(make("span", "small")).textContent = ` ${said.filter(Boolean).join(" · ")}`;
        return item;
      }),
    );
  }

  function troubled(away) {
    const lost = Date.now() - answered > PATIENCE_MS;
    const since = lost ? answered : away;
    const note = byId("live-stale");
    note.hidden = since === null;
    root.classList.toggle("old", since !== null);
    if (since !== null) say(note, fill(lost ? root.dataset.lost : root.dataset.away, { time: clock(since, true) }));
  }

  function take(body) {
    for (const row of body.rows) {
      if (!calls.has(row.key)) calls.set(row.key, newCall(row.key));
      showCall(calls.get(row.key), row);
    }
    announce(body.rows);
    if (body.order) order = body.order;
    version = body.version;
    loaded = body.loaded;
    arrange();
    narrow();
    queues();
    over(body.ended);
    troubled(body.away);
    root.dataset.version = version;
  }

  async function poll() {
    try {
      const response = await fetch(`/rows?after=${version}`, { signal: AbortSignal.timeout(PATIENCE_MS) });
      if (response.ok) {
        answered = Date.now();
        take(await response.json());
      } else troubled(null);
    } catch {
      troubled(null); // cut off: the next round tries again
    }
    if (root.isConnected) setTimeout(poll, document.hidden ? HIDDEN_MS : POLL_MS);
  }

  function step(by) {
    const links = [...list.querySelectorAll(".call:not([hidden]) a.id")];
    const now = links.findIndex((link) => link.closest(".call").contains(document.activeElement));
    const next = links[Math.max(0, Math.min(links.length - 1, now < 0 && by < 0 ? 0 : now + by))];
    next?.focus();
    next?.closest(".call").scrollIntoView({ block: "nearest" });
  }

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("live-help").open) return;
    const typing = event.target.closest?.("input, textarea, select");
    if (event.key === "Escape") {
      if (event.target === filter && filter.value) {
        filter.value = "";
        filtered();
      } else document.activeElement?.blur();
      return;
    }
    if (typing) {
      if (event.target === filter && event.key === "ArrowDown" && !filter.value) step(1);
      return;
    }
    const keys = {
      j: () => step(1),
      k: () => step(-1),
      ArrowDown: () => step(1),
      ArrowUp: () => step(-1),
      "/": () => filter.select(),
      "?": () => byId("live-help").showModal(),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    if (event.key === "/") filter.focus();
    keys[event.key]();
  }

  function filtered() {
    narrow();
    const url = new URL(location.href);
    if (filter.value.trim()) url.searchParams.set("queue", filter.value.trim());
    else url.searchParams.delete("queue");
    history.replaceState(history.state, "", url);
  }

  function begin() {
    root = byId("live");
    if (!root) return requestAnimationFrame(begin); // not mounted yet
    list = byId("live-calls");
    filter = byId("live-filter");
    filter.value = new URLSearchParams(location.search).get("queue") ?? "";
    filter.addEventListener("input", filtered);
    byId("live-help-button").addEventListener("click", () => byId("live-help").showModal());
    document.addEventListener("keydown", pressed);
    list.addEventListener("mouseleave", arrange);
    list.addEventListener("focusout", () => setTimeout(arrange, 0));
    poll();
  }
  begin();
})();
