/*
 * Rooms of sensors over /ws/iot.
 *
 *   const rooms = followRooms(["device:AIR-001"], { onFrame, onResync, onState });
 *
 * onFrame(frame)   {room, seq, at, type: "readings", data: [{device, metric, at, value, unit, quality}], skipped} or
 *                  {room, seq, at, type: "status", data: {device, status, state, maintenance_until}}. `skipped` readings were passed over because the page was slow:
 *                  what it is told is then the latest of each metric.
 * onResync(room)   something was missed that cannot be told again: ask for what the page shows.
 * onState(state)   as live.js tells it: {state: "live" | "stale", since, reason}.
 */

const SILENCE_MS = 40_000; // beats come every 15 s
const LONGEST_WAIT_MS = 15_000;
const FOR_GOOD = { 4400: "closed", 4401: "signed-out", 4403: "closed" };

export function followRooms(names, { onFrame, onResync, onState = () => {} }) {
  const seen = new Map(); // room → the number heard last
  let socket = null;
  let failures = 0;
  let silence = null;
  let isClosed = false;
  let said = "";

  function tell(state, reason = "") {
    if (said === state + reason) return;
    said = state + reason;
    onState({ state, reason, since: new Date() });
  }

  function heard() {
    clearTimeout(silence);
    silence = setTimeout(() => socket?.close(), SILENCE_MS);
  }

  function take(frame) {
    if (frame.type === "joined" && !seen.has(frame.room)) seen.set(frame.room, frame.seq);
    if (frame.type === "resync_required") {
      seen.set(frame.room, frame.seq);
      onResync(frame.room);
    }
    if (frame.type === "replayed") seen.set(frame.room, Math.max(frame.seq, seen.get(frame.room) ?? 0));
    if (frame.type === "gone" || frame.type === "no_such_room") tell("stale", "closed");
    if (frame.type !== "readings" && frame.type !== "status") return;
    seen.set(frame.room, Math.max(frame.seq, seen.get(frame.room) ?? 0));
    onFrame(frame);
  }

  function connect() {
    if (isClosed) return;
    const url = new URL("/ws/iot", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const isBack = seen.size > 0;
    if (!isBack) for (const name of names) url.searchParams.append("room", name);
    const mine = new WebSocket(url);
    socket = mine;
    mine.addEventListener("open", () => {
      failures = 0;
      heard();
      tell("live");
      if (isBack) mine.send(JSON.stringify({ resume: Object.fromEntries(names.map((name) => [name, seen.get(name) ?? 0])) }));
    });
    mine.addEventListener("message", (message) => {
      heard();
      take(JSON.parse(message.data));
    });
    mine.addEventListener("close", (event) => {
      clearTimeout(silence);
      if (isClosed) return;
      tell("stale", FOR_GOOD[event.code] ?? "offline");
      if (FOR_GOOD[event.code]) return;
      failures += 1;
      setTimeout(connect, Math.min(LONGEST_WAIT_MS, 500 * 2 ** failures) * (0.5 + Math.random() / 2));
    });
  }

  connect();
  return { close() { isClosed = true; socket?.close(); } };
}
