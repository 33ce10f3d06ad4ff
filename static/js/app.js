// Makes the pages quicker to use. Every page works without this file.
"use strict";

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const first = (selector, within = document) => within.querySelector(selector);

// Fills the gaps of a sentence, which the page brings in its own language.
const fill = (text, values) => text.replace(/{(\w+)}/g, (_, name) => values[name]);

// --- A long list and its search --------------------------------------------------------------------------------------

// Inserts the part below the view after the first paint: its logos are the slowest to paint on a phone. If the search
// does not load, its button asks the server.
async function searchable(input, list, rest) {
  const loaded = import(input.dataset.script).catch(() => {});
  if (rest) {
    await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted, 50)));
    list.insertAdjacentHTML("beforeend", rest);
  }
  (await loaded)?.searchable(input, list, fill);
}

// --- A chart reads out its bars, by arrow key or under the pointer --------------------------------------------------

function readable(svg) {
  const said = document.createElement("output");
  said.className = "readout";
  svg.before(said);
  svg.tabIndex = 0;
  let at = -1;

  function read(place, bars = all(".bar", svg)) {
    if (!bars[place] || place === at) return;
    bars[at]?.classList.remove("read");
    bars[(at = place)].classList.add("read");
    said.textContent = first("title", bars[at]).textContent;
  }

  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    read(Math.max(at + step, 0));
  });
  const point = ({ clientX: x }) => {
    const bars = all(".bar", svg).map((bar) => bar.getBoundingClientRect());
    read(bars.findIndex((bar, n) => x >= bar.x && x < (bars[n + 1]?.x - bar.x < 2 * bar.width ? bars[n + 1].x : bar.x + bar.width)));
  };
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point); // a tap moves nothing
}

// --- Forms ----------------------------------------------------------------------------------------------------------

// Shows that a press was accepted, and ignores a second one. The button is not disabled, because a browser does not send
// the name and value of a disabled button. It works again after 20 seconds, in case no page follows.
function sentOnce(event) {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.hasAttribute("aria-busy")) return event.preventDefault();
  sending(form, event.submitter || {});
  form.setAttribute("aria-busy", "true");
  event.submitter?.setAttribute("aria-disabled", "true");
  setTimeout(release, 20000);
  waits(form);
  if (here.startsWith("/connect/") && main.contains(form)) step(event, form);
}

// Sends an answer and gets the next page's <main> in the same round trip. If that fails, the form is sent as without
// script. That answers no page twice, because the form names the page that it answers.
async function step(event, form) {
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form));
  const { name, value } = event.submitter || {};
  if (name) body.append(name, value);
  try {
    const answer = await fetch(form.getAttribute("action") || location.href, { method: "POST", body, headers: { Part: "main" } });
    const elsewhere = answer.headers.get("Location") || (answer.redirected && answer.url);
    if (elsewhere) return location.assign(elsewhere);
    const path = answer.headers.get("Content-Location");
    if (!path) throw answer;
    const page = await answer.text();
    if (path !== here) history.pushState(null, "", path);
    here = path;
    for (const next of all(".switch [name=next]")) next.value = path;
    scrollTo(0, 0); // before the DOM changes, since it would force a second layout after them
    const [begin, rest, end = ""] = page.split("<!-- rest -->");
    release();
    main.innerHTML = begin + end;
    const title = first("title", main);
    document.title = title.textContent;
    title.remove();
    first("h1").tabIndex = -1;
    (ready(rest) || first("h1")).focus({ preventScroll: true });
  } catch {
    release();
    if (!(first(".offline").hidden = navigator.onLine)) return;
    here = ""; // send forms as without script from now on
    setTimeout(() => form.requestSubmit(event.submitter)); // after the other listeners of this event
  }
}

// Says after a second what the customer waits for.
function waits(element) {
  const said = [element, main.contains(element) && first(".back"), busy].find((each) => each?.dataset?.busy);
  slow = setTimeout(() => (busy.textContent = said.dataset.busy), 1000);
}

function release() {
  clearTimeout(slow);
  busy.textContent = "";
  for (const name of ["aria-busy", "aria-disabled"]) for (const element of all(`[${name}]`)) element.removeAttribute(name);
}

// Asks for the last day of the contract only if there is one.
function ended(field) {
  const show = () => (field.hidden = !first("[name=term][value=date]:checked"));
  for (const radio of all("[name=term]")) radio.addEventListener("change", show);
  addEventListener("pageshow", show);
  show();
}

// --- What is typed stays in this tab until it is sent: through a sign-in, another language, a reload ------------------

const DAY = 864e5; // no conversation is open for longer
let typed = {}; // by conversation and question: when, what by field, and whether it was sent
const conversation = () => location.pathname.split("/")[2];

// The browser may allow no storage.
function store() {
  try {
    sessionStorage.typed = JSON.stringify(typed);
  } catch {}
}

function load({ person }) {
  try {
    if (person && sessionStorage.person !== person) {
      delete sessionStorage.typed; // somebody else has signed in
      sessionStorage.person = person;
    }
    typed = JSON.parse(sessionStorage.typed);
  } catch {}
}

function kept(form) {
  const key = form && conversation() + form.dataset.keep;
  for (const each in typed) {
    const { at, sent } = typed[each];
    if (Date.now() - at > DAY || (sent && each !== key && !location.pathname.startsWith("/account/"))) delete typed[each];
  }
  store();
  if (!form) return;
  const fields = [...form.elements].filter(({ name, type }) => name && !/hidden|submit|password/.test(type));
  for (const field of fields) {
    const given = typed[key]?.fields[field.name];
    if (given === undefined) continue;
    if (field.type === "radio") field.checked = field.value === given;
    else if (field.type !== "select-one" || [...field.options].some(({ value }) => value === given)) field.value = given;
  }
  form.addEventListener("input", () => {
    const given = new FormData(form);
    typed[key] = { at: Date.now(), fields: Object.fromEntries(fields.map(({ name }) => [name, given.get(name) ?? undefined])) };
    store();
  });
}

// A sent answer is dropped once another page follows, and all of a conversation with its end.
function sending({ dataset }, { name, value } = {}) {
  const id = conversation();
  if (name === "action" && ["SAVE", "CLOSE", "DISCONNECT"].includes(value)) {
    for (const each in typed) if (each.startsWith(id)) delete typed[each];
  } else if (typed[id + dataset.keep]) typed[id + dataset.keep].sent = true;
  store();
}

// --- A page that waits ----------------------------------------------------------------------------------------------

// Asks for the next page until it is one that does not wait. Asks less often while that fails, and never while hidden.
function waiting(note) {
  let { wait, next } = note.dataset;
  async function look() {
    if (document.hidden || !note.isConnected) return;
    try {
      const answer = await fetch(next, { signal: AbortSignal.timeout?.(20000) });
      if (answer.status > 499) throw answer;
      if (answer.redirected || !(await answer.text()).includes("data-next")) location.assign(next);
    } catch {
      wait *= 2;
    }
  }
  const later = () => setTimeout(() => look().then(later), wait * 1000);
  addEventListener("visibilitychange", look);
  later();
}

// --- Set up the page, once it is loaded and after each step ---------------------------------------------------------

// Returns the element that should get the focus, if there is one.
function ready(rest) {
  kept(first("[data-keep]"));
  const search = first("[data-search]");
  const list = first("[data-list]");
  if (search && list) searchable(search, list, rest);
  const prices = all("input[data-price]");
  if (prices.length) import(prices[0].dataset.script).then(({ priced }) => prices.forEach((input) => priced(input, fill)));
  all(".chart svg").forEach(readable);
  const end = first("[name=contract_end_date]")?.closest(".field");
  if (end) ended(end);
  all("[data-next]").forEach(waiting);
  return first("[data-focus]");
}

const main = first("main");
const busy = first(".busy");
let slow;
let here = location.pathname;
load(document.body.dataset);
for (const button of all(".switch [form]")) button.removeAttribute("form"); // without script they bring along what was typed
ready()?.focus();
addEventListener("submit", sentOnce);
// Back loads the earlier page as it does without script: a step keeps no copy of it.
addEventListener("popstate", () => location.pathname !== here && location.reload());
// Reload a page from the back-forward cache: its form would name an old page as the newest.
addEventListener("pageshow", ({ persisted }) => persisted ? location.reload() : release());
// A browser's first page contains its style. The next page needs the file, so it is fetched before somebody leaves.
const { file } = first("[data-file]")?.dataset ?? {};
if (file)
  for (const sign of ["pointerdown", "keydown", "pagehide"])
    addEventListener(sign, () => navigator.onLine && fetch(file, { keepalive: true }).catch(() => {}), { once: true });
const menu = first(".menu");
addEventListener("click", (event) => {
  const link = event.target.closest("a[data-busy]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) waits(link);
  if (menu && !menu.contains(event.target)) menu.open = false;
});
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !menu?.open) return;
  menu.open = false;
  first("summary", menu).focus();
});
