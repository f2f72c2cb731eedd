// Cards of pictures: a gallery of any number, of which only those in sight are in the document.

const GAP = 14; // pixels between cards
const NARROWEST = 158; // pixels of a card
const TEXT = 50; // pixels of a card below its thumbnail
const PRINTED = 60; // cards of a gallery on paper

/** An element with attributes and children; texts become text, whatever is in them. */
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** Text in which nothing is hidden: as `shown` in page.py. */
function shown(text) {
  const unseen = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]/gu;
  return text.replace(unseen, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function shortName(row) {
  return shown(columns.source[row].split(/[\\/]/).at(-1) || columns.source[row]);
}

function thumbnailOf(row) {
  return thumbnails[row] ? `data:image/jpeg;base64,${thumbnails[row]}` : null;
}

/** A score on its colour. */
function badge(row) {
  const score = columns.score[row];
  if (score === null) return make("span", { class: "badge failed" }, "failed");
  const [low, high] = data.scale;
  const colour = rampColour((score - low) / (high - low || 1));
  const node = make("span", { class: "badge" }, score.toFixed(3));
  node.style.backgroundColor = `rgb(${colour.join(" ")})`;
  node.style.color = luminance(colour) > 0.18 ? "#000" : "#fff";
  return node;
}

/** Of an sRGB colour, as WCAG defines it; at 0.18 black and white contrast alike. */
function luminance(colour) {
  const linear = colour.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

function description(row) {
  const facts = [shortName(row)];
  if (columns.score[row] === null) facts.push("failed");
  else facts.push(`score ${columns.score[row].toFixed(3)}`, standing(row));
  return [...facts, ...columns.warnings[row]].filter(Boolean).join(", ");
}

/** Where a picture stands within the run. */
function standing(row) {
  const percentile = columns.percentile[row];
  if (percentile === null || data.scored < 2) return "";
  if (percentile === 0) return "the lowest score of this run";
  if (percentile === 100) return "the highest score of this run";
  return `higher than ${Math.floor(percentile)} % of the others`;
}

/** A picture as a button that opens it. */
function card(row, open) {
  const source = thumbnailOf(row);
  const frame = source
    ? make("img", { src: source, alt: "", decoding: "async" })
    : make("span", { class: "empty" }, columns.absent[row] ?? "");
  const warnings = columns.warnings[row].map((name) => make("span", { class: "chip" }, name));
  const node = make(
    "button",
    { class: "card", type: "button", title: shown(columns.source[row]), "aria-label": description(row) },
    make("span", { class: "frame" }, frame),
    make("span", { class: "line" }, badge(row), ...warnings),
    make("span", { class: "name" }, make("bdi", {}, shortName(row))),
  );
  node.addEventListener("click", () => open(row));
  return node;
}

/** Rows of cards in a list element; `open` is called with a row and its place. */
class Gallery {
  constructor(list, open) {
    this.list = list;
    this.open = open;
    this.order = [];
    this.current = 0; // place of the card that Tab leads to
    this.items = new Map(); // place -> list item
    this.printing = false;
    let asked = false;
    const later = () => {
      if (!asked) requestAnimationFrame(() => ((asked = false), this.draw()));
      asked = true;
    };
    addEventListener("scroll", later, { passive: true });
    new ResizeObserver(() => (this.measure(), later())).observe(list);
    list.addEventListener("keydown", (event) => this.move(event));
    addEventListener("beforeprint", () => this.print(true));
    addEventListener("afterprint", () => this.print(false));
  }

  show(order) {
    this.order = order;
    this.current = 0;
    this.clear();
    this.measure();
    this.draw();
  }

  clear() {
    this.items.clear();
    this.list.replaceChildren();
  }

  /** Fit the cards into the list's width. */
  measure() {
    if (this.printing) return;
    const width = this.list.clientWidth;
    const columns = Math.max(2, Math.floor((width + GAP) / (NARROWEST + GAP)));
    this.width = (width - GAP * (columns - 1)) / columns;
    this.height = Math.round(this.width * 0.78) + TEXT;
    if (columns !== this.columns) this.clear();
    this.columns = columns;
    const rows = Math.ceil(this.order.length / columns);
    this.list.style.height = `${Math.max(0, rows * (this.height + GAP) - GAP)}px`;
  }

  /** Bring the cards in sight, and a screen's worth around them, into the document. */
  draw() {
    if (this.printing) return;
    const above = -this.list.getBoundingClientRect().top;
    const placeAt = (pixels) => Math.floor(pixels / (this.height + GAP)) * this.columns;
    const first = Math.max(0, placeAt(above - innerHeight / 2));
    const last = Math.min(this.order.length, placeAt(above + 1.5 * innerHeight) + this.columns);
    const focused = document.activeElement?.parentElement;
    for (const [place, item] of this.items) {
      if ((place < first || place >= last) && item !== focused) {
        item.remove();
        this.items.delete(place);
      }
    }
    if (!this.list.contains(document.activeElement) && (this.current < first || this.current >= last)) {
      this.current = Math.min(last - 1, Math.max(0, placeAt(above + this.height)));
    }
    for (let place = first; place < last; place++) this.place(place);
  }

  /** The list item at a place, at its position. */
  place(place) {
    const item = this.items.get(place) ?? this.item(place);
    const column = place % this.columns;
    const row = (place - column) / this.columns;
    item.style.width = `${this.width}px`;
    item.style.height = `${this.height}px`;
    item.style.transform = `translate(${column * (this.width + GAP)}px, ${row * (this.height + GAP)}px)`;
    item.firstChild.tabIndex = place === this.current ? 0 : -1;
    return item;
  }

  item(place) {
    const item = make(
      "li",
      { "aria-posinset": place + 1, "aria-setsize": this.order.length },
      card(this.order[place], (row) => this.open(row, place)),
    );
    // in the order of places, which is that of reading
    const next = [...this.items.keys()].filter((each) => each > place);
    this.list.insertBefore(item, next.length ? this.items.get(Math.min(...next)) : null);
    this.items.set(place, item);
    return item;
  }

  /** Move the focus to a place, and the place into sight. */
  focus(place) {
    this.current = Math.min(this.order.length - 1, Math.max(0, place));
    const item = this.place(this.current);
    item.scrollIntoView({ block: "nearest" });
    item.firstChild.focus({ preventScroll: true });
    this.draw();
  }

  move(event) {
    const steps = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -this.columns,
      ArrowDown: this.columns,
      Home: -Infinity,
      End: Infinity,
    };
    if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const [place] = [...this.items].find(([, item]) => item.contains(event.target));
    this.focus(place + steps[event.key]);
  }

  print(printing) {
    this.printing = printing;
    this.clear();
    if (!printing) return this.measure(), this.draw();
    const printed = this.order.slice(0, PRINTED);
    this.list.append(...printed.map((row) => make("li", {}, card(row, this.open))));
  }
}
