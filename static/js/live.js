// Keeps true what a page says of this moment, and goes on where it waits. Each page says for how many seconds it is true;
// without this file it says when it was made. What is shared with app.js, which is loaded before: all, first, main, readable.
"use strict";
{
  // Texts are alike, and elements of the same name and class.
  const kind = (node) => node.nodeName + (node.attributes ? node.getAttribute("class") : "");

  // Make one element say what another does. What stays is not replaced, for it may have the focus, be typed into or opened;
  // nor is what a script added.
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

  // By differences of this device's clock, which may be wrong, and goes on while a laptop sleeps, as no timer does.
  let due, failed;
  const again = (seconds) => (due = Date.now() + seconds * 1000);
  const said = () => first("[data-until]").dataset;

  async function look() {
    if (document.hidden || Date.now() < due) return;
    due = Infinity; // one at a time
    const { next } = said();
    try {
      const answer = await fetch(next || location.href, { signal: AbortSignal.timeout?.(20000) });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const goesOn = first("[data-until]", page); // which no error has, and no page to sign in
      if (next && answer.status < 500 && (answer.redirected || !goesOn)) return location.assign(next);
      if (!goesOn) throw answer;
      patch(main, first("main", page));
      all(".chart svg:not([tabindex])").forEach(readable);
      failed = 0;
      again(said().until);
    } catch {
      all(".late").forEach((note) => (note.hidden = false));
      again(15 * 2 ** Math.min(failed++, 5));
    }
  }

  // Who comes back to a page, or online, does not wait until it is tried again.
  function back() {
    if (failed && due < Infinity) due = 0;
    look();
  }

  if (first("[data-until]")) {
    failed = 0;
    again(said().until);
    setInterval(look, 2000);
    addEventListener("visibilitychange", back);
    addEventListener("online", back);
  }
}
