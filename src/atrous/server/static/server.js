// What the page asks of its server, and the words for what goes wrong.

const MOST_TRIES = 30;
const TOKEN = "atrous-token";

/** Something that went wrong, in words; `again` says whether the same may go well later. */
export class Problem extends Error {
  constructor(message, { kind = "fault", again = false } = {}) {
    super(message);
    this.kind = kind;
    this.again = again;
  }
}

/** Ask the server; `asks` are what to do when it wants a token, and when it is busy. */
export async function ask(address, options, asks) {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const response = await reached(address, options);
    if (response.ok) return response.json();
    const problem = await problemOf(response);
    if (response.status === 401) {
      const token = await asks.token();
      if (!token) throw new Problem(problem.message, { kind: problem.kind, again: true });
      sessionStorage.setItem(TOKEN, token);
    } else if (response.status === 429) {
      const seconds = Number(response.headers.get("Retry-After")) || 1;
      asks.busy(seconds);
      await passed(seconds, options.signal);
    } else {
      throw problem;
    }
  }
  throw new Problem("The server is busy and has been for a while: try again later.", { again: true });
}

/** Wait; a signal ends it early, as it ends a request. */
function passed(seconds, signal) {
  return new Promise((done, failed) => {
    const timer = setTimeout(done, seconds * 1000);
    signal?.addEventListener("abort", () => failed(signal.reason, clearTimeout(timer)), { once: true });
  });
}

async function reached(address, options) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  try {
    return await fetch(address, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The server does not answer. Is it still running? Nothing is lost here: try again.", {
      kind: "gone",
      again: true,
    });
  }
}

async function problemOf(response) {
  const again = response.status >= 500 || response.status === 408;
  try {
    const { kind, message } = await response.json();
    return new Problem(message, { kind, again });
  } catch {
    return new Problem(`The server answered with status ${response.status} and without a reason.`, { again });
  }
}
