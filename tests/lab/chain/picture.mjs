// SPDX-License-Identifier: Apache-2.0
// Draws the Grafana dashboard from its own JSON and a live Prometheus, as one SVG:
//
//     npm install echarts@6.1.0
//     node picture.mjs etc/grafana/guest-memory.json http://127.0.0.1:PORT SECONDS >dashboard.svg
//
// Grid, titles, expressions, units, legends and thresholds are the dashboard's; fonts and
// colours are not Grafana's. SECONDS: how much of the past is shown.
import { readFileSync } from "node:fs";
import * as echarts from "echarts";

const [, , file, prometheus, seconds] = process.argv;
const board = JSON.parse(readFileSync(file, "utf8"));
const end = Date.now() / 1000;
const start = end - Number(seconds);
const step = Math.max(1, Math.round(seconds / 200));
const COLUMN = 54, ROW = 32, GAP = 4, HEAD = 22, LEGEND = 400;
const COLOURS = ["#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0"];
// Where a table's columns begin, in px from the panel's left side.
const PLACES = [8, 62, 190, 392, 490, 556];
const VARIABLES = { "${hostlabel}": "host", $host: ".*", $project: ".*", $instance: ".*", $top: "20", $__range: `${seconds}s` };

const UNITS = {
  mbytes: (v) => (Math.abs(v) < 1024 ? `${v.toFixed(1)} MiB` : `${(v / 1024).toFixed(2)} GiB`),
  percentunit: (v) => `${(100 * v).toFixed(v < 0.1 ? 1 : 0)} %`,
  cps: (v) => `${v.toFixed(1)} c/s`,
  MiBs: (v) => `${v.toFixed(2)} MiB/s`,
  s: (v) => `${v.toFixed(0)} s`,
  short: (v) => `${v}`,
};

function filled(text) {
  for (const [name, value] of Object.entries(VARIABLES)) text = text.replaceAll(name, value);
  return text;
}

async function ask(target) {
  const expr = filled(target.expr);
  const range = target.range ? "_range" : "";
  const query = new URLSearchParams({ query: expr, ...(range ? { start, end, step } : { time: end }) });
  const answer = await (await fetch(`${prometheus}/api/v1/query${range}?${query}`)).json();
  if (answer.status !== "success") throw new Error(`${expr}: ${answer.error}`);
  return answer.data.result.map((one) => ({
    labels: one.metric,
    name: named(filled(target.legendFormat), one.metric),
    points: (one.values ?? [one.value]).map(([when, text]) => [when * 1000, Number(text)]),
  }));
}

const named = (format, labels) => format.replace(/{{(\w+)}}/g, (_, label) => labels[label] ?? "");
const escaped = (text) => `${text}`.replace(/[<&>]/g, (c) => `&#${c.charCodeAt(0)};`);
const text = (x, y, content, more = "") => `<text x="${x}" y="${y}" ${more}>${escaped(content)}</text>`;

function drawn(option, x, y, width, height) {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width, height });
  chart.setOption({ animation: false, color: COLOURS, ...option });
  const svg = chart.renderToSVGString();
  // Its timer would keep this program from ending.
  chart.dispose();
  return svg.replace("<svg ", `<svg x="${x}" y="${y}" `);
}

function threshold(panel, value) {
  const steps = panel.fieldConfig.defaults.thresholds?.steps ?? [];
  return steps.filter((one) => one.value === null || value >= one.value).at(-1)?.color ?? "#1f78c1";
}

// Returns what an override of the panel sets for a series or a column.
function overridden(panel, name, property) {
  const found = panel.fieldConfig.overrides.find(({ matcher }) => matcher.options === name);
  return found?.properties.find(({ id }) => id === property)?.value;
}

// Ends a line where Prometheus has no values.
function broken(points) {
  return points.flatMap((point, place) =>
    place && point[0] - points[place - 1][0] > 1500 * step ? [[point[0] - 1, null], point] : [point]);
}

function cell(panel, column, value) {
  const words = overridden(panel, column, "mappings")?.[0].options[value];
  return words?.text ?? UNITS[overridden(panel, column, "unit")]?.(value) ?? value;
}

const KINDS = {
  stat(panel, series, width, height) {
    const value = series[0]?.points.at(-1)[1];
    if (value === undefined) return text(width / 2, height / 2, "No data", 'text-anchor="middle"');
    const more = `text-anchor="middle" font-size="26" fill="${threshold(panel, value)}"`;
    return text(width / 2, height / 2 + 22, unit(panel)(value), more);
  },
  bargauge(panel, series, width, height) {
    const rows = [...series].reverse();
    return drawn({
      grid: { left: 200, right: 80, top: 4, bottom: 4 },
      xAxis: { type: "value", show: false, min: 0, max: panel.fieldConfig.defaults.max },
      yAxis: { type: "category", data: rows.map((one) => one.name), axisTick: { show: false } },
      series: [{
        type: "bar",
        label: { show: true, position: "right", formatter: ({ value }) => unit(panel)(value) },
        data: rows.map((one) => one.points.at(-1)[1])
          .map((value) => ({ value, itemStyle: { color: threshold(panel, value) } })),
      }],
    }, 0, HEAD, width, height - HEAD);
  },
  timeseries(panel, series, width, height) {
    const table = panel.options.legend.placement === "right";
    const plot = width - (table ? LEGEND : 0);
    const last = (one) => one.points.at(-1)[1];
    const sorted = series.map((one) => ({ ...one, name: overridden(panel, one.name, "displayName") ?? one.name }))
      .sort((a, b) => last(b) - last(a));
    const chart = drawn({
      grid: { left: 74, right: 12, top: 8, bottom: table ? 24 : 44 },
      legend: { show: !table, bottom: 0 },
      xAxis: { type: "time", min: start * 1000, max: end * 1000, splitNumber: 4, axisLabel: { hideOverlap: true } },
      yAxis: { type: "value", min: 0, axisLabel: { formatter: unit(panel) } },
      series: sorted.map((one) => ({
        type: "line", name: one.name, data: broken(one.points), showSymbol: false, lineStyle: { width: 1.2 },
        areaStyle: panel.fieldConfig.defaults.custom.fillOpacity ? { opacity: 0.15 } : undefined,
      })),
    }, 0, HEAD, plot, height - HEAD);
    if (!table) return chart;
    const lines = Math.floor((height - HEAD - 20) / 15);
    const rows = sorted.slice(0, lines).map((one, place) => {
      const y = HEAD + 30 + 15 * place;
      const max = Math.max(...one.points.map(([, value]) => value));
      return `<rect x="${plot}" y="${y - 6}" width="10" height="3" fill="${COLOURS[place % 8]}"/>`
        + text(plot + 14, y, one.name) + text(plot + 328, y, unit(panel)(last(one)), 'text-anchor="end"')
        + text(plot + 393, y, unit(panel)(max), 'text-anchor="end"');
    });
    const head = text(plot + 328, HEAD + 14, "Last *", 'text-anchor="end" font-weight="bold"')
      + text(plot + 393, HEAD + 14, "Max", 'text-anchor="end" font-weight="bold"');
    return chart + head + rows.join("");
  },
  table(panel, series) {
    const merged = new Map();
    for (const one of series) {
      const row = merged.get(one.labels.resource) ?? { ...one.labels };
      row[`Value #${one.refId}`] = one.points.at(-1)[1];
      merged.set(one.labels.resource, row);
    }
    const { indexByName, renameByName } = panel.transformations.find((t) => t.id === "organize").options;
    const small = 'font-size="8.5"';
    const cells = Object.entries(indexByName).map(([name, place]) => [
      text(PLACES[place], HEAD + 16, renameByName[name], `${small} font-weight="bold"`),
      ...[...merged.values()].map((row, line) => row[name] === undefined ? ""
        : text(PLACES[place], HEAD + 34 + 16 * line, cell(panel, renameByName[name], row[name]), small)),
    ].join(""));
    return cells.join("");
  },
};
const unit = (panel) => UNITS[panel.fieldConfig.defaults.unit];

const parts = [];
for (const panel of board.panels) {
  const series = [];
  for (const target of panel.targets)
    series.push(...(await ask(target)).map((one) => ({ ...one, refId: target.refId })));
  const { x, y, w, h } = panel.gridPos;
  const [width, height] = [w * COLUMN - GAP, h * ROW - GAP];
  parts.push(`<svg x="${x * COLUMN}" y="${y * ROW}" width="${width}" height="${height}">`
    + `<rect width="100%" height="100%" fill="#fff" stroke="#d8d9da"/>`
    + text(8, 16, panel.title, 'font-weight="bold" font-size="13"')
    + KINDS[panel.type](panel, series, width, height) + "</svg>");
}
const high = Math.max(...board.panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * ROW;
console.log(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${24 * COLUMN} ${high}" `
  + `font-family="sans-serif" font-size="11" fill="#24292e">${parts.join("\n")}</svg>`);
