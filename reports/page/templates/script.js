"use strict";
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  const plots = [...document.querySelectorAll(".plot")];
  const touch = matchMedia("(pointer: coarse)").matches;
  const PRINTED = { width: 660, height: 300, autosize: false }; // between the margins of an A4 page
  const round = (digits) => [...Array(16).keys()].flatMap((power) => digits.map((digit) => Number(`${digit}e${power - 9}`)));

  // A string such as "--model" names a colour of the style sheet.
  function coloured(value, styles) {
    if (typeof value === "string") return value.startsWith("--") ? styles.getPropertyValue(value).trim() : value;
    if (Array.isArray(value)) return value.every((item) => typeof item === "number") ? value : value.map((item) => coloured(item, styles));
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, styles)]));
    return value;
  }

  function withStyle(layout, styles, width) {
    const colour = (name) => styles.getPropertyValue(name).trim();
    const narrow = width < 480;
    const axis = { gridcolor: colour("--rule"), zerolinecolor: colour("--rule"), linecolor: colour("--rule"), automargin: true };
    const styled = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: narrow ? 11 : 13, color: colour("--text") },
      colorway: ["--model", "--accent", "--naive-3", "--naive-2", "--naive-1"].map(colour),
      margin: { l: 56, r: 12, t: 8, b: 44 },
      legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", xanchor: "left" },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--quiet"), activecolor: colour("--text") },
      hovermode: "closest", dragmode: touch ? false : "zoom", ...layout,
    };
    for (const key of Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name))) {
      const [from, to] = layout[key].domain ?? [0, 1];
      const short = key.startsWith("x") && (to - from) * width < 240; // pixels, in which few labels fit
      const ticks = round(short ? [1, 3] : [1, 2, 5]);
      const few = layout[key].type === "log" ? { tickvals: ticks, ticktext: ticks.map(String), tickangle: 0 } : short && layout[key].type !== "category" ? { nticks: 4 } : {};
      const small = short ? { tickfont: { size: 10 } } : {};
      styled[key] = { ...axis, ...few, ...small, ...layout[key], title: { standoff: 8, ...layout[key].title } };
    }
    return styled;
  }

  function draw(plot, size) {
    const styles = getComputedStyle(root);
    const figure = JSON.parse(plot.nextElementSibling.textContent);
    for (const trace of figure.data) if (trace.x === "shared") trace.x = figure.data[0].x;
    const width = size ? size.width : plot.clientWidth;
    if (width < 480) for (const trace of figure.data) if (trace.marker) trace.marker.showscale = false;
    const layout = withStyle(coloured(figure.layout, styles), styles, width);
    Object.assign(layout, size);
    // Zooming by the reader is kept from one drawing to the next.
    layout.uirevision = "kept";
    const config = {
      responsive: !size, displaylogo: false,
      modeBarButtons: [["zoomIn2d", "zoomOut2d", "pan2d", "autoScale2d", "toImage"]],
      displayModeBar: touch ? plot.id.startsWith("figure-forecasts") : "hover",
    };
    if (touch && config.displayModeBar) {
      layout.margin.t = 36; // the buttons' place, where the legend stands otherwise
      layout.margin.b = 8;
      Object.assign(layout.legend, { yref: "container", y: 0 });
    }
    return Plotly.react(plot, coloured(figure.data, styles), layout, config);
  }

  const drawAll = (size) => Promise.all(plots.map((plot) => draw(plot, size)));

  function show(theme) {
    root.dataset.theme = theme;
    button.textContent = theme === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Show the page in ${theme === "dark" ? "light" : "dark"} colours`);
  }

  function sort(head) {
    const table = head.closest("table");
    const column = head.cellIndex;
    const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const key = (row) => row.cells[column].dataset.order ?? row.cells[column].textContent;
    const compare = (a, b) => direction * key(a).localeCompare(key(b), "en", { numeric: true });
    const byFigure = (a, b) => direction * (Number(key(a)) - Number(key(b)));
    const rows = [...table.tBodies[0].rows];
    const figures = rows.every((row) => Number.isFinite(Number(key(row))));
    table.tBodies[0].append(...rows.sort(figures ? byFigure : compare));
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
  }

  for (const head of document.querySelectorAll("thead th")) head.firstElementChild.addEventListener("click", () => sort(head));
  button.addEventListener("click", () => { show(root.dataset.theme === "dark" ? "light" : "dark"); drawAll(); });
  dark.addEventListener("change", () => { show(dark.matches ? "dark" : "light"); drawAll(); });
  let before;
  addEventListener("beforeprint", () => { before = root.dataset.theme; show("light"); drawAll(PRINTED); });
  addEventListener("afterprint", () => { show(before); drawAll(); });
  show(dark.matches ? "dark" : "light");
  drawAll().then(() => { root.dataset.drawn = "all"; });
})();
