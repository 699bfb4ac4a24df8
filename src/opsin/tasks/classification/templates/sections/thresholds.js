const dial = document.querySelector("#thresholds .dial");
const data = JSON.parse(dial.dataset.curves);
const slider = dial.querySelector("input[type=range]"), choice = dial.querySelector("select"), buttons = all("button", dial);
const input = Object.fromEntries(all("input[name]", dial).map((field) => [field.name, field]));
let current, steps;

const charts = Object.fromEntries(all("#thresholds [data-figure]").map((card) => {
  const svg = card.querySelector("svg"), [left, top, right, bottom, x0, y0, x1, y1] = svg.dataset.axes.split(" ").map(Number);
  const logarithmic = card.dataset.figure === "histogram", scale = logarithmic ? Math.log : (value) => value;
  const x = (value) => left + (right - left) * (value - x0) / (x1 - x0);
  const y = (value) => top + (bottom - top) * (scale(value) - scale(y0)) / (scale(y1) - scale(y0));
  const part = (name, kind) => svg.querySelector(`.live-${name} ${kind}`);
  const line = (points) => "M" + points.map(([a, b]) => `${x(a).toFixed(2)} ${y(b).toFixed(2)}`).join("L");
  return [card.dataset.figure, {
    draw: (name, points) => part(name, "path").setAttribute("d", line(points)),
    mark: (point) => { const spot = part("point", "use"); spot.setAttribute("x", x(point[0])); spot.setAttribute("y", y(point[1])); },
    cut: (threshold) => part("threshold", "path").setAttribute("d", line([[threshold, y0], [threshold, y1]])),
    people: (points) => {
      const spot = part("readers", "use");
      if (spot) spot.parentNode.replaceChildren(...points.map(([a, b]) => { const copy = spot.cloneNode(); copy.setAttribute("x", x(a)); copy.setAttribute("y", y(b)); return copy; }));
    },
  }];
}));

const rates = (split, at) => {
  const positives = current[`${split}_positives`], negatives = current[`${split}_negatives`];
  const hits = current[`${split}_hits`][at], alarms = current[`${split}_alarms`][at];
  const sensitivity = hits / positives, specificity = 1 - alarms / negatives;
  const given = parseFloat(input.prevalence.value) / 100, own = !(given >= 0 && given <= 1);
  const part = own ? positives / (positives + negatives) : given;
  const found = part * sensitivity, called = found + (1 - part) * (1 - specificity);
  const cost = Number(input.miss.value) * part * (1 - sensitivity) + Number(input.alarm.value) * (1 - part) * (1 - specificity);
  return { own, positives, negatives, hits, alarms, sensitivity, specificity, precision: found / called, f1: 2 * found / (called + part), cost };
};

const wilson = (hits, of) => {
  const z = 1.959963984540054, part = hits / of, center = (part + z * z / (2 * of)) / (1 + z * z / of);
  const half = z / (1 + z * z / of) * Math.sqrt(part * (1 - part) / of + z * z / (4 * of * of));
  return [Math.max(0, center - half), Math.min(1, center + half)];
};
const percentage = (part) => {
  if (part > 1) return "more than 100 %";
  const left = 100 * Math.min(part, 1 - part), decimals = left > 0 ? Math.max(0, Math.min(2 - Math.floor(Math.log10(left)), 9)) : 0;
  return `${Number((100 * part).toFixed(decimals))} %`;
};
const decimal = (value) => Number.isFinite(value) ? value.toFixed(3) : "–";

const show = () => {
  const at = Number(slider.value), threshold = steps[at], now = rates("test", at);
  const { hits, alarms, positives, negatives } = now;
  dial.querySelector("output.threshold").value = percentage(threshold);
  slider.setAttribute("aria-valuetext", percentage(threshold));
  const either = wilson(hits, positives + alarms).map((part) => 2 * part / (1 + part));
  const ranges = data.grouped ? {} : {
    sensitivity: wilson(hits, positives), specificity: wilson(negatives - alarms, negatives),
    ...(now.own ? { precision: wilson(hits, hits + alarms), f1: either } : {}),
  };
  const counts = { hits, alarms, misses: positives - hits, rejections: negatives - alarms };
  for (const cell of all("[data-value]", dial)) {
    const name = cell.dataset.value;
    if (name in counts) { cell.textContent = counts[name].toLocaleString("en"); continue; }
    cell.textContent = name === "cost" ? Number((100 * now.cost).toPrecision(4)).toLocaleString("en") : decimal(now[name]);
    const range = ranges[name];
    if (range && Number.isFinite(range[0])) {
      const text = document.createElement("span");
      text.className = "range";
      text.textContent = range.map(decimal).join("–");
      cell.append(text);
    }
  }
  const precision = hits + alarms ? hits / (hits + alarms) : 1;
  charts.roc.mark([1 - now.specificity, now.sensitivity]);
  charts.precision.mark([now.sensitivity, precision]);
  charts.rates.cut(threshold);
  charts.histogram.cut(threshold);
  for (const button of buttons) button.setAttribute("aria-pressed", at === aim(button.value));
};

// The step of an operating point; that of least cost follows the costs that are typed in.
const aim = (rule) => {
  if (rule !== "cheapest") return steps.indexOf(current.points[rule]);
  let best = -1, least = Infinity;
  for (let at = steps.length - 1; at >= 0; at--) {
    const { cost } = rates("validation", at);
    if (cost < least - 1e-12) [best, least] = [at, cost];
  }
  return best;
};

const draw = () => {
  const at = steps.map((_, index) => index).reverse(), { test_hits: hits, test_alarms: alarms, test_positives: positives, test_negatives: negatives } = current;
  charts.roc.draw("curve", [[0, 0], ...at.map((index) => [alarms[index] / negatives, hits[index] / positives])]);
  charts.roc.people(current.readers);
  const called = at.filter((index) => hits[index] + alarms[index]);
  charts.precision.draw("curve", [[0, 1], ...called.map((index) => [hits[index] / positives, hits[index] / (hits[index] + alarms[index])])]);
  const chance = positives / (positives + negatives);
  charts.precision.draw("chance", [[0, chance], [1, chance]]);
  charts.rates.draw("sensitivity", at.map((index) => [steps[index], hits[index] / positives]));
  charts.rates.draw("specificity", at.map((index) => [steps[index], 1 - alarms[index] / negatives]));
  const edges = data.edges.map((index) => steps.indexOf(data.steps[index]));
  for (const [name, counts] of [["positives", hits], ["negatives", alarms]]) {
    const outline = [[data.steps[data.edges[0]], 0.7]];
    for (let bin = 0; bin + 1 < edges.length; bin++) {
      const last = bin + 2 === edges.length, number = Math.max(0.7, counts[edges[bin]] - (last ? 0 : counts[edges[bin + 1]]));
      outline.push([steps[edges[bin]], number], [steps[edges[bin + 1]], number]);
    }
    charts.histogram.draw(name, [...outline, [1, 0.7]]);
  }
};

const choose = (index, redraw) => {
  current = data.classes[index];
  steps = [...data.steps, ...current.between].sort((a, b) => a - b);
  slider.max = steps.length - 1;
  slider.value = steps.indexOf(0.5);
  for (const part of all("#thresholds [data-name]")) part.textContent = current.name;
  for (const part of all("#thresholds [data-rest]")) part.textContent = current.rest;
  for (const part of all("#thresholds [data-area]")) part.textContent = current[part.dataset.area];
  for (const row of all("#thresholds tr[data-class]")) row.hidden = Number(row.dataset.class) !== index;
  for (const button of buttons) button.disabled = !(button.value in current.points);
  input.prevalence.placeholder = percentage(current.test_positives / (current.test_positives + current.test_negatives)).replace(" %", "");
  if (redraw) draw();
  show();
};

slider.addEventListener("input", show);
for (const field of Object.values(input)) field.addEventListener("input", show);
for (const button of buttons) button.addEventListener("click", () => { slider.value = aim(button.value); show(); });
if (choice) choice.addEventListener("change", () => choose(Number(choice.value), true));
dial.hidden = false;
choose(choice ? Number(choice.value) : 0, false);
