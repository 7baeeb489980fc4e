// Masks are PNGs of class indices. A browser would turn them into colours, and some add noise to what a canvas gives
// back, so the indices are read from the bytes themselves (PNG specification, third edition, W3C 2025).

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const GREY = 0;
const PALETTE = 3;

/** Read a PNG of indices: {width, height, indices}, a byte or two for each pixel, row by row. */
export async function readMask(bytes) {
  if (SIGNATURE.some((value, place) => bytes[place] !== value)) throw new Error("The mask is no PNG.");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header = null;
  const packed = [];
  for (let place = 8; place + 12 <= bytes.length; ) {
    const length = view.getUint32(place);
    const kind = String.fromCharCode(...bytes.subarray(place + 4, place + 8));
    const start = place + 8;
    if (kind === "IHDR") {
      header = { width: view.getUint32(start), height: view.getUint32(start + 4), bits: bytes[start + 8], color: bytes[start + 9] };
    } else if (kind === "IDAT") {
      packed.push(bytes.subarray(start, start + length));
    }
    place = start + length + 4;
  }
  const { width, height, bits, color } = header;
  if (!((bits === 8 && (color === PALETTE || color === GREY)) || (bits === 16 && color === GREY))) {
    throw new Error("The mask is no PNG of indices.");
  }
  const size = bits / 8;
  const rows = unfiltered(await inflated(packed), width * size, height, size);
  return { width, height, indices: size === 1 ? rows : wide(rows) };
}

async function inflated(parts) {
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Undo the filters of the rows (section 9), each of which begins with its filter's number. */
function unfiltered(data, stride, height, step) {
  const rows = new Uint8Array(stride * height);
  for (let y = 0; y < height; y += 1) {
    const filter = data[y * (stride + 1)];
    const from = y * (stride + 1) + 1;
    const to = y * stride;
    for (let x = 0; x < stride; x += 1) {
      const left = x >= step ? rows[to + x - step] : 0;
      const up = y > 0 ? rows[to + x - stride] : 0;
      let predicted = 0;
      if (filter === 1) predicted = left;
      else if (filter === 2) predicted = up;
      else if (filter === 3) predicted = (left + up) >> 1;
      else if (filter === 4) predicted = paeth(left, up, x >= step && y > 0 ? rows[to + x - stride - step] : 0);
      rows[to + x] = data[from + x] + predicted;
    }
  }
  return rows;
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

function wide(bytes) {
  const values = new Uint16Array(bytes.length / 2);
  for (let place = 0; place < values.length; place += 1) values[place] = (bytes[2 * place] << 8) | bytes[2 * place + 1];
  return values;
}
