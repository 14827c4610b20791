// The first answer of sliding sync for an account in very many rooms: from a process that knows nothing, and from one that does.
import { cpu, mean, memory, timed, times, usage } from "./support/measure.mjs";
import { options, progress, result } from "./support/options.mjs";
import { call, reached, useServer } from "./support/server.mjs";
import { coldly, Population } from "./support/state.mjs";

const asked = options("node tests/Load/sliding.mjs: the first answer of sliding sync", {
  rooms: [3000, "rooms of the account"],
  friends: [20, "accounts that share these rooms, one in each"],
  messages: [2, "messages in each room"],
  range: [20, "rooms in the list's range"],
  limit: [1, "events of a timeline"],
  rounds: [20, "warm answers, each of a new connection"],
  phase: ["all", "setup: only make the rooms. cold: one answer, to be asked after a restart. warm: the others. all: both"],
  restart: ["", "with --pids: ends the processes of that name, such as sync, and waits until the fleet has started others; then measures cold"],
  warmup: [8, "other accounts that ask a new process first; 0: its very first answer is measured"],
  restarts: [5, "times that --restart does so"],
  width: [16, "requests at the same time while rooms are made"],
});
useServer(asked.url);
const user = await new Population(asked.state).account(asked.rooms, asked);
if (asked.phase === "setup") process.exit(0);
await reached();

// What a client asks for that shows a list of rooms.
const body = {
  conn_id: "list",
  lists: {
    all: {
      ranges: [[0, asked.range - 1]], timeline_limit: asked.limit,
      required_state: [["m.room.create", ""], ["m.room.encryption", ""], ["m.room.name", ""], ["m.room.avatar", ""], ["m.room.member", "$ME"], ["m.room.member", "$LAZY"]],
    },
  },
  extensions: Object.fromEntries(["to_device", "e2ee", "account_data", "receipts", "typing"].map(name => [name, { enabled: true }])),
};
const request = who => call("POST", "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?timeout=0&set_presence=offline", { token: who.token, body });
const ask = () => timed(async () => {
  const answer = await request(user);
  const { lists, rooms } = answer.json();
  const expected = Math.min(asked.range, asked.rooms);
  if (lists.all.count !== asked.rooms || Object.keys(rooms).length !== expected)
    throw new Error(`told of ${lists.all.count} rooms, ${Object.keys(rooms).length} of them in full: not ${asked.rooms} and ${expected}`);
  return answer.bytes;
});
const tell = (phase, answers, used, after) => result(asked, "sliding", {
  rooms: asked.rooms, range: asked.range, limit: asked.limit, phase, ...times(answers.map(a => a.ms)), kb: Math.round(mean(answers.map(a => a.value)) / 1000),
  ...used, ...memory(after),
});

/** The whole of the answers, and what the processes used for each. */
async function measure(rounds) {
  const before = usage(asked.pids), answers = [];
  for (let i = 0; i < rounds; i++) answers.push(await ask());
  const after = usage(asked.pids);
  return { answers, used: cpu(before, after, rounds), after };
}

if (asked.restart) {
  const all = [], used = [];
  let last, phase;
  for (let i = 0; i < asked.restarts; i++) {
    phase = await coldly(asked, request);
    progress(`${asked.restart} is there again (${i + 1} of ${asked.restarts})`);
    last = await measure(1);
    all.push(...last.answers);
    used.push(last.used);
  }
  tell(phase, all, Object.fromEntries(Object.keys(used[0]).map(name => [name, Math.round(mean(used.map(u => u[name])) * 1000) / 1000])), last.after);
} else if (asked.phase !== "warm") {
  const { answers, used, after } = await measure(1);
  tell("cold", answers, used, after);
}
if (asked.phase !== "cold") {
  await ask();
  const { answers, used, after } = await measure(asked.rounds);
  tell("warm", answers, used, after);
}
process.exit(0);
