// npm run icons: public/icon.svg as the PNGs that phones want (they take no SVG). Run by hand; the PNGs are committed.
import { writeFileSync } from "node:fs";
import { crc32, deflateSync } from "node:zlib";

const GREEN = [11, 110, 102];
/** The strokes of icon.svg, in its 64 units: x, from y, to y, how much white. */
const STROKES = [
  [17, 26, 38, 1],
  [27, 18, 46, 1],
  [37, 22, 42, 0.62],
  [47, 28, 36, 0.62],
];
const WIDTH = 5;

/** How much of a pixel lies within a shape whose edge is `distance` pixels away. */
const cover = (distance) => Math.min(1, Math.max(0, 0.5 - distance));

function pixel(x, y, scale, maskable) {
  const corner = maskable ? 0 : 14;
  const inner = 32 - corner;
  const far = Math.hypot(Math.max(Math.abs(x - 32) - inner, 0), Math.max(Math.abs(y - 32) - inner, 0)) - corner;
  const alpha = maskable ? 1 : cover(far * scale);
  const [ax, ay] = maskable ? [32 + (x - 32) / 0.78, 32 + (y - 32) / 0.78] : [x, y];
  let white = 0;
  for (const [at, top, bottom, strength] of STROKES) {
    const away = Math.hypot(ax - at, ay - Math.min(bottom, Math.max(top, ay))) - WIDTH / 2;
    white = Math.max(white, strength * cover(away * scale));
  }
  return [...GREEN.map((part) => Math.round(part + (255 - part) * white)), Math.round(255 * alpha)];
}

function png(size, maskable = false) {
  const scale = size / 64;
  const rows = Buffer.alloc(size * (1 + size * 4));
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const rgba = pixel((column + 0.5) / scale, (row + 0.5) / scale, scale, maskable);
      rows.set(rgba, row * (1 + size * 4) + 1 + column * 4);
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(size, 0);
  head.writeUInt32BE(size, 4);
  head.set([8, 6, 0, 0, 0], 8);
  const chunk = (name, data) => {
    const body = Buffer.concat([Buffer.from(name), data]);
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    check.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, check]);
  };
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(rows, { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

const save = (name, image) => writeFileSync(new URL(`../public/${name}`, import.meta.url), image);
save("icon-192.png", png(192));
save("icon-512.png", png(512));
save("icon-maskable-512.png", png(512, true));
save("apple-touch-icon.png", png(180, true));
