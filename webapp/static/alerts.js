// The live list of alerts: listens to the stream, counts what is new, and shows it when asked. Rows never jump by
// themselves. Without this script the page is a plain list.
"use strict";

(() => {
  const STALE_MS = 15000; // portal.md: red banner when the stream is stale for 15 s
  const live = document.getElementById("live");
  if (!live || !("EventSource" in window)) return;
  const text = live.dataset;
  const at = (id) => document.getElementById(id);
  const [state, heard, pause, fresh, below, stale, signedOut] =
    ["state", "heard", "pause", "fresh", "below", "stale", "signed-out"].map(at);
  const title = document.title;
  const shownAfter = { seq: Number(text.after) };
  const waiting = new Set();
  const clock = new Intl.DateTimeFormat("en-GB", { timeZone: text.zone, timeStyle: "medium" }); // as moment() of clock.py
  let last = performance.now();
  let lastClock = null;
  let paused = false;
  let ended = false;

  live.hidden = false;

  function draw() {
    const count = paused ? 0 : waiting.size;
    fresh.hidden = count === 0;
    if (count > 0) fresh.textContent = count === 1 ? text.textOne : text.textMany.replace("{n}", String(count));
    document.title = count > 0 ? `(${count}) ${title}` : title;
    pause.textContent = paused ? text.textResume : text.textPause;
    pause.setAttribute("aria-pressed", String(paused));
    if (!ended) state.textContent = paused ? text.textPaused : lastClock ? text.textLive : text.textWaiting;
  }

  function alive() {
    last = performance.now();
    lastClock = new Date();
    stale.hidden = true;
    heard.textContent = `${text.textHeard} ${clock.format(lastClock)}`;
  }

  function wanted(alert) {
    const about = !text.holder || alert.holder === text.holder || alert.concerns.includes(text.holder);
    return !text.deaf && about && ["severity", "rule"].every((name) => !text[name] || alert[name] === text[name]);
  }

  const stream = new EventSource(text.stream);
  stream.addEventListener("heartbeat", () => { alive(); draw(); });
  stream.addEventListener("alert", (event) => {
    alive();
    const alert = JSON.parse(event.data);
    if (alert.seq > shownAfter.seq && wanted(alert)) waiting.add(alert.seq);
    draw();
  });
  stream.addEventListener("signed-out", () => end());
  stream.addEventListener("error", () => {
    // A refusal (signed out, or too many streams) closes for good; a break is mended by the browser itself.
    if (stream.readyState === EventSource.CLOSED) end();
  });

  function end() {
    ended = true;
    stream.close();
    signedOut.hidden = false;
    state.textContent = "";
  }

  setInterval(() => {
    if (!ended && performance.now() - last > STALE_MS) stale.hidden = false;
  }, 1000);

  pause.addEventListener("click", () => { paused = !paused; draw(); });

  // The list in its own order as it is now, from the same address: what is new stands where its urgency puts it.
  fresh.addEventListener("click", async () => {
    const answer = await fetch(location.href, { credentials: "same-origin", redirect: "manual" });
    if (!answer.ok) { location.reload(); return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = page.getElementById("live");
    if (!now) { location.reload(); return; }
    for (const id of ["tabs", "sentence", "list"]) at(id).replaceWith(document.adoptNode(page.getElementById(id)));
    let shown = 0;
    for (const row of document.querySelectorAll("#rows tr")) {
      if (Number(row.dataset.seq) > shownAfter.seq) { row.classList.add("new"); shown += 1; }
    }
    const came = waiting.size;
    shownAfter.seq = Number(now.dataset.after);
    for (const seq of waiting) if (seq <= shownAfter.seq) waiting.delete(seq);
    below.textContent = came > shown ? text.textBelow.replace("{n}", String(came - shown)) : "";
    draw();
    at("scroll")?.focus();
  });

  draw();
})();
