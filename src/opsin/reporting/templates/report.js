"use strict";
// The page is complete without this script; it adds enlarging, filtering and sorting.
const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

const dialog = document.querySelector("dialog");
for (const item of all(".gallery li")) {
  const frame = item.querySelector(".frame"), button = document.createElement("button");
  button.className = "frame";
  button.type = "button";
  button.title = "Enlarge";
  button.append(...frame.childNodes);
  frame.replaceWith(button);
  button.addEventListener("click", () => {
    const picture = button.querySelector("img").cloneNode();
    dialog.querySelector(".stage").replaceChildren(picture, item.querySelector(".caption").cloneNode(true));
    dialog.showModal();
  });
}
if (dialog) dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

const tools = document.querySelector(".tools");
if (tools) {
  const choice = tools.querySelector("select"), buttons = all("button", tools), count = tools.querySelector("output");
  let wanted = "all";
  const filter = () => {
    let shown = 0;
    for (const item of all(".gallery li")) {
      const { truth, guess, right } = item.dataset;
      const fits = (wanted === "all" || wanted === right) && (!choice.value || truth === choice.value || guess === choice.value);
      item.hidden = !fits;
      shown += fits;
    }
    for (const button of buttons) button.setAttribute("aria-pressed", button.value === wanted);
    count.value = shown === 1 ? "1 picture" : `${shown} pictures`;
  };
  choice.addEventListener("change", filter);
  for (const button of buttons) button.addEventListener("click", () => { wanted = button.value; filter(); });
  tools.hidden = false;
  filter();
}

for (const table of all("table.sortable")) {
  const heads = all("thead th", table), body = table.tBodies[0];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const value = (row) => Number(row.cells[column].dataset.value);
      const rows = all("tr", body).sort((a, b) => (rising ? 1 : -1) * (value(a) - value(b)));
      body.append(...rows);
    });
  });
}

addEventListener("beforeprint", () => { for (const part of all("details:not([open])")) { part.open = true; part.dataset.closed = ""; } });
addEventListener("afterprint", () => { for (const part of all("details[data-closed]")) { part.open = false; delete part.dataset.closed; } });
