// The service worker: keeps the page's own files by their hash, and shows a page that says so when psi does not run.
// Nothing that was said is kept: pages and answers always come from psi.

const FILES = __FILES__;
const OFFLINE = "/assets/offline.html";
const CACHE = "psi-__VERSION__";

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll([...FILES, OFFLINE])).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)));
  event.waitUntil(caches.keys().then(old).then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(() => caches.match(OFFLINE)));
  } else if (url.pathname.startsWith("/assets/") && url.search.startsWith("?h=")) {
    // What has a hash in its address never changes.
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)));
  }
});
