// The one place that asks the server anything, and writes down what it asked.

/** @typedef {{ method: string, path: string, status: number, bytes: number, sketch: string|null }} Asked status 0: no answer */

/** No answer: what becomes of the photo, a machine name of why, seconds after which to ask again. */
export class NoAnswerError extends Error {
  constructor(status, reason, retryAfterS = null) {
    super(reason);
    Object.assign(this, { status, reason, retryAfterS });
  }
}

/** Problem types (docs/api.md) to what becomes of the photo. */
const PROBLEMS = {
  "corpus-empty": ["corpus-empty", "corpus-empty"],
  "index-loading": ["busy", "index-loading"],
  "ask-otherwise": ["failed", "ask-otherwise"],
};

export class Traffic {
  /** @type {Asked[]} */
  requests = [];
  #closing = new AbortController();

  /**
   * GET a path of this service, which may show a sketch. No cookie, no referrer, no body.
   * @returns {Promise<ArrayBuffer>}
   * @throws {NoAnswerError}
   */
  async get(path, sketch = null) {
    const asked = { method: "GET", path, status: 0, bytes: 0, sketch };
    this.requests.push(asked);
    let answer, body;
    try {
      answer = await fetch(path, {
        credentials: "omit",
        referrerPolicy: "no-referrer",
        redirect: "error",
        // Which sketches were asked says what was asked about: no disk keeps their answers. The list is everybody's.
        cache: sketch ? "no-store" : "default",
        signal: this.#closing.signal,
      });
      asked.status = answer.status;
      body = await answer.arrayBuffer();
      asked.bytes = body.byteLength;
    } catch {
      throw new NoAnswerError("offline", "network");
    }
    if (answer.ok) return body;
    throw refusal(answer, body);
  }

  close() {
    this.#closing.abort();
  }
}

function refusal(answer, body) {
  const afterS = Number.parseInt(answer.headers.get("Retry-After") ?? "", 10);
  const [status, reason] = PROBLEMS[problemOf(answer, body)] ?? byStatus(answer.status);
  return new NoAnswerError(status, reason, Number.isNaN(afterS) ? null : afterS);
}

const byStatus = (status) =>
  status === 429 ? ["busy", "rate-limited"] : status === 503 ? ["busy", "busy"] : ["failed", "unexpected-answer"];

/** The type of a problem (RFC 9457), without its folder; empty: it is none. */
function problemOf(answer, body) {
  if (!answer.headers.get("Content-Type")?.startsWith("application/problem+json")) return "";
  try {
    return String(JSON.parse(new TextDecoder().decode(body)).type).split("/").pop();
  } catch {
    return "";
  }
}
