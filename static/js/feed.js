// The page's end of the live feed: connects it, and says in the header how fresh the page is.
import { clockOf, serverNow } from "./ui.js";

const sign = document.getElementById("live");
const clock = clockOf({ seconds: true });

let last = { state: "starting", since: new Date() };

/** `event.at` is when it was announced on the server. */
function lagOf(event) {
  const lag = (serverNow() - Date.parse(event.at)) / 1000;
  return lag >= 0 && lag < 60 ? lag : null;
}

function show({ state, since, reason = "" }, lag = null) {
  if (!sign) return;
  const words = sign.querySelector(".words");
  const figure = sign.querySelector(".lag");
  const texts = sign.dataset;
  let text = texts.textLive;
  if (state === "stale") text = reason === "signed-out" ? texts.textSignedOut : texts.textStale.replace("{t}", clock.format(since));
  else if (state === "polling") text = texts.textPolling;
  else if (state === "starting") text = texts.textStarting;
  if (words.textContent !== text) words.textContent = text; // a status region: said aloud only when it changes
  if (lag !== null) figure.textContent = `· ${texts.textSeconds.replace("{s}", lag.toFixed(1))}`;
  figure.hidden = state !== "live" || figure.textContent === "";
  sign.dataset.state = state;
}

/** For a page that hears nothing pushed and asks instead: how fresh it is. */
export function sayFeed(state) {
  last = state;
  show(state);
  document.documentElement.dataset.feed = state.state;
}

/** Follow `room` from the number `after` on. Without the live module the page stays as it was rendered, and says since when. */
export async function follow({ room, after, onEvent, onReset }) {
  const opened = new Date();
  try {
    const { connectLive } = await import("./live.js");
    const query = `room=${encodeURIComponent(room)}`;
    return connectLive({
      url: `/ws/live?${query}`,
      pollUrl: `/live/events?${query}`,
      after,
      onReset,
      onEvent: (event) => {
        onEvent(event);
        show(last, lagOf(event));
      },
      onState: sayFeed,
    });
  } catch (error) {
    console.error(error);
    show({ state: "stale", since: opened });
    return null;
  }
}
