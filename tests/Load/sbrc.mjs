// Initial syncs of many users in many large rooms at once, and how cost grows as each dimension doubles.
import { cpu, mean, memory, timed, times, usage } from "./support/measure.mjs";
import { numbers, options, progress, result } from "./support/options.mjs";
import { inParallel, sync, useServer } from "./support/server.mjs";
import { Population } from "./support/state.mjs";

const asked = options("node tests/Load/sbrc.mjs: initial /sync in the shape of the SBRC 2026 comparison, scaled", {
  users: [40, "accounts that ask, all at once"],
  rooms: [60, "rooms that each of them is in"],
  members: [60, "members of each room; at least as many as users"],
  messages: [25, "messages in each room"],
  lazy: ["1,5,20", "lengths of timelines with lazily loaded members"],
  full: ["10", "lengths of timelines with all members"],
  double: [false, "also from half to twice as much of each dimension, one at a time (timeline 10, lazy)"],
  rounds: [3, "times that everybody asks"],
  width: [8, "requests at the same time while rooms are made"],
});
useServer(asked.url);
const population = new Population(asked.state);

async function measure({ users, rooms, members, limit, lazy }, dimension) {
  // Accounts of one shape are in no rooms of another one.
  const shape = `sbrc-${rooms}x${Math.max(members, users)}`;
  const inside = await population.users(`${shape}-members`, Math.max(members, users), asked.width);
  await population.rooms(`${shape}-rooms-${asked.messages}`, rooms, { users: inside, messages: asked.messages, width: asked.width });
  const filter = { room: { timeline: { limit }, state: { lazy_load_members: lazy } } };
  const ask = user => timed(async () => (await sync(user, { filter })).bytes);
  // Once for nothing: measured is a process that has rooms and users in memory.
  await inParallel(users, inside.slice(0, users).map(user => () => ask(user)));
  const before = usage(asked.pids), begun = performance.now();
  const answers = await inParallel(users, Array.from({ length: asked.rounds }, () => inside.slice(0, users)).flat().map(user => () => ask(user)));
  const elapsed = performance.now() - begun, after = usage(asked.pids);
  result(asked, "sbrc", {
    ...(dimension && { dimension }), users, rooms, members, limit, members_told: lazy ? "lazy" : "all",
    ...times(answers.map(a => a.ms)), answers_per_s: Math.round(answers.length / elapsed * 100_000) / 100, kb: Math.round(mean(answers.map(a => a.value)) / 1000),
    ...cpu(before, after, answers.length), ...memory(after),
  });
}

const base = { users: asked.users, rooms: asked.rooms, members: asked.members, limit: 10, lazy: true };
for (const limit of numbers(asked.lazy)) await measure({ ...base, limit, lazy: true });
for (const limit of numbers(asked.full)) await measure({ ...base, limit, lazy: false });
if (asked.double) {
  for (const dimension of ["users", "rooms", "members", "limit"]) {
    for (const times of [0.5, 1, 2]) {
      const shape = { ...base, [dimension]: Math.max(1, Math.round(base[dimension] * times)) };
      // More users than members would be another shape: then the members are enough for the most.
      if (dimension === "users") shape.members = Math.max(base.members, base.users * 2);
      if (dimension === "members" && shape.members < shape.users) shape.users = shape.members;
      if (shape.limit > asked.messages) progress(`rooms have ${asked.messages} messages only: --messages`);
      await measure(shape, dimension);
    }
  }
}
process.exit(0);
