// Keeps a page with prices up to date: fetches it again once what it says is no longer true, and shows the differences.
// Uses all, first, main and readable of app.js, which is loaded first. Each page with prices contains this file as a module.
{
  // Two nodes are the same if they are texts, or elements of one name and class.
  const kind = (node) => node.nodeName + (node.attributes ? node.getAttribute("class") : "");

  // Makes one element say what another does. Replaces no element that stays, because it may have the focus, typed text or
  // be open. Removes no <output>, because the script added it.
  function patch(old, made) {
    for (const { name } of [...old.attributes])
      if (!["open", "tabindex"].includes(name) && !made.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of made.attributes)
      if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    let at = old.firstChild;
    const drop = () => {
      const dropped = at;
      at = at.nextSibling;
      if (dropped.nodeName !== "OUTPUT") dropped.remove();
    };
    for (const node of [...made.childNodes]) {
      let same = at;
      while (same && kind(same) !== kind(node)) same = node.attributes && same.nextSibling;
      if (!same) {
        old.insertBefore(node, at);
        continue;
      }
      while (at !== same) drop();
      at = same.nextSibling;
      if (node.attributes) patch(same, node);
      else if (same.data !== node.data) same.data = node.data;
    }
    while (at) drop();
  }

  // Compare only times of this device, whose clock may be wrong. A timer alone would stop while a laptop sleeps.
  let due, failed;
  const again = (seconds) => (due = Date.now() + seconds * 1000);
  const seconds = () => first("[data-until]").dataset.until;

  let latest;
  async function show(url, other) {
    const mine = (latest = {}); // of two requests under way, the later one is shown
    const answer = await fetch(url, { signal: AbortSignal.timeout?.(20000) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!first("[data-until]", page)) throw answer; // an error, or the page to sign in
    if (mine !== latest) return document.title;
    if (other) all(".chart").forEach((chart) => chart.remove()); // with what was read out of it
    patch(main, first("main", page));
    all(".chart svg:not([tabindex])").forEach(readable);
    failed = 0;
    again(seconds());
    return page.title;
  }

  async function look() {
    if (document.hidden || Date.now() < due) return;
    due = Infinity; // until this request ends
    try {
      await show(location.href);
    } catch {
      all(".late").forEach((note) => (note.hidden = false));
      again(15 * 2 ** Math.min(failed++, 5));
    }
  }

  // Skips the back-off for somebody who comes back to the page, or online.
  function back() {
    if (failed && due < Infinity) due = 0;
    look();
  }

  // A tab shows its part in place; if that fails, the browser follows the link.
  async function choose(event) {
    const link = event.target.closest(".tabs a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    due = Infinity;
    try {
      document.title = await show(link.href, true);
      history.pushState(null, "", link.href);
      here = location.pathname;
    } catch {
      location.assign(link.href);
    }
  }

  // Only once the page is there, because it is of use later. The site works without it.
  const offline = `/offline.js?${document.documentElement.lang}`;
  addEventListener("load", () => navigator.serviceWorker?.register(offline).catch(() => {}));

  if (first("[data-until]")) {
    addEventListener("click", choose);
    addEventListener("popstate", () => location.pathname === here && show(location.href, true).catch(() => location.reload()));
    failed = 0;
    again(seconds());
    setInterval(look, 2000);
    addEventListener("visibilitychange", back);
    addEventListener("online", back);
  }
}
