// The command line: --name value, --help, and where results go.
import { appendFileSync } from "node:fs";

const common = {
  url: [process.env.ARMADA_URL ?? "http://127.0.0.1:8008", "the server"],
  pids: [process.env.ARMADA_PIDS ?? "", "folder of NAME.pid files, or process ids with commas: what those use is measured"],
  state: ["", "file that keeps accounts and rooms for the next run; without it they are made anew"],
  out: ["", "file to which results are added, a line of JSON each"],
  label: ["", "free text in the results"],
};

/** Values by name, of the type that the default has. Ends the program for --help and for what is not known. */
export function options(about, own) {
  const all = { ...own, ...common };
  const values = Object.fromEntries(Object.entries(all).map(([name, [otherwise]]) => [name, otherwise]));
  for (let i = 2; i < process.argv.length; i++) {
    const name = process.argv[i].replace(/^--/, "");
    if (name === "help" || !(name in all)) {
      console.error(`${name === "help" ? "" : `Unknown: ${process.argv[i]}\n`}${about}\n`);
      for (const [known, [otherwise, what]] of Object.entries(all)) console.error(`  --${known.padEnd(10)} ${what}${otherwise === "" ? "" : ` (${otherwise})`}`);
      process.exit(name === "help" ? 0 : 2);
    }
    if (all[name][0] === false) values[name] = true;
    else if (i + 1 >= process.argv.length) throw new Error(`--${name} wants a value`);
    else values[name] = typeof all[name][0] === "number" ? Number(process.argv[++i]) : process.argv[++i];
  }
  return values;
}

/** What is under way, on stderr. */
export const progress = text => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);

/** Numbers of a list: "1,5,20". */
export const numbers = text => String(text).split(",").filter(Boolean).map(Number);

/** A result: to stdout, and to the file of --out. */
export function result({ out, label }, scenario, values) {
  const line = JSON.stringify({ scenario, ...(label && { label }), at: new Date().toISOString(), ...values });
  console.log(line);
  if (out) appendFileSync(out, `${line}\n`);
}
