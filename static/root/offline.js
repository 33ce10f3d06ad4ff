// Shows a page of ours instead of the browser's own where there is no network. A page that loads this file registers it as
// a service worker, which handles nothing but the opening of pages. Its address names the language of the page.
"use strict";

const PAGE = "/offline/";

if ("document" in globalThis) {
  navigator.serviceWorker?.register(document.currentScript.src).catch(() => {}); // the site works without it
} else {
  addEventListener("install", (event) => {
    skipWaiting();
    event.waitUntil(caches.open("offline").then((cache) => cache.add(new Request(PAGE, { cache: "reload" }))));
  });
  addEventListener("fetch", (event) => {
    if (event.request.mode === "navigate") event.respondWith(fetch(event.request).catch(() => caches.match(PAGE)));
  });
}
