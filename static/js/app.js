// What makes the pages quicker to use. Each of them works without this file.
"use strict";

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const first = (selector, within = document) => within.querySelector(selector);

// Sentences come with the page, in its language.
const fill = (text, values) => text.replace(/{(\w+)}/g, (_, name) => values[name]);

// --- Names in a long list: the same rules as connect_ui/search.py --------------------------------------------------

const PLAIN = { ø: "o", æ: "ae", œ: "oe", ł: "l", đ: "d", ð: "d", þ: "th", ı: "i", ß: "ss", ς: "σ" };
let legal; // forms of companies, as the page has them

function words(text) {
  const plain = text.toLowerCase().replace(/[øæœłđðþıßς]/g, (letter) => PLAIN[letter]).normalize("NFKD");
  const found = plain.replace(/\p{Mn}|[.'’]/gu, "").match(/[\p{L}\p{N}]+/gu) || [];
  while (found.length > 1 && legal.includes(found.at(-1))) found.pop();
  return found;
}

function key(element) {
  const name = words(first(".choice-name", element).textContent);
  return { element, name, joined: name.join(""), tails: name.map((_, at) => name.slice(at).join("")) };
}

// 0 where the name begins with the query, 1 where one of its words does, 3 if nowhere; 2 where it is inside, or each of
// its words begins one of the name's, in whatever order.
function rank({ name, joined, tails }, query, wanted) {
  const begun = (word) => (one) => one.startsWith(word);
  if (begun(query)(joined)) return 0;
  if (tails.some(begun(query))) return 1;
  return joined.includes(query) || (wanted.length > 1 && wanted.every((word) => name.some(begun(word)))) ? 2 : 3;
}

// To move a button costs a look at every other of its form. So the list stays as it is, and what is found is shown as
// copies, each made once, which press what they are copies of: those in view at once, the others bit by bit, so that no
// key waits for them.
function searchable(input, list, rest) {
  const count = first("[data-count]");
  // A page that came with a query holds a part of the list only; finding more is then the server's.
  const complete = !input.defaultValue.trim();
  const said = count.textContent;
  legal = input.dataset.legal.split(" ");
  const shown = document.createElement("ul");
  shown.className = "choices";
  list.after(shown);
  let frame, later;

  const prepare = () => [...list.children].map((element) => (element.key ||= key(element)));

  function copy(element) {
    const made = element.cloneNode(true);
    const button = first("button", made);
    button.type = "button";
    button.onclick = () => {
      button.setAttribute("aria-disabled", "true");
      first("button", element).click();
    };
    return made;
  }

  function find() {
    const wanted = words(input.value);
    const query = wanted.join("");
    const places = [[], [], []];
    if (query) for (const item of prepare()) places[rank(item, query, wanted)]?.push(item);
    const found = places.flat();
    shown.hidden = !(list.hidden = query);
    const more = () => {
      shown.append(...found.splice(0, 4).map((item) => (item.copy ||= copy(item.element))));
      if (found.length) later = setTimeout(more, 15);
    };
    const values = { left: found.length, all: list.children.length, query: input.value.trim() };
    count.textContent = query ? fill(count.dataset[found.length ? "count" : "none"], values) : said;
    shown.replaceChildren();
    more();
  }

  // What is found waits for the frame with the letter, and no letter for what is found.
  function show() {
    for (const hidden of all("[data-query]")) hidden.value = input.value;
    if (!complete) return;
    cancelAnimationFrame(frame);
    clearTimeout(later);
    frame = requestAnimationFrame(() => (later = setTimeout(find)));
  }

  // What of a list is below the view comes when the rest of the page is painted: its logos take a phone longest.
  const add = () => {
    list.insertAdjacentHTML("beforeend", rest);
    show();
  };
  if (rest) requestAnimationFrame(() => setTimeout(add, 50));
  input.addEventListener("focus", prepare);
  input.addEventListener("input", show);
  input.form.addEventListener("submit", (event) => {
    if (!complete) return;
    event.preventDefault(); // everything is here already; what is in the way is the keyboard of the phone
    input.blur();
  });
  addEventListener("pageshow", show);
}

// --- Prices said back ----------------------------------------------------------------------------------------------

// The typed number and whether it is in major units ("£0.245" in the field for pence), as connect_ui/fields.py reads it.
function typedPrice(text, symbol, suffix) {
  text = text.replace(/[\s']/g, "").replace(/(\/|per|pro|je|par|le)kwh$/i, "");
  const sign = !text.endsWith(suffix) && [symbol, symbol.replace(/[A-Z]+/, "")].find((one) => one && one !== suffix && text.includes(one));
  text = sign ? text.replace(sign, "") : text.replace(/(?<=[\d.,])(c€|p|pence|c|ct|cents?|¢|[oöø]re|rp\.?|gr)$/i, "");
  const thousands = text.lastIndexOf(".") > text.lastIndexOf(",") ? /(?<=\d),(?=\d{3}(?!\d))/g : /(?<=\d)\.(?=\d{3}(?!\d))/g;
  if (text.includes(".") && text.includes(",")) text = text.replace(thousands, "");
  const number = /^\+?(\d{1,6}([.,]\d{0,8})?|[.,]\d{1,8})$/.test(text) ? Number(text.replace(",", ".")) : 0;
  return { number, major: sign };
}

function priced(input) {
  const { price: currency, shift, year, symbol, suffix, said: short, bill: long } = input.dataset;
  if (!currency) return;
  const { lang } = document.documentElement;
  const exact = (value) => +value.toFixed(9); // of 143.49999999999997, which is 0.041 × 3500, the 143.5 that it is
  const money = (value, least, most) =>
    new Intl.NumberFormat(lang, {
      style: "currency", currency, minimumFractionDigits: least, maximumFractionDigits: most,
    }).format(exact(value));
  const said = document.createElement("output");
  said.className = "said";
  said.htmlFor = input.id;
  input.parentElement.after(said);

  function say() {
    const { number, major } = typedPrice(input.value, symbol, suffix.trim());
    const rate = number / (major ? 1 : 10 ** shift);
    said.textContent = "";
    if (!rate) return; // before the first number in words, over which a phone thinks for a while
    // The prices of a day's periods are used for some hours each, so a year at one of them says nothing.
    const words = input.closest(".period") ? short : long;
    const minor = exact(rate * 10 ** shift).toLocaleString(lang, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
    const price = shift > 0 ? `${minor}${suffix} (${money(rate, 2, 8)})` : money(rate, 2, 8);
    said.textContent = fill(words, { price, bill: money(rate * year, 0, 0) });
  }

  input.addEventListener("input", say);
  say();
}

// --- A chart that is read out: by arrow keys, or where the pointer is -------------------------------------------------

function readable(svg) {
  const said = document.createElement("output");
  said.className = "readout";
  svg.after(said);
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
  svg.addEventListener("pointermove", ({ clientX }) => {
    const box = svg.getBoundingClientRect();
    const x = ((clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    read(all(".bar", svg).findIndex(({ x: { baseVal: from }, width }) => x >= from.value && x < from.value + width.baseVal.value));
  });
}

// --- Forms ---------------------------------------------------------------------------------------------------------

// A pressed button shows at once that it was taken, and a second press sends nothing. It is not disabled, for then its
// name and value would not be sent; and it comes back where no page follows.
function sentOnce(event) {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.hasAttribute("aria-busy")) return event.preventDefault();
  form.setAttribute("aria-busy", "true");
  event.submitter?.setAttribute("aria-disabled", "true");
  setTimeout(release, 20000);
  if (here.startsWith("/connect/") && main.contains(form)) step(event, form);
}

// An answer is sent, and the next page's main part comes back, in one round trip. Whatever goes wrong with that, the form
// is sent as it would be without script; it says which page it answers, so nothing is answered twice.
async function step(event, form) {
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form));
  const { name, value } = event.submitter || {};
  if (name) body.append(name, value);
  try {
    const answer = await fetch(form.getAttribute("action") || location.href, { method: "POST", body, headers: { Part: "main" } });
    if (answer.redirected) return location.assign(answer.url);
    const path = answer.headers.get("Content-Location");
    if (!path) throw answer;
    const page = await answer.text();
    if (page.includes("<noscript")) return location.assign(path); // it is one that waits
    if (path !== here) history.pushState(null, "", path);
    here = path;
    for (const next of all(".switch [name=next]")) next.value = path;
    scrollTo(0, 0); // before what makes a look at the page a new layout
    const [begin, rest, end = ""] = page.split("<!-- rest -->");
    main.innerHTML = begin + end;
    const title = first("title", main);
    document.title = title.textContent;
    title.remove();
    first("h1").tabIndex = -1;
    (ready(rest) || first("h1")).focus({ preventScroll: true });
  } catch {
    release();
    if (!(first(".offline").hidden = navigator.onLine)) return;
    here = ""; // from now on forms are sent as without script
    setTimeout(() => form.requestSubmit(event.submitter)); // not while this press is still being told to others
  }
}

function release() {
  for (const name of ["aria-busy", "aria-disabled"]) for (const element of all(`[${name}]`)) element.removeAttribute(name);
}

// The date of a contract's end is asked only of those who have one.
function ended(field) {
  const show = () => (field.hidden = !first("[name=term][value=date]:checked"));
  for (const radio of all("[name=term]")) radio.addEventListener("change", show);
  addEventListener("pageshow", show);
  show();
}

// --- What of these is on a page, when it is loaded and after each step -------------------------------------------------

// What is to have the focus, if anything is.
function ready(rest) {
  const search = first("[data-search]");
  const list = first("[data-list]");
  if (search && list) searchable(search, list, rest);
  all("input[data-price]").forEach(priced);
  all(".chart svg").forEach(readable);
  const end = first("[name=contract_end_date]")?.closest(".field");
  if (end) ended(end);
  return first("[data-focus]");
}

const main = first("main");
let here = location.pathname;
ready()?.focus();
addEventListener("submit", sentOnce);
// What a step left is not kept: as without script, Back asks for the earlier page.
addEventListener("popstate", () => location.pathname !== here && location.reload());
// A browser that kept a page as it was would answer with what was newest then.
addEventListener("pageshow", ({ persisted }) => persisted ? location.reload() : release());
const menu = first(".menu");
addEventListener("click", (event) => {
  if (menu && !menu.contains(event.target)) menu.open = false;
});
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !menu?.open) return;
  menu.open = false;
  first("summary", menu).focus();
});
