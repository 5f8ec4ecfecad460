"use strict";
// Builds an element: its name, its attributes, and children, which are elements or text. Text is never markup.
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// What stands in a cell that says how a case went: the sign and the outcome, with a link to what the word means.
function chip([outcome, style, symbol, anchor]) {
  return element("a", { class: `chip k-${style}`, href: `#${anchor}` }, `${symbol} ${outcome}${style === "known" ? " (known)" : ""}`);
}

// A word, with a link to what it means where the page says that.
function word(shown) {
  const anchor = `w-${shown.toLowerCase()}`;
  return document.getElementById(anchor) ? element("a", { class: "word", href: `#${anchor}` }, shown) : shown;
}

const GRAVITY = { absent: 0, ok: 1, warn: 2, known: 3, fail: 4 };
const MOST_APART = 15;  // cases that are shown before one asks for more
const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

// The ratio of a result; 0 where it has none.
function ratioOf(result) {
  if (result.length < 6) return 0;
  return ["inf", "NaN"].includes(result[5]) ? Infinity : Number(result[5]) || 0;
}

// A table that scrolls by itself. Cells are texts or elements; columns from `numeric` on are numbers.
function tableOf(caption, heads, rows, numeric) {
  const kind = place => (place >= numeric ? { class: "n" } : {});
  const table = element("table", {},
    element("caption", {}, element("span", {}, caption)),
    element("thead", {}, element("tr", {}, ...heads.map((head, place) => element("th", { scope: "col", ...kind(place) }, word(head))))),
    element("tbody", {}, ...rows.map(([first, ...rest]) => element("tr", {},
      element("th", { scope: "row" }, first), ...rest.map((cell, place) => element("td", kind(place + 1), cell))))));
  return element("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" }, table);
}

// The choices in which two conventions differ, and what each does to numbers.
function conventionsOf(a, b, data) {
  const { of, conventions, effects } = data.pairs, title = element("h3", {}, "Conventions");
  if (b < 0) {
    const rows = (conventions[of[a]] || []).map(([name, value, meaning]) => [name, value, meaning].map(place => data.texts[place]));
    const said = rows.length ? "The reference follows what it declares" : "It declares nothing; the reference follows the usual convention";
    return [title, tableOf(said, ["Choice", "Value", "Meaning"], rows, 9)];
  }
  if (of[a] === null || of[b] === null) return [title, element("p", {}, `${data.names[of[a] === null ? a : b]} declares no convention.`)];
  if (of[a] === of[b]) return [title, element("p", {}, "Both declare the same convention.")];
  const [own, other] = [of[a], of[b]].map(place => new Map(conventions[place].map(([name, ...rest]) => [name, rest])));
  const said = (value) => (value ? `${data.texts[value[0]]}${data.texts[value[1]] ? `: ${data.texts[value[1]]}` : ""}` : "not said");
  const rows = effects[`${of[a]}-${of[b]}`].map(([choice, sentence, quantity, course]) => {
    const numbers = course.map(([steps, first, second]) => `${first} and ${second} after ${steps}`).join(", ");
    const effect = `${data.texts[sentence]}${numbers ? ` ${data.texts[quantity]}: ${numbers}.` : ""}`;
    const values = own.has(choice) ? [said(own.get(choice)), said(other.get(choice))] : ["", ""];
    return [data.texts[choice], ...values, effect];
  });
  const how = element("p", { class: "muted" }, "How effects are computed is said under ", element("a", { href: "#conventions" }, "Conventions"), ".");
  return [title, how, tableOf("What differs, and what it does to numbers", ["Choice", data.names[a], data.names[b], "Effect"], rows, 9)];
}

// How many choices differ, in a sentence.
function choicesOf(a, b, data) {
  const { of, effects } = data.pairs, key = `${of[a]}-${of[b]}`;
  if (b < 0 || of[a] === null || of[b] === null) return "";
  const all = (effects[key] || []).length, count = all > 1 ? all - 1 : all;
  return count ? `${counted(count, "choice")} of their conventions ${count === 1 ? "differs" : "differ"}.` : "Their conventions are the same.";
}

const isJudged = (result, data) => Boolean(result) && data.marks[result[1]][1] !== "absent";
const fails = (result, data) => GRAVITY[data.marks[result[1]][1]] > 2;

// Each case that both ran: whether one alone fails, whether the outcome differs, and how far the errors are apart.
function comparedCases(a, b, cases, data) {
  const decades = result => Math.log10(Math.min(Math.max(ratioOf(result), 1e-4), 1e12));
  return cases.filter(one => isJudged(one.by.get(a), data) && isJudged(one.by.get(b), data)).map(one => {
    const [first, second] = [one.by.get(a), one.by.get(b)];
    const apart = fails(first, data) !== fails(second, data);
    const other = !apart && data.marks[first[1]][0] !== data.marks[second[1]][0];
    return { one, first, second, apart, other, far: Math.abs(decades(first) - decades(second)) };
  });
}

// Counts by family of two implementations.
function familiesOf(a, b, compared, cases, data) {
  const families = new Map();
  const row = family => families.get(family) || families.set(family, [0, 0, 0, 0, 0, 0]).get(family);
  for (const { one, apart, other } of compared) {
    const counts = row(one.family);
    counts[0] += 1;
    counts[apart ? 3 : other ? 2 : 1] += 1;
  }
  for (const one of cases) {
    const [first, second] = [isJudged(one.by.get(a), data), isJudged(one.by.get(b), data)];
    if (first !== second) row(one.family)[first ? 4 : 5] += 1;
  }
  const head = ["Family", "both ran", "same outcome", "other level", "one fails", `only ${data.names[a]}`, `only ${data.names[b]}`];
  return tableOf("Cases by family", head, [...families].map(([family, counts]) => [family, ...counts.map(String)]), 1);
}

// Counts of one implementation by family, beside the reference.
function outcomesOf(a, cases, data) {
  const families = new Map();
  for (const one of cases) {
    const result = one.by.get(a);
    if (!result) continue;
    const [outcome] = data.marks[result[1]], counts = families.get(one.family) || new Map();
    families.set(one.family, counts.set(outcome, (counts.get(outcome) || 0) + 1));
  }
  const words = counts => [...counts].sort((x, y) => y[1] - x[1]).map(([outcome, count]) => `${count} ${outcome}`).join(", ");
  return tableOf("Outcomes by family", ["Family", "Cases"], [...families].map(([family, counts]) => [family, words(counts)]), 9);
}

// Cases as a table: the first few, and on demand the rest.
function listOf(caption, head, rows) {
  const shown = tableOf(caption, head, rows.slice(0, MOST_APART), 9);
  if (rows.length <= MOST_APART) return [shown];
  const rest = element("details", {}, element("summary", {}, `${rows.length - MOST_APART} more`));
  rest.addEventListener("toggle", () => {
    if (!rest.open || rest.children.length > 1) return;
    const more = tableOf(`${caption}: the rest`, head, rows.slice(MOST_APART, 400), 9);
    rest.append(more);
    keep(rest, () => more.remove());
  });
  return [shown, rest];
}

const link = one => element("a", { class: "id", href: `#${one.anchor}` }, one.id);
const numberOf = result => (result.length < 6 ? "" : `${result[5]} (${result[7]} for ${result[6]})`);

// The two parts that stand side by side, the cases under them, and a sentence that sums them up.
function compared(a, b, cases, data) {
  const [own, other] = [data.names[a], b < 0 ? "the reference" : data.names[b]];
  if (b < 0) {
    const judged = cases.filter(one => isJudged(one.by.get(a), data));
    const off = judged.filter(one => !["exact", "tight", "refused"].includes(data.marks[one.by.get(a)[1]][0]));
    const gravity = one => GRAVITY[data.marks[one.by.get(a)[1]][1]];
    off.sort((x, y) => gravity(y) - gravity(x) || ratioOf(y.by.get(a)) - ratioOf(x.by.get(a)));
    const rows = off.map(one => [link(one), chip(data.marks[one.by.get(a)[1]]), numberOf(one.by.get(a))]);
    return {
      sentence: `${own} and the reference: of ${counted(judged.length, "case")}, ${judged.length - off.length} are as good as a direct algorithm, and ${off.length} are not.`,
      numbers: outcomesOf(a, cases, data),
      list: listOf("Cases that are not tight, the gravest first; in brackets what it got for what is expected", ["Case", "Outcome", "Ratio"], rows),
    };
  }
  const both = comparedCases(a, b, cases, data), apart = both.filter(each => each.apart), level = both.filter(each => each.other);
  const rows = [...apart, ...level].sort((x, y) => y.apart - x.apart || y.far - x.far).map(({ one, first, second }) =>
    [link(one), chip(data.marks[first[1]]), numberOf(first), chip(data.marks[second[1]]), numberOf(second)]);
  return {
    sentence: `${own} and ${other}: of ${counted(both.length, "case")} that both ran, ${both.length - apart.length - level.length} have the same outcome and ${level.length} another level; in ${apart.length} one fails and the other does not.`,
    numbers: familiesOf(a, b, both, cases, data),
    list: listOf("Cases that tell them apart, the gravest first; in brackets what it got for what is expected", ["Case", own, "Ratio", other, "Ratio"], rows),
  };
}

// The choice of two, kept in the address after #pair?
function sides(form, cases, data) {
  const [first, second] = ["first", "second"].map(name => form.querySelector(`#${name}`));
  const place = document.getElementById("sides"), told = document.getElementById("told");
  if (!data.names.length) return;
  data.names.forEach((name, index) => {
    first.append(element("option", { value: index }, name));
    second.append(element("option", { value: index }, name));
  });
  second.prepend(element("option", { value: -1 }, "the reference"));
  const show = () => {
    const [a, b] = [Number(first.value), Number(second.value)], { sentence, numbers, list } = compared(a, b, cases, data);
    told.textContent = `${sentence} ${choicesOf(a, b, data)}`;
    place.replaceChildren(element("div", { class: "sides" },
      element("div", {}, ...conventionsOf(a, b, data)), element("div", {}, element("h3", {}, "Numbers"), numbers)), ...list);
    place.hidden = false;
  };
  const restore = () => {
    if (!location.hash.startsWith("#pair?")) return false;
    const asked = new URLSearchParams(location.hash.slice(6)), at = name => data.names.indexOf(asked.get(name));
    if (at("a") >= 0) [first.value, second.value] = [at("a"), at("b")];
    show();
    document.getElementById("pair").scrollIntoView();
    return true;
  };
  form.addEventListener("change", () => {
    show();
    const b = Number(second.value), query = new URLSearchParams({ a: data.names[first.value], b: b < 0 ? "the reference" : data.names[b] });
    history.replaceState(null, "", `#pair?${query}`);
  });
  form.addEventListener("submit", event => event.preventDefault());
  addEventListener("hashchange", restore);
  form.hidden = false;
  document.querySelector(".needs").hidden = true;
  [first.value, second.value] = data.pairs.shown;
  if (!restore()) show();
}

