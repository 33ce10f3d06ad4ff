// Says a typed price in full below its field, with the bill of a year. app.js loads it where a price is asked for.

const SEPARATORS = { "٬": "'", "’": "'", "ʼ": "'", "．": ".", "·": ".", "，": ",", "،": "," };
const PER_KWH = /(\/|per|pro|je|par|le)(kwh|unit)$/;
const PARTS = /^((?:[^\d.,'٫]*\p{L}\.)?[^\d.,'٫]*)(\d[\d.,'٫ ]*|[.,٫]\d+)(\D*)$/u;
const NUMBERS = [".,", ",."].map(
  ([sign, group]) => new RegExp(`^(\\d+|[1-9]\\d{0,2}(?:([' ${group}])\\d{3}(?:\\2\\d{3})*)?)?(?:[${sign}٫](\\d*))?$`),
);

// The digits of a script are ten code points in a row, and such rows may follow each other.
function digit(letter) {
  let zero = letter.codePointAt();
  while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero--;
  return (letter.codePointAt() - zero) % 10;
}

// The numbers that a text may mean, by the rules of tariffs/typed.py.
export function read(text, units) {
  if ([...text].length > 40) return [];
  const plain = text
    .replace(/\p{Cf}/gu, "")
    .replace(/\p{Nd}/gu, digit)
    .replace(/\p{Pd}|\u2212/gu, "-")
    .replace(/[٬’ʼ．·，،]/g, (letter) => SEPARATORS[letter]);
  const parts = plain.trim().replace(/\s+/g, " ").replace(/ ?([^\d ]) ?/gu, "$1").toLowerCase().match(PARTS);
  if (!parts) return [];
  const [before, digits, after] = parts.slice(1);
  const sign = before.includes("-") ? "-" : "";
  const words = [before.replace(sign || "+", ""), after].map((word) => word.replace(PER_KWH, ""));
  const shifts = new Set(words.filter(Boolean).map((word) => units[word.replace(/^\.+|\.+$/g, "")]));
  if (!shifts.size) shifts.add(units[""]);
  const [shift] = shifts;
  if (shift === undefined || shifts.size > 1) return [];
  const found = new Set();
  for (const pattern of NUMBERS) {
    const [match, all = "0", , decimals = ""] = digits.match(pattern) || [];
    const whole = all.replace(/\D/g, "");
    if (match && whole.length < 7 && decimals.length < 9) found.add(Number(`${sign}${whole}.${decimals}e${shift}`));
  }
  return [...found];
}

// Those that are near a usual price, or all if none is.
export function likely(found, usual) {
  const near = found.filter((rate) => !usual || (usual / 10 <= Math.abs(rate) && Math.abs(rate) <= usual * 5));
  return near.length ? near : found;
}

export function priced(input, fill) {
  const { price: currency, shift, year, suffix, usual, units, said: short, bill: long } = input.dataset;
  if (!currency) return;
  const { lang } = document.documentElement;
  const known = JSON.parse(units);
  const exact = (value) => +value.toFixed(9); // as a float, 0.041 × 3500 is 143.49999999999997
  const format = (value, least, most, style = "currency") =>
    exact(value)
      .toLocaleString(lang, { style, currency, minimumFractionDigits: least, maximumFractionDigits: most })
      .replace(/[A-Z]+(\p{Sc})|(\p{Sc})[A-Z]+/u, "$1$2"); // $ for US$ and $US, as the server says it
  const said = document.createElement("output");
  said.className = "said";
  said.htmlFor = input.id;
  input.closest(".signed, .with-unit").after(said);

  function say() {
    const [rate, other] = likely(read(input.value, known), usual);
    said.textContent = "";
    if (!(rate > 0) || other) return; // before the first toLocaleString, which is slow on a phone
    // Leave out the cost of a year for a period's price: it applies for a few hours a day.
    const words = input.closest(".period") ? short : long;
    const major = format(rate, 2, 8);
    const price = shift > 0 ? `${format(rate * 10 ** shift, 2, 2, "decimal")}${suffix} (${major})` : major;
    said.textContent = fill(words, { price, bill: format(rate * year, 0, 0) });
  }

  input.addEventListener("input", say);
  say();
}
