// The search in a long list, by the rules of connect_ui/search.py. app.js loads it where there is such a list.

const LONGEST = 300;
const MOST = 10;
const MOST_INITIALS = 4;
const PLAIN = { ø: "o", æ: "a", œ: "o", ł: "l", đ: "d", ð: "d", þ: "th", ı: "i", ß: "ss", ς: "σ" };
const AND = "and und et och og".split(" ");
export const WEAK = new Set(
  (
    "and und et och og ab ag ak as asa aps bv co corp corporation eg gmbh inc kg kgaa limited llc llp ltd mbh nv oy oyj " +
    "plc pty sa sarl sas se spa srl ug the of for der die das fur le la les de du des energy energie energies energia energi " +
    "power strom el electric electricity electricite elektrizitat elektrizitatswerke gas gaz erdgas kraft stadtwerke " +
    "stadtwerk versorgung energieversorgung vertrieb trading supply sales retail services service customers customer " +
    "company group gruppe groupe holding international www com uk gb us usa europe deutschland germany france sverige " +
    "sweden tariff tarif"
  ).split(" "),
);
const [WHOLE, BEGUN, SLIP, INSIDE] = [4, 3, 3, 2];

export function words(text) {
  let plain = text.length > LONGEST ? [...text].slice(0, LONGEST).join("") : text;
  plain = plain.replace(/['’‘ʼ`´′]/g, "");
  if (/[^\0-\x7f]/.test(plain)) plain = plain.normalize("NFKD").replace(/[\p{M}\p{Cf}]/gu, "");
  const found = [];
  let alone = false;
  const letters = plain.toLowerCase().replace(/[øæœłđðþıßς]/g, (letter) => PLAIN[letter]);
  for (const [, dot, word] of letters.matchAll(/(\.?)([\p{L}\p{Nl}\p{No}]+|\p{Nd}+)/gu)) {
    const letter = /^\P{Nd}$/u.test(word);
    if (AND.includes(found.at(-1))) found.pop();
    if (found.length && alone && (letter || dot)) found.push(found.pop() + word);
    else found.push(word);
    alone = letter || (alone && AND.includes(word));
  }
  return found.map((word) => word.replace(/([aou])e/g, "$1"));
}

export function read(text) {
  let joined = "";
  const starts = [0];
  const telling = [];
  const found = words(text);
  const initials = found.map((word) => (word === "stadtwerke" ? "sw" : [...word][0])).join("");
  for (const word of [...initials].length > 2 ? [...found, initials] : found) {
    if (!WEAK.has(word) && word !== initials) telling.push(joined.length);
    joined += word;
    starts.push(joined.length);
  }
  return { joined, starts, telling };
}

const FEW = [...WEAK].filter((word) => !AND.includes(word));
const ENDS = FEW.filter((word) => word.length > 4);
const WEAK_NAMES = FEW.map(read);

// How well each name is matched, and where in it, by its place in the list.
function hits(text, names) {
  const found = new Map();
  names.forEach(({ joined, starts }, place) => {
    if (!joined.includes(text)) return;
    const begun = starts.slice(0, -1).filter((start) => joined.startsWith(text, start));
    const whole = begun.find((start) => starts[starts.indexOf(start) + 1] === start + text.length);
    if (begun.length) found.set(place, whole === undefined ? [BEGUN, begun[0]] : [WHOLE, whole]);
    else if ([...text].length > (/^[a-z0-9]+$/.test(text) ? 2 : 1)) found.set(place, [INSIDE, -1]);
  });
  return found;
}

const isBegun = (found) => [...found.values()].some(([how]) => how > INSIDE);

// Whether a name goes on with the word but for so many slips; `whole`: with a whole word of its own.
function goesOn(name, at, word, slips, whole) {
  const { joined, starts } = name;
  while (word && word[0] === joined[at]) [word, at] = [word.slice(1), at + 1];
  if (!word || !slips) return !word && (!whole || starts.includes(at));
  const swapped = word[0] === joined[at + 1] && word[1] === joined[at];
  return [[1, 1], [0, 1], [1, 0], [2, 2]].some(
    ([left, on]) => (left < 2 || swapped) && goesOn(name, at + on, word.slice(left), slips - 1, whole),
  );
}

function withSlips(word, names, slips = 1) {
  const found = new Map();
  if (word.length < (slips < 2 ? 4 : 8) || /^\p{Nd}/u.test(word)) return found;
  const third = Math.floor(word.length / 3);
  const parts = [word.slice(0, third), word.slice(third, 2 * third), word.slice(2 * third)]; // one slip leaves one as it is
  names.forEach((name, place) => {
    const { joined } = name;
    if (slips < 2 && !parts.some((part) => joined.includes(part))) return;
    const start = name.starts.slice(0, -1).find((at) => {
      // Only a first letter that is wrong leaves neither of the first two where they can be.
      const near = joined[at + 1] === word[0] || joined[at] === word[1] || joined.startsWith(word.slice(1), at + 1);
      return (joined[at] === word[0] || (slips < 2 && near)) && goesOn(name, at, word, slips, word.length < 5);
    });
    if (start !== undefined) found.set(place, [slips < 2 ? SLIP : INSIDE, start]);
  });
  return slips < 2 && !found.size ? withSlips(word, names, 2) : found;
}

// Whether a word tells much, and its hits.
function lookUp(word, names) {
  const found = hits(word, names);
  if (WEAK.has(word) || isBegun(found)) return [!WEAK.has(word), found];
  for (const end of ENDS) {
    const head = word.endsWith(end) ? word.slice(0, -end.length) : "";
    const begun = head.length > 1 && hits(head, names);
    if (begun && isBegun(begun)) return [true, begun];
  }
  return [!withSlips(word, WEAK_NAMES).size, new Map([...found, ...withSlips(word, names)])];
}

// The places of the names that a query finds, the best first; undefined for a query without words.
export function search(names, query) {
  const asked = words(query).slice(0, MOST);
  if (!asked.length) return;
  const found = asked.map((word) => lookUp(word, names));
  const none = !found.some(([tells]) => tells);
  const telling = found.map(([tells]) => tells || none);
  const weights = found.map(([, each], n) =>
    telling[n] ? 4 * (32 - Math.clz32(names.length / Math.max(each.size, 1))) : 1,
  );
  const parts = [];
  asked.forEach((word, n) => {
    parts.push([n, n + 1, word, found[n][1]]);
    if (n) parts.push([n - 1, n + 1, asked[n - 1] + word, hits(asked[n - 1] + word, names)]);
    const initials = asked.slice(0, n + 1).map(([letter]) => letter).join("");
    if (n && n < MOST_INITIALS && !WEAK.has(initials)) {
      const whole = [...hits(initials, names)].filter(([, [how]]) => how === WHOLE);
      parts.push([0, n + 1, initials, new Map(whole.map(([place, [, start]]) => [place, [BEGUN, start]]))]);
    }
  });
  const worth = parts.map(([begin, end]) => weights.slice(begin, end).reduce((sum, weight) => sum + weight));
  const tell = parts.map(([begin, end]) => telling.slice(begin, end).includes(true));
  const ranked = [];
  for (const place of new Set(parts.flatMap(([, , , each]) => [...each.keys()]))) {
    const name = names[place];
    const best = [0];
    const spans = [];
    let tells = !name.telling.length;
    parts.forEach(([begin, end, text, each], n) => {
      const [how, start] = each.get(place) || [0, -1];
      best[end] = Math.max(best[end] || 0, best[end - 1], best[begin] + how * worth[n]);
      tells ||= how && tell[n];
      if (start >= 0) spans.push([start, start + text.length]);
    });
    if (!tells) continue;
    const more = name.telling.some((at) => !spans.some(([start, end]) => start <= at && at < end));
    ranked.push({ place, score: best.at(-1), after: 2 * more + !(spans.length && !spans[0][0]) });
  }
  ranked.sort((one, other) => other.score - one.score || one.after - other.after || one.place - other.place);
  return ranked.filter(({ score }) => score * 3 >= ranked[0].score).map(({ place }) => place);
}

// Shows clones: moving buttons in a large form is slow. A clone is made once and clicks its original. The first clones
// are added at once and the others in small batches, so that no key press waits for them.
export function searchable(input, list, fill) {
  const count = document.querySelector("[data-count]");
  // A page that was asked for with a query holds only a part of the list, so the server has to search the rest.
  const complete = !input.defaultValue.trim();
  const initial = count.textContent;
  const shown = document.createElement("ul");
  shown.className = "choices";
  list.after(shown);
  let frame, later;

  const prepare = () =>
    [...list.children].map((element) => (element.read ||= read(element.querySelector(".choice-name").textContent)));

  function copy(element) {
    const made = element.cloneNode(true);
    const button = made.querySelector("button");
    button.type = "button";
    button.onclick = () => {
      button.setAttribute("aria-disabled", "true");
      element.querySelector("button").click();
    };
    return made;
  }

  function find() {
    const query = input.value.trim();
    const found = search(prepare(), query);
    shown.hidden = !(list.hidden = !!found);
    const values = { left: found?.length, all: list.children.length, query };
    count.textContent = found ? fill(count.dataset[found.length ? "count" : "none"], values) : initial;
    const more = () => {
      for (const place of found.splice(0, 4)) {
        const element = list.children[place];
        shown.append((element.copy ||= copy(element)));
      }
      if (found.length) later = setTimeout(more, 15);
    };
    shown.replaceChildren();
    if (found) more();
  }

  // Paint the typed letter first: a search would delay that frame.
  function show() {
    for (const hidden of document.querySelectorAll("[data-query]")) hidden.value = input.value;
    if (!complete) return;
    cancelAnimationFrame(frame);
    clearTimeout(later);
    frame = requestAnimationFrame(() => (later = setTimeout(find)));
  }

  input.addEventListener("focus", prepare);
  input.addEventListener("input", show);
  input.form.addEventListener("submit", (event) => {
    if (!complete) return;
    event.preventDefault(); // the list is complete, so only hide the phone's keyboard
    input.blur();
  });
  addEventListener("pageshow", show);
  show();
}
