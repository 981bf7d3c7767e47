"use strict";
// What lights up as it sounds, and what is sought when somebody clicks. A page has one player, or one on each side.
for (const player of document.querySelectorAll("[data-player]")) {
  const side = player.dataset.player;
  const audio = player.querySelector("audio");
  const wave = player.querySelector(".wave");
  const hand = player.querySelector(".now");
  const length = Number(player.dataset.seconds) || 1;
  const words = [...document.querySelectorAll(`[data-of="${side}"][data-to]`)]
    .map((element) => ({ element, from: Number(element.dataset.at), to: Number(element.dataset.to) }))
    .sort((one, other) => one.from - other.from);
  let lit = [];

  const show = (seconds) => {
    const place = `${(100 * Math.min(seconds / length, 1)).toFixed(3)}%`;
    hand?.setAttribute("x1", place);
    hand?.setAttribute("x2", place);
    const now = [];
    for (let low = first(words, seconds - 30); low < words.length && words[low].from <= seconds; low++)
      if (seconds < words[low].to) now.push(words[low].element);
    for (const element of lit) if (!now.includes(element)) element.classList.remove("now");
    for (const element of now) element.classList.add("now");
    lit = now;
  };
  const seek = (seconds) => {
    show(seconds);
    if (!audio) return;
    audio.currentTime = seconds;
    audio.play().catch(() => {});
  };
  const tick = () => {
    show(audio.currentTime);
    if (!audio.paused) requestAnimationFrame(tick);
  };
  audio?.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    requestAnimationFrame(tick);
  });
  audio?.addEventListener("seeked", () => show(audio.currentTime));
  wave?.addEventListener("click", (event) => {
    const box = wave.getBoundingClientRect();
    seek((length * (event.clientX - box.left)) / box.width);
  });
  document.addEventListener("click", (event) => {
    const found = event.target.closest?.(`[data-of="${side}"][data-at]`);
    if (found) seek(Number(found.dataset.at));
  });
}

function first(words, from) {
  let low = 0;
  let high = words.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (words[middle].from < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

document.addEventListener("keydown", (event) => {
  if (event.key !== " " || /^(BUTTON|AUDIO|SUMMARY|INPUT)$/.test(event.target.tagName)) return;
  const playing = [...document.querySelectorAll("audio")].find((audio) => !audio.paused) ?? document.querySelector("audio");
  if (!playing) return;
  event.preventDefault();
  if (playing.paused) playing.play();
  else playing.pause();
});

const theme = document.querySelector(".theme");
theme?.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
