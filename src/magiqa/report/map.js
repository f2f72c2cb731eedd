"use strict";
// Quality maps: the windows' numbers over a picture, as pictures/quality_map.py defines them.

const RELIEF = 0.6; // of the picture's detail over the colours
const GREY = [0.299, 0.587, 0.114];

/** Where windows begin along a side, as pictures/views.py has them. */
function windowStarts(length) {
  const { side, stride } = data.window;
  const starts = [];
  for (let start = 0; start + side <= length; start += stride) starts.push(start);
  if (data.full && starts.length && starts.at(-1) !== length - side) starts.push(length - side);
  return starts;
}

/** Each window's share at each pixel, pixel by pixel, of a side drawn with so many pixels. */
function windowShares(length, pixels) {
  const starts = windowStarts(length);
  const { side } = data.window;
  const shares = new Float64Array(pixels * starts.length);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const twice = ((2 * pixel + 1) * length) / pixels; // twice the place of its centre
    const tents = starts.map((start) => Math.max(0, 1 - Math.abs(twice - 2 * start - side) / side));
    const sum = tents.reduce((total, tent) => total + tent, 0);
    tents.forEach((tent, index) => (shares[pixel * starts.length + index] = tent / sum));
  }
  return shares;
}

/** The map of a picture of this size as width x height pixels, row by row; NaN in no window. */
function mapField(values, [pictureWidth, pictureHeight], width, height) {
  const across = windowShares(pictureWidth, width);
  const down = windowShares(pictureHeight, height);
  const columns = across.length / width;
  const rows = down.length / height;
  const bands = new Float64Array(rows * width); // each row of windows at each column of pixels
  for (let row = 0; row < rows; row++)
    for (let x = 0; x < width; x++)
      for (let column = 0; column < columns; column++)
        bands[row * width + x] += values[row * columns + column] * across[x * columns + column];
  const field = new Float64Array(width * height);
  for (let y = 0; y < height; y++)
    for (let row = 0; row < rows; row++) {
      const share = down[y * rows + row];
      if (share !== 0) for (let x = 0; x < width; x++) field[y * width + x] += share * bands[row * width + x];
    }
  return field;
}

/** What the lowest and the highest colour stand for. */
function mapSpan(values) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const missing = Math.max(0, data.minimalSpan - (high - low));
  return [low - missing / 2, high + missing / 2];
}

function rampColour(share) {
  return data.ramp[Math.round(255 * Math.min(1, Math.max(0, share)))];
}

/** Draw the picture, its map, or ("both") the map with the picture's detail in it. */
function paintMap(canvas, image, field, [low, high], mode) {
  const { width, height } = canvas;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#808080";
  context.fillRect(0, 0, width, height);
  if (image) context.drawImage(image, 0, 0, width, height);
  if (mode === "picture") return;
  const drawn = context.getImageData(0, 0, width, height);
  const soft = mode === "both" && image ? blurred(image, width, height) : null;
  const greyAt = (pixels, at) => GREY.reduce((sum, part, k) => sum + part * pixels[at + k], 0);
  field.forEach((value, index) => {
    const at = 4 * index;
    const grey = greyAt(drawn.data, at);
    const covered = !Number.isNaN(value);
    const relief = soft && covered ? RELIEF * (grey - greyAt(soft, at)) : 0;
    const colour = covered ? rampColour((value - low) / (high - low)) : [grey, grey, grey];
    for (let k = 0; k < 3; k++) drawn.data[at + k] = colour[k] + relief;
  });
  context.putImageData(drawn, 0, 0);
}

/** The picture without detail: drawn small and large again. */
function blurred(image, width, height) {
  const small = new OffscreenCanvas(Math.ceil(width / 12), Math.ceil(height / 12));
  const large = new OffscreenCanvas(width, height);
  for (const [from, to] of [[image, small], [small, large]]) {
    const context = to.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(from, 0, 0, to.width, to.height);
  }
  return large.getContext("2d").getImageData(0, 0, width, height).data;
}
