// The page: reads the data, and shows what the toolbar asks for.

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const data = read("data");
const thumbnails = read("thumbnails");
const { columns } = data;

const find = (selector) => document.querySelector(selector);
const everyRow = columns.source.map((_, row) => row);
const controls = find("#toolbar").elements;
const dialog = new PictureDialog(find("#picture"));
const collator = new Intl.Collator("en", { numeric: true });
let order = [];

const gallery = new Gallery(find("#gallery"), (_, place) =>
  dialog.open(order, place, (ended) => gallery.focus(ended)),
);

/** What rows are sorted by: a number, a text, or null, which comes last. */
function sortKey(name) {
  if (name === "size") return (row) => columns.width[row] && columns.width[row] * columns.height[row];
  if (name === "order") return (row) => row;
  return (row) => columns[name === "name" ? "source" : name][row];
}

function sorted(rows) {
  const keys = rows.map(sortKey(controls.sort.value));
  const sign = controls.direction.value === "descending" ? -1 : 1;
  const compare = (a, b) => (typeof a === "string" ? collator.compare(a, b) : a - b);
  return rows
    .map((_, place) => place)
    .sort((a, b) => {
      if (keys[a] === null || keys[b] === null) return (keys[a] === null) - (keys[b] === null) || a - b;
      return sign * compare(keys[a], keys[b]) || a - b;
    })
    .map((place) => rows[place]);
}

function filtered() {
  const searched = controls.search.value.toLowerCase();
  const kind = controls.kind.value;
  const bound = (input, otherwise) => (input.value === "" ? otherwise : input.valueAsNumber);
  const low = bound(controls.low, -Infinity);
  const high = bound(controls.high, Infinity);
  const bounded = low > -Infinity || high < Infinity;
  return everyRow.filter((row) => {
    const score = columns.score[row];
    const warnings = columns.warnings[row];
    if (kind === "failed" ? score !== null : kind && score === null) return false;
    if (kind === "warned" && !warnings.length) return false;
    if (kind.startsWith("warning ") && !warnings.includes(kind.slice(8))) return false;
    if (bounded && (score === null || score < low || score > high)) return false;
    return !searched || columns.source[row].toLowerCase().includes(searched);
  });
}

function update() {
  order = sorted(filtered());
  gallery.show(order);
  const all = everyRow.length.toLocaleString("en");
  find("#count").textContent = `${order.length.toLocaleString("en")} of ${all} pictures`;
  find("#nothing").hidden = order.length > 0;
  find("#all").disabled = ![...find("#toolbar").querySelectorAll("input, [name=kind]")].some((each) => each.value);
}

/** Show in the gallery what a link elsewhere on the page stands for. */
function only(values) {
  find("#toolbar").reset();
  for (const [name, value] of Object.entries(values)) controls[name].value = value;
  update();
  find("#pictures").scrollIntoView();
}

function strip(list, rows) {
  list.append(
    ...rows.map((row, place) => {
      const opened = card(row, () => dialog.open(rows, place, (ended) => buttons[ended].focus()));
      return make("li", {}, opened);
    }),
  );
  const buttons = list.querySelectorAll("button");
}

find("#toolbar").addEventListener("input", update);
find("#toolbar").addEventListener("submit", (event) => event.preventDefault());
find("#all").addEventListener("click", () => only({ sort: controls.sort.value, direction: controls.direction.value }));
for (const link of document.querySelectorAll("[data-kind]"))
  link.addEventListener("click", () => only({ kind: link.dataset.kind }));
for (const bar of document.querySelectorAll("[data-low]"))
  bar.addEventListener("click", () => only({ low: bar.dataset.low, high: bar.dataset.high }));
addEventListener("beforeprint", () => {
  const printed = Math.min(PRINTED, order.length);
  find("#printed").textContent = `The first ${printed} of ${order.length.toLocaleString("en")}, by ${controls.sort.value}.`;
});
find("#theme").addEventListener("click", () => {
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark" ||
    (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "light" : "dark";
});
find("#legend-bar").style.background = `linear-gradient(to right, ${data.ramp
  .filter((_, step) => step % 15 === 0)
  .map((colour) => `rgb(${colour.join(" ")})`)
  .join(", ")})`;

const scoredBest = everyRow
  .filter((row) => columns.score[row] !== null)
  .sort((a, b) => columns.score[b] - columns.score[a]);
if (scoredBest.length) {
  strip(find("#best"), scoredBest.slice(0, data.ends));
  strip(find("#worst"), scoredBest.slice(-data.ends).reverse());
}
update();
