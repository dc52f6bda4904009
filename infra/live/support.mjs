// A local service, its callers, a receiver, and what clients hear.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { createServer } from "node:http";

import { io } from "socket.io-client";
import WebSocket from "ws";

const PATH = "/api/webhook-socket.io/";
const SECRET = "a secret of the tests, which is long enough";
const LONGEST_WAIT_MS = 20_000;

/** How much longer than it says a token is accepted. */
export const LEEWAY_S = 60;

/** Waits until the answer is truthy, and gives it. */
export async function until(what, ask) {
  const end = Date.now() + LONGEST_WAIT_MS;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) assert.fail(`waited ${LONGEST_WAIT_MS} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A running service. */
export class Service {
  #child;
  #environment;
  port = 0;

  static async start(environment = {}) {
    const service = new Service();
    service.#environment = environment;
    await service.#spawn();
    return service;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  get live() {
    return `ws://127.0.0.1:${this.port}${PATH}`;
  }

  async #spawn() {
    const environment = { PATH: process.env.PATH, TIDINGS_JWT_SECRET: SECRET, RETRY_SCHEDULE: "1", RUST_LOG: "warn" };
    this.#child = spawn(process.env.TIDINGS_BINARY, ["serve", "--memory", "--port", String(this.port)], {
      env: { ...environment, ...this.#environment },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let banner = "";
    this.#child.stdout.on("data", (data) => {
      banner += data;
    });
    const found = await until("the service", () => {
      if (this.#child.exitCode !== null) assert.fail(`the service ended: ${banner}`);
      return banner.includes("Ctrl-C") && /http:\/\/127\.0\.0\.1:(\d+)/.exec(banner);
    });
    this.port = Number(found[1]);
  }

  /** Asks it to stop, and gives its status. */
  async stop(signal = "SIGTERM") {
    const child = this.#child;
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await new Promise((resolve) => child.once("exit", resolve));
    }
    return child.exitCode;
  }

  /** Another process at the same port. */
  async restart() {
    await this.stop();
    await this.#spawn();
  }
}

const base64 = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** An organization's name. */
export function organization() {
  const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return `org_2${[...randomBytes(26)].map((byte) => letters[byte % letters.length]).join("")}`;
}

/** A token for an organization; claims change what it says. */
export function token(of, claims = {}) {
  const now = Math.floor(Date.now() / 1000);
  const signed = `${base64({ alg: "HS256", typ: "JWT" })}.${base64({ sub: of, iat: now, exp: now + 3600, role: "admin", ...claims })}`;
  return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
}

/** A tenant that uses the API. */
export class Tenant {
  organization = organization();

  constructor(service) {
    this.service = service;
  }

  token(claims) {
    return token(this.organization, claims);
  }

  async call(method, path, body) {
    const response = await fetch(this.service.url + path, {
      method,
      headers: { authorization: `Bearer ${this.token()}`, "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return text && JSON.parse(text);
  }

  application(uid) {
    return this.call("POST", "/api/v1/app", { name: "Live", uid });
  }

  endpoint(application, url, more = {}) {
    return this.call("POST", `/api/v1/app/${application.id}/endpoint`, { url, ...more });
  }

  update(application, endpoint, change) {
    const { url } = endpoint;
    return this.call("PUT", `/api/v1/app/${application.id}/endpoint/${endpoint.id}`, { url, ...change });
  }

  remove(application, endpoint) {
    return this.call("DELETE", `/api/v1/app/${application.id}/endpoint/${endpoint.id}`);
  }

  send(application) {
    return this.call("POST", `/api/v1/app/${application.id}/msg`, { eventType: "live.test", payload: { a: 1 } });
  }
}

/** A place to deliver to: it answers with the status that its path names. */
export async function receiver() {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(Number(request.url.slice(1)) || 204).end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  return {
    answering: (status) => `http://127.0.0.1:${port}/${status}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** What somebody heard: events with their data, in order. */
export class Heard {
  events = [];

  note(event, data) {
    this.events.push({ event, data });
  }

  named(name) {
    return this.events.filter(({ event }) => event === name);
  }

  /** Waits for an event that fits. */
  wait(name, fits = () => true) {
    return until(`${name} among ${JSON.stringify(this.events).slice(0, 2000)}`, () =>
      this.named(name).find(({ data }) => fits(data)),
    );
  }
}

/** A client of Socket.IO that listens. `auth` is a token or what gives one. */
export async function socketIo(service, auth, options = {}) {
  const socket = socketIoClient(service, auth, options);
  await new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
  });
  return socket;
}

/** The same without waiting. */
export function socketIoClient(service, auth, options = {}) {
  const given = typeof auth === "function" ? (ready) => ready({ token: auth() }) : { token: auth };
  const socket = io(service.url, {
    path: PATH,
    transports: ["websocket"],
    auth: given,
    reconnectionDelay: 50,
    reconnectionDelayMax: 200,
    forceNew: true,
    ...options,
  });
  socket.heard = new Heard();
  socket.onAny((event, data) => socket.heard.note(event, data));
  return socket;
}

/** A plain client that is open. */
export async function plain(service, protocols = [], options = {}) {
  const socket = new WebSocket(service.live, protocols, options);
  socket.heard = new Heard();
  socket.on("message", (data) => {
    const { event, data: told } = JSON.parse(data);
    socket.heard.note(event, told);
  });
  socket.closed = new Promise((resolve) => {
    socket.on("close", (code) => resolve(code));
  });
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  // What happens later is seen by the closing.
  socket.on("error", () => {});
  return socket;
}

/** A plain client that listens. */
export async function listening(service, credential) {
  const socket = await plain(service);
  socket.send(JSON.stringify({ token: credential }));
  await socket.heard.wait("connected");
  return socket;
}
