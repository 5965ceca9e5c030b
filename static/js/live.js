/*
 * A page that follows the event log.
 *
 *   import { connectLive } from "./live.js";
 *   const live = connectLive({ url: "/ws/live?room=all", pollUrl: "/live/events?room=all", after: 41, onEvent, onState, onReset });
 *
 * `after` is the log's head the page was rendered with (its data-live-head, read before the rows: core.events.log_head()).
 *
 * onEvent(event)   one event, in the log's order: {seq, type, at, id, ref, html, feature, open}; or {refresh: true}, where the
 *                  page should ask again for what it shows. `html` and `feature` are the subject as it stands now. The same may
 *                  be told again after a rewind: apply it as "this is how it is".
 * onState(state)   {state: "live" | "polling" | "stale", since: Date, lag: seconds, reason}. `since`: when that state began; for
 *                  "stale" the last moment of certain knowledge, and `reason` "silent", "offline", "behind" (nobody follows the
 *                  log on the server), "signed-out" or "closed" (these two for good).
 * onReset(head)    too much was missed to tell it one by one: load lists and map anew. Without it the page is loaded anew.
 *
 * live.rewind(seq) to be called when a list rendered with head `seq` has been put into the page: what came after is told again, so
 *                  that an older list never hides newer events. A new [data-live-head] that HTMX puts in does it by itself.
 * live.position    everything up to this number has been told.   live.state   what onState was told last.   live.close()   stop.
 *
 * How nothing is missed: each event names in `prev` the one told before it, and each beat the last one told and how far the log
 * was looked through for us. Where `prev` lies ahead of what we have, something was lost, and we ask again from our position.
 */

const SILENCE_MS = 12_000; // beats come every 5 s
const LAG_S = 12;
const ASK_AGAIN_MS = 1_500;
const FILLS_BY_SOCKET = 3; // gaps in a row, without having caught up between them
const CONNECT_MS = 8_000;
const STEADY_MS = 10_000; // a socket that lasted so long was a good one
const RESET_MS = 800;
const POLL_MS = 2_000;
const POLL_EVENTS = 200; // what one answer covers at most
const FAILURES_BEFORE_POLLING = 3;
const LONGEST_WAIT_MS = 15_000;
const FOR_GOOD = { 4400: "closed", 4401: "signed-out", 4403: "closed", 4404: "closed" };

export function connectLive({ url, pollUrl = null, after = 0, onEvent, onState = () => {}, onReset = () => location.reload() }) {
  const language = document.documentElement.lang;
  let position = after;
  let socket = null;
  let openedAt = 0; // 0: not open
  let isClosed = false;
  let isPolling = false;
  let failures = 0;
  let heardAt = Date.now();
  let asked = null; // {from, at}: the gap we asked to be filled
  let fills = 0;
  let isCatchingUp = false;
  let said = { state: null, reason: "", lag: 0, since: new Date() };
  let connectTimer = null;
  let openTimer = null;
  let pollTimer = null;
  let resetTimer = null;

  function address(base) {
    const full = new URL(base, location.href);
    full.searchParams.set("after", position);
    if (language) full.searchParams.set("lang", language);
    return full;
  }

  function tellState(state, { lag = 0, reason = "", since = null } = {}) {
    const isSame = said.state === state && said.reason === reason;
    if (isSame && said.lag === lag) return;
    said = { state, reason, lag, since: since ?? (isSame ? said.since : new Date()) };
    onState({ ...said });
  }

  // --- what we are told, by whichever way it came ------------------------------------------------------------------

  function take(frame) {
    heardAt = Date.now();
    if (said.reason === "silent" || said.reason === "offline") tellState(isPolling ? "polling" : "live");
    if (frame.t === "event") takeEvent(frame);
    else if (frame.t === "beat") takeBeat(frame);
    else if (frame.t === "reset") takeReset(frame);
  }

  function takeEvent(event) {
    if (event.seq <= position) return;
    if (event.prev > position) {
      fill();
      return;
    }
    advance(event.seq);
    try {
      onEvent(event);
    } catch (error) {
      // The page could not apply it and is no longer what the log says.
      reportError(error);
      onReset(position);
    }
  }

  function takeBeat(beat) {
    if (beat.prev > position) fill();
    else if (beat.head >= position) {
      advance(beat.head);
      fills = 0;
    }
    if (beat.lag > LAG_S) tellState("stale", { reason: "behind", lag: beat.lag, since: new Date(Date.now() - beat.lag * 1000) });
    else tellState(isPolling ? "polling" : "live");
  }

  function takeReset(reset) {
    advance(reset.head);
    // All pages may be told this at once: let them not all come in the same moment.
    clearTimeout(resetTimer);
    resetTimer = setTimeout(() => onReset(position), Math.random() * RESET_MS);
  }

  function advance(seq) {
    position = seq;
    asked = null;
  }

  function fill() {
    const now = Date.now();
    // The answer may be lost as well, so ask again; but not for every frame that arrives before it.
    if (asked && asked.from === position && now - asked.at < ASK_AGAIN_MS) return;
    if (!openedAt || socket.readyState !== WebSocket.OPEN || isCatchingUp) return;
    fills += 1;
    if (pollUrl && fills > FILLS_BY_SOCKET) {
      catchUp();
      return;
    }
    asked = { from: position, at: now };
    socket.send(JSON.stringify({ t: "resume", after: position }));
  }

  /** A connection that keeps losing frames loses them from the answers, too: fetch what is missing whole. */
  async function catchUp() {
    isCatchingUp = true;
    let isMore = true;
    while (isMore) isMore = await fetchFrames(() => !isClosed);
    fills = 0;
    isCatchingUp = false;
  }

  function rewind(seq) {
    // Never forward: what lies between may be in that list, yet not on the map beside it.
    if (!Number.isSafeInteger(seq) || seq < 0 || seq >= position) return;
    position = seq;
    asked = null;
    fill();
  }

  // --- the socket --------------------------------------------------------------------------------------------------

  function connect() {
    clearTimeout(connectTimer);
    connectTimer = null;
    if (isClosed || socket) return;
    const to = address(url);
    to.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const mine = new WebSocket(to);
    socket = mine;
    openTimer = setTimeout(() => mine.close(), CONNECT_MS);
    mine.addEventListener("message", (message) => {
      if (mine !== socket) return;
      const frame = JSON.parse(message.data);
      if (frame.t === "hello") opened();
      take(frame);
    });
    mine.addEventListener("close", (event) => {
      if (mine === socket) lost(event.code);
    });
  }

  function opened() {
    clearTimeout(openTimer);
    openedAt = Date.now();
    asked = null;
    stopPolling();
    tellState("live");
  }

  function drop() {
    const old = socket;
    socket = null;
    openedAt = 0;
    clearTimeout(openTimer);
    old?.close();
  }

  function lost(code) {
    failures = openedAt && Date.now() - openedAt > STEADY_MS ? 1 : failures + 1;
    drop();
    if (isClosed) return;
    if (FOR_GOOD[code]) {
      stop();
      tellState("stale", { reason: FOR_GOOD[code], since: new Date(heardAt) });
      return;
    }
    if (pollUrl && failures >= FAILURES_BEFORE_POLLING) startPolling();
    // The first return is quick, yet spread out: a restarted server meets its pages one by one.
    const longest = failures <= 1 ? 600 : Math.min(LONGEST_WAIT_MS, 500 * 2 ** failures);
    clearTimeout(connectTimer);
    connectTimer = setTimeout(connect, longest * (failures <= 1 ? Math.random() : 0.5 + Math.random() / 2));
  }

  // --- polling, while sockets do not get through -------------------------------------------------------------------

  function startPolling() {
    if (isPolling) return;
    isPolling = true;
    poll();
  }

  function stopPolling() {
    isPolling = false;
    clearTimeout(pollTimer);
  }

  async function poll() {
    clearTimeout(pollTimer);
    const isMore = await fetchFrames(() => isPolling);
    clearTimeout(pollTimer);
    if (isPolling) pollTimer = setTimeout(poll, isMore ? 0 : POLL_MS * (0.9 + Math.random() / 5));
  }

  /** One answer over HTTP, taken in while it is wanted. Says whether there may be more behind it. */
  async function fetchFrames(isWanted) {
    const from = position;
    try {
      const answer = await fetch(address(pollUrl), { redirect: "error", signal: AbortSignal.timeout(CONNECT_MS) });
      if (isWanted() && (answer.status === 401 || answer.status === 404)) {
        lost(answer.status === 401 ? 4401 : 4404);
        return false;
      }
      const { frames } = answer.ok ? await answer.json() : { frames: [] };
      for (const frame of frames) if (isWanted()) take(frame);
    } catch {
      // No answer. The watch says so when it lasts.
    }
    return position - from >= POLL_EVENTS;
  }

  // --- the watch ---------------------------------------------------------------------------------------------------

  function look() {
    const silence = Date.now() - heardAt;
    if (asked && Date.now() - asked.at > ASK_AGAIN_MS) fill();
    if (silence <= SILENCE_MS) return;
    tellState("stale", { reason: navigator.onLine ? "silent" : "offline", since: new Date(heardAt) });
    // A socket that says nothing is none: try another.
    if (openedAt) lost(1006);
  }

  function awake() {
    // Timers slept with the page, or the network is back: do not wait for the next turn.
    if (document.visibilityState === "hidden") return;
    if (openedAt && Date.now() - heardAt < SILENCE_MS) {
      fill(); // answered at once, by a beat at least
      return;
    }
    if (openedAt) drop();
    connect();
  }

  function offline() {
    tellState("stale", { reason: "offline", since: new Date(heardAt) });
  }

  // A list is taken notice of once, when it comes into the page: its head is that of its rendering, however long it stays.
  const known = new WeakSet(document.querySelectorAll("[data-live-head]"));

  function swapped(event) {
    const inside = [event.target, ...event.target.querySelectorAll("[data-live-head]")];
    for (const list of inside) {
      if (!list.hasAttribute("data-live-head") || known.has(list)) continue;
      known.add(list);
      rewind(Number(list.dataset.liveHead));
    }
  }

  const watch = setInterval(look, 500);
  const listening = new AbortController();
  document.addEventListener("visibilitychange", awake, { signal: listening.signal });
  document.addEventListener("htmx:afterSettle", swapped, { signal: listening.signal });
  window.addEventListener("pageshow", awake, { signal: listening.signal });
  window.addEventListener("online", awake, { signal: listening.signal });
  window.addEventListener("offline", offline, { signal: listening.signal });

  function stop() {
    isClosed = true;
    listening.abort();
    clearInterval(watch);
    clearTimeout(connectTimer);
    clearTimeout(resetTimer);
    stopPolling();
    drop();
  }

  connect();
  return {
    get position() {
      return position;
    },
    get state() {
      return { ...said };
    },
    rewind,
    close: stop,
  };
}
