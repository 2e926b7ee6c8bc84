"use strict";
// Unpacks the figures and plotly.js, and draws each plot when it comes into sight, in the colours of the style sheet.

(async () => {
  const trouble = (text) => {
    const place = document.getElementById("trouble");
    place.textContent = text;
    place.hidden = false;
  };
  const packed = (id) => document.getElementById(id).textContent;
  if (!packed("plotly")) return;
  if (typeof DecompressionStream === "undefined") {
    trouble("The plots need a browser of 2023 or newer; everything else is on this page.");
    return;
  }
  const unpack = async (id) => {
    const bytes = Uint8Array.from(atob(packed(id)), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };

  const plots = JSON.parse(await unpack("figures"));
  const library = document.createElement("script");
  library.nonce = document.querySelector("script[nonce]").nonce;
  library.textContent = await unpack("plotly");
  document.head.append(library);

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 600px)");
  const touch = matchMedia("(pointer: coarse)").matches;

  const mixed = (share, style) => {
    const stops = [0, 1, 2].map((stop) => style.getPropertyValue(`--scale-${stop}`).trim());
    const first = share < 0.5 ? 0 : 1;
    const part = 2 * share - first;
    const channel = (colour, place) => parseInt(colour.slice(1 + 2 * place, 3 + 2 * place), 16);
    const mix = (place) =>
      Math.round((1 - part) * channel(stops[first], place) + part * channel(stops[first + 1], place));
    return `rgb(${mix(0)}, ${mix(1)}, ${mix(2)})`;
  };

  const coloured = (value, style) => {
    if (typeof value === "string") {
      const share = /^scale\(([\d.]+)\)$/.exec(value);
      if (share) return mixed(Number(share[1]), style);
      const name = /^var\((--[\w-]+)\)$/.exec(value);
      return name ? style.getPropertyValue(name[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((item) => coloured(item, style));
    if (value && typeof value === "object" && !ArrayBuffer.isView(value)) {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, style)]));
    }
    return value;
  };

  const axis = (given, style) => ({
    gridcolor: style.getPropertyValue("--line").trim(),
    linecolor: style.getPropertyValue("--line").trim(),
    zeroline: false,
    exponentformat: "power",
    tickfont: { color: style.getPropertyValue("--muted").trim(), size: 12 },
    ...given,
    title: { font: { size: 13 }, standoff: 10, ...(given || {}).title },
  });

  const draw = (place) => {
    const { height, figures } = plots[place.id];
    const choice = place.querySelector("select");
    const figure = figures[choice ? Number(choice.value) : 0];
    const style = getComputedStyle(document.documentElement);
    const canvas = place.querySelector(".canvas");
    const isPrinted = document.documentElement.classList.contains("printing");
    const given = coloured(figure.layout, style);
    const colour = (name) => style.getPropertyValue(name).trim();
    const layout = {
      margin: { l: 56, r: 16, t: 16, b: 48 },
      legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", font: { size: 13 } },
      hovermode: "closest",
      dragmode: touch ? false : "zoom",
      ...given,
      height,
      ...(isPrinted ? { width: canvas.clientWidth, autosize: false } : { autosize: true }),
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("--ink") },
      hoverlabel: {
        bgcolor: colour("--card"),
        bordercolor: colour("--muted"),
        font: { color: colour("--ink"), size: 13 },
        align: "left",
      },
      xaxis: axis(given.xaxis, style),
      yaxis: axis(given.yaxis, style),
    };
    if (narrow.matches) layout.yaxis.title = { ...layout.yaxis.title, font: { size: 12 } };
    const data = coloured(figure.data, style);
    const config = { displaylogo: false, responsive: true, displayModeBar: false };
    return Plotly.react(canvas, data, layout, config);
  };

  const places = [...document.querySelectorAll("figure.plot")];
  const drawn = new Set();
  const show = (place) => {
    drawn.add(place);
    draw(place).then(() => place.setAttribute("data-drawn", ""));
  };
  const sight = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        sight.unobserve(entry.target);
        show(entry.target);
      }
    },
    { rootMargin: "600px" },
  );
  for (const place of places) {
    const choice = place.querySelector("select");
    if (choice) {
      choice.hidden = false;
      choice.addEventListener("change", () => show(place));
    }
    sight.observe(place);
  }
  dark.addEventListener("change", () => drawn.forEach(draw));
  const root = document.documentElement;
  addEventListener("beforeprint", () => {
    root.classList.add("printing"); // as wide as paper, before the browser lays it out for paper
    places.forEach(show);
  });
  addEventListener("afterprint", () => {
    root.classList.remove("printing");
    drawn.forEach(draw);
  });
})();
