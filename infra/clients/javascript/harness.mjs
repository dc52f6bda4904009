// What the tour's sections share: steps, the receiver, waiting, and the list of what was called.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

const LONGEST_WAIT_MS = 30_000;

/** The setting, which infra/clients/run gives. */
export function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: infra/clients/run sets it`);
  return value;
}

/** Runs steps one after another, prints a line for each, and goes on after one that failed. */
export class Tour {
  passed = 0;
  failed = 0;

  constructor(name) {
    this.name = name;
  }

  /** One step. What it returns is for later ones. */
  async step(title, body) {
    const started = Date.now();
    try {
      const result = await body();
      this.passed += 1;
      console.log(`ok    ${this.name}: ${title} (${Date.now() - started} ms)`);
      return result;
    } catch (error) {
      this.failed += 1;
      console.log(`FAIL  ${this.name}: ${title}\n${indented(described(error))}`);
      return undefined;
    }
  }

  /** Steps that need what comes before them. If that fails, the section is a failure. */
  async section(name, body) {
    try {
      await body();
    } catch (error) {
      this.failed += 1;
      console.log(`FAIL  ${this.name}: ${name} could not go on\n${indented(described(error))}`);
    }
  }

  summary() {
    console.log(`${this.name}: ${this.passed} passed, ${this.failed} failed`);
    return this.failed === 0;
  }
}

const indented = (text) => text.replace(/^/gm, "      ");

function described(error) {
  const answer = error?.code !== undefined && error?.body !== undefined;
  return answer
    ? `answered ${error.code} ${JSON.stringify(error.body)}\n${error.stack}`
    : (error?.stack ?? String(error));
}

/** Expects a library's typed error with this status, and gives its body. */
export async function refused(sdk, status, code, call) {
  let answer;
  try {
    answer = await call();
  } catch (error) {
    assert.ok(error instanceof sdk.ApiException, `not the library's error: ${error?.stack ?? error}`);
    assert.equal(error.code, status, `status; body ${JSON.stringify(error.body)}`);
    if (status === 422) {
      const [first] = error.body.detail;
      assert.ok(Array.isArray(first.loc) && first.loc.every((part) => typeof part === "string"), "loc");
      assert.equal(typeof first.msg, "string");
      assert.equal(typeof first.type, "string");
    } else {
      assert.equal(error.body.code, code);
      assert.equal(typeof error.body.detail, "string");
    }
    return error.body;
  }
  return assert.fail(`expected ${status}, got ${JSON.stringify(answer)}`);
}

/** Asks until the answer is truthy. */
export async function until(what, ask) {
  const end = Date.now() + LONGEST_WAIT_MS;
  let last;
  while (Date.now() < end) {
    last = await ask();
    if (last) return last;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return assert.fail(`waited ${LONGEST_WAIT_MS} ms for ${what}`);
}

/** Where a list's pages lead, following `iterator` until `done`. */
export async function pages(list) {
  const all = [];
  for (let iterator; ;) {
    const page = await list(iterator);
    all.push(...page.data);
    if (page.done) return all;
    assert.ok(page.data.length > 0 && page.iterator, "a page that is not the last has items and an iterator");
    iterator = page.iterator;
  }
}

/** A place to deliver to, at infra/clients/receiver.py. */
export class Inbox {
  #base = setting("RECEIVER_URL");
  #key = randomUUID();
  url = `${this.#base}/in/${this.#key}`;

  /** The answers to come, the last one for good. */
  async script(...answers) {
    const body = JSON.stringify(answers);
    const response = await fetch(`${this.#base}/script/${this.#key}`, { method: "PUT", body });
    assert.equal(response.status, 204);
  }

  /** What came so far. */
  async seen() {
    const response = await fetch(`${this.#base}/seen/${this.#key}`);
    const requests = await response.json();
    return requests.map(({ time, headers, body }) => ({
      time,
      names: headers.map(([name]) => name),
      headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
      body: Buffer.from(body, "base64").toString(),
    }));
  }

  /** Waits until this many came, and gives them all. */
  async wait(count) {
    return until(`${count} deliveries`, async () => {
      const seen = await this.seen();
      return seen.length >= count ? seen : undefined;
    });
  }
}

const SNAKE = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace(/_$/, "");

/** A client that notes which operations were called. The client itself is as published. */
export function noting(client, called, path = []) {
  return new Proxy(client, {
    get(target, name) {
      const value = target[name];
      if (typeof value === "function") {
        return (...given) => {
          called.add([...path, name].map(SNAKE).join("."));
          return value.apply(target, given);
        };
      }
      return value && typeof value === "object" ? noting(value, called, [...path, name]) : value;
    },
  });
}

/** Every operation that the library has. */
export function operations(client, path = []) {
  const members = Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(client)));
  return members.flatMap(([name, { get }]) => {
    if (name === "constructor") return [];
    return get ? operations(client[name], [...path, name]) : [[...path, name].map(SNAKE).join(".")];
  });
}

/** Operations that were neither called nor are known to be absent. */
export function uncovered(all, called) {
  const absent = Object.keys(JSON.parse(readFileSync(setting("ABSENT"), "utf8")).absent);
  const isAbsent = (name) => absent.some((prefix) => name === prefix || name.startsWith(`${prefix}.`));
  const both = [...called].filter(isAbsent);
  assert.deepEqual(both, [], "called although listed as absent");
  return all.filter((name) => !called.has(name) && !isAbsent(name));
}
