"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, scope = document) => Array.from(scope.querySelectorAll(selector));

  // Light or dark: the system's, unless a person switches.
  const theme = localStorage.getItem("retest-theme");
  if (theme) root.dataset.theme = theme;
  document.querySelector("[data-theme-switch]")?.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("retest-theme", root.dataset.theme);
  });

  const get = async (address) => {
    const answer = await fetch(address, { headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };

  // A run in progress: numbers are put in place as text; at its end the page loads itself again.
  const progress = document.querySelector("[data-progress]");
  const follow = async () => {
    try {
      const now = await get(progress.dataset.progress);
      if (now.done || now.status !== "running") return location.reload();
      for (const element of all("[data-p]", progress)) element.textContent = now[element.dataset.p];
      for (const element of all("[data-p-value]", progress)) element.value = now[element.dataset.pValue];
      for (const element of all("[data-mean]", progress)) element.textContent = now.means[element.dataset.mean] ?? element.textContent;
    } catch { /* the server may come back */ }
    setTimeout(follow, 2000);
  };
  if (progress) setTimeout(follow, 1000);

  // A comparison that is being computed.
  const wait = document.querySelector("[data-wait]");
  const look = async () => {
    try {
      if ((await get(wait.dataset.wait)).done) return location.reload();
    } catch { /* the server may come back */ }
    setTimeout(look, 400);
  };
  if (wait) setTimeout(look, 300);

  // Lists: a choice applies at once, a row opens its case.
  for (const form of all("form[data-auto]")) {
    form.addEventListener("change", (event) => { if (event.target.matches("select, input[type=checkbox]")) form.requestSubmit(); });
  }
  for (const row of all("tr.link")) {
    row.addEventListener("click", (event) => {
      if (!event.target.closest("a") && !String(getSelection())) row.querySelector("a").click();
    });
  }
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-marks]")) document.getElementById("case-body").classList.toggle("plain", !event.target.checked);
  });

  // Prompts: unsaved changes are seen, and not lost by accident.
  const editor = document.querySelector("[data-editor]");
  if (editor) {
    const text = editor.elements.text;
    const first = text.defaultValue;
    let leaving = false;
    const changed = () => text.value !== first;
    text.addEventListener("input", () => { document.querySelector("[data-unsaved]").hidden = !changed(); });
    editor.addEventListener("submit", () => { leaving = true; });
    addEventListener("beforeunload", (event) => { if (changed() && !leaving) event.preventDefault(); });
    document.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "s") { event.preventDefault(); editor.requestSubmit(); }
    });
  }

  // Reviews: every click and every word is saved at once, in order.
  const reviewer = document.getElementById("reviewer");
  const queues = new WeakMap();
  const sent = new WeakMap();
  const send = async (form) => {
    const said = form.querySelector(".said");
    const fields = new URLSearchParams(new FormData(form));
    fields.set("key", reviewer.dataset.keyValue);
    fields.set("reviewer", reviewer.value);
    if (sent.get(form) === fields.toString()) return; // nothing new
    try {
      const answer = await fetch("/reviews", { method: "POST", body: fields });
      const found = await answer.json().catch(() => ({ problems: [String(answer.status)] }));
      said.textContent = answer.ok ? "✓" : found.problems.join("; ");
      if (answer.ok) sent.set(form, fields.toString());
      said.classList.toggle("bad", !answer.ok);
    } catch (error) {
      said.textContent = String(error);
      said.classList.add("bad");
    }
  };
  const save = (form) => { queues.set(form, (queues.get(form) || Promise.resolve()).then(() => send(form))); };
  const press = (form, name, value) => {
    const field = form.elements[name];
    field.value = field.value === value ? "" : value; // pressed again, it is taken back
    for (const button of all("[data-set]", form).filter((each) => each.dataset.set === name)) button.setAttribute("aria-pressed", String(button.value === field.value));
    save(form);
  };
  const forms = all("[data-review]");
  let chosen = -1;
  const choose = (place) => {
    if (!forms.length) return;
    chosen = (place + forms.length) % forms.length;
    for (const sample of all(".sample.on, .pair.on")) sample.classList.remove("on");
    const sample = forms[chosen].closest(".sample, .pair");
    sample.classList.add("on");
    sample.scrollIntoView({ block: "nearest" });
  };
  for (const [place, form] of forms.entries()) {
    form.addEventListener("submit", (event) => { event.preventDefault(); save(form); });
    form.addEventListener("change", () => save(form));
    form.addEventListener("focusin", () => choose(place));
    for (const button of all("[data-set]", form)) button.addEventListener("click", () => press(form, button.dataset.set, button.value));
  }
  reviewer?.addEventListener("change", () => {
    document.cookie = `retest-reviewer=${encodeURIComponent(reviewer.value)}; path=/; samesite=lax; max-age=31536000`;
    location.reload(); // the forms show what this person said
  });
  const reviewKey = (event) => {
    if (event.key === "n") choose(chosen + 1);
    else if (event.key === "p") choose(chosen - 1);
    else {
      const form = forms[Math.max(chosen, 0)];
      if (chosen < 0) choose(0);
      const pair = { 1: "first", 2: "second", t: "tie" }[event.key];
      if (form.hasAttribute("data-pair")) {
        if (pair) press(form, "label", pair);
        else if (event.key === "c") { event.preventDefault(); form.elements.comment.focus(); }
      } else if (event.key === "g") press(form, "label", "good");
      else if (event.key === "b") press(form, "label", "bad");
      else if (/^[0-9]$/.test(event.key)) {
        const button = all("[data-set^='score.']", form).find((each) => each.value === event.key);
        if (button) press(form, button.dataset.set, event.key); // on the first scale that has it
      }
      else if (event.key === "c") { event.preventDefault(); form.elements.comment.focus(); }
    }
  };

  // Keys: j and k step through the cases, u goes up, / searches.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.closest("[data-review] input")) { event.target.blur(); return; }
    if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      const field = document.querySelector("input[type=search]");
      if (field) { event.preventDefault(); field.focus(); }
    }
    if (forms.length && /^[npgbct0-9]$/.test(event.key)) reviewKey(event);
    const key = { ArrowRight: "j", ArrowLeft: "k", Escape: "u" }[event.key] || event.key;
    const link = all("[data-key]").find((element) => element.dataset.key === key);
    if (link) link.click();
  });
})();
