// Talking to the server: requests, refusals, streams of events.

import { byId, stored } from "./elements.js";

/** An error whose message is a sentence for the reader. */
export class Problem extends Error {}

export const key = () => byId("key").value.trim();
export function restoreKey() { byId("key").value = stored("sessionStorage", "foretoken-key") ?? ""; }
export function keepKey() { stored("sessionStorage", "foretoken-key", key()); }

export const sentence = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);

/** Sends a request; `body` becomes JSON. */
export async function send(path, { body, signal } = {}) {
  const headers = {};
  if (key() !== "") headers.Authorization = `Bearer ${key()}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method: body === undefined ? "GET" : "POST", headers, body: body && JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The server does not answer. Is it still running?");
  }
  if (response.ok) return response;
  throw new Problem(await refusal(response));
}

async function refusal(response) {
  let detail = "";
  try { detail = (await response.json()).error?.message ?? ""; } catch { /* not JSON: the status has to do */ }
  if (response.status === 401) {
    byId("key-needed").hidden = false;
    return `${sentence(detail || "The server asks for an API key")} Enter it in the settings.`;
  }
  if (response.status === 429) {
    const seconds = response.headers.get("Retry-After");
    return `${sentence(detail || "The server is busy")}${seconds ? ` It asks to wait ${seconds} s.` : " Try again in a moment."}`;
  }
  return sentence(detail || `The server answered with status ${response.status}`);
}

/** The JSON objects of a stream of server-sent events, up to `[DONE]`. */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "", data = [];
  for (;;) {
    let part;
    try {
      part = await reader.read();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem("The connection broke off before the answer was complete.");
    }
    if (part.done) throw new Problem("The server closed the connection before the answer was complete.");
    buffer += part.value;
    let begin = 0, end;
    while ((end = buffer.indexOf("\n", begin)) >= 0) {
      const line = buffer.slice(begin, end).replace(/\r$/, "");
      begin = end + 1;
      if (line.startsWith("data:")) {
        data.push(line.slice(5).replace(/^ /, ""));
      } else if (line === "" && data.length) {
        const text = data.join("\n");
        data = [];
        if (text === "[DONE]") { reader.cancel().catch(() => {}); return; }
        try { yield JSON.parse(text); } catch { throw new Problem("The server sent an event that is not JSON."); }
      }
    }
    buffer = buffer.slice(begin);
  }
}

/** What the same request is on a command line. */
export function curl(path, body) {
  const authorization = key() === "" ? "" : ` \\\n  -H "Authorization: Bearer $FORETOKEN_API_KEY"`;
  const text = JSON.stringify(body).replaceAll("'", "'\\''");
  return `curl -N ${location.origin}${path} \\\n  -H 'Content-Type: application/json'${authorization} \\\n  -d '${text}'`;
}
