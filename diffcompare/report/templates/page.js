"use strict";
(() => {
  document.documentElement.classList.add("live");
  const all = (what, within = document) => [...within.querySelectorAll(what)];
  const make = (tag, text, className) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };

  const unpack = async (id) => {
    const packed = document.getElementById(id).textContent.replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };

  // --- tables sort by their headings: first up, then down ---

  const sortable = (cell) => {
    const value = cell?.dataset.v;
    if (value !== undefined) return { inf: Infinity, "-inf": -Infinity, nan: NaN }[value] ?? Number(value);
    return cell?.textContent.trim() ?? "";
  };
  const compare = (a, b) => {
    const empty = (v) => v === "" || Number.isNaN(v);
    if (empty(a) || empty(b)) return empty(a) - empty(b);
    return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  };
  const sort = (button) => {
    const heading = button.closest("th");
    const body = heading.closest("table").tBodies[0];
    const column = heading.cellIndex;
    const down = heading.getAttribute("aria-sort") === "ascending";
    all("th[aria-sort]", heading.parentNode).forEach((th) => th.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...body.rows].map((row) => [sortable(row.cells[column]), row]);
    const filled = rows.filter(([v]) => v !== "" && !Number.isNaN(v));
    const rest = rows.filter(([v]) => v === "" || Number.isNaN(v));
    filled.sort(([a], [b]) => (down ? compare(b, a) : compare(a, b)));
    body.append(...[...filled, ...rest].map(([, row]) => row));
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.sort");
    if (button) sort(button);
  });

  // --- the matrix: filters ---

  all(".matrix").forEach((matrix) => {
    const form = matrix.querySelector("form");
    const table = matrix.querySelector("table");
    const filter = () => {
      const words = form.elements.text.value.toLowerCase().split(/[\s,]+/).filter(Boolean);
      const engine = form.elements.engine.value;
      const status = form.elements.status.value;
      table.classList.toggle("filtered", engine !== "");
      all("i[data-e]", table).forEach((mark) => mark.classList.toggle("shown", mark.dataset.e.split(" ").includes(engine)));
      let left = 0;
      [...table.tBodies[0].rows].forEach((row) => {
        const name = row.cells[0].textContent.toLowerCase();
        const marks = all("i[data-e]", row).filter((mark) => !engine || mark.dataset.e.split(" ").includes(engine));
        const found = status === "" || (engine ? marks.some((m) => m.classList.contains(status)) : all(`td[data-s~="${status}"]`, row).length > 0);
        row.hidden = !((!words.length || words.some((w) => name.includes(w))) && marks.length > 0 && found);
        left += !row.hidden;
      });
      matrix.querySelector(".none").hidden = left > 0;
    };
    form.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
  });

  // --- the matrix: the numbers of a cell ---

  let numbers = null;
  const dialog = document.getElementById("cell");
  const text = (index) => numbers.texts[index];
  const plain = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "string") return value;
    const size = Math.abs(value);
    return size !== 0 && (size >= 1e6 || size < 1e-3) ? value.toExponential(1) : String(Number(value.toPrecision(3)));
  };
  const seconds = (value) => {
    if (value === null || value === undefined) return "";
    const [unit, factor] = value < 1e-6 ? ["ns", 1e9] : value < 1e-3 ? ["us", 1e6] : value < 1 ? ["ms", 1e3] : ["s", 1];
    return `${Number((value * factor).toPrecision(3))} ${unit}`;
  };
  const table = (headings, rows, left) => {
    const made = make("table");
    const line = made.createTHead().insertRow();
    headings.forEach((heading, k) => {
      const th = make("th", undefined, k >= left ? "num" : "");
      th.append(heading);
      th.scope = "col";
      line.append(th);
    });
    const body = made.createTBody();
    rows.forEach((row) => {
      const tr = body.insertRow();
      row.forEach((cell) => tr.append(cell instanceof Node ? cell : make("td", cell)));
    });
    const scroll = make("div", undefined, "scroll");
    scroll.tabIndex = 0;
    scroll.append(made);
    return scroll;
  };
  const right = (value) => make("td", value, "num");
  // what a column is called, and the definition behind it
  const words = {
    error_conditioned: ["error", "error"], error_ulp: ["ulp", "ulp"], error_rel: ["relative", "relative-error"],
    error_over_bound: ["of its bound", "of-its-bound"], kinks: ["kinks", "kink"], worst_value: ["answered"], worst_truth: ["truth", "truth"],
    derive_s: ["derive", "derive"], compile_s: ["compile", "compile"], first_call_s: ["first call", "first-call"], call_s: ["call", "call"],
    call_median_s: ["median call", "call"], quartiles: ["quartiles", "quartiles"], batch_point_s: ["a point of a batch", "a-point-of-a-batch"],
    overhead_s: ["overhead", "overhead"], pays_after: ["pays after calls", "pays-after"], peak_bytes: ["memory", "memory"],
    operations: ["operations", "operations"], calls: ["evaluations of f", "evaluations"],
  };
  const named = (column) => {
    const [label, place] = words[column] ?? [column.replaceAll("_", " ")];
    if (!place) return label;
    const link = make("a", label, "term");
    link.href = `#def-${place}`;
    explain(link);
    link.addEventListener("click", () => dialog.close());
    return link;
  };
  const open = async (button) => {
    numbers ??= JSON.parse(await unpack("numbers"));
    const cell = numbers.cells[button.dataset.key];
    const { operator, problem, method } = cell;
    const body = document.getElementById("cell-body");
    document.getElementById("cell-title").textContent = `${method}: ${operator.replaceAll("_", " ")} of ${problem}`;
    body.replaceChildren();
    const judged = numbers.judged.map((name, k) => [name, k + 5]).filter(([, k]) => cell.rows.some((row) => row[k] !== null && row[k] !== 0));
    const rows = cell.rows.map((row) => {
      const status = make("td");
      status.append(make("span", text(row[2]).replace("_", " ")));
      if (text(row[3])) status.append(make("div", text(row[3]), "note"));
      return [text(row[0]), text(row[1]), status, ...judged.map(([, k]) => right(plain(row[k])))];
    });
    body.append(table(["engine", "point", "status", ...judged.map(([name]) => named(name))], rows, 3));
    if (cell.times.length) {
      const timed = numbers.timed.map((name, k) => [name, k + 1]).filter(([, k]) => cell.times.some((row) => row[k] !== null && row[k] !== 0));
      const show = (name, value) => (name === "pays_after" && value === "inf" ? "never" : name.endsWith("_s") ? seconds(value) : name.endsWith("bytes") ? `${plain(value / 2 ** 20)} MiB` : plain(value));
      body.append(make("h3", "Time and cost, at the first point"));
      body.append(
        table(["engine", ...timed.map(([name]) => named(name))],
          cell.times.map((row) => [text(row[0]), ...timed.map(([name, k]) => right(show(name, row[k])))]), 1),
      );
    }
    const bad = cell.rows.find((row) => text(row[2]) !== "ok") ?? cell.rows[0];
    body.append(make("h3", "Measure again"));
    const again = make("p");
    again.append(make("code", `${text(bad[4])} --method ${method} --engine ${text(bad[0])}`));
    body.append(again);
    dialog.showModal();
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.cell");
    if (button) open(button);
    if (event.target === dialog) dialog.close();
  });

  // --- tips: what a mark or a word stands for ---

  const tip = document.getElementById("tip");
  const place = (said, box) => {
    tip.textContent = said;
    tip.hidePopover(); // shown anew, it is above a dialog that was opened since
    tip.showPopover();
    const { width, height } = tip.getBoundingClientRect();
    const left = Math.min(Math.max(box.left + box.width / 2 - width / 2, 8), innerWidth - width - 8);
    tip.style.left = `${left}px`;
    tip.style.top = `${box.top - height - 10 > 4 ? box.top - height - 10 : box.bottom + 10}px`;
  };
  let lit = null;
  const light = (mark) => {
    lit?.classList.remove("lit");
    lit = mark;
    if (!mark) { tip.hidePopover(); return; }
    mark.classList.add("lit");
    place(mark.dataset.tip, mark.getBoundingClientRect());
  };
  const meaning = (link) => document.getElementById(link.getAttribute("href").slice(1))?.querySelector("dd")?.textContent ?? "";
  const explain = (link) => {
    const show = () => place(meaning(link), link.getBoundingClientRect());
    const hide = () => tip.hidePopover();
    link.addEventListener("pointerenter", show);
    link.addEventListener("focus", show);
    link.addEventListener("pointerleave", hide);
    link.addEventListener("blur", hide);
    link.addEventListener("click", hide);
  };
  const nearest = (plot, x, y) => {
    let best = null, least = 24 * 24;
    all("[data-tip]", plot).forEach((mark) => {
      const box = mark.getBoundingClientRect();
      const dx = Math.max(box.left - x, 0, x - box.right), dy = Math.max(box.top - y, 0, y - box.bottom);
      const cx = box.left + box.width / 2 - x, cy = box.top + box.height / 2 - y;
      const distance = dx * dx + dy * dy + 1e-3 * Math.min(cx * cx + cy * cy, 1e4);
      if (distance < least) [best, least] = [mark, distance];
    });
    return best;
  };
  // --- figures: one of several ---

  const explore = (plot) => {
    plot.addEventListener("pointermove", (event) => light(nearest(plot, event.clientX, event.clientY)));
    plot.addEventListener("pointerdown", (event) => light(nearest(plot, event.clientX, event.clientY)));
    plot.addEventListener("pointerleave", () => light(null));
    plot.addEventListener("blur", () => light(null));
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") light(null);
      const marks = all("[data-tip]", plot);
      if (!step || !marks.length) return;
      event.preventDefault();
      const at = marks.indexOf(lit);
      light(marks[at < 0 ? 0 : (at + step + marks.length) % marks.length]);
    });
  };
  all(".plot").forEach(explore);
  all(".pick select").forEach((select) => {
    const figure = select.closest("figure");
    select.addEventListener("input", async () => {
      const wanted = select.value;
      const packed = document.getElementById(wanted);
      if (packed.matches("script")) {
        const choice = make("div", undefined, "choice");
        choice.innerHTML = await unpack(wanted);
        choice.id = wanted;
        packed.replaceWith(choice);
        all(".plot", choice).forEach(explore);
      }
      all(".choice", figure).forEach((choice) => (choice.hidden = choice.id !== select.value));
    });
  });

  all("a.term").forEach(explain);

  // --- where one is ---

  const links = new Map(all("nav a").map((link) => [link.getAttribute("href").slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    entries.filter((e) => e.isIntersecting).forEach((e) => {
      links.forEach((link) => link.classList.remove("here"));
      links.get(e.target.id)?.classList.add("here");
    });
  }, { rootMargin: "-10% 0px -80% 0px" });
  all("main > section").forEach((section) => seen.observe(section));
})();
