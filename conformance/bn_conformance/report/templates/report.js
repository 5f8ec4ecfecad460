"use strict";
// Opens what hides the target of a link, for browsers that do not do so themselves.
function reveal() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  let hidden = false;
  for (let node = target; node; node = node.parentElement) {
    if (node.tagName === "DETAILS" && !node.open) { node.open = true; hidden = true; }
  }
  if (hidden) target.scrollIntoView();
}
addEventListener("hashchange", reveal);
addEventListener("click", event => {
  const link = event.target.closest("a[href^='#']");
  if (link && link.hash === location.hash) reveal();
});
reveal();

// Finds cases. Without scripts the form stays hidden and every case is there.
const form = document.querySelector(".filter");
if (form) {
  const find = document.getElementById("find"), problems = document.getElementById("problems");
  const found = document.getElementById("found"), families = [...document.querySelectorAll("details.family")];
  const cases = families.map(family => [...family.querySelectorAll("details.case")].map(node => ({
    node, text: (node.querySelector("summary").textContent + node.querySelector("p").textContent).toLowerCase(),
  })));
  let timer = 0;
  const apply = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean), any = words.length || problems.checked;
    let total = 0;
    families.forEach((family, index) => {
      let shown = 0;
      for (const { node, text } of cases[index]) {
        node.hidden = !(words.every(word => text.includes(word)) && (!problems.checked || node.classList.contains("problem")));
        shown += !node.hidden;
      }
      family.hidden = !shown;
      if (any && shown && shown <= 40) family.open = true;
      total += shown;
    });
    found.textContent = any ? `${total} ${total === 1 ? "case" : "cases"}` : "";
  };
  const later = () => { clearTimeout(timer); timer = setTimeout(apply, 150); };
  find.addEventListener("input", later);
  problems.addEventListener("change", apply);
  form.addEventListener("submit", event => event.preventDefault());
  form.hidden = false;
}
