// A homeserver under load: requests, accounts, and what its processes use. Node alone, no packages.
import http from "node:http";
import { readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";

export const baseUrl = process.env.ARMADA_URL ?? "http://127.0.0.1:8008";
/** Numbers of an option: --name value */
export const option = (name, otherwise) => {
  const i = process.argv.indexOf(`--${name}`);
  return i < 0 ? otherwise : Number(process.argv[i + 1]);
};
const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });

/** The parsed answer and its size; an error says what was asked. */
export function call(method, path, { token, body, signal } = {}) {
  const data = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const headers = { ...(token && { authorization: `Bearer ${token}` }), ...(data && { "content-type": "application/json", "content-length": data.length }) };
    const request = http.request(new URL(path, baseUrl), { method, headers, agent, signal }, response => {
      const chunks = [];
      response.on("data", chunk => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const bytes = Buffer.concat(chunks);
        if (response.statusCode !== 200) reject(new Error(`${method} ${path}: ${response.statusCode} ${bytes}`));
        else resolve({ bytes: bytes.length, json: () => JSON.parse(bytes) });
      });
    });
    request.on("error", reject);
    request.end(data);
  });
}

let names = 0;
const run = Date.now().toString(36);
export async function newUser(prefix) {
  const username = `${prefix}-${run}-${names++}`;
  const made = await call("POST", "/_matrix/client/v3/register", { body: { username, password: `pw-${username}`, auth: { type: "m.login.dummy" } } });
  const { user_id: id, access_token: token } = made.json();
  return { id, token };
}

let transactions = 0;
export const say = (user, roomId, text) => call("PUT", `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${run}-${transactions++}`,
  { token: user.token, body: { msgtype: "m.text", body: text } });

/** Runs that many of the tasks at a time. */
export async function inParallel(width, tasks) {
  const results = new Array(tasks.length);
  let next = 0;
  await Promise.all(Array.from({ length: Math.min(width, tasks.length) }, async () => {
    while (next < tasks.length) {
      const i = next++;
      results[i] = await tasks[i]();
    }
  }));
  return results;
}

/** CPU milliseconds and resident megabytes of the processes of ARMADA_PROCESSES (ids, with commas); null: none were named. */
export function usage() {
  const ids = (process.env.ARMADA_PROCESSES ?? "").split(",").filter(Boolean);
  if (ids.length === 0) return null;
  const tick = 1000 / Number(execFileSync("getconf", ["CLK_TCK"]));
  let cpuMs = 0, residentMb = 0;
  for (const id of ids) {
    const stat = readFileSync(`/proc/${id}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    cpuMs += (Number(fields[11]) + Number(fields[12])) * tick;
    residentMb += Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"))[1]) / 1024;
  }
  return { cpuMs, residentMb };
}

export const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
