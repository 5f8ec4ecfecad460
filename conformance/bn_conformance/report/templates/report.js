// The numbers of every case: base64 of deflated JSON. Without this script the plain lists of cases stay.
async function unpack() {
  const bytes = Uint8Array.from(atob(document.getElementById("data").textContent.trim()), letter => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
}

const HEAD = ["Implementation", "Outcome", "Verdict", "Ratio", "Quantity", "Element", "Expected", "Got", "Error", "Bound", "ULP"];
const MOST = 200;  // cases of a list that are built
const MOST_ELEMENTS = 19000;  // of the page: what was opened first is closed when there are more

// What was built when something was opened, the first first: each with what takes it away again.
const built = new Map();

// Closes what was opened first while the page has too many elements; never what holds `newest`.
function trim(newest) {
  const all = document.getElementsByTagName("*");
  for (const [details, undo] of [...built]) {
    if (all.length <= MOST_ELEMENTS) return;
    if (newest && details.contains(newest)) continue;
    built.delete(details);
    details.open = false;
    undo();
  }
}

// Remembers what takes away what was built in `details`.
function keep(details, undo) {
  built.delete(details);
  built.set(details, undo);
  trim(details);
}

function caseOf(raw, data) {
  const [id, anchor, family, format, layout, about, results, unsupported] = raw;
  const by = new Map(results.map(result => [result[0], result]));
  const styles = results.map(result => data.marks[result[1]][1]);
  return {
    id, anchor, about, results, unsupported, by, family: data.texts[family], layout: data.texts[layout],
    format: data.texts[format], gravity: Math.max(0, ...styles.map(style => GRAVITY[style])),
    worst: Math.max(0, ...results.map(ratioOf)), text: `${id} ${about}`.toLowerCase(),
  };
}

function signs(one, data) {
  const row = element("span", { class: "signs", "aria-hidden": "true" });
  data.names.forEach((_, place) => {
    const result = one.by.get(place), mark = result && data.marks[result[1]];
    row.append(mark ? element("i", { class: `k-${mark[1]}` }, mark[2]) : element("i", {}));
  });
  return row;
}

function tally(one, data) {
  const counts = new Map();
  for (const result of one.results) {
    const word = data.marks[result[1]][0];
    counts.set(word, (counts.get(word) || 0) + 1);
  }
  return [...counts].map(([word, count]) => `${count} ${word}`).join(", ");
}

function resultRow(result, data) {
  const [who, mark, verdict, text, ...numbers] = result;
  const row = element("tr", {},
    element("th", { scope: "row" }, data.names[who]),
    element("td", {}, chip(data.marks[mark])),
    element("td", {}, data.verdicts[verdict]));
  if (!numbers.length) row.append(element("td", { colspan: "8", class: "prose" }, data.texts[text]));
  else {
    const [place, ratio, ...rest] = numbers;
    row.append(...[ratio, data.texts[text], place, ...rest].map(value => element("td", {}, value)));
  }
  return row;
}

function bodyOf(one, data) {
  const body = element("div", { class: "body" }, element("p", {}, one.about));
  const table = element("table", { class: "results" },
    element("caption", { class: "hidden" }, one.id),
    element("thead", {}, element("tr", {}, ...HEAD.map(head => element("th", { scope: "col" }, word(head))))),
    element("tbody", {}, ...one.results.map(result => resultRow(result, data))));
  if (one.results.length) {
    body.append(element("div", { class: "scroll", role: "region", "aria-label": `Results of ${one.id}`, tabindex: "0" }, table));
  }
  for (const [reason, names] of one.unsupported) {
    const who = names.map(name => data.names[name]).join(", ");
    body.append(element("p", { class: "muted" }, `Not supported by ${who}: ${data.texts[reason]}`));
  }
  return body;
}

// A case, whose numbers are built when it is opened.
function detailsOf(one, data, anchored) {
  const made = element("details", anchored ? { class: "case", id: one.anchor } : { class: "case" },
    element("summary", {}, element("code", {}, one.id), " ", element("span", { class: "tally" }, tally(one, data)), signs(one, data)));
  made.addEventListener("toggle", () => {
    if (!made.open || made.querySelector(".body")) return;
    const body = bodyOf(one, data);
    made.append(body);
    keep(made, () => body.remove());
  });
  return made;
}

// A part of the cases of a family, which are built when it is opened.
function partOf(cases, first, data) {
  const part = element("details", { class: "part" }, element("summary", {}, `Cases ${first + 1} to ${first + cases.length}`));
  part.addEventListener("toggle", () => { if (part.open) openPart(part, cases, data); });
  return part;
}

function openPart(part, cases, data) {
  if (part.querySelector(".case")) return;
  const rows = cases.map(one => detailsOf(one, data, true));
  part.append(...rows);
  keep(part, () => rows.forEach(row => row.remove()));
}

// The cases of a family, in parts where there are many; that of the case with an anchor is opened, else the first.
function openFamily(family, cases, data, anchor) {
  const list = family.querySelector("pre.caselist"), at = Math.max(0, cases.findIndex(one => one.anchor === anchor));
  const place = Math.floor(at / MOST), slice = index => cases.slice(index * MOST, (index + 1) * MOST);
  if (list) {
    const names = element("div", { class: "names", "aria-hidden": "true" }, ...data.names.map(name => element("span", {}, name)));
    const count = Math.ceil(cases.length / MOST);
    const parts = count > 1 ? Array.from({ length: count }, (_, index) => partOf(slice(index), index * MOST, data)) : cases.map(one => detailsOf(one, data, true));
    list.replaceWith(names, ...parts);
    keep(family, () => { parts.forEach(part => part.remove()); names.replaceWith(list); });
  } else if (!anchor) return;
  const part = family.querySelectorAll("details.part")[place];
  if (!part) return;
  part.open = true;
  openPart(part, slice(place), data);
}

// What is said of an implementation stands in a noscript, which is one element until it is opened.
function openImplementation(details) {
  const body = details.querySelector(".body"), kept = body.querySelector("noscript");
  if (!kept) return;
  body.replaceChildren(...new DOMParser().parseFromString(kept.textContent, "text/html").body.childNodes);
  keep(details, () => body.replaceChildren(kept));
}

// The columns of the matrix, kept in the address after #matrix?
function columns(choices) {
  const restore = () => {
    const name = location.hash === "#matrix" ? "family" : new URLSearchParams(location.hash.replace(/^#matrix\?/, "")).get("by");
    const asked = location.hash.startsWith("#matrix") && choices.find(choice => choice.id === `by-${name}`);
    if (!asked) return;
    asked.checked = true;
    if (name !== "family") document.getElementById("matrix").scrollIntoView();
  };
  for (const choice of choices) {
    choice.addEventListener("change", () => {
      history.replaceState(null, "", choice.id === "by-family" ? "#matrix" : `#matrix?by=${choice.id.slice(3)}`);
    });
  }
  addEventListener("hashchange", restore);
  restore();
}

// The filters, kept in the address after #cases?
function filters(form, cases, data) {
  const field = name => form.querySelector(`#${name}`), matches = document.getElementById("matches");
  const families = [...document.querySelectorAll("details.family")];
  const choices = {
    of: data.names, family: [...new Set(cases.map(one => one.family))], format: [...new Set(cases.map(one => one.format))].filter(Boolean),
    layout: [...new Set(cases.map(one => one.layout))].filter(Boolean), verdict: data.verdicts,
  };
  for (const [name, values] of Object.entries(choices)) {
    field(name).append(...values.map(value => element("option", { value }, value)));
  }
  const asked = () => Object.fromEntries(["find", "of", "family", "format", "layout", "verdict"].map(name => [name, field(name).value]));
  const fits = (one, { find, of, family, format, layout, verdict }) =>
    find.toLowerCase().split(/\s+/).every(word => one.text.includes(word)) &&
    (!family || one.family === family) && (!format || one.format === format) && (!layout || one.layout === layout) &&
    ((!of && !verdict) || one.results.some(result =>
      (!of || data.names[result[0]] === of) && (!verdict || data.verdicts[result[2]] === verdict)));
  const apply = keep => {
    const values = asked(), any = Object.values(values).some(Boolean);
    const shown = any ? cases.filter(one => fits(one, values)).sort((a, b) => b.gravity - a.gravity || b.worst - a.worst) : [];
    matches.replaceChildren(...shown.slice(0, MOST).map(one => detailsOf(one, data, false)));
    matches.hidden = !any;
    trim(matches);
    families.forEach(family => { family.hidden = any; });
    const more = shown.length > MOST ? `, the first ${MOST} shown` : "";
    field("found").textContent = any ? `${shown.length} ${shown.length === 1 ? "case" : "cases"}${more}` : "";
    if (!keep) return;
    const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value)).toString();
    history.replaceState(null, "", any ? `#cases?${query}` : "#cases");
  };
  const restore = () => {
    if (!location.hash.startsWith("#cases?")) return;
    for (const [name, value] of new URLSearchParams(location.hash.slice(7))) if (field(name)) field(name).value = value;
    apply(false);
    document.getElementById("cases").scrollIntoView();
  };
  let timer = 0;
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => apply(true), 150); });
  form.addEventListener("submit", event => event.preventDefault());
  addEventListener("hashchange", restore);
  form.hidden = false;
  restore();
  return () => { form.reset(); apply(false); };
}

// Opens what hides the target of a link.
function reveal(prepare) {
  const anchor = decodeURIComponent(location.hash.slice(1));
  if (!anchor || /^(cases|pair|matrix)\?/.test(anchor)) return;
  prepare(anchor);
  const target = document.getElementById(anchor);
  if (!target) return;
  for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  target.scrollIntoView();
}

async function start() {
  let prepare = () => {};
  const implementations = [...document.querySelectorAll("details.implementation")];
  for (const details of implementations) {
    details.addEventListener("toggle", () => { if (details.open) openImplementation(details); });
  }
  const own = anchor => implementations.find(details => details.querySelector(".body").id === anchor.split(".")[0]);
  const follow = () => reveal(anchor => {
    if (own(anchor)) openImplementation(own(anchor));
    prepare(anchor);
  });
  columns([...document.querySelectorAll(".switch input")]);
  addEventListener("hashchange", follow);
  addEventListener("click", event => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) follow();
  });
  try {
    const data = await unpack(), cases = data.cases.map(raw => caseOf(raw, data));
    const families = [...document.querySelectorAll("details.family")];
    const members = new Map(families.map(family => [family, cases.filter(one => one.family === family.querySelector("h3").textContent)]));
    for (const [family, inside] of members) {
      family.addEventListener("toggle", () => { if (family.open) openFamily(family, inside, data); });
    }
    const clear = filters(document.querySelector(".filter"), cases, data);
    sides(document.querySelector(".pair"), cases, data);
    prepare = anchor => {
      for (const [family, inside] of members) {
        if (inside.some(one => one.anchor === anchor)) { clear(); openFamily(family, inside, data, anchor); }
      }
    };
  } catch (error) {
    console.warn("The numbers of the cases cannot be read here; the lists of cases stay.", error);
  }
  follow();
}
start();
