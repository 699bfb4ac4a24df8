// All methods side by side, or one of them larger.
const list = document.querySelector(".looks"), bar = document.querySelector(".looks-tools"), choices = all("button", bar);
for (const button of choices) button.addEventListener("click", () => {
  for (const other of choices) other.setAttribute("aria-pressed", other === button);
  for (const figure of all("figure", list)) figure.hidden = Boolean(button.value) && figure.dataset.method !== button.value;
  list.classList.toggle("one", Boolean(button.value));
});
bar.hidden = choices.length < 3;
