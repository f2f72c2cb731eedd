// One picture in a dialog: its map, its cues, its prompt pairs.

const LONGER = 320; // pixels of a map without a thumbnail

class PictureDialog {
  constructor(dialog) {
    this.dialog = dialog;
    this.parts = Object.fromEntries(
      [...dialog.querySelectorAll("[data-part]")].map((node) => [node.dataset.part, node]),
    );
    const { close, previous, next } = this.parts;
    close.addEventListener("click", () => dialog.close());
    previous.addEventListener("click", () => this.step(-1));
    next.addEventListener("click", () => this.step(1));
    dialog.addEventListener("change", () => this.draw());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => this.closed?.(this.place));
    dialog.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step && !event.target.matches("input")) this.step(step);
    });
  }

  /** Show the picture at a place of an order of rows; `closed` gets the place where it ended. */
  open(order, place, closed) {
    this.order = order;
    this.closed = closed;
    this.show(place);
    this.dialog.showModal();
  }

  step(by) {
    const place = this.place + by;
    if (place >= 0 && place < this.order.length) this.show(place);
  }

  chosen(name) {
    return this.dialog.querySelector(`input[name=${name}]:checked`).value;
  }

  show(place) {
    this.place = place;
    const row = this.order[place];
    const { title, path, place: told, previous, next, facts } = this.parts;
    title.textContent = shortName(row);
    path.textContent = shown(columns.source[row]);
    told.textContent = `${(place + 1).toLocaleString("en")} of ${this.order.length.toLocaleString("en")}`;
    previous.disabled = place === 0;
    next.disabled = place === this.order.length - 1;
    facts.replaceChildren(...pictureFacts(row));
    this.dialog.classList.toggle("bare", columns.score[row] === null);
    this.row = row;
    this.image = null;
    const source = thumbnailOf(row);
    if (!source) return this.draw();
    const image = new Image();
    image.src = source;
    image.decode().then(
      () => {
        if (this.row !== row) return; // another one was opened meanwhile
        this.image = image;
        this.draw();
      },
      () => this.draw(),
    );
  }

  draw() {
    const { canvas, legend, cues, modes, word } = this.parts;
    const map = columns.map[this.row];
    const [width, height] = this.image
      ? [this.image.naturalWidth, this.image.naturalHeight]
      : (map?.size ?? [4, 3]).map((side, _, size) => Math.round((LONGER * side) / Math.max(...size)));
    canvas.hidden = !this.image && !map;
    for (const part of [legend, cues, modes]) part.hidden = !map;
    const words = [this.image ? null : columns.absent[this.row], columns.unmapped[this.row]];
    word.textContent = words.filter(Boolean).join(". ");
    word.hidden = !word.textContent;
    if (canvas.hidden) return;
    canvas.width = width;
    canvas.height = height;
    const cue = this.chosen("cue");
    const mode = map ? this.chosen("mode") : "picture";
    canvas.setAttribute("aria-label", `Thumbnail of ${shortName(this.row)}`);
    if (!map) return paintMap(canvas, this.image, null, [0, 1], "picture");
    const views = map[cue].map((value) => value / data.steps);
    const windows = views.slice(0, -1);
    const [low, high] = mapSpan(windows);
    paintMap(canvas, this.image, mapField(windows, map.size, width, height), [low, high], mode);
    const spread = `${Math.min(...windows).toFixed(3)} to ${Math.max(...windows).toFixed(3)}`;
    const count = windows.length === 1 ? "1 window" : `${windows.length} windows`;
    const told = `${cue} of ${count}: ${spread}; of the picture as a whole: ${views.at(-1).toFixed(3)}`;
    canvas.setAttribute("aria-label", `Quality map of ${shortName(this.row)}: ${told}`);
    legend.querySelector("figcaption").textContent = told;
    const marks = [low, (low + high) / 2, high];
    legend.querySelectorAll("span").forEach((node, k) => (node.textContent = marks[k].toFixed(3)));
  }
}

/** Everything that is known of a picture, in words and numbers. */
function pictureFacts(row) {
  const at = (name) => columns[name][row];
  if (at("score") === null) {
    return [make("p", {}, badge(row), ` ${at("error_kind") ?? ""}`), make("p", {}, shown(at("error")))];
  }
  const rank = standing(row);
  const size = `${at("width")} × ${at("height")} pixels, ${at("views")} ${at("views") === 1 ? "view" : "views"}`;
  const key = at("key") && at("key") !== at("source") ? make("p", {}, `Key: ${shown(at("key"))}`) : null;
  const warnings = at("warnings").map((name) =>
    make("p", { class: "warned" }, make("span", { class: "chip" }, name), ` ${data.warnings[name] ?? ""}`),
  );
  const note = "A picture's numbers are means over its views.";
  return [
    make("p", { class: "verdict" }, badge(row), rank ? ` ${rank}` : ""),
    ...warnings,
    numbers("Cues", [...data.cues, "weight"], row),
    data.pairs.length ? numbers("Prompt pairs", data.pairs, row) : null,
    make("p", { class: "quiet" }, `${size}. ${note}`),
    key,
  ].filter((node) => node !== null);
}

/** A table of columns with their numbers, each with a bar from 0 to 1. */
function numbers(caption, names, row) {
  const lines = names.map((name) => {
    const value = columns[name][row];
    const bar = make("span", { class: "bar", "aria-hidden": "true" }, make("span"));
    bar.firstChild.style.width = `${100 * Math.min(1, Math.max(0, value ?? 0))}%`;
    const number = value === null ? "–" : value.toFixed(4);
    return make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, bar), make("td", {}, number));
  });
  return make("table", { class: "numbers" }, make("caption", {}, caption), make("tbody", {}, ...lines));
}
