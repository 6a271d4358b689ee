// Where a system is, and how it is asked: what both programs need. Written from docs/protocol.md.

import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { decode, encode } from "@msgpack/msgpack";
import { Dealer } from "zeromq";

export const VERSION = 1;
const UNREAD = 141; // as shells have it for SIGPIPE
const PATIENCE = 5000; // milliseconds for an answer
const LONGEST_BASE = 27; // bytes of a path that leave room for a socket's

/** What the system, or the lack of one, says; `name` is the name of the error on the page. */
export class Refused extends Error {
  constructor(name, text) {
    super(text);
    this.name = name;
  }
}

/** No answer in time. */
export class Silence extends Error {}

function base() {
  const { XDG_RUNTIME_DIR, TMPDIR, TEMP, TMP } = process.env;
  const own = `understudy-${process.geteuid()}`;
  const place = XDG_RUNTIME_DIR ? join(XDG_RUNTIME_DIR, "understudy") : join(TMPDIR || TEMP || TMP || "/tmp", own);
  return Buffer.byteLength(place) > LONGEST_BASE ? join("/tmp", own) : place;
}

function systems() {
  const place = base();
  const found = lstatSync(place, { throwIfNoEntry: false });
  if (found === undefined) return [];
  if (!found.isDirectory() || found.uid !== process.geteuid() || (found.mode & 0o077) !== 0) {
    throw new Refused("AccessDenied", `${place} must be a directory of mode 0700 that belongs to this user`);
  }
  return readdirSync(place).flatMap((entry) => {
    const directory = join(place, entry);
    const [name, pid] = read(join(directory, "name")).split("\n");
    return isRunning(pid) ? [{ name, directory, pid: Number(pid) }] : [];
  });
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // no system, or one that has just gone
  }
}

function isRunning(pid) {
  try {
    return /^\d+$/.test(pid) && process.kill(Number(pid), 0);
  } catch (error) {
    return error.code === "EPERM"; // it is there, though it is not ours
  }
}

/** The running system of that name: its directory and the parent's process number. */
export function find(name) {
  const running = systems();
  const found = running.find((system) => system.name === name);
  if (found) return found;
  const names = running.map((system) => system.name).sort().join(", ") || "none does";
  throw new Refused("UnknownActor", `no system named '${name}' runs here; of this user run: ${names}`);
}

/** Whether the process whose system that is still runs. */
export function isThere({ directory }) {
  return isRunning(read(join(directory, "name")).split("\n")[1] ?? "");
}

/** Where the socket of that name is bound. */
export function endpoint({ directory }, socket) {
  return `ipc://${directory}/${socket}`;
}

/** The control socket: one request at a time, each with one reply. */
export class Control {
  #socket = new Dealer({ linger: 0 });
  #last = 0;

  constructor(system) {
    this.#socket.connect(endpoint(system, "control"));
  }

  async ask(verb, fields = {}) {
    const id = ++this.#last;
    const until = Date.now() + PATIENCE;
    await this.#socket.send([Buffer.alloc(0), encode({ v: VERSION, id, verb, ...fields })]);
    for (;;) {
      const reply = decode(await this.#receive(until - Date.now(), verb));
      if (reply.id !== id) continue; // of a request that was given up
      if (reply.v !== VERSION) throw new Refused("ProtocolError", `the reply is of version ${reply.v}, not ${VERSION}`);
      if (reply.ok) return reply.value;
      throw new Refused(reply.error, reply.text);
    }
  }

  close() {
    this.#socket.close();
  }

  async #receive(milliseconds, verb) {
    this.#socket.receiveTimeout = Math.max(0, milliseconds);
    try {
      return (await this.#socket.receive()).at(-1);
    } catch (error) {
      if (error.code === "EAGAIN") throw new Silence(`no answer to '${verb}' within ${PATIENCE / 1000} s`);
      throw error;
    }
  }
}

/**
 * Run a program's main function; what it refuses, or waits for in vain, is one line on stderr. It ends, as other programs
 * do, when nobody reads its output any more.
 */
export async function run(main) {
  process.stdout.on("error", (error) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(UNREAD);
  });
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof Refused || error instanceof Silence)) throw error;
    console.error(error instanceof Refused ? `${error.name}: ${error.message}` : error.message);
    process.exitCode = 1;
  }
}
