// Keeps the live part of a page current, and reads values off its charts.

const live = document.querySelector("[data-live]");
const PERIOD_MS = 2000;

async function refresh() {
  if (!document.hidden) {
    try {
      const response = await fetch(live.dataset.live);
      if (response.ok) {
        const text = await response.text();
        // The fragment is rendered by this server; a selection or a hovered chart is left alone.
        if (!live.matches(":hover") && !getSelection().toString()) live.innerHTML = text;
        live.dataset.state = "live";
      }
    } catch {
      live.dataset.state = "lost";
    }
  }
  setTimeout(refresh, PERIOD_MS);
}

// The point of a chart nearest to the pointer, in its readout.
function read(event) {
  const chart = event.target.closest?.("svg[data-points]");
  if (!chart) return;
  const box = chart.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
  let best = null;
  for (const point of JSON.parse(chart.dataset.points)) {
    if (!best || Math.abs(point[0] - x) < Math.abs(best[0] - x)) best = point;
  }
  if (!best) return;
  const mark = chart.querySelector(".mark");
  mark.setAttribute("x1", best[0]);
  mark.setAttribute("x2", best[0]);
  mark.classList.add("on");
  chart.parentElement.querySelector(".readout").textContent = best[1];
}

if (live) {
  setTimeout(refresh, PERIOD_MS);
  live.addEventListener("pointermove", read);
}
