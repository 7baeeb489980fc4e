// A mask in the colours of its classes.

const DIMMED = 40;

/** The picture of the classes that are shown; with one in focus, the others are faint. */
export function colored({ indices, classes, width, height }, hidden, focus = null) {
  const colors = new Uint8Array(65536 * 4);
  for (const { index, color } of classes) {
    const alpha = hidden.has(index) ? 0 : focus === null || focus === index ? 255 : DIMMED;
    colors.set([...color, alpha], 4 * index);
  }
  const table = new Uint32Array(colors.buffer);
  const pixels = new Uint32Array(indices.length);
  for (let place = 0; place < pixels.length; place += 1) pixels[place] = table[indices[place]];
  return new ImageData(new Uint8ClampedArray(pixels.buffer), width, height);
}

/** A share of a picture in words. */
export const percent = (share) => (share > 0 && share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);
