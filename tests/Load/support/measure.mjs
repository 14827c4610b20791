// What requests take, and what processes use.
import { readFileSync, readdirSync, statSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const infrastructure = /^(postgres|redis|nginx)/;
/** Who starts the others, and the dashboard. */
const bystanders = /^(host|dashboard)/;
let tick = 0;

/** Of a folder of NAME.pid files, or of ids with commas. */
export function processes(pids) {
  if (!pids) return [];
  if (/^[\d,]+$/.test(pids)) return pids.split(",").filter(Boolean).map(pid => ({ name: `process-${pid}`, pid: Number(pid) }));
  return readdirSync(pids).filter(f => f.endsWith(".pid")).map(f => ({ name: f.slice(0, -4), pid: Number(readFileSync(join(pids, f), "utf8")) }));
}

function children() {
  const of = new Map();
  for (const pid of readdirSync("/proc").filter(f => /^\d+$/.test(f))) {
    const stat = statOf(pid);
    if (!stat) continue;
    if (!of.has(stat.parent)) of.set(stat.parent, []);
    of.get(stat.parent).push(Number(pid));
  }
  return of;
}

function statOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    tick ||= 1000 / Number(execFileSync("getconf", ["CLK_TCK"]));
    return { parent: Number(fields[1]), cpuMs: (Number(fields[11]) + Number(fields[12])) * tick, endedMs: (Number(fields[13]) + Number(fields[14])) * tick };
  } catch {
    return null;        // it has ended
  }
}

/** Proportional set size, since processes share memory; what is resident where that may not be read. */
function memoryMb(pid) {
  for (const [file, pattern] of [["smaps_rollup", /^Pss:\s+(\d+)/m], ["status", /^VmRSS:\s+(\d+)/m]]) {
    try {
      return Number(pattern.exec(readFileSync(`/proc/${pid}/${file}`, "utf8"))[1]) / 1024;
    } catch {
      // The next one.
    }
  }
  return 0;
}

/** CPU milliseconds and megabytes by name, with all children; null: no processes were named. */
export function usage(pids) {
  const roots = processes(pids);
  if (roots.length === 0) return null;
  const of = children();
  const named = new Set(roots.map(r => r.pid));
  const sum = (pid, isRoot) => {
    if (!isRoot && named.has(pid)) return { cpuMs: 0, mb: 0 };
    const stat = statOf(pid);
    const own = { cpuMs: (stat?.cpuMs ?? 0) + (stat?.endedMs ?? 0), mb: stat ? memoryMb(pid) : 0 };
    for (const child of of.get(pid) ?? []) {
      const more = sum(child, false);
      own.cpuMs += more.cpuMs;
      own.mb += more.mb;
    }
    return own;
  };
  return new Map(roots.filter(r => !bystanders.test(r.name)).map(r => [r.name, sum(r.pid, true)]));
}

const total = (use, field, isWanted) => [...use].filter(([name]) => isWanted(name)).reduce((all, [, u]) => all + u[field], 0);
const ours = name => !infrastructure.test(name);
/** In a monolith the one process is all services. */
const ofSync = use => [...use.keys()].some(name => /^sync/.test(name)) ? name => /^sync/.test(name) : ours;
const round = n => Math.round(n * 1000) / 1000;

/** Memory of the homeserver's processes, and of its syncs. */
export const memory = use => use && { mb: round(total(use, "mb", ours)), sync_mb: round(total(use, "mb", ofSync(use))) };

/** CPU between two moments, for each of so many units: homeserver, its syncs, database and Redis. */
export const cpu = (before, after, units = 1) => {
  if (!before || !after) return null;
  const used = isWanted => round((total(after, "cpuMs", isWanted) - total(before, "cpuMs", isWanted)) / units);
  return { cpu_ms: used(ours), sync_cpu_ms: used(ofSync(before)), infra_cpu_ms: used(name => !ours(name)) };
};

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
export const mean = list => list.reduce((all, n) => all + n, 0) / Math.max(1, list.length);
export function times(list) {
  const sorted = [...list].sort((a, b) => a - b);
  return { n: list.length, mean_ms: round(mean(list)), p50_ms: round(quantile(sorted, 0.5) ?? 0), p95_ms: round(quantile(sorted, 0.95) ?? 0), max_ms: round(sorted.at(-1) ?? 0) };
}

export async function timed(act) {
  const begun = performance.now();
  const value = await act();
  return { ms: performance.now() - begun, value };
}

/** Ends the named processes and waits until whoever watches over them has started others. */
export async function restart(pids, prefix) {
  if (!pids || !statSync(pids).isDirectory()) throw new Error("--restart needs --pids with a folder");
  const find = () => processes(pids).filter(p => p.name.startsWith(prefix));
  const old = find();
  if (old.length === 0) throw new Error(`no ${prefix}*.pid in ${pids}`);
  for (const { pid } of old) process.kill(pid, "SIGTERM");
  for (let i = 0; i < 1200; i++) {
    await pause(100);
    const now = find();
    if (now.length === old.length && now.every(p => statOf(p.pid) && !old.some(o => o.pid === p.pid))) return;
  }
  throw new Error(`${prefix} did not come back`);
}
