// The numbers of every case: base64 of deflated JSON. Without this script the plain lists of cases stay.
async function unpack() {
  const bytes = Uint8Array.from(atob(document.getElementById("data").textContent.trim()), letter => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
}

const HEAD = ["Implementation", "Outcome", "Verdict", "Ratio", "Quantity", "Element", "Expected", "Got", "Error", "Bound", "ULP"];
const MOST = 200;  // matches that are built

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
    if (made.open && !made.querySelector(".body")) made.append(bodyOf(one, data));
  });
  return made;
}

function openFamily(family, cases, data) {
  const list = family.querySelector(".caselist");
  if (!list) return;
  const names = element("div", { class: "names", "aria-hidden": "true" }, ...data.names.map(name => element("span", {}, name)));
  list.replaceWith(names, ...cases.map(one => detailsOf(one, data, true)));
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
  if (!anchor || /^(cases|pair)\?/.test(anchor)) return;
  prepare(anchor);
  const target = document.getElementById(anchor);
  if (!target) return;
  for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  target.scrollIntoView();
}

async function start() {
  let prepare = () => {};
  const follow = () => reveal(prepare);
  addEventListener("hashchange", follow);
  addEventListener("click", event => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) follow();
  });
  try {
    const data = await unpack(), cases = data.cases.map(raw => caseOf(raw, data));
    const families = [...document.querySelectorAll("details.family")];
    const own = new Map(families.map(family => [family, cases.filter(one => one.family === family.querySelector("h3").textContent)]));
    for (const [family, members] of own) {
      family.addEventListener("toggle", () => { if (family.open) openFamily(family, members, data); });
    }
    const clear = filters(document.querySelector(".filter"), cases, data);
    sides(document.querySelector(".pair"), cases, data);
    prepare = anchor => {
      for (const [family, members] of own) {
        if (members.some(one => one.anchor === anchor)) { clear(); openFamily(family, members, data); }
      }
    };
  } catch (error) {
    console.warn("The numbers of the cases cannot be read here; the lists of cases stay.", error);
  }
  follow();
}
start();
