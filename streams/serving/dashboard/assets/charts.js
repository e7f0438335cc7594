// Charts fetch their own points: the page sends axes, then only says that there is more.
"use strict";

const DISTRESS = {
  smoothed: { color: "#b3261e", width: 3, z: 5 },
  raw: { color: "#c9726b", width: 1, type: "dotted", z: 2 },
};
const EMOTIONS = {
  anger: "#1f5fa8",
  sadness: "#6a4a9c",
  fear: "#1f7a78",
  disgust: "#7b6a1e",
  joy: "#2e7d4f",
  surprise: "#a84b88",
};
const held = new Map(); // chart id -> what it shows

function look(line, index) {
  // the second emotion is dashed: lines differ by more than colour
  return DISTRESS[line.key] ?? { color: EMOTIONS[line.key], width: 1.6, type: index % 2 ? "dashed" : "solid", z: 4 };
}

function areas(spans, color, name) {
  return spans.map(([from, to]) => [
    { xAxis: from, itemStyle: { color }, name },
    { xAxis: to },
  ]);
}

function series(state) {
  return state.lines.map((line, index) => {
    const style = look(line, index);
    const drawn = {
      id: line.key,
      name: line.name,
      type: "line",
      data: line.points,
      showSymbol: line.points.length < 2,
      symbolSize: 6,
      connectNulls: false,
      animation: false,
      z: style.z,
      lineStyle: { width: style.width, type: style.type ?? "solid", color: style.color },
      itemStyle: { color: style.color },
    };
    if (line.key === "smoothed") {
      drawn.areaStyle = { color: style.color, opacity: 0.08 };
      drawn.markArea = {
        silent: true,
        label: { show: false },
        data: [...areas(state.unsure, "rgba(82,96,116,.10)"), ...areas(state.nothing, "rgba(82,96,116,.22)")],
      };
    }
    return drawn;
  });
}

function extend(state, body) {
  if (body.full) state.lines = body.lines;
  else
    body.lines.forEach((line, index) => {
      state.lines[index].points = state.lines[index].points.concat(line.points);
    });
  state.names = body.names;
  state.after = body.until;
  state.unsure = body.unsure;
  state.nothing = body.nothing;
}

async function drawChart(id, url) {
  const state = held.get(id) ?? { lines: [], names: "", after: 0, busy: false, again: false };
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
    const query = new URLSearchParams({ after: state.after, names: state.names });
    const response = await fetch(`${url}?${query}`);
    if (!response.ok) return; // the page says what is wrong; the next call tries again
    const body = await response.json();
    extend(state, body);
    chart.setOption({ series: series(state) }, { replaceMerge: ["series"] });
    const element = getHtmlElement(id);
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", body.summary);
    element.dataset.points = state.lines[0]?.points.length ?? 0;
  } finally {
    state.busy = false;
    if (state.again) {
      state.again = false;
      drawChart(id, url);
    }
  }
}
