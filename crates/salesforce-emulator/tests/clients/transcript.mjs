// What every script beside this file shares: the org to talk to, a library by its name, and calls whose outcome is told.
//
// The environment says where the org is and how to get in (ORG, the line a starting emulator prints) and where the
// libraries are (NODE_MODULES). On stdout goes one JSON object per call: {"call": its source, "result"} or {"call", "error"}.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

export const org = JSON.parse(process.env.ORG);

export function library(name) {
  const { resolve } = createRequire(`${process.env.NODE_MODULES}/`);
  return import(pathToFileURL(resolve(name)));
}

// Tells what came of a call, which is given as `() => …` and named by its source. What it throws is told likewise.
export async function tell(call) {
  const source = call.toString().replace(/^(async )?\(\) => /, '').replace(/\s+/g, ' ');
  const say = (outcome) => process.stdout.write(`${JSON.stringify({ call: source, ...outcome })}\n`);
  try {
    const result = await call();
    say({ result: result === undefined ? null : result });
    return result;
  } catch (error) {
    say({ error: [error.errorCode ?? error.code ?? error.name, error.message].filter(Boolean).join(': ') });
    return undefined;
  }
}

// What is possible on no real org.
export async function emulator(path, body) {
  const response = await fetch(`${org.url}/__emulator/${path}`, { method: 'POST', body: JSON.stringify(body ?? {}) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
}
