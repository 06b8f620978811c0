// The form that closes an alert: works out the SHA-256 of a file in the browser and writes it into the form's fields. The
// file goes nowhere. Without this script, or where the browser has no digests (plain HTTP), the fields are filled in by hand.
"use strict";

(() => {
  const chooser = document.getElementById("evidence-file");
  if (!chooser || !window.crypto || !window.crypto.subtle) return;
  const { form } = chooser;
  const field = (name) => form.elements.namedItem(`evidence_${name}`);
  const said = document.getElementById("evidence-said");
  const submit = form.querySelector("button[type=submit]");
  let turn = 0;

  function fill(digest, bytes, mediaType) {
    field("sha256").value = digest;
    field("bytes").value = bytes;
    field("media_type").value = mediaType;
  }

  chooser.addEventListener("change", async () => {
    const file = chooser.files[0];
    const mine = ++turn;
    fill("", "", "");
    said.textContent = file ? said.dataset.textWorking : "";
    submit.disabled = Boolean(file); // closing now would close without it, for good
    if (!file) return;
    try {
      if (file.size === 0) throw new RangeError("empty");
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
      if (mine !== turn) return;
      fill(Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join(""), String(file.size), file.type);
      said.textContent = said.dataset.textDone;
    } catch {
      if (mine !== turn) return;
      chooser.value = "";
      said.textContent = said.dataset.textFailed;
    }
    submit.disabled = false;
  });
  chooser.closest("label").hidden = false;
})();
