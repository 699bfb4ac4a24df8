"use strict";
// The page is complete without this script; it adds enlarging and deciding.
const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

const dialog = document.querySelector("dialog");
for (const item of all(".tile")) {
  const frame = item.querySelector(".frame"), picture = frame.querySelector("img");
  if (!picture) continue;
  const button = document.createElement("button");
  button.className = "frame";
  button.type = "button";
  button.title = "Enlarge";
  button.append(picture);
  frame.replaceWith(button);
  button.addEventListener("click", () => {
    dialog.querySelector(".stage").replaceChildren(picture.cloneNode(), item.querySelector(".caption").cloneNode(true));
    dialog.showModal();
  });
}
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
addEventListener("beforeprint", () => { for (const part of all("details:not([open])")) { part.open = true; part.dataset.closed = ""; } });
addEventListener("afterprint", () => { for (const part of all("details[data-closed]")) { part.open = false; delete part.dataset.closed; } });

const source = document.getElementById("facts");
if (source) decide(JSON.parse(source.textContent));

function decide(facts) {
  const before = new Map(facts.decided.map(([image, decision, label, reason]) => [image, { decision, label, reason }]));
  let decisions = new Map(before);
  const history = [];
  let saved = true;
  const bar = document.querySelector(".decisions"), box = document.querySelector("textarea");
  const element = (name, properties) => Object.assign(document.createElement(name), properties);

  // The places of each image: it may stand in several findings and among the samples.
  const tiles = new Map();
  for (const tile of all(".tile")) {
    const image = facts.names[tile.dataset.image];
    if (!tiles.has(image)) tiles.set(image, []);
    tiles.get(image).push(tile);
    const controls = element("div", { className: "decide" });
    const readable = Boolean(tile.querySelector("img"));
    for (const [word, text] of [["keep", "Keep"], ["exclude", "Exclude"]].slice(readable ? 0 : 1)) {
      const button = element("button", { type: "button", className: word, textContent: text });
      button.addEventListener("click", () => {
        const now = decisions.get(image);
        change([[image, now && now.decision === word ? null : { decision: word, label: "", reason: tile.dataset.why }]]);
      });
      controls.append(button);
    }
    if (readable && facts.classes.length) controls.append(chooser(tile, image));
    tile.append(controls);
  }

  // The list of classes is filled when it is first opened: with many classes and pictures it would be the largest part of the page.
  function chooser(tile, image) {
    const select = element("select", { title: "Change the label" });
    select.append(new Option("Relabel as …", ""));
    const fill = () => {
      if (select.options.length < facts.classes.length) for (const name of facts.classes) {
        if (![...select.options].some((option) => option.value === name)) select.append(new Option(name, name));
      }
    };
    for (const event of ["pointerdown", "focus", "keydown"]) select.addEventListener(event, fill);
    select.addEventListener("change", () => {
      change([[image, select.value ? { decision: "relabel", label: select.value, reason: tile.dataset.why } : null]]);
    });
    return select;
  }

  function change(changes) {
    history.push(new Map(decisions));
    for (const [image, decision] of changes) {
      if (decision) decisions.set(image, decision); else decisions.delete(image);
    }
    saved = false;
    show();
  }

  function show() {
    for (const [image, places] of tiles) {
      const now = decisions.get(image);
      for (const tile of places) {
        if (now) tile.dataset.decision = now.decision; else delete tile.dataset.decision;
        for (const button of all(".decide button", tile)) button.setAttribute("aria-pressed", Boolean(now) && button.className === now.decision);
        const select = tile.querySelector("select"), label = now && now.decision === "relabel" ? now.label : "";
        if (!select) continue;
        if (label && ![...select.options].some((option) => option.value === label)) select.append(new Option(label, label));
        select.value = label;
      }
    }
    for (const row of all("[data-decided]")) row.style.textDecoration = decisions.has(facts.decided[row.dataset.decided][0]) ? "" : "line-through";
    const count = (word) => [...decisions.values()].filter((one) => one.decision === word).length;
    bar.querySelector("output").textContent = `${count("exclude")} to exclude, ${count("relabel")} to relabel, ${count("keep")} to keep`;
    bar.querySelector(".undo").disabled = !history.length;
    bar.hidden = !history.length && !before.size;
    box.value = table();
  }

  function table() {
    const cell = (text) => (/[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const rows = [...decisions].map(([image, { decision, label, reason }]) => [image, decision, label, reason]);
    return [["image", "decision", "label", "reason"], ...rows].map((row) => row.map(cell).join(",")).join("\n") + "\n";
  }

  bar.querySelector(".undo").addEventListener("click", () => { decisions = history.pop(); show(); });
  bar.querySelector(".save").addEventListener("click", () => {
    const link = element("a", { href: URL.createObjectURL(new Blob([table()], { type: "text/csv" })), download: facts.file });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    saved = true;
  });
  addEventListener("beforeunload", (event) => { if (!saved) event.preventDefault(); });

  for (const [place, finding] of facts.findings.entries()) {
    const article = document.querySelector(`[data-finding="${place}"]`), tools = article.querySelector(".tools");
    if (!tools) continue;
    const why = article.querySelector("h3").textContent, names = finding.images.map((number) => facts.names[number]);
    const offer = (text, changes) => {
      const button = element("button", { type: "button", textContent: text });
      button.addEventListener("click", () => change(changes()));
      tools.append(button);
    };
    const to = (decision, label = "") => ({ decision, label, reason: why });
    const repeated = finding.groups.flatMap((group) => group.slice(1)).map((number) => facts.names[number]);
    if (finding.kind.includes("duplicates")) offer(`Exclude all but the first of each (${repeated.length})`, () => repeated.map((name) => [name, to("exclude")]));
    const suggested = Object.entries(finding.suggestions);
    if (suggested.length) offer(`Relabel all as suggested (${suggested.length})`, () => suggested.map(([number, label]) => [facts.names[number], to("relabel", label)]));
    offer(`Exclude all (${names.length})`, () => names.map((name) => [name, to("exclude")]));
    if (finding.kind !== "unreadable") offer(`Keep all (${names.length})`, () => names.map((name) => [name, to("keep")]));
    tools.hidden = false;
  }
  document.getElementById("file").hidden = false;
  show();
}
