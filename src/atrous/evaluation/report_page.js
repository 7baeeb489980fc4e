// The page is complete without this: it adds sliders, a filter by class, blending, reading under the pointer, copying.
"use strict";

const legend = [...document.querySelectorAll(".legend [data-color]")].map((entry) => ({
  name: entry.textContent.trim(),
  label: entry.dataset.classes,
  color: [1, 3, 5].map((start) => parseInt(entry.dataset.color.slice(start, start + 2), 16)),
}));
const cards = [...document.querySelectorAll(".example")];
const figureOf = (card, kind) => card.querySelector(`.${kind}`);

function nearestClass(red, green, blue) {
  const distance = ({ color }) => (color[0] - red) ** 2 + (color[1] - green) ** 2 + (color[2] - blue) ** 2;
  return legend.reduce((best, other) => (distance(other) < distance(best) ? other : best));
}

const contexts = new WeakMap();

function contextOf(image) {
  if (!contexts.has(image)) {
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    contexts.set(image, context);
  }
  return contexts.get(image);
}

function classAt(image, x, y) {
  const context = contextOf(image);
  const column = Math.min(context.canvas.width - 1, Math.floor(x * context.canvas.width));
  const row = Math.min(context.canvas.height - 1, Math.floor(y * context.canvas.height));
  return nearestClass(...context.getImageData(column, row, 1, 1).data).name;
}

// Which classes are where the pointer is.
for (const invitation of document.querySelectorAll(".pointing")) invitation.hidden = false;

for (const card of cards) {
  const here = card.querySelector(".here");
  const [truth, prediction] = ["truth", "prediction"].map((kind) => figureOf(card, kind).querySelector("img"));
  here.hidden = false;

  const point = (event) => {
    const frame = event.target.closest(".frame");
    if (!frame || !truth.naturalWidth || !prediction.naturalWidth) return;
    const box = frame.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    const y = (event.clientY - box.top) / box.height;
    if (x < 0 || y < 0 || x >= 1 || y >= 1) return;
    card.style.setProperty("--x", `${100 * x}%`);
    card.style.setProperty("--y", `${100 * y}%`);
    card.classList.add("pointed");
    here.textContent = `truth: ${classAt(truth, x, y)}; prediction: ${classAt(prediction, x, y)}`;
  };
  card.addEventListener("pointermove", point);
  card.addEventListener("pointerdown", point);
  card.addEventListener("pointerleave", () => {
    card.classList.remove("pointed");
    here.textContent = "";
  });
}

// One above the other, with a slider between them; each fades in over the one before.
function slide(card) {
  const slider = card.querySelector(".slider input");
  const figures = [...card.querySelectorAll("figure")];
  const words = card.querySelectorAll(".slider span");
  const stacked = !document.querySelector("#beside").checked;
  const below = Math.floor(slider.value), above = slider.value - below;
  figures.forEach((figure, index) => {
    const opacity = !stacked || index === below ? 1 : index === below + 1 ? above : 0;
    figure.style.opacity = opacity;
    figure.style.visibility = opacity ? "visible" : "hidden"; // what nobody sees is not read aloud either
    words[index].classList.toggle("now", index === Math.round(slider.value));
  });
  const { title } = figures[below].dataset;
  const described = figures[below].querySelector("canvas")?.getAttribute("aria-label") ?? figures[below].querySelector("img").alt;
  const text = above ? `${title}, ${100 * above}% faded into ${figures[below + 1].dataset.title}` : `${title}. ${described}`;
  slider.setAttribute("aria-valuetext", text);
}

function arrange() {
  const beside = document.querySelector("#beside").checked;
  document.querySelector(".examples").classList.toggle("stacked", !beside);
  for (const card of cards) {
    card.querySelector(".slider").hidden = beside;
    slide(card);
  }
}

if (cards.length) {
  document.querySelector(".layout").hidden = false;
  document.querySelector("#beside").addEventListener("change", arrange);
  for (const card of cards) {
    const slider = card.querySelector(".slider input");
    slider.addEventListener("input", () => slide(card));
    card.querySelectorAll(".slider span").forEach((word, index) => {
      word.addEventListener("click", () => {
        slider.value = index;
        slide(card);
      });
    });
  }
  arrange();
}

// One class alone: its rows, its pictures, its errors.
const ERRORS_OF_CLASS = { found: [47, 163, 154], missed: [255, 45, 60], claimed: [240, 180, 41] };

async function drawErrors(card, chosen) {
  const [picture, truth, prediction] = ["picture", "truth", "prediction"].map((kind) => figureOf(card, kind).querySelector("img"));
  for (const image of [picture, truth, prediction]) image.loading = "eager";
  await Promise.all([picture, truth, prediction].map((image) => image.decode()));
  if (select.value !== chosen.label) return;
  const { width, height } = contextOf(truth).canvas;
  const [base, truly, predicted] = [picture, truth, prediction].map((image) => contextOf(image).getImageData(0, 0, width, height));
  const same = (data, at) => chosen.color.every((value, channel) => data[at + channel] === value);
  const left = legend.find((entry) => entry.label === undefined).color;
  for (let at = 0; at < base.data.length; at += 4) {
    const isTrue = same(truly.data, at), isPredicted = same(predicted.data, at);
    const counted = isTrue || !left.every((value, channel) => truly.data[at + channel] === value);
    const kind = isTrue ? (isPredicted ? "found" : "missed") : isPredicted && counted ? "claimed" : null;
    const grey = 0.4 * (0.3 * base.data[at] + 0.59 * base.data[at + 1] + 0.11 * base.data[at + 2]);
    for (let channel = 0; channel < 3; channel++) base.data[at + channel] = kind ? ERRORS_OF_CLASS[kind][channel] : grey;
  }
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(base, 0, 0);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Errors of ${chosen.name} alone: IoU ${iouOf(card, chosen.label)}%`);
  clearErrors(card);
  figureOf(card, "errors").querySelector(".frame").append(canvas);
  slide(card);
}

function clearErrors(card) {
  figureOf(card, "errors").querySelector("canvas")?.remove();
}

const labelsOf = (element) => element.dataset.classes.split(" ");
const iouOf = (card, label) => card.dataset.ious.split(" ")[labelsOf(card).indexOf(label)];
const select = document.querySelector("#class");

function filter() {
  const label = select.value, name = select.selectedOptions[0].textContent;
  for (const row of document.querySelectorAll(".classes [data-classes], .flows [data-classes]")) {
    row.hidden = label === "" ? "more" in row.dataset : !labelsOf(row).includes(label);
  }
  for (const row of document.querySelectorAll(".matrix [data-row]")) {
    row.classList.toggle("faded", label !== "" && row.dataset.row !== label);
  }
  for (const mark of document.querySelectorAll(".of-class")) mark.hidden = label === "";
  for (const mark of document.querySelectorAll(".of-all")) mark.hidden = label !== "";
  for (const card of cards) {
    const has = labelsOf(card).includes(label);
    card.hidden = label !== "" && !has;
    clearErrors(card);
    const own = card.querySelector(".own-iou");
    if (own) own.textContent = "";
    if (label !== "" && has) {
      own.textContent = `IoU of ${name} ${iouOf(card, label)}%, `;
      card.querySelector(".slider input").value = 3;
      drawErrors(card, legend.find((entry) => entry.label === label));
    } else slide(card);
  }
  const shown = cards.filter((card) => !card.hidden).length;
  const status = document.querySelector("#filtered");
  if (status) status.textContent = label === "" ? "" : `Only ${name}: ${shown} of the ${cards.length} have it, in truth or prediction. Errors are those of ${name} alone.`;
}

select.closest(".filter").hidden = false;
select.addEventListener("change", filter);
if (select.value) filter(); // a browser remembers the choice when it goes back

const blend = document.querySelector("#blend");
if (blend) {
  const examples = document.querySelector(".examples");
  for (const part of document.querySelectorAll(".blend")) part.hidden = false;
  blend.addEventListener("input", () => {
    examples.style.setProperty("--blend", blend.value / 100);
    blend.parentElement.querySelector("output").textContent = `${blend.value}%`;
  });
  blend.addEventListener("input", () => {
    for (const card of cards) {
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
