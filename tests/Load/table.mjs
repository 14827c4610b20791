// Results as Markdown:  node tests/Load/table.mjs FILE... [--into PAGE]
// With --into the tables take the place of what is between the two marks of that page. The newest result of each kind counts.
import { readFileSync, writeFileSync } from "node:fs";

const args = process.argv.slice(2);
if (args.length === 0 || args.includes("--help")) {
  console.error("node tests/Load/table.mjs FILE... [--into PAGE]");
  process.exit(args.length === 0 ? 2 : 0);
}
const into = args.includes("--into") ? args.splice(args.indexOf("--into"), 2)[1] : null;

/** What a scenario shows, and which columns tell two results of it apart. */
const tables = {
  sbrc: {
    title: "Many users in many large rooms, all asking at once", key: ["dimension", "users", "rooms", "members", "limit", "members_told"],
    columns: { dimension: "changed", users: "users", rooms: "rooms", members: "members", limit: "timeline", members_told: "members told", mean_ms: "mean ms", p95_ms: "p95 ms",
      answers_per_s: "answers/s", kb: "kB", cpu_ms: "CPU ms an answer", infra_cpu_ms: "database ms an answer", mb: "memory MB" },
  },
  accounts: {
    title: "The first `/sync` of one account", key: ["rooms", "limit", "phase"],
    columns: { rooms: "rooms", limit: "timeline", phase: "process", p50_ms: "p50 ms", max_ms: "max ms", kb: "kB", cpu_ms: "CPU ms an answer", infra_cpu_ms: "database ms an answer", mb: "memory MB" },
  },
  sliding: {
    title: "The first answer of sliding sync", key: ["rooms", "range", "limit", "phase"],
    columns: { rooms: "rooms", range: "range", limit: "timeline", phase: "process", n: "answers", p50_ms: "p50 ms", max_ms: "max ms", kb: "kB", sync_cpu_ms: "CPU ms an answer (sync)", infra_cpu_ms: "database ms an answer", sync_mb: "memory MB (sync)" },
  },
  "idle-polls": {
    title: "Long polls that nothing concerns", key: ["polls", "users", "events_per_s"],
    columns: { polls: "polls", users: "users", events_per_s: "events/s elsewhere", sync_cpu_percent: "% of a core (sync)", cpu_percent: "% of a core (all services)", sync_mb: "memory MB (sync)", mb: "memory MB (all services)", answered: "answered", failed: "failed" },
  },
  "slow-client": {
    title: "Clients that read at 1 kB a second", key: ["phase", "clients"],
    columns: { phase: "", clients: "slow clients", open: "still reading", p50_ms: "others' delivery p50 ms", p95_ms: "p95 ms", cpu_ms: "CPU ms a delivery", sync_mb: "memory MB (sync)", mb: "memory MB (all services)" },
  },
};

const results = args.flatMap(file => readFileSync(file, "utf8").split("\n").filter(Boolean).map(line => JSON.parse(line)));
const nearly = n => typeof n !== "number" || Number.isInteger(n) ? n : n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2);
const text = [];
for (const [scenario, { title, key, columns }] of Object.entries(tables)) {
  const newest = new Map();
  for (const r of results.filter(r => r.scenario === scenario)) {
    // A rate that is aimed at is never hit exactly.
    const kind = [r.label, ...key.map(k => k === "events_per_s" ? Math.round(r[k] / 5) : r[k])].join("|");
    newest.set(kind, r);
  }
  if (newest.size === 0) continue;
  const shown = Object.entries(columns).filter(([name]) => [...newest.values()].some(r => r[name] !== undefined));
  const labelled = [...newest.values()].some(r => r.label);
  text.push(`### ${title}`, "");
  text.push(`| ${labelled ? "run | " : ""}${shown.map(([, name]) => name).join(" | ")} |`, `|${"---|".repeat(shown.length + (labelled ? 1 : 0))}`);
  for (const r of newest.values()) text.push(`| ${labelled ? `${r.label ?? ""} | ` : ""}${shown.map(([name]) => nearly(r[name] ?? "")).join(" | ")} |`);
  text.push("");
}
if (!into) console.log(text.join("\n"));
else {
  const page = readFileSync(into, "utf8"), [begin, end] = ["<!-- tables -->", "<!-- end of tables -->"];
  if (!page.includes(begin) || !page.includes(end)) throw new Error(`${into} lacks ${begin} or ${end}`);
  writeFileSync(into, `${page.slice(0, page.indexOf(begin) + begin.length)}\n\n${text.join("\n")}\n${page.slice(page.indexOf(end))}`);
}
