"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, scope = document) => Array.from(scope.querySelectorAll(selector));
  const byId = (id) => document.getElementById(id);
  const remembered = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const remember = (key, value) => { try { localStorage.setItem(key, value); } catch { /* a file may have no storage */ } };

  // Language: the browser's, unless the file was made in one.
  const words = JSON.parse(byId("words").textContent);
  let language = root.lang;
  const translate = (scope) => {
    const table = words[language];
    if (!table) return;
    for (const element of all("[data-ja]", scope)) {
      element.dataset.en ??= element.textContent;
      element.textContent = element.dataset[language === "ja" ? "ja" : "en"];
    }
    for (const element of all("[data-t]", scope)) element.textContent = table[element.dataset.t] ?? element.textContent;
    for (const name of ["title", "placeholder", "aria-label"]) {
      for (const element of all(`[data-t-${name}]`, scope)) element.setAttribute(name, table[element.getAttribute(`data-t-${name}`)]);
    }
  };
  const choose = (name) => {
    language = name;
    root.lang = name;
    translate(document);
    const button = document.querySelector("[data-language]");
    if (button) button.textContent = name === "ja" ? "English" : "日本語";
  };
  if (root.hasAttribute("data-choose")) {
    const preferred = (navigator.languages || [navigator.language]).find((name) => /^(ja|en)/i.test(name)) || "en";
    choose(remembered("retest-language") || preferred.slice(0, 2).toLowerCase());
    document.querySelector("[data-language]").addEventListener("click", () => {
      choose(language === "ja" ? "en" : "ja");
      remember("retest-language", language);
    });
  }

  // Light or dark: the system's, unless a person switches.
  const theme = remembered("retest-theme");
  if (theme) root.dataset.theme = theme;
  document.querySelector("[data-theme-switch]").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remember("retest-theme", root.dataset.theme);
  });

  // The pages of the cases are packed, twenty to a piece.
  const PER_CHUNK = 20;
  const chunks = all("script.chunk");
  const unpacked = new Map();
  const unpack = (place) => {
    if (!unpacked.has(place)) {
      const bytes = Uint8Array.from(atob(chunks[place].textContent.trim()), (char) => char.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      unpacked.set(place, new Response(stream).json());
    }
    return unpacked.get(place);
  };
  const pageOf = async (number) => (await unpack(Math.floor(number / PER_CHUNK)))[number % PER_CHUNK];

  // Sort and filter.
  const body = byId("rows");
  const form = byId("filter");
  const rows = all("tr", body).map((element, order) => ({ element, order, number: Number(element.dataset.n), text: null }));
  const heads = all(".cases thead th").map((head) => head.textContent.trim());
  for (const row of rows) {
    for (const cell of row.element.querySelectorAll("td.n")) cell.dataset.l = heads[cell.cellIndex]; // shown on a phone
  }
  const states = all("select[name=state] option").map((option) => option.value);
  let sorting = { key: "order", sign: 1 };
  let visible = rows;
  let answers = null;

  const plainText = (html) => {
    const template = document.createElement("template"); // its content is inert: nothing in it loads or runs
    template.innerHTML = html;
    return all(".q", template.content).map((element) => element.textContent).join("\n").toLowerCase();
  };
  const readAnswers = async () => {
    const texts = new Map();
    for (let place = 0; place < chunks.length; place += 1) {
      (await unpack(place)).forEach((html, index) => texts.set(place * PER_CHUNK + index, plainText(html)));
    }
    answers = texts;
  };
  const rowText = (row) => {
    row.text ??= row.element.textContent.toLowerCase();
    return row.text;
  };
  const fits = (row, wish) => {
    const data = row.element.dataset;
    if (wish.pair && (data.p || "0") !== wish.pair) return false;
    if (wish.differs && data.d === undefined) return false;
    if (wish.tag && !(data.g || "").split(",").includes(wish.tag)) return false;
    const cell = wish.metric ? row.element.cells[2 + Number(wish.metric)] : null;
    if (cell && !wish.state && wish.compared && !cell.dataset.s) return false;
    if (wish.state && (cell ? cell.dataset.s || "same" : data.s) !== wish.state) return false;
    return !wish.text || rowText(row).includes(wish.text) || Boolean(answers && answers.get(row.number)?.includes(wish.text));
  };
  const sortKey = (row) => {
    if (sorting.key === "order") return row.order;
    if (sorting.key === "state") return states.indexOf(row.element.dataset.s);
    const value = row.element.cells[2 + Number(sorting.key)].dataset.v;
    return value === "" ? Infinity : Number(value) * sorting.sign;
  };
  const arrange = () => {
    const wish = {
      text: form.elements.text.value.trim().toLowerCase(),
      pair: form.elements.pair ? form.elements.pair.value : "",
      metric: form.elements.metric.value,
      state: form.elements.state.value,
      tag: form.elements.tag ? form.elements.tag.value : "",
      differs: Boolean(form.elements.differs && form.elements.differs.checked),
      compared: Boolean(form.elements.differs),
    };
    visible = rows.filter((row) => fits(row, wish));
    const sign = sorting.key === "order" || sorting.key === "state" ? sorting.sign : 1;
    visible.sort((a, b) => sign * (sortKey(a) - sortKey(b)) || a.order - b.order);
    body.replaceChildren(...visible.map((row) => row.element));
    byId("shown").textContent = visible.length.toLocaleString("en");
    byId("none").hidden = visible.length > 0;
  };
  form.addEventListener("input", () => {
    arrange();
    if (form.elements.text.value.trim().length > 1 && answers === null) readAnswers().then(arrange);
  });
  form.addEventListener("reset", () => setTimeout(arrange));
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const button of all("[data-sort]")) {
    button.addEventListener("click", () => {
      const same = sorting.key === button.dataset.sort;
      sorting = { key: button.dataset.sort, sign: same ? -sorting.sign : Number(button.dataset.worst || 1) };
      for (const head of all("th[aria-sort]")) head.removeAttribute("aria-sort");
      button.closest("th").setAttribute("aria-sort", sorting.sign > 0 ? "ascending" : "descending");
      arrange();
    });
  }
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr.link");
    if (row && !event.target.closest("a") && !String(getSelection())) location.hash = `case-${row.dataset.n}`;
  });

  // One case at a time, by the address, so that going back works.
  let scrolled = 0;
  const current = () => Number((location.hash.match(/^#case-(\d+)$/) || [])[1] ?? NaN);
  const show = async () => {
    const number = current();
    const open = Number.isInteger(number) && number < rows.length;
    if (open && byId("case").hidden) scrolled = scrollY;
    byId("overview").hidden = open;
    byId("case").hidden = !open;
    if (!open) {
      if (location.hash === "#cases") scrollTo(0, scrolled);
      return;
    }
    const holder = byId("case-body");
    try {
      const html = await pageOf(number);
      if (current() !== number) return; // another was asked for meanwhile
      holder.innerHTML = html; // made by the report with every text escaped, and the policy runs no script
    } catch (error) {
      holder.textContent = String(error);
    }
    translate(holder);
    scrollTo(0, 0);
    const place = visible.findIndex((row) => row.number === number);
    for (const button of all("[data-step]")) {
      const next = visible[place + Number(button.dataset.step)];
      button.disabled = place < 0 || !next;
    }
  };
  const step = (by) => {
    const place = visible.findIndex((row) => row.number === current());
    const next = place < 0 ? undefined : visible[place + by];
    if (next) location.hash = `case-${next.number}`;
  };
  addEventListener("hashchange", show);
  for (const button of all("[data-step]")) button.addEventListener("click", () => step(Number(button.dataset.step)));
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-marks]")) byId("case-body").classList.toggle("plain", !event.target.checked);
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") { event.preventDefault(); form.elements.text.focus(); }
    if (byId("case").hidden) return;
    if (event.key === "ArrowRight" || event.key === "j") step(1);
    if (event.key === "ArrowLeft" || event.key === "k") step(-1);
    if (event.key === "Escape") location.hash = "cases";
  });
  show();
})();
