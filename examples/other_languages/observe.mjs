// Follows a running system: the actors as they are, then every change, in order, until it closes.
//
//     node observe.mjs SYSTEM

import { decode } from "@msgpack/msgpack";
import { Subscriber } from "zeromq";

import { Control, endpoint, find, isThere, Refused, run, Silence, VERSION } from "./system.mjs";

const SILENCE = 5000; // milliseconds without even a tick

class Follower {
  #system;
  #control;
  #stream = new Subscriber({ linger: 0, receiveHighWaterMark: 10_000, receiveTimeout: SILENCE });
  #seq = 0; // of the last event that is known here
  actors = new Map();

  constructor(system) {
    this.#system = system;
    // First the stream, then the snapshot: what happens in between comes twice rather than never.
    this.#stream.connect(endpoint(system, "status"));
    this.#stream.subscribe();
    this.#control = new Control(system);
  }

  async follow() {
    await this.#snapshot();
    for (;;) {
      const event = await this.#next();
      if (event === null) {
        if (!(await this.#isAlive())) return console.log("gone without a word");
      } else if (event.kind === "bye") {
        return console.log(`bye at ${event.seq}`);
      } else if (event.kind === "tick") {
        if (event.seq > this.#seq) await this.#catchUp();
      } else if (event.seq > this.#seq) {
        if (event.seq > this.#seq + 1) await this.#catchUp();
        this.#take(event); // what it caught up with may hold it already
      }
    }
  }

  close() {
    this.#stream.close();
    this.#control.close();
  }

  /** The next message of the stream; null after a silence. */
  async #next() {
    try {
      const [, body] = await this.#stream.receive();
      const event = decode(body);
      if (event.v !== VERSION) throw new Refused("ProtocolError", `the stream is of version ${event.v}, not ${VERSION}`);
      return event;
    } catch (error) {
      if (error.code === "EAGAIN") return null;
      throw error;
    }
  }

  #take(event) {
    if (event.seq <= this.#seq) return;
    this.#seq = event.seq;
    if (event.kind === "state") this.actors.set(event.name, event.after);
    const change = event.after === null ? "" : ` ${event.before ?? ""} -> ${event.after}`;
    console.log(`${event.seq} ${event.kind} ${event.name}#${event.incarnation}${change}${event.cause ? `: ${event.cause}` : ""}`);
  }

  /** What was missed, asked for again; where some of it is gone, all actors as they are now. */
  async #catchUp() {
    const since = this.#seq;
    for (let more = true; more; ) {
      const part = await this.#control.ask("replay", { since: this.#seq });
      if (Object.keys(part.missing).length > 0) {
        console.log(`missed: some of ${Object.keys(part.missing).sort().join(", ")} since ${since}`);
        return this.#snapshot();
      }
      part.events.forEach((event) => this.#take(event));
      more = part.more;
      if (!more) this.#seq = Math.max(this.#seq, part.seq); // later events stand for what was left out
    }
    console.log(`caught up from ${since} to ${this.#seq}`);
  }

  async #snapshot() {
    const { system, seq, actors } = await this.#control.ask("snapshot");
    this.#seq = seq;
    this.actors = new Map(actors.map((row) => [row.name, row.status]));
    console.log(`${system} at ${seq}: ${actors.length} actors`);
    actors.forEach((row) => console.log(`  ${row.name} ${row.status} lap ${row.lap}`));
  }

  /** After a silence: false if the system is gone; a system that is merely held up is waited for. */
  async #isAlive() {
    try {
      await this.#catchUp();
    } catch (error) {
      if (!(error instanceof Silence)) throw error;
      return isThere(this.#system);
    }
    return true;
  }
}

await run(async ([name, ...rest]) => {
  if (name === undefined || rest.length > 0) {
    console.error("usage: node observe.mjs SYSTEM");
    return 2;
  }
  const follower = new Follower(find(name));
  try {
    await follower.follow();
  } finally {
    follower.close();
  }
  return 0;
});
