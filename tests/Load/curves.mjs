// The picture of docs/sync-speed.md:  node tests/Load/curves.mjs FILE... [--to docs/sync-speed.svg]
// Four panels: first answers by rooms, the mean of many at once by the timeline, CPU as each dimension doubles, memory by parked polls.
import { readFileSync, writeFileSync } from "node:fs";

const args = process.argv.slice(2);
if (args.length === 0 || args.includes("--help")) {
  console.error("node tests/Load/curves.mjs FILE... [--to docs/sync-speed.svg]");
  process.exit(args.length === 0 ? 2 : 0);
}
const to = args.includes("--to") ? args.splice(args.indexOf("--to"), 2)[1] : new URL("../../docs/sync-speed.svg", import.meta.url).pathname;
const results = args.flatMap(file => readFileSync(file, "utf8").split("\n").filter(Boolean).map(line => JSON.parse(line)));
const of = (scenario, isWanted = () => true) => results.filter(r => r.scenario === scenario && isWanted(r));

const Width = 960, Height = 740, Panel = { width: 380, height: 220 };
const escape = text => String(text).replace(/[&<>]/g, c => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
const short = n => n >= 10_000 ? `${Math.round(n / 1000)}k` : n >= 10 || Number.isInteger(n) ? `${Math.round(n)}` : n.toPrecision(2);

/** Points by x, the newest result for each, ascending. */
const line = (name, list, x, y) => ({
  name, points: [...new Map(list.filter(r => Number.isFinite(y(r))).map(r => [x(r), y(r)]))].sort((a, b) => a[0] - b[0]),
});

/** Round values that cover a range: powers of ten where it is wide, else steps from zero. */
function ticks(values, isLog) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (isLog) {
    const found = [];
    for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++) found.push(10 ** e);
    return found.length > 1 ? found : [found[0] / 10, found[0], found[0] * 10];
  }
  const step = [1, 2, 2.5, 5, 10].map(n => n * 10 ** Math.floor(Math.log10(high / 4 || 1))).find(n => n * 5 >= high) ?? high;
  return Array.from({ length: Math.ceil(high / step) + 1 }, (_, i) => i * step);
}

function panel(left, top, { title, x, y, lines, isLogY, isLogX }) {
  const drawn = lines.filter(l => l.points.length > 0), all = drawn.flatMap(l => l.points);
  const out = [`<g transform="translate(${left} ${top})">`, `<text class="title" x="0" y="-30">${escape(title)}</text>`, `<text class="unit" x="0" y="-12">${escape(y)}</text>`];
  if (all.length === 0) return [...out, `<text x="${Panel.width / 2}" y="${Panel.height / 2}" text-anchor="middle">not measured</text>`, "</g>"].join("\n");
  const xs = [...new Set(all.map(p => p[0]))].sort((a, b) => a - b), marks = ticks(all.map(p => p[1]).filter(v => v > 0), isLogY);
  const scale = (v, low, high, isLog) => high === low ? 0.5 : isLog ? (Math.log(v) - Math.log(low)) / (Math.log(high) - Math.log(low)) : (v - low) / (high - low);
  const atX = v => 20 + scale(v, xs[0], xs.at(-1), isLogX) * (Panel.width - 40);
  const atY = v => Panel.height - Math.max(0, scale(Math.max(v, isLogY ? marks[0] : 0), marks[0], marks.at(-1), isLogY)) * Panel.height;
  for (const mark of marks) out.push(`<path class="grid" d="M0 ${atY(mark).toFixed(1)}H${Panel.width}"/>`, `<text class="mark" x="-8" y="${(atY(mark) + 4).toFixed(1)}" text-anchor="end">${short(mark)}</text>`);
  for (const v of xs) out.push(`<text class="mark" x="${atX(v).toFixed(1)}" y="${Panel.height + 18}" text-anchor="middle">${short(v)}</text>`);
  out.push(`<text class="unit" x="${Panel.width / 2}" y="${Panel.height + 36}" text-anchor="middle">${escape(x)}</text>`);
  drawn.forEach(({ name, points }, i) => {
    const path = points.map(([px, py]) => `${atX(px).toFixed(1)} ${atY(py).toFixed(1)}`).join("L");
    out.push(`<path class="line c${i}" d="M${path}"/>`);
    for (const [px, py] of points) out.push(`<circle class="dot c${i}" cx="${atX(px).toFixed(1)}" cy="${atY(py).toFixed(1)}" r="3.5"><title>${escape(`${name}: ${short(px)}, ${py}`)}</title></circle>`);
    out.push(`<path class="line c${i}" d="M${8 + (i % 2) * 190} ${Panel.height + 54 + Math.floor(i / 2) * 16}h18"/>`,
      `<text class="mark" x="${32 + (i % 2) * 190}" y="${Panel.height + 58 + Math.floor(i / 2) * 16}">${escape(name)}</text>`);
  });
  return [...out, "</g>"].join("\n");
}

const shapes = of("sbrc", r => !r.dimension);
const shape = shapes.at(-1);
const factor = r => {
  const usual = of("sbrc", s => s.dimension === r.dimension).map(s => s[r.dimension === "limit" ? "limit" : r.dimension]).sort((a, b) => a - b);
  return r[r.dimension] / usual[Math.floor((usual.length - 1) / 2)];
};
const polls = of("idle-polls");
const panels = [
  {
    title: "First answer of one account", x: "rooms of the account", y: "milliseconds (p50)", isLogX: true, isLogY: true,
    lines: [
      line("/sync, warm", of("accounts", r => r.phase === "warm"), r => r.rooms, r => r.p50_ms), line("/sync, cold", of("accounts", r => r.phase === "cold"), r => r.rooms, r => r.p50_ms),
      line("sliding, warm", of("sliding", r => r.phase === "warm"), r => r.rooms, r => r.p50_ms), line("sliding, cold", of("sliding", r => r.phase === "cold"), r => r.rooms, r => r.p50_ms),
    ],
  },
  {
    title: shape ? `${shape.users} users in ${shape.rooms} rooms of ${shape.members}, at once` : "Many users at once", x: "events of a timeline", y: "milliseconds (mean), CPU milliseconds an answer",
    lines: [
      line("latency, lazy members", shapes.filter(r => r.members_told === "lazy"), r => r.limit, r => r.mean_ms),
      line("latency, all members", shapes.filter(r => r.members_told === "all"), r => r.limit, r => r.mean_ms),
      line("CPU, lazy members", shapes.filter(r => r.members_told === "lazy"), r => r.limit, r => r.cpu_ms),
      line("CPU, all members", shapes.filter(r => r.members_told === "all"), r => r.limit, r => r.cpu_ms),
    ],
  },
  {
    title: "As one dimension doubles", x: "times the usual size", y: "CPU milliseconds an answer", isLogX: true,
    lines: ["users", "rooms", "members", "limit"].map(d => line(d === "limit" ? "timeline" : d, of("sbrc", r => r.dimension === d), factor, r => r.cpu_ms ?? r.mean_ms)),
  },
  {
    title: "Long polls that nothing concerns", x: "polls parked", y: "megabytes of the sync processes",
    lines: [line("events elsewhere", polls.filter(r => r.events_per_s > 0), r => r.polls, r => r.sync_mb), line("silence", polls.filter(r => r.events_per_s === 0), r => r.polls, r => r.sync_mb)],
  },
];

// Colours that are read on a light page and on a dark one.
const style = `
  svg { color-scheme: light dark } text { font: 13px system-ui, sans-serif; fill: #57606a } .title { font-weight: 600; font-size: 15px; fill: #24292f }
  .mark { font-size: 11px } .unit { font-size: 12px } .grid { stroke: #8b949e; stroke-opacity: .3 } .line { fill: none; stroke-width: 2 } .dot { stroke: none }
  .c0 { stroke: #2f81f7; fill: #2f81f7 } .c1 { stroke: #e0762f; fill: #e0762f } .c2 { stroke: #2da44e; fill: #2da44e } .c3 { stroke: #a371f7; fill: #a371f7 } .line { fill: none }
  @media (prefers-color-scheme: dark) { text { fill: #9da7b3 } .title { fill: #e6edf3 } }`;
const drawing = panels.map((p, i) => panel(70 + (i % 2) * 470, 60 + Math.floor(i / 2) * 368, p)).join("\n");
writeFileSync(to, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${Width} ${Height}" role="img" aria-label="Latency, CPU and memory of sync">
<style>${style}
</style>
${drawing}
</svg>
`);
console.error(`wrote ${to}`);
