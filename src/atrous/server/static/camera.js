// The camera: one picture of it, or its frames live, each with what the model sees in it over it.

import { colored, percent } from "./paint.js";
import { Problem } from "./server.js";

const LONGEST_SIDE = 640; // pixels of a live frame: larger ones take longer than they show more
const LIVE_QUALITY = 0.85;
const FORGETTING = 0.2; // how much the newest frame counts in the rate

const $ = (id) => document.getElementById(id);

/**
 * Make the camera's window work. The page gives: `take` for the files of pictures, `segment` for a frame's result,
 * `hidden` for the classes that are not shown, `say` for those who listen, `fail` for words where there is no camera.
 */
export function useCamera({ take, segment, hidden, say, fail }) {
  const chips = new Map();
  let live = null; // what stops the frames, while they come
  let shown = null; // the result that is seen

  async function open() {
    $("camera-open").disabled = true;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      stream.getVideoTracks()[0].addEventListener("ended", () => halt("The camera is gone: close this window, and open it again."));
      $("video").srcObject = stream;
      await $("video").play();
      $("camera-problem").hidden = true;
      $("live-rate").textContent = "";
      $("camera").showModal();
    } catch (error) {
      close();
      fail(`The camera cannot be used (${reasonOf(error)}).`);
    } finally {
      $("camera-open").disabled = false;
    }
  }

  function close() {
    halt();
    for (const track of $("video").srcObject?.getTracks() ?? []) track.stop();
    $("video").srcObject = null;
  }

  function takePicture() {
    const time = new Date().toTimeString().slice(0, 8).replaceAll(":", "-");
    frameOf($("video")).toBlob((blob) => take([new File([blob], `camera_${time}.jpg`, { type: "image/jpeg" })]), "image/jpeg", 0.95);
    $("camera").close();
  }

  // ---- live

  /** One frame after the other; the next is sent when the answer to the last has come. */
  async function goLive() {
    const stopping = new AbortController();
    begin(stopping);
    const busy = (seconds) => ($("live-rate").textContent = `The server is busy: again in ${seconds} s`);
    let [rate, last] = [0, performance.now()];
    try {
      while (live === stopping) {
        await newFrame($("video"));
        if (live !== stopping) return;
        const frame = frameOf($("video"), LONGEST_SIDE);
        const result = await segment(await jpegOf(frame), stopping.signal, busy);
        if (live !== stopping) return;
        const now = performance.now();
        rate = rate ? rate + FORGETTING * (1000 / (now - last) - rate) : 1000 / (now - last);
        last = now;
        show(frame, result, rate);
      }
    } catch (error) {
      if (live === stopping) halt(error instanceof Problem ? error.message : `This page failed: ${error.message}`);
    }
  }

  function begin(stopping) {
    live = stopping;
    $("camera-problem").hidden = true;
    $("camera-live").textContent = "Stop";
    $("live-rate").textContent = "The first picture is computed";
    say("Live");
  }

  /** Stop the frames; the camera itself goes on, and can be asked again. */
  function halt(reason = "") {
    const stopping = live;
    live = shown = null;
    stopping?.abort();
    $("camera-live").textContent = "Segment live";
    $("live-picture").hidden = $("live-overlay").hidden = true;
    $("live-rate").textContent = "";
    $("live-classes").replaceChildren();
    chips.clear();
    $("camera-problem").hidden = !reason;
    $("camera-problem").textContent = reason;
    if (stopping && !reason) say("Live view stopped");
  }

  /** The very frame that was computed, so that classes and things lie on each other however slow the server is. */
  function show(frame, result, rate) {
    shown = result;
    const picture = $("live-picture");
    [picture.width, picture.height] = [frame.width, frame.height];
    picture.getContext("2d").drawImage(frame, 0, 0);
    picture.setAttribute("aria-label", `Live: ${result.areas.map((area) => `${area.name} ${percent(area.share)}`).join(", ")}`);
    paint();
    picture.hidden = $("live-overlay").hidden = false;
    $("live-rate").textContent = `${rate.toFixed(1)} pictures/s, ${frame.width} × ${frame.height}`;
    const shares = new Map(result.areas.map((area) => [area.index, area.share]));
    for (const { index } of result.areas) if (!chips.has(index)) addChip(result.classes[index]);
    for (const [index, chip] of chips) chip.lastChild.textContent = percent(shares.get(index) ?? 0);
  }

  function paint() {
    const overlay = $("live-overlay");
    overlay.style.opacity = String(Number($("live-opacity").value) / 100);
    if (!shown) return;
    [overlay.width, overlay.height] = [shown.width, shown.height];
    overlay.getContext("2d").putImageData(colored(shown, hidden), 0, 0);
  }

  /** A button that shows and hides a class; it stays where it is while the shares change. */
  function addChip({ index, name, color }) {
    const chip = document.createElement("button");
    [chip.type, chip.className] = ["button", "chip"];
    const swatch = chip.appendChild(document.createElement("span"));
    swatch.className = "swatch";
    swatch.style.background = `rgb(${color})`;
    chip.append(name, document.createElement("small"));
    chip.setAttribute("aria-pressed", String(!hidden.has(index)));
    chip.addEventListener("click", () => {
      if (!hidden.delete(index)) hidden.add(index);
      chip.setAttribute("aria-pressed", String(!hidden.has(index)));
      paint();
    });
    chips.set(index, chip);
    $("live-classes").appendChild(document.createElement("li")).append(chip);
  }

  const on = (id, event, does) => $(id).addEventListener(event, does);
  on("camera-open", "click", open);
  on("camera-take", "click", takePicture);
  on("camera-live", "click", () => (live ? halt() : goLive()));
  on("camera-close", "click", () => $("camera").close());
  on("camera", "close", close);
  on("live-opacity", "input", paint);
  on("video", "resize", () => $("live-stage").style.setProperty("--ratio", String($("video").videoWidth / $("video").videoHeight)));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && live) halt("Stopped, as this page was hidden.");
  });
}

function reasonOf({ name }) {
  const reasons = { NotAllowedError: "it was not allowed", NotFoundError: "there is none", NotReadableError: "another program has it" };
  return reasons[name] ?? "this page may not use it; browsers want localhost or https";
}

/** What the camera shows now, as a canvas whose longer side is no longer than asked for. */
function frameOf(video, longest = Infinity) {
  const scale = Math.min(1, longest / Math.max(video.videoWidth, video.videoHeight));
  const [width, height] = [video.videoWidth, video.videoHeight].map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d").drawImage(video, 0, 0, width, height);
  return canvas;
}

const jpegOf = (canvas) => new Promise((done) => canvas.toBlob(done, "image/jpeg", LIVE_QUALITY));

/** Wait until the camera has a frame that was not there before. */
function newFrame(video) {
  return new Promise((done) => {
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(done);
    else requestAnimationFrame(done);
  });
}
