// --- notices of tasks: looked for now and then, counted in the side bar, told outside the page where that was allowed ---

const NOTICES_EVERY = 4000;

// What was told stays told, in every tab of this browser.
const toldKey = "told-notices";
const told = () => new Set(JSON.parse(localStorage.getItem(toldKey) ?? "[]"));

function countNotices() {
  const box = byId("notices");
  const badge = byId("task-badge");
  if (!box || !badge) return;
  const count = Number(box.dataset.count);
  badge.hidden = count === 0;
  $(".num", badge).textContent = count;
}

function tellOutside() {
  const box = byId("notices");
  const known = told();
  const fresh = $$(".told", box).filter((notice) => !known.has(notice.id));
  if (!fresh.length) return;
  localStorage.setItem(toldKey, JSON.stringify([...known, ...fresh.map((notice) => notice.id)].slice(-200)));
  if (box.dataset.notify === undefined || !("Notification" in window) || Notification.permission !== "granted") return;
  for (const { id, dataset } of fresh) new Notification(`psi: ${dataset.title}`, { body: dataset.text, tag: id, icon: "/assets/psi.svg" });
}

async function lookForNotices() {
  const box = byId("notices");
  // A tab that nobody sees looks only where notices are shown outside it.
  if (box && (!document.hidden || box.dataset.notify !== undefined)) {
    try {
      const response = await fetch("/tasks/notices");
      if (response.ok && !response.redirected) morph(box, parse(await response.text()));
    } catch {
      // The next turn tries again.
    }
    countNotices();
    tellOutside();
  }
  setTimeout(lookForNotices, NOTICES_EVERY);
}

document.addEventListener("change", async (event) => {
  if (event.target.name !== "tasks.notify" || !event.target.checked) return;
  const answer = "Notification" in window ? await Notification.requestPermission() : "denied";
  if (answer !== "granted") toast(t("This browser does not allow notices: they are shown on the page only."));
});

// A part that came with an answer is counted at once.
new MutationObserver(countNotices).observe(byId("notices") ?? document.head, { attributes: true, attributeFilter: ["data-count"] });
lookForNotices();
