const task = document.querySelector("#task"), kind = document.querySelector("#kind"), words = document.querySelector("#words");
const shown = document.querySelector("#shown"), rows = [...document.querySelectorAll("details[data-task]")];
function filter() {
  const wanted = words.value.trim().toLowerCase();
  let n = 0;
  for (const row of rows) {
    const fits = (!task.value || row.dataset.task === task.value) && (!kind.value || row.dataset.kind === kind.value)
      && (!wanted || row.textContent.toLowerCase().includes(wanted));
    row.hidden = !fits;
    n += fits;
  }
  shown.textContent = `${n} of ${rows.length}`;
}
for (const input of [task, kind, words]) input?.addEventListener("input", filter);
if (task) filter();
