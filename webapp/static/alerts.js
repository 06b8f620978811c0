// The live list of alerts: listens to the stream, counts what is new, and shows it when asked. Rows never jump by
// themselves. Without this script the page is a plain list.
"use strict";

(() => {
  const STALE_MS = 15000; // portal.md: red banner when the stream is stale for 15 s
  const live = document.getElementById("live");
  if (!live || !("EventSource" in window)) return;
  const text = live.dataset;
  const at = (id) => document.getElementById(id);
  const [state, heard, pause, fresh, stale, signedOut] =
    ["state", "heard", "pause", "fresh", "stale", "signed-out"].map(at);
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
    return (!text.severity || alert.severity === text.severity) && (!text.holder || alert.holder === text.holder);
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

  fresh.addEventListener("click", async () => {
    const url = new URL(text.rows, location.href);
    url.searchParams.set("after", String(shownAfter.seq));
    const answer = await fetch(url, { credentials: "same-origin", redirect: "manual" });
    if (!answer.ok) { location.reload(); return; }
    const rows = new DOMParser().parseFromString(await answer.text(), "text/html").querySelectorAll("tbody tr");
    if (rows.length === 0) { location.reload(); return; }
    const body = at("rows");
    [...rows].reverse().forEach((row) => {
      row.classList.add("new");
      body.prepend(document.adoptNode(row));
      shownAfter.seq = Math.max(shownAfter.seq, Number(row.dataset.seq));
    });
    for (const seq of waiting) if (seq <= shownAfter.seq) waiting.delete(seq);
    at("empty").hidden = true;
    at("list").hidden = false;
    draw();
    at("list").focus();
  });

  draw();
})();
