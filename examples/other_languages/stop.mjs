// Asks the actors of that name, or glob, to stop, and says what became of the request.
//
//     node stop.mjs SYSTEM NAME [SECONDS]

import { randomUUID } from "node:crypto";

import { Control, find, run, Silence } from "./system.mjs";

await run(async ([system, name, seconds, ...rest]) => {
  const grace = seconds === undefined ? null : Number(seconds);
  if (name === undefined || Number.isNaN(grace) || rest.length > 0) {
    console.error("usage: node stop.mjs SYSTEM NAME [SECONDS]");
    return 2;
  }
  const control = new Control(find(system));
  // Under one key it is done once, however often it is asked: so it can be asked again.
  const request = { name, grace, request: randomUUID() };
  try {
    const words = await control.ask("stop", request).catch((error) => {
      if (error instanceof Silence) return control.ask("stop", request);
      throw error;
    });
    Object.entries(words).forEach(([actor, word]) => console.log(`${actor}: ${word}`));
  } finally {
    control.close();
  }
  return 0;
});
