// Keeps the browser from closing or reloading the viewer while verdicts are not saved, and brings the
// keyboard to the form (v). Handed to Streamlit as text: it must be a module that imports nothing.

const FORM = ".st-key-verdict_rows";
const TEXT = "input, textarea, [contenteditable]";

function asksBeforeLeaving(event) {
  const typing = document.activeElement?.closest?.(FORM) && document.activeElement.dataset.medsymTyped;
  if (window.medsymUnsaved > 0 || typing) event.preventDefault();
}

// A comment reaches the server when its field is left; until then only the browser knows it.
function remembersTyping({ target }) {
  if (target.closest?.(FORM)) target.dataset.medsymTyped = "1";
}

function forgetsTyping({ target }) {
  if (target.dataset) delete target.dataset.medsymTyped;
}

function goesToForm(event) {
  if (event.key !== "v" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.composedPath()[0].closest?.(TEXT)) return;
  const form = document.querySelector(FORM);
  const first = form ? form.querySelector('[role="radio"]') : document.querySelector(".st-key-reader_box input");
  if (!first) return;
  first.focus();
  event.preventDefault();
}

export default function ({ data }) {
  window.medsymUnsaved = data.unsaved;
  if (window.medsymLeaving) return;
  window.medsymLeaving = true;
  window.addEventListener("beforeunload", asksBeforeLeaving);
  document.addEventListener("input", remembersTyping);
  document.addEventListener("change", forgetsTyping);
  document.addEventListener("focusout", forgetsTyping);
  document.addEventListener("keydown", goesToForm);
}
