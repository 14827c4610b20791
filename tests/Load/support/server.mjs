// A homeserver under load: requests and accounts. Node alone, no packages.
import http from "node:http";
import { randomBytes } from "node:crypto";

let base = "http://127.0.0.1:8008";
export const useServer = url => { base = url.replace(/\/$/, ""); };
export const serverUrl = () => base;
const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });

/** The parsed answer and its size; an error says what was asked. */
export function call(method, path, { token, body, signal } = {}) {
  const data = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const headers = { ...(token && { authorization: `Bearer ${token}` }), ...(data && { "content-type": "application/json", "content-length": data.length }) };
    const request = http.request(new URL(path, base), { method, headers, agent, signal }, response => {
      const chunks = [];
      response.on("data", chunk => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const bytes = Buffer.concat(chunks);
        if (response.statusCode !== 200) reject(new Error(`${method} ${path.slice(0, 120)}: ${response.statusCode} ${bytes.subarray(0, 500)}`));
        else resolve({ bytes: bytes.length, json: () => JSON.parse(bytes) });
      });
    });
    request.on("error", reject);
    request.end(data);
  });
}

const run = randomBytes(4).toString("hex");
let names = 0, transactions = 0;
export async function newUser(prefix) {
  const username = `${prefix}-${run}-${names++}`;
  const made = await call("POST", "/_matrix/client/v3/register", { body: { username, password: `pw-${username}`, auth: { type: "m.login.dummy" } } });
  const { user_id: id, access_token: token } = made.json();
  return { id, token };
}

export const newRoom = async (user, body) => (await call("POST", "/_matrix/client/v3/createRoom", { token: user.token, body })).json().room_id;
export const join = (user, roomId) => call("POST", `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/join`, { token: user.token, body: {} });
export const say = (user, roomId, text) => call("PUT", `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${run}-${transactions++}`,
  { token: user.token, body: { msgtype: "m.text", body: text } });

/** Nobody is made present by a measurement. */
export const syncPath = ({ since, timeout = 0, filter } = {}) => `/_matrix/client/v3/sync?set_presence=offline&timeout=${timeout}`
  + (since ? `&since=${encodeURIComponent(since)}` : "") + (filter ? `&filter=${encodeURIComponent(JSON.stringify(filter))}` : "");
export const sync = (user, options) => call("GET", syncPath(options), { token: user.token, signal: options?.signal });

/** Until the server answers again. */
export async function reached(ask = () => call("GET", "/_matrix/client/versions")) {
  for (let i = 0; ; i++) {
    try {
      return await ask();
    } catch (error) {
      if (i === 600) throw error;
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }
}

/** Runs that many of the tasks at a time; done is told how many are finished, now and then. */
export async function inParallel(width, tasks, done) {
  const results = new Array(tasks.length);
  let next = 0, finished = 0, told = performance.now();
  await Promise.all(Array.from({ length: Math.min(width, tasks.length) }, async () => {
    while (next < tasks.length) {
      const i = next++;
      results[i] = await tasks[i]();
      finished++;
      if (done && performance.now() - told > 2000) {
        told = performance.now();
        done(finished, tasks.length);
      }
    }
  }));
  return results;
}
