// The page's behaviour. Everything that is shown is rendered by the server; this sends what was asked for,
// puts the parts that come back where they belong, and listens to the conversation's events.
//
// A part is { id, html, parent }: the element of that id becomes that markup (none: it goes), or it is appended to
// its parent. Answers to requests and events both carry parts, so there is one way to change the page.

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const byId = (id) => document.getElementById(id);
// What this script says by itself, in the page's language; in English it is here.
const texts = JSON.parse(document.body.dataset.texts ?? "{}");
const t = (text, values = {}) =>
  Object.entries(values).reduce((said, [name, value]) => said.replace(`{${name}}`, () => value), texts[text] ?? text);
// The conversation's element is rendered anew when psi was restarted, and then knows the new one.
const csrf = () => byId("thread")?.dataset.csrf ?? $("meta[name=csrf]")?.content ?? "";

// --- parts ---

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
}

// Makes `old` like `next`, keeping the elements that are there, and with them focus, selection and what is unfolded.
function morph(old, next) {
  if (old.isEqualNode(next)) return old;
  if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName || (old.id ?? "") !== (next.id ?? "")) {
    old.replaceWith(next);
    return next;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return old;
  }
  for (const { name } of [...old.attributes]) {
    // What the reader unfolded stays unfolded.
    if (!next.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (old.matches("textarea, input") && old === document.activeElement) return old;
  const wanted = [...next.childNodes];
  const kept = new Map([...old.children].filter((c) => c.id).map((c) => [c.id, c]));
  let at = old.firstChild;
  for (const child of wanted) {
    const same = child.id && kept.get(child.id);
    if (same && same !== at) old.insertBefore(same, at);
    if (same) {
      at = morph(same, child).nextSibling;
    } else if (at && !at.id && !child.id) {
      at = morph(at, child).nextSibling;
    } else {
      old.insertBefore(child, at);
    }
  }
  while (at) {
    const rest = at.nextSibling;
    if (!at.classList?.contains("copy")) at.remove();
    at = rest;
  }
  return old;
}

function place({ id, html, parent }) {
  const old = byId(id);
  if (!html) return old?.remove();
  const next = parse(html);
  if (old) return dress(morph(old, next));
  const home = parent && byId(parent);
  if (!home) return;
  home.append(next);
  dress(next);
}

// What markup cannot carry: copy buttons on code.
function dress(element) {
  const blocks = element.matches?.(".answer pre") ? [element] : $$(".answer pre", element);
  for (const pre of blocks) {
    if ($(".copy", pre)) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "bare copy";
    button.textContent = t("Copy");
    button.setAttribute("aria-label", t("Copy this code"));
    pre.append(button);
  }
}

function apply(answer) {
  const follow = isAtEnd();
  for (const part of answer.parts ?? []) place(part);
  if (answer.toast) toast(answer.toast);
  if (answer.thread && thread) refresh();
  if (answer.chats) listChats();
  if (answer.refresh) location.reload();
  if (answer.go) location.assign(answer.go);
  if (answer.insert != null) insert(answer.insert);
  if (answer.find) findWords(answer.find);
  if (answer.open) openDialog(byId(answer.open));
  if (answer.close) for (const dialog of $$("dialog[open]")) dialog.close();
  if (follow) toEnd();
}

// --- requests ---

async function send(url, body = {}, method = "POST") {
  const headers = { "content-type": "application/json", "x-psi-csrf": csrf(), "x-psi-page": location.pathname };
  let response;
  try {
    response = await fetch(url, { method, headers, body: JSON.stringify(body) });
  } catch {
    toast(t("psi does not answer. Is it still running?"));
    return null;
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    toast(answer.error?.message ?? t("That did not work ({status}).", { status: response.status }));
    return null;
  }
  apply(answer.page ?? {});
  return answer;
}

let toastTimer;
function toast(text) {
  const box = byId("toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (box.hidden = true), 6000);
}

const announce = (text) => (byId("announce").textContent = text);

// The fields of a form as JSON: check boxes as booleans, numbers as numbers, an empty number as null.
function fields(form) {
  const out = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled) continue;
    if (field.type === "checkbox") out[field.name] = field.checked;
    else if (field.type === "radio") field.checked && (out[field.name] = field.value);
    else if (field.type === "number") out[field.name] = field.value === "" ? null : Number(field.value);
    else if (field.type !== "file") out[field.name] = field.value;
  }
  return out;
}

function confirmed(text) {
  const dialog = byId("confirm");
  $("p", dialog).textContent = text;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

// --- the conversation's events ---

const thread = byId("thread");
const events = thread?.dataset.events;
const title = byId("title");
let source;
let isRunning = thread?.dataset.running === "true";

function listen() {
  if (!events || source) return;
  source = new EventSource(`${events}?after=${thread.dataset.after}`);
  source.addEventListener("parts", (event) => {
    const growing = $(".answer.growing", thread);
    const before = growing?.childElementCount ?? 0;
    thread.dataset.after = event.lastEventId;
    apply(JSON.parse(event.data));
    // A block is finished once another has begun: read it out then, not letter by letter.
    if (growing?.isConnected && growing.childElementCount > before && before > 0) {
      announce(growing.children[before - 1].textContent);
    }
  });
  source.addEventListener("state", (event) => setRunning(JSON.parse(event.data).running));
  source.addEventListener("stale", refresh);
  source.onerror = () => {
    if (source?.readyState === EventSource.CLOSED) hangUp(), setTimeout(listen, 1000);
  };
}

function hangUp() {
  source?.close();
  source = null;
}

// A browser keeps few connections per host: a page that nobody sees gives its own up.
document.addEventListener("visibilitychange", () => (document.hidden ? hangUp() : listen()));

async function refresh() {
  const response = await fetch(thread.dataset.refresh);
  if (!response.ok) return;
  const follow = isAtEnd();
  const next = parse(await response.text());
  setRunning(next.dataset.running === "true");
  dress(morph(thread, next));
  if (follow) toEnd();
  listChats();
}

function setRunning(running) {
  const was = isRunning;
  isRunning = running;
  document.body.classList.toggle("running", running);
  for (const button of $$("[data-when]")) button.hidden = (button.dataset.when === "running") !== running;
  if (was && !running) {
    const last = $$(".msg.assistant .answer", thread).at(-1);
    announce(`${t("The answer is finished.")} ${last?.lastElementChild?.textContent ?? ""}`);
  } else if (!was && running) {
    announce(t("psi is answering."));
  }
}

// --- scrolling ---

const scroller = $(".scroll");
const isAtEnd = () => !scroller || scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 80;
const toEnd = () => scroller && (scroller.scrollTop = scroller.scrollHeight);

// --- the composer ---

const composer = byId("composer");
const input = composer && $("textarea", composer);
const draftKey = `draft:${location.pathname}`;

async function say(text) {
  if (!text.trim() || !composer) return;
  if (isCommand(text)) return command(text);
  if (isRunning) return;
  const body = { ...fields(composer), content: text };
  input.value = "";
  sessionStorage.removeItem(draftKey);
  toEnd();
  const answer = await send(composer.dataset.post, body);
  if (answer) byId("given").replaceChildren();
  else if (!input.value) input.value = text;
}

if (input) {
  input.value ||= sessionStorage.getItem(draftKey) ?? "";
  input.addEventListener("input", () => sessionStorage.setItem(draftKey, input.value));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      say(input.value);
    } else if (event.key === "ArrowUp" && !input.value) {
      const last = $$("[data-edit]", thread ?? document).at(-1);
      if (last) event.preventDefault(), last.click();
    }
  });
  composer.addEventListener("submit", (event) => {
    event.preventDefault();
    say(input.value);
  });
}

// --- clicks and forms ---

document.addEventListener("click", async (event) => {
  const target = event.target.closest("button, a, [data-dialog]");
  for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  if (!target) return;
  const data = target.dataset;
  if (target.closest(".menu .items")) target.closest(".menu").open = false;
  if (target.matches(".copy")) return copy(target.parentElement.querySelector("code").textContent, target);
  if (data.copy) return copy($(data.copy).innerText, target);
  if (data.say) return say(data.say);
  if (data.pick) return byId(data.pick).click();
  if (data.dialog) return openDialog(byId(data.dialog), target);
  if (data.close !== undefined) return target.closest("dialog").close();
  if (data.toggle) return toggleSide();
  if (data.edit) return startEdit(byId(data.edit));
  if (data.cancelEdit !== undefined) return refresh();
  if (data.post) {
    event.preventDefault();
    if (data.confirm && !(await confirmed(data.confirm))) return;
    target.disabled = true;
    await send(data.post, data.body ? JSON.parse(data.body) : {});
    target.disabled = false;
  }
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.send) return;
  event.preventDefault();
  const button = event.submitter;
  const body = fields(form);
  if (button?.name) body[button.name] = button.value;
  if (button) button.disabled = true;
  const answer = await send(form.dataset.send, body);
  if (button) button.disabled = false;
  if (answer && form.closest("dialog[open]")) form.closest("dialog").close();
  if (answer?.page?.clear) form.reset();
});

// A form that takes effect with each change.
document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (event.target.dataset.theme !== undefined) document.documentElement.dataset.theme = event.target.value;
  if (form?.dataset.live) send(form.dataset.live, fields(form));
});

async function copy(text, button) {
  await navigator.clipboard.writeText(text);
  announce(t("Copied."));
  const label = button.textContent.trim() && button.lastChild;
  if (!label) return toast(t("Copied."));
  const said = label.textContent;
  label.textContent = t("Copied");
  setTimeout(() => (label.textContent = said), 1500);
}

// A dialog takes its values from the button that opens it: data-set is { field name: value }.
function openDialog(dialog, opener) {
  for (const [name, value] of Object.entries(JSON.parse(opener?.dataset.set ?? "{}"))) {
    const field = dialog.querySelector(`[name="${CSS.escape(name)}"]`);
    if (field) field.value = value;
  }
  const form = $("form", dialog);
  if (form && opener?.dataset.target) form.dataset.send = opener.dataset.target;
  dialog.showModal();
  $("textarea, input:not([type=hidden])", dialog)?.focus();
}

function startEdit(message) {
  const said = $(".said", message);
  const form = parse(byId("edit-form").innerHTML.trim());
  form.dataset.send = `/api/messages/${message.dataset.id}/edit`;
  $("textarea", form).value = said.dataset.text ?? said.textContent;
  said.replaceWith(form);
  const field = $("textarea", form);
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
}

// --- the side bar ---

const side = byId("side");
function toggleSide(open = !side.classList.contains("open")) {
  side.classList.toggle("open", open);
  for (const button of $$("[data-toggle]")) button.setAttribute("aria-expanded", String(open));
  byId("shade").hidden = !open;
  if (open) $("a, button, input", side).focus();
}

const find = byId("find");
let findTimer;
find?.addEventListener("input", () => {
  clearTimeout(findTimer);
  findTimer = setTimeout(async () => {
    await listChats();
    if (find.value) announce(t("{n} found", { n: $$("li", byId("chats")).length }));
  }, 120);
});

// The list of conversations, or what the search finds; the title of the one that is open is in it.
async function listChats() {
  const here = location.pathname.match(/^\/c\/(\d+)/)?.[1] ?? "";
  const response = await fetch(`/chats?${new URLSearchParams({ q: find.value, ...(here && { here }) })}`);
  if (!response.ok) return;
  morph(byId("chats"), parse(await response.text()));
  const name = $("li.here > a", byId("chats"))?.textContent;
  if (title && name) {
    title.textContent = name;
    document.title = `${name} \u00b7 psi`;
  }
}

// --- lists that filter as one types ---

document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (!form?.dataset.filter) return;
  clearTimeout(findTimer);
  findTimer = setTimeout(async () => {
    const query = new URLSearchParams(new FormData(form));
    const response = await fetch(`${form.dataset.filter}?${query}`);
    if (response.ok) morph(byId(form.dataset.into), parse(await response.text()));
  }, 120);
});

// --- keys: an element names its own with data-key; single letters work while nothing is being typed ---

function keyName(event) {
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const shift = event.shiftKey && (event.key.length > 1 || /[a-z]/i.test(event.key));
  return `${event.ctrlKey || event.metaKey ? "ctrl+" : ""}${event.altKey ? "alt+" : ""}${shift ? "shift+" : ""}${name}`.toLowerCase();
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing) return;
  const name = keyName(event);
  const typing = event.target.closest?.("textarea, input:not([type=checkbox], [type=radio]), select");
  const open = $("dialog[open]");
  if (name === "escape" && !open) {
    const menu = $("details.menu[open]");
    if (menu) return (menu.open = false), $("summary", menu).focus();
    if (side?.classList.contains("open")) return toggleSide(false);
    if ($("[data-cancel-edit]", thread ?? document)) return refresh();
  }
  if (name.replace("shift+", "").length === 1 && typing) return;
  const target = $$(`[data-key="${CSS.escape(name)}"]`, open ?? document).find((e) => !e.hidden && !e.disabled);
  if (!target) return;
  event.preventDefault();
  if (target.matches("input, textarea")) target.focus(), target.select();
  else target.click();
});

// --- files ---

async function upload(url, files) {
  for (const file of files) {
    const headers = { "x-psi-csrf": csrf(), "content-type": "application/octet-stream" };
    const response = await fetch(`${url}?name=${encodeURIComponent(file.name)}`, { method: "POST", headers, body: file });
    const answer = await response.json().catch(() => ({}));
    if (response.ok) apply(answer.page ?? {});
    else toast(answer.error?.message ?? t("{name} cannot be read.", { name: file.name }));
  }
}

document.addEventListener("change", async (event) => {
  const picker = event.target.closest("input[data-upload]");
  if (!picker) return;
  await upload(picker.dataset.upload, picker.files);
  picker.value = "";
  if (composer?.contains(picker)) input.focus();
});

// Files that are dropped anywhere on a conversation, or pasted, are attached.
if (composer) {
  const give = (event, files) => {
    if (!files?.length) return;
    event.preventDefault();
    upload(byId("attach").dataset.upload, files);
  };
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => give(event, event.dataTransfer.files));
  input.addEventListener("paste", (event) => give(event, event.clipboardData.files));
}

// --- parts of a page that keep themselves current: data-poll is where they come from ---

async function poll() {
  for (const element of document.hidden ? [] : $$("[data-poll]")) {
    try {
      const response = await fetch(element.dataset.poll);
      if (response.ok) morph(element, parse(await response.text()));
    } catch {
      // The next turn tries again.
    }
  }
  setTimeout(poll, 1000);
}

// --- when psi does not run: a page of the browser's own keeping says so ---

if ("serviceWorker" in navigator) {
  // Where it may not be (a private window, an address without TLS) the page works as well.
  navigator.serviceWorker.register("/assets/worker.js", { scope: "/" }).catch(() => {});
}

// --- start ---

dress(document.body);
setRunning(isRunning);
listen();
if (thread && !location.hash) toEnd();
if (input && matchMedia("(min-width: 821px)").matches && !location.hash) input.focus();
poll();
