// A service worker that shows a page of ours instead of the browser's own where there is no network. It handles nothing but
// the opening of pages. rates.js registers it; its address names the language of the page.
"use strict";

const PAGE = "/offline/";

addEventListener("install", (event) => {
  skipWaiting();
  event.waitUntil(caches.open("offline").then((cache) => cache.add(new Request(PAGE, { cache: "reload" }))));
});
addEventListener("fetch", (event) => {
  if (event.request.mode === "navigate") event.respondWith(fetch(event.request).catch(() => caches.match(PAGE)));
});
