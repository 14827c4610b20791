// Accounts and rooms that several measurements share. A setup that was interrupted goes on where it was.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { restart } from "./measure.mjs";
import { progress } from "./options.mjs";
import { call, inParallel, join, newRoom, newUser, reached, say, serverUrl } from "./server.mjs";

export class Population {
  #file;
  #all;
  #savedAt = performance.now();

  constructor(file) {
    this.#file = file;
    this.#all = file && existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { url: serverUrl() };
    if (this.#all.url !== serverUrl()) throw new Error(`${file} is of ${this.#all.url}, not of ${serverUrl()}`);
  }

  save(isUrgent = true) {
    if (!this.#file || (!isUrgent && performance.now() - this.#savedAt < 2000)) return;
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.#all));
    renameSync(`${this.#file}.new`, this.#file);
    this.#savedAt = performance.now();
  }

  /** A list of that name with at least so many elements; what is missing is made, several at a time. */
  async list(name, count, make, width = 8) {
    const list = this.#all[name] ??= [];
    const missing = [];
    for (let i = 0; i < count; i++) if (list[i] === undefined || list[i] === null) missing.push(i);
    if (missing.length > 0) progress(`${name}: ${missing.length} of ${count} to be made`);
    await inParallel(width, missing.map(i => async () => {
      list[i] = await make(i);
      this.save(false);
    }), (done, of) => progress(`${name}: ${done} of ${of}`));
    this.save();
    return list.slice(0, count);
  }

  users(name, count, width) {
    return this.list(name, count, () => newUser("load"), width);
  }

  /** Rooms in which the first so many of the users are, with some messages by all of them. */
  rooms(name, count, { users, messages, width }) {
    return this.list(name, count, async i => {
      const owner = users[i % users.length];
      const roomId = await newRoom(owner, { preset: "public_chat", name: `Room ${i}` });
      for (const user of users) if (user !== owner) await join(user, roomId);
      for (let n = 0; n < messages; n++) await say(users[(i + n) % users.length], roomId, `message ${n} of room ${i}`);
      return roomId;
    }, width);
  }

  /** An account in so many rooms of its own, each with a few friends and messages. */
  async account(rooms, { friends, messages, width }) {
    const [user, ...others] = await this.users(`account-${rooms}`, 1 + friends, width);
    await this.list(`account-${rooms}-rooms-${messages}`, rooms, async i => {
      const roomId = await newRoom(user, { preset: "public_chat", name: `Room ${i}` });
      if (others.length > 0) await join(others[i % others.length], roomId);
      for (let n = 0; n < messages; n++) await say(others.length > 0 && n % 2 === 1 ? others[i % others.length] : user, roomId, `message ${n}`);
      return roomId;
    }, width);
    return user;
  }
}

/** Who says nothing of himself is sent away: that finds out whether a process is there, and runs little of its code. */
const refused = () => call("GET", "/_matrix/client/v3/sync").catch(error => {
  if (!error.message.includes(": 401 ")) throw error;
});

/**
 * Other processes of the name --restart. --warmup accounts that have nothing to do with those who are measured ask first, some of them at each instance:
 * then the code is in memory and the data is not. "cold" is what that is called; "first" when nobody asked.
 */
export async function coldly({ pids, restart: prefix, warmup }, ask) {
  const others = await inParallel(4, Array.from({ length: Math.max(1, warmup) }, () => async () => {
    const other = await newUser("other");
    await newRoom(other, { preset: "private_chat" });
    return other;
  }));
  await restart(pids, prefix);
  if (warmup > 0) for (const other of others) for (let i = 0; i < 5; i++) await reached(() => ask(other));
  else for (let i = 0; i < 20; i++) await reached(refused);
  return warmup > 0 ? "cold" : "first";
}
