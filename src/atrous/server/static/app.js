// The page of `atrous serve`: pictures in, what the model sees in them over them.

import { useCamera } from "./camera.js";
import { colored, percent } from "./paint.js";
import { readMask } from "./png.js";
import { ask, Problem } from "./server.js";

const $ = (id) => document.getElementById(id);
const POINTER_STEP = 1 / 40;
const FINE_STEP = 1 / 200;

const page = { card: null, items: [], chosen: null, working: false, hidden: new Set(), focus: null, probe: null, runs: 0 };

const asks = {
  token: () => askedToken(),
  busy: (seconds) => tellWork(`The server is busy: again in ${seconds} s`),
};

// ---- pictures come in

function take(files) {
  const pictures = [...files];
  if (!pictures.length) return;
  const first = page.items.length;
  for (const file of pictures) page.items.push({ file, name: file.name || "pasted.png", state: "waiting", thumbnail: URL.createObjectURL(file) });
  choose(page.items[first]);
  work();
}

async function work() {
  if (page.working) return;
  page.working = true;
  let item;
  while ((item = page.items.find((one) => one.state === "waiting"))) {
    item.state = "computing";
    draw();
    const run = page.runs;
    try {
      const result = await segmented(item);
      if (run === page.runs) Object.assign(item, { state: "done", result, problem: null });
      say(`${item.name}: ${inWords(result)}`);
    } catch (error) {
      const problem = error instanceof Problem ? error : new Problem(`This page failed: ${error.message}`);
      if (run === page.runs) Object.assign(item, { state: "failed", problem });
    }
    draw();
  }
  page.working = false;
}

async function segmented(item) {
  const card = (page.card ??= await modelCard());
  const most = card.limits.upload_bytes;
  if (item.file.size > most) {
    const has = (item.file.size / 1e6).toFixed(1);
    throw new Problem(`The file has ${has} MB and the server takes ${most / 1e6} MB: choose a smaller picture.`);
  }
  tellWork("Computing");
  let answer;
  try {
    answer = await sent(item.file, "areas,mask,polygons");
  } catch (error) {
    if (error.kind !== "answer_too_large") throw error;
    answer = await sent(item.file, "areas,mask"); // too torn for polygons
  }
  const png = bytesOf(answer.mask);
  return { ...answer, png, classes: card.classes, ...(await readMask(png)), bitmap: await bitmapOf(item.file) };
}

/** A frame of the camera; `busy` is told how long a server that has enough to do wants to be left alone. */
async function segmentedFrame(file, signal, busy) {
  const card = (page.card ??= await modelCard());
  const answer = await sent(file, "areas,mask", { signal, busy });
  return { ...answer, classes: card.classes, ...(await readMask(bytesOf(answer.mask))) };
}

function sent(file, answer, { signal, busy = asks.busy } = {}) {
  const query = new URLSearchParams({ answer, model: $("model").value });
  const headers = { "Content-Type": "application/octet-stream" };
  return ask(`v1/segment?${query}`, { method: "POST", body: file, headers, signal }, { ...asks, busy });
}

const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

async function bitmapOf(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return null; // a format that the server reads and this browser does not
  }
}

async function modelCard(name) {
  const card = await ask(`v1/model${name ? `?model=${encodeURIComponent(name)}` : ""}`, {}, asks);
  if (!$("model").options.length) $("model").append(...card.models.map((model) => new Option(model, model)));
  $("model-choice").classList.toggle("single", card.models.length === 1);
  return card;
}

// ---- what is seen

function choose(item) {
  page.chosen = item;
  page.probe = null;
  $("probe").hidden = $("tip").hidden = true;
  draw();
}

function draw() {
  const item = page.chosen;
  document.body.classList.toggle("filled", page.items.length > 0);
  $("strip-section").hidden = !page.items.length;
  drawStrip();
  drawNotice(item?.problem ? `${item.name}: ${item.problem.message}` : "", item?.problem?.again);
  $("result").hidden = !item || item.state === "failed";
  $("working").hidden = !item || !["waiting", "computing"].includes(item.state);
  $("result").classList.toggle("empty", !item?.result);
  if (item?.state === "waiting") tellWork("Waiting for the others");
  if (item?.result && item.state === "done") drawResult(item);
  else if (item && item.state !== "failed") drawWaiting(item);
}

function drawStrip() {
  const list = $("strip");
  while (list.children.length > page.items.length) list.lastChild.remove();
  page.items.forEach((item, place) => {
    const entry = list.children[place] ?? list.appendChild(stripEntry());
    const button = entry.firstChild;
    const [image, mark] = button.children;
    if (image.dataset.src !== item.thumbnail) image.src = image.dataset.src = item.thumbnail;
    entry.dataset.state = item.state;
    button.setAttribute("aria-current", String(item === page.chosen));
    button.setAttribute("aria-label", `${item.name}, ${{ waiting: "waits", computing: "is computed", done: "done", failed: "failed" }[item.state]}`);
    button.onclick = () => choose(item);
    mark.textContent = { waiting: "…", computing: "", done: "✓", failed: "!" }[item.state];
  });
}

function stripEntry() {
  const entry = document.createElement("li");
  const button = entry.appendChild(document.createElement("button"));
  button.type = "button";
  const image = button.appendChild(new Image());
  image.alt = "";
  image.onerror = () => image.classList.add("broken");
  image.onload = () => image.classList.remove("broken");
  button.appendChild(document.createElement("span")).className = "mark-of-state";
  return entry;
}

function drawNotice(text, again) {
  if ($("notice-text").textContent !== text) $("notice-text").textContent = text;
  $("notice").hidden = !text;
  $("retry").hidden = !again;
}

async function drawWaiting(item) {
  const bitmap = item.result?.bitmap ?? (await bitmapOf(item.file));
  if (page.chosen !== item || item.state === "done" || item.state === "failed") return;
  drawPicture(bitmap, bitmap?.width ?? 480, bitmap?.height ?? 320);
  $("overlay").width = $("overlay").height = 0;
  $("stage").setAttribute("aria-label", `${item.name}, being computed`);
}

function drawPicture(bitmap, width, height) {
  const canvas = $("picture");
  [canvas.width, canvas.height] = [width, height];
  $("stage").style.setProperty("--ratio", String(width / height));
  if (bitmap) canvas.getContext("2d").drawImage(bitmap, 0, 0, width, height);
}

function drawResult(item) {
  const { bitmap, width, height, areas, seconds } = item.result;
  drawPicture(bitmap, width, height);
  drawOverlay();
  drawClasses(areas);
  $("facts").textContent = `${item.name}, ${width} × ${height} pixels, ${seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(0)} s`;
  $("stage").setAttribute("aria-label", `${item.name}: ${inWords(item.result)}`);
  $("save-polygons").disabled = !item.result.polygons;
  $("save-polygons").title = item.result.polygons ? "" : "This mask has too many small areas for polygons.";
}

function drawOverlay() {
  const { width, height } = page.chosen.result;
  const canvas = $("overlay");
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(colored(page.chosen.result, page.hidden, page.focus), 0, 0);
  const split = Number($("compare").value);
  canvas.style.opacity = String(Number($("opacity").value) / 100);
  canvas.style.clipPath = `inset(0 0 0 ${split}%)`;
  $("divider").style.left = `${split}%`;
  $("divider").hidden = split === 0;
  $("opacity-value").textContent = `${$("opacity").value} %`;
  $("compare-value").textContent = split ? `${split} %` : "off";
}

function drawClasses(areas) {
  const largest = Math.max(...areas.map((area) => area.share));
  $("classes").replaceChildren(...areas.map((area) => classEntry(area, area.share / largest)));
  nameToggle();
}

function classEntry(area, length) {
  const entry = document.createElement("li");
  const label = entry.appendChild(document.createElement("label"));
  const box = label.appendChild(document.createElement("input"));
  [box.type, box.checked] = ["checkbox", !page.hidden.has(area.index)];
  box.addEventListener("change", () => toggle(area.index, box.checked));
  const swatch = label.appendChild(document.createElement("span"));
  swatch.className = "swatch";
  swatch.style.background = `rgb(${area.color})`;
  label.appendChild(document.createElement("span")).textContent = area.name;
  const share = label.appendChild(document.createElement("span"));
  [share.className, share.textContent] = ["share", percent(area.share)];
  const bar = entry.appendChild(document.createElement("div"));
  bar.className = "bar";
  const filled = bar.appendChild(document.createElement("span"));
  filled.style.width = `${100 * length}%`;
  filled.style.background = `rgb(${area.color})`;
  entry.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && focusOn(area.index));
  entry.addEventListener("pointerleave", () => focusOn(null));
  return entry;
}

function toggle(index, shown) {
  if (shown) page.hidden.delete(index);
  else page.hidden.add(index);
  nameToggle();
  drawOverlay();
}

function toggleAll() {
  const areas = page.chosen.result.areas;
  const hide = areas.some((area) => !page.hidden.has(area.index));
  for (const { index } of areas) hide ? page.hidden.add(index) : page.hidden.delete(index);
  drawClasses(areas);
  drawOverlay();
}

function nameToggle() {
  const shown = page.chosen.result.areas.some((area) => !page.hidden.has(area.index));
  $("toggle-all").textContent = shown ? "Hide all" : "Show all";
}

function focusOn(index) {
  if (page.focus === index || !page.chosen?.result) return;
  page.focus = index;
  drawOverlay();
}

// ---- what lies where

function pointAt(x, y, { aloud = false } = {}) {
  const result = page.chosen?.result;
  if (!result || page.chosen.state !== "done") return;
  const column = Math.min(Math.max(Math.floor(x * result.width), 0), result.width - 1);
  const row = Math.min(Math.max(Math.floor(y * result.height), 0), result.height - 1);
  const index = result.indices[row * result.width + column];
  const name = result.classes[index]?.name ?? "no class";
  const tip = $("tip");
  tip.textContent = name;
  tip.style.setProperty("--color", `rgb(${result.classes[index]?.color ?? [128, 128, 128]})`);
  tip.style.left = `${100 * x}%`;
  tip.style.top = `${100 * y}%`;
  tip.classList.toggle("leftwards", x > 0.6);
  tip.classList.toggle("upwards", y > 0.7);
  tip.hidden = false;
  if (aloud) say(`${name}, at ${column}, ${row}`);
}

function pointerMoved(event) {
  const box = $("picture").getBoundingClientRect();
  const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  if (x < 0 || x > 1 || y < 0 || y > 1) return;
  $("probe").hidden = true;
  pointAt(x, y);
}

function keyPressed(event) {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const move = moves[event.key];
  if (!move || !page.chosen?.result) return;
  event.preventDefault();
  const step = event.shiftKey ? 4 * POINTER_STEP : event.altKey ? FINE_STEP : POINTER_STEP;
  const [x, y] = page.probe ?? [0.5, 0.5];
  page.probe = [x + step * move[0], y + step * move[1]].map((value) => Math.min(Math.max(value, 0), 0.999));
  const [left, top] = page.probe;
  Object.assign($("probe").style, { left: `${100 * left}%`, top: `${100 * top}%` });
  $("probe").hidden = false;
  pointAt(left, top, { aloud: true });
}

function dragDivider(event) {
  event.preventDefault();
  const box = $("picture").getBoundingClientRect();
  const move = (moved) => {
    $("compare").value = String(Math.min(Math.max((100 * (moved.clientX - box.left)) / box.width, 0), 100));
    drawOverlay();
  };
  const stop = () => {
    window.removeEventListener("pointermove", move);
    window.removeEventListener("pointerup", stop);
  };
  window.addEventListener("pointermove", move);
  window.addEventListener("pointerup", stop);
}

// ---- what goes out

function save(blob, ending) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${page.chosen.name.replace(/\.[^.]*$/, "")}${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function saveMask() {
  save(new Blob([page.chosen.result.png], { type: "image/png" }), "_mask.png");
}

/** The picture as it is seen here: with this opacity, and the classes that are shown. */
function saveOverlay() {
  const { width, height } = page.chosen.result;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  context.drawImage($("picture"), 0, 0);
  context.globalAlpha = Number($("opacity").value) / 100;
  context.drawImage($("overlay"), 0, 0);
  canvas.toBlob((blob) => save(blob, "_overlay.png"), "image/png");
}

function savePolygons() {
  const { model, width, height, polygons } = page.chosen.result;
  const text = JSON.stringify({ picture: page.chosen.name, model, width, height, polygons });
  save(new Blob([text], { type: "application/json" }), "_polygons.json");
}

// ---- words

const inWords = ({ areas }) => areas.map((area) => `${area.name} ${percent(area.share)}`).join(", ");
const say = (text) => ($("status").textContent = text);

function tellWork(text) {
  $("working-text").textContent = text;
}

function askedToken() {
  const dialog = $("token-dialog");
  if (!dialog.open) {
    dialog.returnValue = "";
    dialog.showModal();
  }
  return new Promise((done) => {
    dialog.addEventListener("close", () => done(dialog.returnValue && $("token").value), { once: true });
  });
}

// ---- everything together

function again(items) {
  for (const item of items) Object.assign(item, { state: "waiting", problem: null });
  draw();
  work();
}

function clear() {
  for (const item of page.items) URL.revokeObjectURL(item.thumbnail);
  page.runs += 1;
  page.items = [];
  choose(null);
  $("files").focus();
}

async function changeModel() {
  page.runs += 1;
  page.hidden.clear();
  try {
    page.card = await modelCard($("model").value);
    again(page.items);
  } catch (error) {
    drawNotice(error.message, false);
  }
}

function listen() {
  const on = (id, event, does) => $(id).addEventListener(event, does);
  on("files", "change", () => { take($("files").files); $("files").value = ""; });
  on("clear", "click", clear);
  on("retry", "click", () => again([page.chosen]));
  on("dismiss", "click", () => drawNotice("", false));
  on("model", "change", changeModel);
  on("opacity", "input", drawOverlay);
  on("compare", "input", drawOverlay);
  on("toggle-all", "click", toggleAll);
  on("stage", "pointermove", pointerMoved);
  on("stage", "pointerdown", pointerMoved);
  on("stage", "pointerleave", (event) => ($("tip").hidden ||= event.pointerType === "mouse")); // a finger leaves at once
  on("stage", "keydown", keyPressed);
  on("stage", "blur", () => ($("probe").hidden = $("tip").hidden = true));
  on("divider", "pointerdown", dragDivider);
  on("save-mask", "click", saveMask);
  on("save-overlay", "click", saveOverlay);
  on("save-polygons", "click", savePolygons);
  on("camera", "close", draw); // the classes that are shown may be others now
  document.addEventListener("paste", (event) => take(event.clipboardData?.files ?? []));
  document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dragging"); });
  document.addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dragging"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    take(event.dataTransfer.files);
  });
}

listen();
useCamera({ take, segment: segmentedFrame, hidden: page.hidden, say, fail: (words) => drawNotice(words, false) });
modelCard().then((card) => (page.card = card), (error) => drawNotice(error.message, false));
