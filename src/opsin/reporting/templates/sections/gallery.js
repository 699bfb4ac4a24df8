const dialog = document.querySelector("#gallery dialog");
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
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

const tools = document.querySelector("#gallery .tools");
if (tools) {
  const choice = tools.querySelector("select"), buttons = all("button", tools), count = tools.querySelector("output");
  let wanted = "all";
  const filter = () => {
    let shown = 0;
    for (const item of all(".gallery li")) {
      const { truth, guess, right } = item.dataset;
      const about = `${truth}\n${guess}`.split("\n");
      const fits = (wanted === "all" || wanted === right) && (!choice.value || about.includes(choice.value));
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
