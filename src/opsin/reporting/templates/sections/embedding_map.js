// A canvas takes the place of the still map: dots from afar, pictures from near.
const figure = document.querySelector("#embedding_map .map"), field = figure.querySelector(".field");
const canvas = field.querySelector("canvas"), hint = field.querySelector(".hint"), sheet = figure.querySelector(".sheet");
const tools = figure.querySelector(".tools"), legend = figure.querySelector(".legend"), shown = tools.querySelector("output");
const data = JSON.parse(figure.querySelector("script").textContent), count = data.labels.length;
const [tileWidth, tileHeight, columns] = data.tile, tileSide = Math.max(tileWidth, tileHeight);
const wrong = data.labels.map((label, i) => label !== data.guesses[i]);
const order = [...wrong.keys()].sort((a, b) => wrong[a] - wrong[b]); // mistakes last, so that nothing hides them
const chosen = new Set(); // classes that are shown; none chosen means all
const LARGEST = 60, MARGIN = 26, PICTURES = 1.5;
let layout = 0, onlyWrong = false, width = 0, height = 0, unit = 1, scale = 1, center = [0, 0], picture = 0, pointed = -1;
let colors = [], look = {};

const readColors = () => {
  const style = getComputedStyle(figure);
  colors = Array.from({ length: 10 }, (_, i) => style.getPropertyValue(`--k${i}`));
  look = { wrong: style.getPropertyValue("--ink"), pointed: style.getPropertyValue("--orange") };
};
const fits = (i) => (!onlyWrong || wrong[i]) && (!chosen.size || chosen.has(data.labels[i]));
const onScreen = (i) => {
  const [x, y] = data.places[layout][i];
  return [width / 2 + (x - center[0]) * unit * scale, height / 2 + (y - center[1]) * unit * scale];
};

const measure = () => { // how large the whole map may be drawn; unless a part of it is in view, all of it is
  const places = data.places[layout], range = (k) => [Math.min(...places.map((p) => p[k])), Math.max(...places.map((p) => p[k]))];
  const [left, right] = range(0), [top, bottom] = range(1);
  unit = Math.min((width - 2 * MARGIN) / Math.max(right - left, 1), (height - 2 * MARGIN) / Math.max(bottom - top, 1));
  if (scale === 1) center = [(left + right) / 2, (top + bottom) / 2];
};

const draw = () => {
  const pen = canvas.getContext("2d"), density = devicePixelRatio || 1;
  pen.setTransform(density, 0, 0, density, 0, 0);
  pen.clearRect(0, 0, width, height);
  const places = order.filter(fits).map((i) => [i, ...onScreen(i)])
    .filter(([, x, y]) => x > -LARGEST && y > -LARGEST && x < width + LARGEST && y < height + LARGEST);
  const room = Math.min(LARGEST, 0.5 * Math.sqrt(width * height / Math.max(places.length, 1)));
  picture = room >= 20 && (scale > PICTURES || count <= 60) ? room : 0;
  for (const [i, x, y] of places) (picture ? drawPicture : drawDot)(pen, i, x, y);
  if (pointed >= 0 && fits(pointed)) {
    const [x, y] = onScreen(pointed), radius = picture ? 0.82 * picture : 13;
    pen.strokeStyle = look.pointed;
    pen.lineWidth = 2.5;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 7);
    pen.stroke();
  }
  const number = places.length === 1 ? "1 image" : `${places.length.toLocaleString("en")} images`;
  shown.value = scale > 1.01 ? `${number} in view, ${scale.toFixed(scale < 10 ? 1 : 0)}×` : number;
};
const drawDot = (pen, i, x, y) => {
  const radius = Math.max(3, Math.min(5.5, 90 / Math.sqrt(count))) * Math.min(1.6, Math.sqrt(scale));
  pen.globalAlpha = wrong[i] ? 1 : 0.72;
  pen.fillStyle = colors[data.colors[data.labels[i]]];
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fill();
  pen.globalAlpha = 1;
  if (!wrong[i]) return;
  pen.strokeStyle = look.wrong;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.arc(x, y, radius + 2, 0, 7);
  pen.stroke();
};
const drawTile = (pen, i, x, y, w, h) =>
  pen.drawImage(sheet, (i % columns) * tileWidth, Math.floor(i / columns) * tileHeight, tileWidth, tileHeight, x, y, w, h);
const drawPicture = (pen, i, x, y) => {
  const w = picture * tileWidth / tileSide, h = picture * tileHeight / tileSide, edge = 2;
  if (wrong[i]) {
    pen.fillStyle = look.wrong;
    pen.fillRect(x - w / 2 - 2 * edge, y - h / 2 - 2 * edge, w + 4 * edge, h + 4 * edge);
  }
  pen.fillStyle = colors[data.colors[data.labels[i]]];
  pen.fillRect(x - w / 2 - edge, y - h / 2 - edge, w + 2 * edge, h + 2 * edge);
  pen.imageSmoothingEnabled = tileSide >= 20;
  drawTile(pen, i, x - w / 2, y - h / 2, w, h);
};

const zoom = (factor, x = width / 2, y = height / 2) => { // what lies at (x, y) stays there
  const before = scale;
  scale = Math.min(60, Math.max(1, scale * factor));
  if (scale === 1) measure();
  else center = [center[0] + (x - width / 2) * (1 / before - 1 / scale) / unit, center[1] + (y - height / 2) * (1 / before - 1 / scale) / unit];
  point(-1);
};
const move = (x, y) => {
  center = [center[0] - x / (unit * scale), center[1] - y / (unit * scale)];
  point(-1);
};

const point = (i) => { // show what is known of an image, or with -1 nothing
  pointed = i;
  hint.hidden = i < 0;
  draw();
  if (i < 0) return;
  const small = document.createElement("canvas"), classes = data.classes;
  const factor = Math.max(1, Math.floor(160 / tileSide));
  [small.width, small.height] = [tileWidth * factor, tileHeight * factor];
  small.getContext("2d").imageSmoothingEnabled = tileSide >= 20;
  drawTile(small.getContext("2d"), i, 0, 0, small.width, small.height);
  const line = (text, kind = "") => Object.assign(document.createElement("p"), { textContent: text, className: kind });
  const sure = `confidence ${data.sure[i]}`;
  const said = wrong[i] ? `predicted ${classes[data.guesses[i]]}, ${sure}` : `correct, ${sure}`;
  const title = line("");
  title.append(Object.assign(document.createElement("b"), { textContent: classes[data.labels[i]] }));
  hint.replaceChildren(small, title, line(said, wrong[i] ? "serious" : ""), ...(data.names.length ? [line(data.names[i], "file")] : []));
  const [x, y] = onScreen(i), gap = 14 + picture / 2, box = hint.getBoundingClientRect();
  const left = x + gap + box.width < width ? x + gap : x - gap - box.width;
  hint.style.transform = `translate(${Math.min(Math.max(left, 4), width - box.width - 4)}px, ${Math.min(Math.max(y - box.height / 2, 4), height - box.height - 4)}px)`;
};
const nearest = (x, y, reach) => {
  let best = -1, least = reach * reach;
  for (const i of order) {
    if (!fits(i)) continue;
    const [px, py] = onScreen(i), distance = (px - x) ** 2 + (py - y) ** 2;
    if (distance <= least) [best, least] = [i, distance];
  }
  return best;
};

const pointers = new Map();
let moved = 0, spread = 0, scrolled = 0;
const positions = () => [...pointers.values()];
canvas.addEventListener("pointerdown", (event) => {
  pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
  if (event.isTrusted) canvas.setPointerCapture(event.pointerId);
  moved = pointers.size > 1 ? Infinity : 0;
  spread = 0;
});
canvas.addEventListener("pointermove", (event) => {
  const last = pointers.get(event.pointerId), here = [event.offsetX, event.offsetY];
  if (!last) {
    const found = nearest(...here, Math.max(12, 0.6 * picture));
    if (found !== pointed) point(found);
    return;
  }
  pointers.set(event.pointerId, here);
  moved += Math.hypot(here[0] - last[0], here[1] - last[1]);
  if (pointers.size === 2) {
    const [a, b] = positions(), apart = Math.hypot(a[0] - b[0], a[1] - b[1]);
    if (spread) zoom(apart / spread, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
    spread = apart;
  }
  if (moved > 4) move((here[0] - last[0]) / pointers.size, (here[1] - last[1]) / pointers.size);
});
for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, (event) => {
  pointers.delete(event.pointerId);
  spread = 0;
  if (kind === "pointerup" && moved <= 4) point(nearest(event.offsetX, event.offsetY, Math.max(18, 0.7 * picture)));
});
canvas.addEventListener("pointerleave", () => { if (!pointers.size && pointed >= 0) point(-1); });
canvas.addEventListener("dblclick", (event) => zoom(2.2, event.offsetX, event.offsetY));
addEventListener("scroll", () => { scrolled = performance.now(); }, { passive: true });
canvas.addEventListener("wheel", (event) => {
  // Whoever is scrolling the page goes on scrolling; so does whoever turns the wheel back at the whole map.
  if (!event.ctrlKey && (performance.now() - scrolled < 350 || (event.deltaY > 0 && scale === 1))) return;
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 24 : 1;
  zoom(Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) * (event.ctrlKey ? 0.01 : 0.0025)), event.offsetX, event.offsetY);
}, { passive: false });
canvas.addEventListener("keydown", (event) => {
  const step = 60, keys = { "+": () => zoom(1.6), "=": () => zoom(1.6), "-": () => zoom(0.625), 0: () => zoom(0),
    ArrowLeft: () => move(step, 0), ArrowRight: () => move(-step, 0), ArrowUp: () => move(0, step), ArrowDown: () => move(0, -step) };
  if (!keys[event.key] || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  keys[event.key]();
});

const press = (buttons, value) => { for (const button of buttons) button.setAttribute("aria-pressed", value(button)); };
const layouts = all("[data-tool=layout] button", tools);
for (const button of layouts) button.addEventListener("click", () => {
  layout = Number(button.value);
  press(layouts, (other) => other === button);
  scale = 1;
  measure();
  point(-1);
});
for (const button of all("[data-tool=zoom] button", tools)) button.addEventListener("click", () => zoom(Number(button.value)));
for (const button of all("[data-tool=wrong] button", tools)) button.addEventListener("click", () => {
  onlyWrong = !onlyWrong;
  press([button], () => onlyWrong);
  point(-1);
});
const entries = all("[data-label]", legend).map((item) => {
  const button = Object.assign(document.createElement("button"), { type: "button", value: item.dataset.label });
  button.append(...item.childNodes);
  button.setAttribute("aria-pressed", false);
  item.append(button);
  return button;
});
for (const button of entries) button.addEventListener("click", () => {
  const label = Number(button.value);
  if (!chosen.delete(label)) chosen.add(label);
  press(entries, (other) => chosen.has(Number(other.value)));
  legend.classList.toggle("some", chosen.size > 0);
  point(-1);
});

const resize = () => {
  const density = devicePixelRatio || 1;
  [width, height] = [canvas.clientWidth, canvas.clientHeight];
  [canvas.width, canvas.height] = [Math.round(width * density), Math.round(height * density)];
  readColors();
  measure();
  point(-1);
};
field.querySelector("svg").setAttribute("hidden", "");
canvas.hidden = tools.hidden = false;
new ResizeObserver(resize).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", resize);
sheet.decode().then(draw, () => {});
resize();
