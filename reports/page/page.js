// Behaviour of the page: theme, sorting, filters, charts, and the points of swept spaces.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const redraws = [];

  // Theme: that of the system until the reader chooses.
  const remembered = (() => { try { return localStorage.getItem("theme") } catch { return null } })();
  if (remembered === "dark" || remembered === "light") root.dataset.theme = remembered;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
  const button = document.getElementById("theme");
  const nameTheme = () => {
    button.textContent = isDark() ? "Light page" : "Dark page";
    root.toggleAttribute("data-dark", isDark());
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme) } catch { /* a private window */ }
    nameTheme();
    redraws.forEach(redraw => redraw());
  });
  system.addEventListener("change", () => { nameTheme(); redraws.forEach(redraw => redraw()) });
  nameTheme();

  // Tables: a click on a heading sorts, words in the field above filter.
  const valueOf = cell => cell.dataset.value !== undefined
    ? Number(cell.dataset.value) : cell.textContent.trim().toLowerCase();
  const order = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a === "number") return -1;
    if (typeof b === "number") return 1;
    return a.localeCompare(b, "en", { numeric: true });
  };
  for (const heading of document.querySelectorAll("thead th")) {
    heading.querySelector("button").addEventListener("click", () => {
      const table = heading.closest("table"), body = table.tBodies[0];
      const down = heading.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const place = heading.cellIndex;
      const rows = [...body.rows].map(row => [valueOf(row.cells[place]), row]);
      rows.sort((a, b) => down ? order(b[0], a[0]) : order(a[0], b[0]));
      body.append(...rows.map(pair => pair[1]));
    });
  }
  for (const field of document.querySelectorAll("[data-filter]")) {
    const table = document.getElementById(field.dataset.filter);
    const status = document.getElementById(`${field.dataset.filter}-status`);
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of table.tBodies[0].rows) {
        const text = [...row.cells].map(cell => cell.textContent).join(" ").toLowerCase();
        row.hidden = !words.every(word => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      status.textContent = words.length ? `${shown} of ${table.tBodies[0].rows.length} rows` : "";
    });
  }

  // Charts.
  const config = ink => ({
    aria: false, background: "transparent", font: "system-ui, sans-serif",
    axis: { labelColor: ink, titleColor: ink, domainColor: ink, tickColor: ink, gridColor: ink,
      gridOpacity: 0.13, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal",
      labelLimit: 220 },
    legend: { labelColor: ink, titleColor: ink, labelFontSize: 12, titleFontSize: 12,
      orient: "bottom", labelLimit: 260, symbolStrokeColor: ink, direction: "horizontal",
      symbolBaseFillColor: ink, symbolBaseStrokeColor: ink,
      titleFontWeight: "normal" },
    header: { labelColor: ink, titleColor: ink }, text: { color: ink, fill: ink },
    rule: { color: ink }, view: { stroke: null },
  });
  const inkOf = element => getComputedStyle(element).color;
  const ERRORS_ONLY = 1;  // of Vega's levels
  const draw = async (element, spec, canvas) => {
    const drawn = await window.vegaEmbed(element, spec, options(element, canvas));
    element.querySelector("svg, canvas").setAttribute("aria-hidden", "true");  // the caption says it
    return drawn;
  };
  const options = (element, canvas) => ({
    actions: false, logLevel: ERRORS_ONLY, renderer: canvas ? "canvas" : "svg",
    config: config(canvas ? inkOf(element) : "currentColor"),
    tooltip: { theme: isDark() ? "dark" : "light" },
  });
  const narrow = element => element.clientWidth < 520;
  const fitted = (spec, element) => {
    const copy = structuredClone(spec);
    copy.config = narrow(element)
      ? { legend: { columns: 1 }, axis: { labelLimit: 180, tickCount: 4 } } : { legend: { columns: 4 } };
    return copy;
  };

  // A swept space: every point, the front, and the machine of the picked one.
  const toml = (machine, changes) => {
    const whole = structuredClone(machine);
    for (const [key, value] of Object.entries(changes)) {
      const [head, tail] = key.split(".");
      if (tail === undefined) whole[head] = value;
      else whole[head] = { ...whole[head], [tail]: value };
    }
    const write = value => typeof value === "string" ? JSON.stringify(value) : String(value);
    const lines = table => Object.entries(table)
      .filter(([, value]) => value !== null && typeof value !== "object")
      .map(([key, value]) => `${key} = ${write(value)}`);
    const tables = Object.entries(whole)
      .filter(([, value]) => value !== null && typeof value === "object")
      .map(([key, value]) => ["", `[${key}]`, ...lines(value)]);
    const { name } = whole;
    delete whole.name;
    return [...lines({ name }), ...lines(whole), ...tables.flat(), ""].join("\n");
  };

  const explore = async (holder, space) => {
    const figure = holder.closest("figure");
    const role = name => figure.querySelector(`[data-role="${name}"]`);
    const { columns, front, axes, work, hardware, measured, names, machine } = space;
    const at = (name, row) => columns[name][row];
    const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 5 });  // made once: it is slow
    const shown = value => value === null ? "-"
      : typeof value !== "number" ? String(value) : digits.format(value);
    const choose = (select, entries, chosen) => select.replaceChildren(...entries.map(([value, text]) =>
      new Option(text, value, false, String(value) === String(chosen))));
    const named = name => names[name] ?? name;
    const choices = [...measured, ...axes].filter(name => columns[name].every(v => typeof v === "number"));
    choose(role("x"), choices.map(name => [name, named(name)]), space.x);
    choose(role("y"), choices.map(name => [name, named(name)]), space.y);
    const isFront = new Set(front), rows = columns.point.map((_, row) => row);
    const workOf = row => work.map(name => `${name} ${at(name, row)}`).join(", ") || "all points";
    let picked = space.knee ?? front[0] ?? 0, brushed = null, view = null;

    const write = () => {
      const all = [...axes, ...measured];
      role("values").replaceChildren(...[["point", picked], ...all.map(name => [name, picked])]
        .flatMap(([name, row]) => {
          const term = document.createElement("dt"), value = document.createElement("dd");
          term.textContent = named(name);
          value.textContent = shown(at(name, row));
          return [term, value];
        }));
      const changes = Object.fromEntries(
        hardware.map(name => [name, at(name, picked)]));
      const label = `${machine.name} point ${at("point", picked)}`;
      const text = toml({ ...machine, name: label }, changes);
      role("toml").textContent = text;
      const save = role("save");
      save.href = `data:application/toml;charset=utf-8,${encodeURIComponent(text)}`;
      save.download = `${label.replace(/[^A-Za-z0-9]+/g, "-")}.toml`;
    };
    const list = () => {
      const inside = brushed === null ? front : brushed;
      const most = inside.slice(0, 500);
      if (!most.includes(picked) && most.length) picked = most[0];
      choose(role("point"), most.map(row => [row,
        `${at("point", row)}${isFront.has(row) ? "" : " (behind the front)"}: ` +
        `${shown(at(role("x").value, row))}, ${shown(at(role("y").value, row))}`]), picked);
      role("status").textContent = brushed === null
        ? `${front.length.toLocaleString("en")} points on the front of ${rows.length.toLocaleString("en")}`
        : `${brushed.length} points in the brush, ${brushed.filter(row => isFront.has(row)).length} of them on the front`;
      write();
    };
    const mark = () => {
      if (!view) return;
      const place = { x: at(role("x").value, picked), y: at(role("y").value, picked) };
      view.data("picked", [place]).runAsync();
    };
    const plot = async () => {
      const x = role("x").value, y = role("y").value;
      const values = rows.map(row => ({ x: at(x, row), y: at(y, row), row, work: workOf(row) }));
      const scale = name => {
        const numbers = columns[name].filter(v => v !== null), low = Math.min(...numbers);
        return low > 0 && Math.max(...numbers) / low > 20 ? "log" : "linear";
      };
      const axis = (name, type) => ({ field: type, type: "quantitative", title: named(name),
        scale: { type: scale(name), nice: false, padding: 8, ...(scale(name) === "log" ? {} : { zero: false }) }, axis: { format: "~s", tickCount: 6 } });
      const several = work.length > 0;
      const colour = several
        ? { field: "work", type: "nominal", title: null, scale: { range: space.colours } } : { value: space.colours[0] };
      const spec = {
        $schema: undefined, width: "container", height: 340,
        encoding: { x: axis(x, "x"), y: axis(y, "y"), color: colour },
        layer: [
          { data: { values }, params: [{ name: "brush", select: { type: "interval", encodings: ["x", "y"] } }],
            mark: { type: "circle", size: 16, opacity: 0.35 } },
          { data: { values: values.filter(v => isFront.has(v.row)) },
            mark: { type: "point", filled: true, size: 55, opacity: 1, stroke: inkOf(holder), strokeWidth: 0.8 },
            encoding: { shape: several ? { field: "work", type: "nominal", legend: null } : { value: "circle" } } },
          { data: { name: "picked", values: [] },
            mark: { type: "point", size: 260, strokeWidth: 3, filled: false, color: inkOf(holder) },
            encoding: { color: { value: inkOf(holder) } } },
        ],
      };
      const drawn = await draw(role("plot"), fitted(spec, role("plot")), true);
      view = drawn.view;
      brushed = null;
      view.addSignalListener("brush", (_, range) => {
        const inside = row => ["x", "y"].every(dimension => {
          const span = range[dimension], value = values[row][dimension];
          return !span || (value >= Math.min(...span) && value <= Math.max(...span));
        });
        brushed = Object.keys(range).length ? rows.filter(inside) : null;
        list();
        mark();
      });
      view.addEventListener("click", (_, item) => {
        if (item?.datum?.row === undefined) return;
        picked = item.datum.row;
        if (!(brushed ?? front).includes(picked)) { brushed = null; role("point").append(new Option("", picked)) }
        list();
        mark();
      });
      list();
      mark();
    };
    role("x").addEventListener("change", plot);
    role("y").addEventListener("change", plot);
    role("point").addEventListener("change", event => { picked = Number(event.target.value); write(); mark() });
    role("copy").addEventListener("click", async event => {
      const text = role("toml").textContent;
      try { await navigator.clipboard.writeText(text) } catch {
        const range = document.createRange();
        range.selectNodeContents(role("toml"));
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        document.execCommand("copy");
      }
      event.target.textContent = "Copied";
      setTimeout(() => { event.target.textContent = "Copy this machine's TOML" }, 1500);
    });
    redraws.push(plot);
    await plot();
  };

  const all = async () => {
    for (const element of document.querySelectorAll("[data-chart]")) {
      const chart = data.charts[element.dataset.chart];
      const place = () => draw(element, fitted(chart.spec, element), chart.canvas);
      await new Promise(done => setTimeout(done));  // the page answers between two charts
      await place();
      if (chart.canvas) redraws.push(place);
    }
    for (const element of document.querySelectorAll("[data-explorer]")) {
      await explore(element, data.explorers[element.dataset.explorer]);
    }
    root.dataset.drawn = "true";
  };
  all().catch(error => { console.error(error) });
})();
