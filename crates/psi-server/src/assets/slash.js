// --- what is typed after a slash: a list over the message field, and what its entries do ---
// The field keeps the focus; the list is a listbox that it controls (ARIA's combobox), open as long as nothing but a
// slash and a name stands in the field.

const slash = byId("slash");
// As the server reads names: a path or a fraction is something to say.
function isCommand(text) {
  const name = text.trim().match(/^\/(\p{L}[\p{L}\p{N}]*(?:-[\p{L}\p{N}]+)*)(?:\s|$)/u)?.[1];
  return name !== undefined && name === name.toLowerCase();
}
const shownOptions = () => (slash ? $$("[role=option]", slash).filter((option) => !option.hidden) : []);
const chosenOption = () => shownOptions().find((option) => option.getAttribute("aria-selected") === "true");

function closeSlash() {
  if (!slash || slash.hidden) return;
  slash.hidden = true;
  for (const name of ["role", "aria-expanded", "aria-controls", "aria-activedescendant", "aria-autocomplete"]) input.removeAttribute(name);
}

function openSlash() {
  const typed = input.value.match(/^\/([\p{L}\p{N}-]*)$/u);
  if (!slash || !typed || input.selectionEnd !== input.value.length) return closeSlash();
  const begun = typed[1].toLowerCase();
  for (const option of $$("[role=option]", slash)) option.hidden = !option.dataset.name.startsWith(begun);
  const options = shownOptions();
  if (!options.length) return closeSlash();
  if (slash.hidden) announce(t("{n} commands. Up and down choose, Enter takes one, Escape closes.", { n: options.length }));
  slash.hidden = false;
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", "slash");
  input.setAttribute("aria-expanded", "true");
  mark(options.find((option) => option.dataset.name === begun) ?? options[0]);
}

function mark(option) {
  for (const other of $$("[role=option]", slash)) other.setAttribute("aria-selected", String(other === option));
  input.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

function insert(text) {
  if (!input) return;
  input.value = text;
  input.dispatchEvent(new Event("input"));
  input.focus();
  input.setSelectionRange(text.length, text.length);
}

// What wants more words gets them typed; all else is done at once.
function take(option) {
  closeSlash();
  if (option.dataset.wants !== undefined) return insert(`/${option.dataset.name} `);
  command(`/${option.dataset.name}`);
}

async function command(line) {
  closeSlash();
  const here = Number(location.pathname.match(/^\/c\/(\d+)/)?.[1]) || null;
  const before = input.value;
  input.value = "";
  const answer = await send("/api/command", { line: line.trim(), conversation: here });
  if (!answer && !input.value) input.value = before;
  sessionStorage.setItem(draftKey, input.value);
}

// Searches as if it had been typed in the side bar.
function findWords(words) {
  if (!matchMedia("(min-width: 821px)").matches) toggleSide(true);
  find.value = words;
  find.dispatchEvent(new Event("input"));
  find.focus();
}

if (slash) {
  input.addEventListener("input", openSlash);
  input.addEventListener("blur", closeSlash);
  // Before the field's own keys: an open list has the arrows, Enter and Escape.
  input.addEventListener("keydown", (event) => {
    if (slash.hidden || event.isComposing) return;
    const options = shownOptions();
    const at = options.indexOf(chosenOption());
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const to = step ? options.at((at + step) % options.length) : { Home: options[0], End: options.at(-1) }[event.key];
    if (to) mark(to);
    else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey) take(options[at]);
    else if (event.key === "Escape") closeSlash();
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);
  slash.addEventListener("mousedown", (event) => event.preventDefault());
  slash.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) take(option);
  });
}
