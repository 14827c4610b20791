// Every answer that a test gets through fetch is held against the specification: tests/Testing/Specification/schemas.json, made by
// scripts/spec-schemas.cs. What was found fails the file of tests at its end, for clients swallow errors.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after } from "node:test";

const source = JSON.parse(readFileSync(new URL("../../Testing/Specification/schemas.json", import.meta.url)));
const faults = new Set();

const kinds = {
  object: (v) => v !== null && typeof v === "object" && !Array.isArray(v),
  array: Array.isArray,
  string: (v) => typeof v === "string",
  boolean: (v) => typeof v === "boolean",
  null: (v) => v === null,
  integer: Number.isInteger,
  number: (v) => typeof v === "number",
};

/** Faults of a value, each with its place. */
export function check(schema, value, at = "") {
  const found = [];
  const fault = (expected) => found.push(`${at}: expected ${expected}, is ${String(JSON.stringify(value)).slice(0, 120)}`);
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length > 0 && !types.some((t) => kinds[t](value))) {
    fault(`type ${types.join(" or ")}`);
    return found;
  }
  if (schema.enum && !schema.enum.some((v) => JSON.stringify(v) === JSON.stringify(value))) fault(`one of ${schema.enum}`);
  if (schema.$ref) found.push(...check(source.definitions[schema.$ref], value, at));
  for (const part of schema.allOf ?? []) found.push(...check(part, value, at));
  const alternatives = schema.anyOf ?? schema.oneOf ?? [];
  if (alternatives.length > 0 && !alternatives.some((s) => check(s, value, at).length === 0)) found.push(...check(alternatives[0], value, at));
  if (typeof value === "string" && schema.pattern && !new RegExp(schema.pattern, "u").test(value)) fault(`a match of ${schema.pattern}`);
  if (kinds.array(value) && schema.items) value.forEach((item, i) => found.push(...check(schema.items, item, `${at}/${i}`)));
  if (!kinds.object(value)) return found;
  for (const name of schema.required ?? []) if (!Object.hasOwn(value, name)) found.push(`${at}/${name}: expected to be there`);
  for (const [name, member] of Object.entries(value)) {
    const schemas = Object.entries(schema.patternProperties ?? {}).filter(([p]) => new RegExp(p, "u").test(name)).map(([, s]) => s);
    if (schema.properties && Object.hasOwn(schema.properties, name)) schemas.push(schema.properties[name]);
    if (schemas.length === 0 && kinds.object(schema.additionalProperties)) schemas.push(schema.additionalProperties);
    for (const s of schemas) found.push(...check(s, member, `${at}/${name}`));
  }
  return found;
}

const parts = (path) => path.replace(/^\/_matrix\/(client|media)\/(api\/v1|r0|v1|v3|unstable)\//, "/$1/").split("/");
const operations = source.operations.map((o) => ({ ...o, parts: parts(o.path) }));

/** The operation of a request; undefined when the specification knows none. */
export function find(method, path) {
  const asked = parts(path);
  const fits = (template) => template.length === asked.length && template.every((t, i) => (t.startsWith("{") && asked[i] !== "") || t === asked[i]);
  const literals = (o) => o.parts.filter((p) => !p.startsWith("{")).length;
  return operations.filter((o) => o.method === method && fits(o.parts)).sort((a, b) => literals(b) - literals(a))[0];
}

const bare = globalThis.fetch;
globalThis.fetch = async (resource, options = {}) => {
  const response = await bare(resource, options);
  const url = new URL(resource.url ?? resource);
  const operation = find(options.method ?? resource.method ?? "GET", url.pathname);
  if (operation === undefined) return response;
  const tell = (fault) => faults.add(`${operation.method} ${operation.path} ${response.status} ${fault}`);
  if (url.pathname.startsWith("/_matrix/client/") && response.headers.get("access-control-allow-origin") !== "*") tell("has no CORS headers");
  if (!response.headers.get("content-type")?.startsWith("application/json")) return response;
  const copy = response.clone();
  // A client that hangs up has no body.
  const text = await copy.text().catch(() => null);
  if (text === null) return response;
  const schema = response.status === 401 ? {} : response.status < 400 || operation.responses[response.status]?.schema ? operation.responses[response.status]?.schema : { required: ["errcode", "error"] };
  for (const fault of schema === undefined ? ["is no documented status"] : check(schema, JSON.parse(text))) tell(fault);
  return response;
};

after(() => assert.deepEqual([...faults], []));
