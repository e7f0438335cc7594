// Light, dark, or as the system says: chosen before anything is drawn, so nothing flashes.
"use strict";

const THEMES = ["system", "light", "dark"];

function themeChoice() {
  try {
    const kept = localStorage.getItem("affectstream-theme");
    return THEMES.includes(kept) ? kept : "system";
  } catch {
    return "system"; // storage may be forbidden
  }
}

function useTheme(choice) {
  const root = document.documentElement;
  root.dataset.themeChoice = choice;
  if (choice === "system") delete root.dataset.theme;
  else root.dataset.theme = choice;
  // the library's own parts follow a class on the body
  window.Quasar?.Dark.set(choice === "system" ? "auto" : choice === "dark");
  window.dispatchEvent(new CustomEvent("themechange"));
}

useTheme(themeChoice());
document.documentElement.lang ||= "en";
addEventListener("DOMContentLoaded", () => useTheme(themeChoice()));

addEventListener("click", (event) => {
  if (event.target.closest("[data-theme-choice].theme")) {
    const next = THEMES[(THEMES.indexOf(themeChoice()) + 1) % THEMES.length];
    try {
      localStorage.setItem("affectstream-theme", next);
    } catch {
      // then it lasts as long as the page
    }
    useTheme(next);
  }
  const menu = event.target.closest("[data-menu]");
  if (menu) {
    const open = menu.getAttribute("aria-expanded") !== "true";
    menu.setAttribute("aria-expanded", String(open));
    document.getElementById("pages").classList.toggle("open", open);
  }
});

// Charts take colours as values: they are read from the style sheet, again with each theme.
function tintCharts() {
  const probe = document.body.appendChild(document.createElement("i"));
  const colour = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const [ink, soft, line, accent, alert] = ["--ink", "--soft", "--line", "--accent", "--alert"].map(colour);
  probe.remove();
  const axis = { axisLabel: { color: soft }, nameTextStyle: { color: soft }, splitLine: { lineStyle: { color: line } }, axisLine: { lineStyle: { color: line } } };
  for (const element of document.querySelectorAll(".tinted")) {
    const chart = getElement(Number(element.id.slice(1)))?.chart;
    if (!chart) {
      setTimeout(tintCharts, 50); // not mounted yet
      return;
    }
    chart.setOption({ color: [accent, alert], textStyle: { color: ink }, legend: { textStyle: { color: ink } }, xAxis: axis, yAxis: axis });
  }
}
addEventListener("themechange", () => document.body && tintCharts());

// Alerts by keyboard: only where no field has the focus.
addEventListener("keydown", (event) => {
  const cards = [...document.querySelectorAll(".alert-card")];
  if (!cards.length || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select")) return;
  const at = cards.indexOf(document.activeElement?.closest(".alert-card"));
  if (event.key === "j" || event.key === "k") {
    const next = at < 0 ? 0 : Math.min(cards.length - 1, Math.max(0, at + (event.key === "j" ? 1 : -1)));
    cards[next].focus();
    cards[next].scrollIntoView({ block: "nearest" });
    event.preventDefault();
  } else if (at >= 0) {
    cards[at].querySelector(`[data-key="${CSS.escape(event.key)}"]:not(.hidden)`)?.click();
  }
});
