// Where there is no network, a page of ours says so instead of the browser's. A page that loads this file makes it a
// service worker, which leaves everything alone but the opening of pages; its address has their language.
"use strict";

const PAGE = "/offline/";

if ("document" in globalThis) {
  navigator.serviceWorker?.register(document.currentScript.src).catch(() => {}); // without it nothing else is missing
} else {
  addEventListener("install", (event) => {
    skipWaiting();
    event.waitUntil(caches.open("offline").then((cache) => cache.add(new Request(PAGE, { cache: "reload" }))));
  });
  addEventListener("fetch", (event) => {
    if (event.request.mode === "navigate") event.respondWith(fetch(event.request).catch(() => caches.match(PAGE)));
  });
}
