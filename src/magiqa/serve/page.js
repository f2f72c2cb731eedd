"use strict";
// The page of `magiqa serve`: pictures in, scores, cues, attributes and maps out, two compared.

const AT_ONCE = 3; // requests
const TRIES = 20; // when the service is busy
const CUES = ["score", "similarity", "magnitude"];
const WARNINGS = {
  flat: "one colour or a smooth gradient: the score means little",
  "noise-like": "nothing but noise: the score means little",
  downscaled: "large: scaled down, then scored",
  "thumbnail-only": "a side under 224 pixels: scored as a whole alone",
};

const $ = (id) => document.getElementById(id);
const entries = []; // in the order of arrival: { file, url, card, row, error, maps }
const waiting = [];
let picked = []; // two entries at most
let key = "";
let limits = null;
let busy = 0;

function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

/** Ask the service; an answer that is an error throws its text. */
async function ask(path, options = {}) {
  const headers = { ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) };
  for (let turn = 1; ; turn++) {
    const answer = await fetch(path, { ...options, headers }).catch(() => {
      throw new Error("The service does not answer. Is it still running?");
    });
    if (answer.ok) return answer;
    if (answer.status !== 429 || turn === TRIES) {
      const told = await answer.json().catch(() => ({ detail: answer.statusText }));
      throw Object.assign(new Error(told.detail), { status: answer.status });
    }
    const seconds = Number(answer.headers.get("Retry-After")) || 1;
    await new Promise((resume) => setTimeout(resume, 1000 * seconds * (1 + Math.random())));
  }
}

const pictureOf = ({ file }) => ({
  method: "POST",
  body: file,
  headers: { "Content-Type": file.type.startsWith("image/") ? file.type : "application/octet-stream" },
});

/** Learn what the service is, and show the page; the lock when it wants another key. */
async function start() {
  let info;
  try {
    info = await (await ask("/v1/info")).json();
  } catch (error) {
    $("lock").hidden = error.status !== 401;
    $(error.status === 401 ? "refused" : "about").textContent =
      error.status === 401 ? "That is none of this service's keys." : error.message;
    return;
  }
  limits = info.limits;
  const { backbone, fingerprint, magiqa } = info.provenance;
  const rough = backbone === "nano" ? " nano is a small network, a rough guide." : "";
  $("about").textContent = `A number for each picture, no reference needed. Higher is better.${rough}`;
  $("provenance").textContent = `Backbone ${backbone}, settings ${fingerprint}, magiqa ${magiqa}. Scores of other backbones, prompts or settings do not compare with these.`;
  const megabytes = Math.floor(limits.body / 2 ** 20);
  $("limits").textContent = `Up to ${megabytes} MB and ${Math.floor(limits.pixels / 1e6)} megapixels each.`;
  $("programs").hidden = key !== ""; // a link cannot send it
  $("lock").hidden = true;
  $("open").hidden = false;
}

function add(files) {
  for (const file of files) {
    const card = $("card").content.cloneNode(true).firstElementChild;
    const entry = { file, url: URL.createObjectURL(file), card, maps: {} };
    const part = (name) => card.querySelector(name);
    part(".name").textContent = part(".name").title = file.name;
    part("img").src = entry.url;
    part("img").alt = file.name;
    part("img").onerror = () => part("img").remove();
    part(".map").onclick = () => view([entry]);
    part(".pick").onchange = (event) => pick(entry, event.target.checked);
    part(".acts").hidden = true;
    entries.push(entry);
    $("pictures").append(card);
    waiting.push(entry);
  }
  tell();
  work();
}

function work() {
  while (busy < AT_ONCE && waiting.length) {
    busy++;
    score(waiting.shift()).finally(() => {
      busy--;
      tell();
      work();
    });
  }
}

async function score(entry) {
  try {
    if (entry.file.size > limits.body) {
      throw new Error(`${(entry.file.size / 2 ** 20).toFixed(1)} MB, over the limit - save a smaller copy`);
    }
    const answer = await (await ask("/v1/score", pictureOf(entry))).json();
    [entry.row] = answer.pictures;
  } catch (error) {
    entry.error = error.message.replace(/^body - /, "");
  }
  show(entry);
}

function show({ card, row, error }) {
  const part = (name) => card.querySelector(name);
  part(".empty").hidden = Boolean(part("img"));
  part(".empty").textContent = "no preview";
  const badge = part(".badge");
  badge.textContent = row ? row.score.toFixed(3) : "not scored";
  badge.classList.toggle("failed", !row);
  if (!row) {
    part(".chips").replaceChildren(make("span", { className: "bad" }, error));
    return;
  }
  colour(badge, row.score);
  part(".chips").replaceChildren(
    ...row.warnings.map((name) =>
      make("p", {}, make("span", { className: "chip" }, name), ` ${WARNINGS[name] ?? ""}`),
    ),
  );
  const cues = ["similarity", "magnitude", "weight"].map((name) => cue(name, row[name]));
  const attributes = Object.entries(row.attributes).map(([name, value]) => cue(name, value));
  attributes[0]?.classList.add("first");
  part(".cues").replaceChildren(...cues, ...attributes);
  part(".acts").hidden = false;
  sort();
}

/** The map's colours, pictures/quality_map.py: a straight line in OKLab from dark blue to yellow. */
function colour(badge, value) {
  const share = Math.min(1, Math.max(0, value));
  badge.style.background = `color-mix(in oklab, oklab(0.92 -0.07 0.15) ${100 * share}%, oklab(0.3 -0.01 -0.18))`;
  badge.style.color = share > 0.5 ? "#000" : "#fff";
}

function cue(name, value) {
  const bar = make("span", { className: "bar", ariaHidden: "true" }, make("span"));
  bar.firstChild.style.width = `${100 * Math.min(1, Math.max(0, value))}%`;
  return make("div", {}, make("dt", {}, name), make("dd", {}, bar), make("dd", {}, value.toFixed(3)));
}

function tell() {
  const done = entries.filter((entry) => entry.row || entry.error).length;
  const failed = entries.filter((entry) => entry.error).length;
  const all = `${entries.length} ${entries.length === 1 ? "picture" : "pictures"}`;
  $("told").textContent = !entries.length
    ? ""
    : done < entries.length
      ? `${done} of ${all} scored ...`
      : `${all}${failed ? `, ${failed} not scored` : ""}`;
  $("tools").hidden = entries.length === 0;
}

function sort() {
  const order = $("sort").value;
  const sign = order === "best" ? -1 : 1;
  const value = (entry) => entry.row?.score ?? sign * Infinity;
  const sorted = order === "order" ? entries : [...entries].sort((a, b) => sign * (value(a) - value(b)) || 0);
  if (sorted.some(({ card }, place) => $("pictures").children[place] !== card)) {
    $("pictures").append(...sorted.map(({ card }) => card));
  }
}

function pick(entry, wanted) {
  picked = picked.filter((each) => each !== entry);
  if (wanted) picked = [...picked, entry].slice(-2);
  for (const each of entries) each.card.querySelector(".pick").checked = picked.includes(each);
  $("pair").hidden = picked.length === 0;
  $("compare").disabled = picked.length < 2;
  $("picked").textContent =
    picked.length < 2 ? `${picked[0]?.file.name ?? ""} and ...` : picked.map(({ file }) => file.name).join(" and ");
}

/** Open one picture, or two side by side. */
function view(shown) {
  $("viewer-title").textContent = shown.map(({ file }) => file.name).join(" and ");
  document.querySelector("[name=shown][value=picture]").checked = true;
  const sides = shown.map((entry) => {
    const side = make("div", { className: "side" }, make("img"), make("p", { className: "quiet" }));
    return { entry, image: side.firstChild, word: side.lastChild, side };
  });
  $("sides").replaceChildren(...sides.map(({ side }) => side));
  $("shown").onchange = () => sides.forEach(draw);
  sides.forEach(draw);
  tabulate(shown.map(({ file, row }) => [file.name, row]));
  $("viewer").showModal();
}

async function draw({ entry, image, word }) {
  const kind = document.querySelector("[name=shown]:checked").value;
  const size = `${entry.row.width} × ${entry.row.height} pixels, ${entry.row.views} ${entry.row.views === 1 ? "view" : "views"}`;
  const set = (source, text) => {
    if (document.querySelector("[name=shown]:checked").value !== kind) return; // another one by now
    image.hidden = !source;
    if (source) image.src = source;
    image.alt = `${kind === "picture" ? "" : `Map of the ${kind}: `}${entry.file.name}`;
    word.textContent = text;
  };
  if (kind === "picture") return set(entry.url, size);
  word.textContent = "drawing ...";
  try {
    entry.maps[kind] ??= ask(`/v1/map?cue=${kind}`, pictureOf(entry)).then(async (answer) =>
      URL.createObjectURL(await answer.blob()),
    );
    set(await entry.maps[kind], size);
  } catch (error) {
    delete entry.maps[kind];
    set(null, error.message.replace(/^body - /, ""));
  }
}

function tabulate(columns) {
  const rows = columns.map(([, row]) => row);
  const two = rows.length === 2;
  const header = ["", ...columns.map(([name]) => name), ...(two ? ["difference"] : [])];
  $("numbers").tHead.rows[0].replaceChildren(...header.map((text) => make("th", { scope: "col" }, text)));
  const lines = [
    ...[...CUES, "weight"].map((name) => [name, rows.map((row) => row[name]), name === "score"]),
    ...Object.keys(rows[0].attributes).map((name) => [name, rows.map((row) => row.attributes[name])]),
    ...Object.keys(rows[0].pairs).map((name) => [name, rows.map((row) => row.pairs[name])]),
  ];
  $("numbers").tBodies[0].replaceChildren(
    ...lines.map(([name, values, strong]) => {
      const best = Math.max(...values);
      const cells = values.map((value) =>
        make("td", { className: strong && two && value === best ? "better" : "" }, value.toFixed(3)),
      );
      if (two) {
        const by = values[1] - values[0];
        cells.push(make("td", {}, `${by < 0 ? "−" : "+"}${Math.abs(by).toFixed(3)}`));
      }
      return make("tr", {}, make("th", { scope: "row" }, name), ...cells);
    }),
  );
}

function clear() {
  for (const entry of entries) {
    URL.revokeObjectURL(entry.url);
    for (const map of Object.values(entry.maps)) map.then(URL.revokeObjectURL, () => {});
  }
  entries.length = waiting.length = 0;
  $("pictures").replaceChildren();
  pick(null, false);
  tell();
}

$("theme").onclick = () => {
  const { dataset } = document.documentElement;
  const dark = dataset.theme ? dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  dataset.theme = dark ? "light" : "dark";
};
$("lock").onsubmit = (event) => {
  event.preventDefault();
  key = $("key").value.trim();
  $("key").value = "";
  $("refused").textContent = "";
  start();
};
$("files").onchange = (event) => {
  add([...event.target.files]);
  event.target.value = "";
};
$("sort").onchange = sort;
$("clear").onclick = clear;
$("compare").onclick = () => view(picked);
$("unpick").onclick = () => picked.slice().forEach((entry) => pick(entry, false));
$("close").onclick = () => $("viewer").close();
$("viewer").onclick = (event) => {
  if (event.target === $("viewer")) $("viewer").close(); // beside it
};

for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over-it", kind === "dragenter" || kind === "dragover");
    if (kind === "drop" && limits) add([...event.dataTransfer.files]);
  });
}
addEventListener("paste", (event) => limits && add([...event.clipboardData.files]));

if ("locked" in document.body.dataset) $("lock").hidden = false;
else start();
