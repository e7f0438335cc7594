// The timeline of a conversation: charts fetch their own points; the page only says that
// there is more. One second is chosen for all of them, and stands in the address.
"use strict";

const DISTRESS = [
  { key: "smoothed", name: "distress, smoothed", color: "--c-distress", width: 3, z: 5 },
  { key: "raw", name: "distress, each window", color: "--c-raw", width: 1.2, type: "dotted", z: 2 },
];
// lines differ by dash and mark as well as by colour (Okabe and Ito's palette)
const EMOTIONS = [
  { key: "anger", color: "--c-anger", type: "solid", symbol: "circle" },
  { key: "sadness", color: "--c-sadness", type: "dashed", symbol: "triangle" },
  { key: "fear", color: "--c-fear", type: "dotted", symbol: "rect" },
  { key: "disgust", color: "--c-disgust", type: [8, 3, 2, 3], symbol: "diamond" },
  { key: "joy", color: "--c-joy", type: "solid", symbol: "roundRect" },
  { key: "surprise", color: "--c-surprise", type: "dashed", symbol: "pin" },
  { key: "neutral", color: "--c-raw", type: [2, 2], symbol: "emptyCircle" },
].map((one) => ({ name: one.key, width: 1.8, z: 4, ...one }));
const SOUND = [
  { key: "valence", color: "--c-joy", symbol: "circle", type: "solid" },
  { key: "arousal", color: "--c-sadness", symbol: "triangle", type: "dashed" },
  { key: "conflict", color: "--c-disgust", symbol: "diamond", type: "dotted" },
].map((one) => ({ name: one.key, width: 1.8, z: 4, ...one }));
// stacked in this order, as the legend says
const WEIGHTS = [
  { key: "weight voice", word: "voice", name: "voice (lowest)", color: "--c-sadness", icon: "circle" },
  { key: "weight words", word: "words", name: "words", color: "--c-disgust", icon: "rect" },
  { key: "weight face", word: "face", name: "face (highest)", color: "--c-fear", icon: "triangle" },
];
const MARK_EVERY = 12; // points from one mark of a line to the next
const GRIDS = [
  { top: 44, height: 190 },
  { top: 282, height: 74 },
  { top: 404, height: 46 },
];
const held = new Map(); // chart id -> what it shows
let chosen = null; // milliseconds, null follows the newest

function colours() {
  // computed, so that light-dark() and the theme are settled
  const probe = document.body.appendChild(document.createElement("i"));
  const found = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const all = {};
  for (const { color } of [...DISTRESS, ...EMOTIONS, ...SOUND, ...WEIGHTS]) all[color] = found(color);
  for (const name of ["--ink", "--soft", "--line", "--paper", "--alert", "--c-unsure", "--c-nothing"]) all[name] = found(name);
  probe.remove();
  return all;
}

function clean(text) {
  const element = document.createElement("i");
  element.textContent = text;
  return element.innerHTML;
}

function clock(ms) {
  return new Date(ms).toLocaleTimeString("en-GB");
}

function pairs(state, key) {
  const column = state.columns[key] ?? [];
  return state.times.map((at, index) => [at, column[index] ?? null]);
}

function line(state, one, grid, tint) {
  const data = pairs(state, one.key);
  return {
    id: one.key,
    name: one.name,
    type: "line",
    xAxisIndex: grid,
    yAxisIndex: grid,
    data,
    showSymbol: Boolean(one.symbol) || data.length < 2,
    symbol: one.symbol ?? "circle",
    symbolSize: (_, { dataIndex }) => (data.length < 2 || (one.symbol && dataIndex % MARK_EVERY === 0) ? 6 : 0),
    connectNulls: false,
    animation: false,
    z: one.z,
    lineStyle: { width: one.width, type: one.type ?? "solid", color: tint[one.color] },
    itemStyle: { color: tint[one.color] },
    emphasis: { disabled: true },
  };
}

function areas(spans, color) {
  return spans.map(([from, to]) => [{ xAxis: from, itemStyle: { color } }, { xAxis: to }]);
}

function series(state, tint) {
  const all = [...DISTRESS, ...EMOTIONS].map((one) => line(state, one, 0, tint));
  const [smoothed] = all;
  smoothed.areaStyle = { color: tint["--c-distress"], opacity: 0.1 };
  smoothed.markArea = {
    silent: true,
    label: { show: false },
    data: [...areas(state.unsure, tint["--c-unsure"]), ...areas(state.nothing, tint["--c-nothing"])],
  };
  all.push(...SOUND.map((one) => line(state, one, 1, tint)));
  for (const one of WEIGHTS)
    all.push({
      ...line(state, one, 2, tint),
      stack: "weights",
      step: "end",
      showSymbol: false,
      lineStyle: { width: 0 },
      areaStyle: { color: tint[one.color], opacity: 0.75 },
    });
  const early = state.provisional;
  if (early) {
    const last = smoothed.data.findLast((point) => point[1] !== null);
    all.push({
      id: "provisional",
      name: "provisional",
      type: "line",
      data: last && last[0] < early[0] ? [last, early] : [early],
      animation: false,
      z: 6,
      symbol: "emptyDiamond",
      symbolSize: (point) => (point[0] === early[0] ? 10 : 0),
      lineStyle: { width: 1.5, type: "dashed", color: tint["--c-distress"] },
      itemStyle: { color: tint["--c-distress"] },
    });
  }
  const end = Math.max(state.times.at(-1) ?? 0, early?.[0] ?? 0);
  if (state.alerts.length)
    all.push({
      id: "alerts",
      name: "alerts",
      type: "line",
      animation: false,
      connectNulls: false,
      z: 8,
      data: state.alerts.flatMap((one) => [[one.since, 100], [Math.max(one.since, one.until ?? end), 100], [one.since, null]]),
      symbol: (point, { dataIndex }) => (dataIndex % 3 === 0 ? "triangle" : "rect"),
      symbolSize: (point, { dataIndex }) => (dataIndex % 3 === 0 ? 13 : 6),
      lineStyle: { width: 4, color: tint["--alert"] },
      itemStyle: { color: tint["--alert"] },
      markLine: {
        silent: true,
        symbol: "none",
        label: { show: false },
        lineStyle: { color: tint["--alert"], type: "dashed", width: 1 },
        data: state.alerts.map((one) => ({ xAxis: one.since })),
      },
    });
  if (chosen !== null) {
    for (const [grid, id] of [[0, "chosen"], [1, "chosen sound"], [2, "chosen weights"]])
      all.push({
        id,
        name: id,
        type: "line",
        xAxisIndex: grid,
        yAxisIndex: grid,
        data: [],
        markLine: {
          silent: true,
          animation: false,
          symbol: "none",
          label: { show: grid === 0, formatter: clock(chosen), color: tint["--ink"], position: "end", distance: 2 },
          lineStyle: { color: tint["--ink"], width: 1.5, type: "solid" },
          data: [{ xAxis: chosen }],
        },
      });
  }
  return all;
}

function tip(state, at) {
  const index = state.times.indexOf(at);
  if (index < 0) return "";
  const value = (key, digits) => {
    const found = state.columns[key]?.[index];
    return found === null || found === undefined ? "–" : digits ? found.toFixed(digits) : `${Math.round(found)} %`;
  };
  const rows = [["distress", `${value("smoothed")} (this window ${value("raw")})`]];
  for (const { key } of EMOTIONS) if (state.selected[key]) rows.push([key, value(key)]);
  rows.push(["valence, arousal", `${value("valence", 2)}, ${value("arousal", 2)}`], ["conflict", value("conflict", 2)]);
  const rests = WEIGHTS.filter(({ key }) => typeof state.columns[key]?.[index] === "number");
  rows.push(["rests on", rests.map(({ key, word }) => `${word} ${value(key)}`).join(", ") || "nothing"]);
  const alerts = state.alerts.filter((one) => one.since <= at && at <= (one.until ?? Infinity));
  for (const one of alerts) rows.push(["alert", `${one.name} (${one.title})`]);
  const cues = state.cues.filter(([when]) => when === at).map(([, cue]) => `<li>${clean(cue)}</li>`);
  const body = rows.map(([name, said]) => `<dt>${clean(name)}</dt><dd>${clean(said)}</dd>`).join("");
  return `<div class="tip"><strong>${clock(at)} · ${clean(state.reads[index])}</strong><dl>${body}</dl>${cues.length ? `<ul>${cues.join("")}</ul>` : ""}</div>`;
}

function axes(state, tint) {
  const xAxis = GRIDS.map((_, index) => ({
    type: "time",
    gridIndex: index,
    axisLabel: { show: index === 2, formatter: "{HH}:{mm}:{ss}", color: tint["--soft"], hideOverlap: true },
    axisTick: { show: index === 2 },
    axisLine: { lineStyle: { color: tint["--line"] } },
    splitLine: { show: false },
    axisPointer: { label: { show: false } },
  }));
  const label = { color: tint["--soft"] };
  const split = { lineStyle: { color: tint["--line"] } };
  const yAxis = [
    { min: 0, max: 100, interval: 25, axisLabel: { ...label, formatter: "{value} %" } },
    { min: -1, max: 1, interval: 1, axisLabel: label },
    { min: 0, max: 100, interval: 100, axisLabel: { ...label, formatter: "{value} %" } },
  ].map((one, gridIndex) => ({ type: "value", gridIndex, splitLine: split, ...one }));
  const legend = [
    { top: 0, data: [...DISTRESS, ...EMOTIONS].map((one) => one.name) },
    { top: 252, data: SOUND.map((one) => one.name) },
    { top: 374, data: WEIGHTS.map(({ name, icon }) => ({ name, icon })) },
  ].map((one) => ({
    type: "scroll",
    left: 44,
    right: 8,
    itemWidth: 26,
    itemHeight: 9,
    textStyle: { color: tint["--ink"], fontSize: 13 },
    inactiveColor: tint["--soft"],
    pageTextStyle: { color: tint["--soft"] },
    pageIconColor: tint["--soft"],
    selected: state.selected,
    ...one,
  }));
  return {
    animation: false,
    aria: { enabled: false },
    grid: GRIDS.map((one) => ({ left: 52, right: 16, ...one })),
    axisPointer: { link: [{ xAxisIndex: "all" }], lineStyle: { color: tint["--soft"] } },
    tooltip: {
      trigger: "axis",
      confine: true,
      backgroundColor: tint["--paper"],
      borderColor: tint["--line"],
      textStyle: { color: tint["--ink"], fontSize: 13 },
      formatter: (items) => tip(state, items[0]?.axisValue),
    },
    xAxis,
    yAxis,
    legend,
  };
}

function nearest(state, ms) {
  const { times } = state;
  if (!times.length) return null;
  return times.reduce((best, at) => (Math.abs(at - ms) < Math.abs(best - ms) ? at : best));
}

function choose(ms) {
  chosen = ms;
  const url = new URL(location.href);
  if (ms === null) url.searchParams.delete("at");
  else url.searchParams.set("at", new Date(ms).toISOString());
  history.replaceState(history.state, "", url);
  emitEvent("pick-second", ms === null ? "" : new Date(ms).toISOString());
  redraw();
}

function paint(state) {
  state.chart.setOption({ series: series(state, state.tint) }, { replaceMerge: ["series"] });
}

function redraw() {
  for (const state of held.values()) if (state.chart && !state.chart.isDisposed()) paint(state);
}

function theme() {
  for (const state of held.values()) {
    if (!state.chart || state.chart.isDisposed()) continue;
    state.tint = colours();
    state.chart.setOption(axes(state, state.tint));
    paint(state);
  }
}

function prepare(id, state) {
  const { chart } = state;
  const element = getHtmlElement(id);
  state.tint = colours();
  chart.setOption(axes(state, state.tint));
  chart.on("legendselectchanged", ({ selected, name }) => {
    state.touched = true;
    Object.assign(state.selected, { [name]: selected[name] });
  });
  chart.getZr().on("click", ({ offsetX, offsetY }) => {
    if (!GRIDS.some((_, grid) => chart.containPixel({ gridIndex: grid }, [offsetX, offsetY]))) return;
    const at = nearest(state, chart.convertFromPixel({ xAxisIndex: 0 }, offsetX));
    if (at !== null) choose(at);
  });
  element.tabIndex = 0;
  element.setAttribute("role", "img");
  element.addEventListener("keydown", (event) => {
    const { times } = state;
    if (!times.length) return;
    const now = chosen === null ? times.length - 1 : times.indexOf(nearest(state, chosen));
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, PageUp: now - 10, PageDown: now + 10, Home: 0, End: times.length - 1 }[event.key];
    if (event.key === "Escape") choose(null);
    else if (to === undefined) return;
    else {
      const index = Math.max(0, Math.min(times.length - 1, to));
      choose(times[index]);
      chart.dispatchAction({ type: "showTip", seriesIndex: 0, dataIndex: index });
    }
    event.preventDefault();
  });
  element.addEventListener("blur", () => chart.dispatchAction({ type: "hideTip" }));
}

function evidence(id, state) {
  const box = getHtmlElement(id).closest("section").querySelector(".all-cues");
  if (!box) return;
  box.hidden = !state.cues.length;
  box.querySelector("span").textContent = state.cues.length;
  const list = box.querySelector("ol");
  if (state.renew) list.replaceChildren();
  state.renew = false;
  for (const [at, cue] of state.cues.slice(list.childElementCount)) {
    const item = list.appendChild(document.createElement("li"));
    const link = item.appendChild(document.createElement("a"));
    link.href = `?at=${encodeURIComponent(new Date(at).toISOString())}`;
    link.textContent = clock(at);
    link.addEventListener("click", (event) => {
      event.preventDefault();
      choose(at);
    });
    item.append(` ${cue}`);
  }
}

function forget(state) {
  Object.assign(state, { times: [], columns: {}, reads: [], cues: [], after: 0, renew: true });
}

function extend(state, body) {
  if (body.edition !== state.edition) forget(state); // points were deleted: begin anew
  state.edition = body.edition;
  state.times.push(...body.times);
  state.reads.push(...body.reads);
  state.cues.push(...body.cues);
  for (const [key, column] of Object.entries(body.columns)) (state.columns[key] ??= []).push(...column);
  state.after = Math.max(state.after, body.until);
  const { unsure, nothing, provisional, alerts } = body;
  Object.assign(state, { unsure, nothing, provisional, alerts });
  if (state.touched) return false;
  let changed = false;
  for (const { key } of EMOTIONS) {
    const wanted = body.strongest.includes(key);
    changed ||= state.selected[key] !== wanted;
    state.selected[key] = wanted;
  }
  return changed;
}

async function drawChart(id, url) {
  const state = held.get(id) ?? {
    times: [], columns: {}, reads: [], cues: [], selected: {}, touched: false,
    after: 0, edition: 0, busy: false, again: false, chart: null,
  };
  held.set(id, state);
  if (state.busy) {
    state.again = true;
    return;
  }
  state.busy = true;
  try {
    const chart = getElement(id)?.chart;
    if (!chart) {
      setTimeout(() => drawChart(id, url), 50); // the element is not mounted yet
      return;
    }
    const response = await fetch(`${url}?after=${state.after}&edition=${state.edition}`);
    if (!response.ok) return; // the page says what is wrong; the next call tries again
    const body = await response.json();
    const changed = extend(state, body);
    if (state.chart !== chart) {
      state.chart = chart;
      prepare(id, state);
    } else if (changed) chart.setOption(axes(state, state.tint));
    paint(state);
    evidence(id, state);
    const element = getHtmlElement(id);
    element.setAttribute("aria-label", body.summary);
    element.dataset.points = state.times.length;
  } finally {
    state.busy = false;
    if (state.again) {
      state.again = false;
      drawChart(id, url);
    }
  }
}

const asked = Date.parse(new URLSearchParams(location.search).get("at") ?? "");
if (!Number.isNaN(asked)) chosen = asked;
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", theme);
new MutationObserver(theme).observe(document.documentElement, { attributeFilter: ["data-theme"] });
document.addEventListener("click", async (event) => {
  const { target } = event;
  if (target.closest("[data-follow]")) choose(null);
  const second = target.closest("[data-second]");
  if (second && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault(); // without another look at the API
    const [state] = held.values();
    const at = state && nearest(state, Number(second.dataset.second));
    if (at) choose(at);
  }
  const copy = target.closest("[data-copy]");
  if (!copy) return;
  await navigator.clipboard.writeText(copy.dataset.copy);
  const said = copy.textContent;
  copy.textContent = copy.dataset.copied;
  setTimeout(() => (copy.textContent = said), 1500);
});
