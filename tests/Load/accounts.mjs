// The first /sync of accounts in few and in many rooms.
import { cpu, mean, memory, timed, times, usage } from "./support/measure.mjs";
import { numbers, options, result } from "./support/options.mjs";
import { reached, sync, useServer } from "./support/server.mjs";
import { coldly, Population } from "./support/state.mjs";

const asked = options("node tests/Load/accounts.mjs: initial /sync of accounts in some, many and very many rooms", {
  rooms: ["50,300,3000", "rooms of each account"],
  friends: [20, "accounts that share these rooms, one in each"],
  messages: [2, "messages in each room"],
  limit: [20, "events of a timeline; members are loaded lazily"],
  rounds: [10, "times that each account asks, one after the other"],
  phase: ["all", "setup: only make the rooms. cold: the first answer alone, to be asked after a restart. warm: the others. all: both"],
  restart: ["", "with --pids: ends the processes of that name, such as sync, before each cold answer, and waits until the fleet has started others"],
  warmup: [8, "other accounts that ask a new process first; 0: its very first answer is measured"],
  width: [16, "requests at the same time while rooms are made"],
});
useServer(asked.url);
const population = new Population(asked.state);
const filter = { room: { timeline: { limit: asked.limit }, state: { lazy_load_members: true } } };

for (const rooms of numbers(asked.rooms)) {
  const user = await population.account(rooms, asked);
  if (asked.phase === "setup") continue;
  const phase = asked.restart ? await coldly(asked, other => sync(other, { filter })) : "cold";
  await reached();
  const ask = () => timed(async () => (await sync(user, { filter })).bytes);
  const measure = async (phase, rounds) => {
    const answers = [], before = usage(asked.pids);
    for (let i = 0; i < rounds; i++) answers.push(await ask());
    const after = usage(asked.pids);
    result(asked, "accounts", {
      rooms, limit: asked.limit, phase, ...times(answers.map(a => a.ms)), kb: Math.round(mean(answers.map(a => a.value)) / 1000),
      ...cpu(before, after, rounds), ...memory(after),
    });
  };
  if (asked.phase !== "warm") await measure(phase, 1);
  if (asked.phase !== "cold") {
    if (asked.phase === "warm") await ask();
    await measure("warm", asked.rounds);
  }
}
process.exit(0);
