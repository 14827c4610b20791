// Initial syncs of many users in many large rooms, for short and long timelines:  node tests/Load/initial-sync.mjs [--users 40] [--rooms 60] [--members 60]
import { call, inParallel, newUser, option, quantile, say, usage } from "./support/server.mjs";

const users = option("users", 40), rooms = option("rooms", 60), members = Math.max(option("members", 60), users);
const messages = option("messages", 25), width = option("width", 8), rounds = option("rounds", 1);
const shapes = [[1, true], [5, true], [20, true], [10, false]];

console.log(`# ${users} users in ${rooms} rooms of ${members} members, ${messages} messages each`);
const all = await inParallel(width, Array.from({ length: members }, () => () => newUser("load")));
const roomIds = await inParallel(width, Array.from({ length: rooms }, (_, i) => async () =>
  (await call("POST", "/_matrix/client/v3/createRoom", { token: all[0].token, body: { preset: "public_chat", name: `Room ${i}` } })).json().room_id));
await inParallel(width, roomIds.map(roomId => async () => {
  for (const user of all.slice(1)) await call("POST", `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/join`, { token: user.token, body: {} });
  for (let i = 0; i < messages; i++) await say(all[i % all.length], roomId, `message ${i}`);
}));

console.log("| timeline | members | mean ms | p50 ms | p95 ms | kB an answer | CPU ms an answer | memory MB |");
console.log("|---|---|---|---|---|---|---|---|");
for (const [limit, lazy] of shapes) {
  const filter = encodeURIComponent(JSON.stringify({ room: { timeline: { limit }, state: { lazy_load_members: lazy } } }));
  const before = usage();
  const asked = Array.from({ length: rounds }, () => all.slice(0, users)).flat();
  const answers = await inParallel(users, asked.map(user => async () => {
    const begun = performance.now();
    const { bytes } = await call("GET", `/_matrix/client/v3/sync?timeout=0&set_presence=offline&filter=${filter}`, { token: user.token });
    return { ms: performance.now() - begun, bytes };
  }));
  const after = usage();
  const times = answers.map(a => a.ms).sort((a, b) => a - b);
  const mean = list => list.reduce((a, b) => a + b, 0) / list.length;
  const cpu = before ? ((after.cpuMs - before.cpuMs) / answers.length).toFixed(1) : "-";
  console.log(`| ${limit} | ${lazy ? "lazy" : "full"} | ${mean(times).toFixed(1)} | ${quantile(times, 0.5).toFixed(1)} | ${quantile(times, 0.95).toFixed(1)} | `
    + `${(mean(answers.map(a => a.bytes)) / 1000).toFixed(0)} | ${cpu} | ${after ? after.residentMb.toFixed(0) : "-"} |`);
}
process.exit(0);
