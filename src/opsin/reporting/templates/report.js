"use strict";
// The page is complete without this script; it adds sorting, and what the sections' own scripts do.
const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

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
