// The page is complete without this: it adds blending, reading classes under the pointer, and copying of commands.
"use strict";

const classes = [...document.querySelectorAll(".legend [data-color]")].map((entry) => ({
  name: entry.textContent.trim(),
  color: [1, 3, 5].map((start) => parseInt(entry.dataset.color.slice(start, start + 2), 16)),
}));

function nearestClass(red, green, blue) {
  const distance = ({ color }) => (color[0] - red) ** 2 + (color[1] - green) ** 2 + (color[2] - blue) ** 2;
  return classes.reduce((best, other) => (distance(other) < distance(best) ? other : best)).name;
}

const pixels = new WeakMap();

function classAt(image, x, y) {
  if (!pixels.has(image)) {
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    pixels.set(image, context);
  }
  const context = pixels.get(image);
  const column = Math.min(context.canvas.width - 1, Math.floor(x * context.canvas.width));
  const row = Math.min(context.canvas.height - 1, Math.floor(y * context.canvas.height));
  return nearestClass(...context.getImageData(column, row, 1, 1).data);
}

for (const invitation of document.querySelectorAll(".pointing")) invitation.hidden = false;

for (const card of document.querySelectorAll(".example")) {
  const masks = [...card.querySelectorAll(".truth, .prediction")].map((figure) => ({
    image: figure.querySelector("img"),
    words: figure.querySelector(".class"),
  }));

  const point = (event) => {
    const frame = event.target.closest(".frame");
    if (!frame) return;
    const box = frame.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    const y = (event.clientY - box.top) / box.height;
    if (x < 0 || y < 0 || x >= 1 || y >= 1) return;
    card.style.setProperty("--x", `${100 * x}%`);
    card.style.setProperty("--y", `${100 * y}%`);
    card.classList.add("pointed");
    for (const { image, words } of masks) words.textContent = classAt(image, x, y);
  };
  card.addEventListener("pointermove", point);
  card.addEventListener("pointerdown", point);
  card.addEventListener("pointerleave", () => {
    card.classList.remove("pointed");
    for (const { words } of masks) words.textContent = "";
  });
}

const blend = document.querySelector("#blend");
if (blend) {
  const examples = document.querySelector(".examples");
  for (const part of document.querySelectorAll(".blend")) part.hidden = false;
  blend.addEventListener("input", () => {
    examples.style.setProperty("--blend", blend.value / 100);
    blend.parentElement.querySelector("output").textContent = `${blend.value}%`;
  });
  blend.addEventListener("input", () => {
    for (const card of examples.children) {
      const picture = `url("${card.querySelector(".picture img").src}")`;
      for (const frame of card.querySelectorAll(".truth .frame, .prediction .frame")) {
        frame.style.backgroundImage = picture;
      }
    }
  }, { once: true });
}

for (const button of document.querySelectorAll(".copy")) {
  const code = button.parentElement.querySelector("code");
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}
