// "Push to this browser": one switch. The element carries the addresses, our public key and every text.
const box = document.querySelector("[data-push]");

function bytes(text) {
  const padded = text.replace(/-/g, "+").replace(/_/g, "/") + "=".repeat((4 - (text.length % 4)) % 4);
  return Uint8Array.from(atob(padded), (letter) => letter.charCodeAt(0));
}

async function tell(address, subscription) {
  const told = subscription.toJSON();
  const answer = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": box.querySelector("[name=csrfmiddlewaretoken]").value },
    body: JSON.stringify({ endpoint: told.endpoint, keys: told.keys, browser: navigator.userAgent.slice(0, 200) }),
  });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error || box.dataset.failed);
}

function say(state, words = "") {
  box.dataset.state = state;
  box.querySelector("[data-push-said]").textContent = words || box.dataset[state] || "";
  const button = box.querySelector("button");
  button.hidden = ["missing", "denied"].includes(state);
  button.disabled = state === "busy";
  button.textContent = state === "on" ? box.dataset.switchOff : box.dataset.switchOn;
  button.setAttribute("aria-pressed", String(state === "on"));
}

async function registered() {
  return navigator.serviceWorker.register(box.dataset.worker, { scope: box.dataset.scope });
}

async function ready(registration) {
  if (registration.active) return registration;
  const worker = registration.installing ?? registration.waiting;
  await new Promise((done) => {
    worker.addEventListener("statechange", () => { if (worker.state === "activated") done(); });
    if (worker.state === "activated") done();
  });
  return registration;
}

async function press() {
  const was = box.dataset.state;
  say("busy");
  try {
    const registration = await ready(await registered());
    const present = await registration.pushManager.getSubscription();
    if (was === "on" && present) {
      await tell(box.dataset.unsubscribe, present);
      await present.unsubscribe();
      say("off");
      return;
    }
    if ((await Notification.requestPermission()) !== "granted") {
      say("denied");
      return;
    }
    const options = { userVisibleOnly: true, applicationServerKey: bytes(box.dataset.key) };
    // A subscription made for another key of ours (the site was set up anew) would be refused by the service.
    const subscription = await registration.pushManager.subscribe(options).catch(async () => {
      await present?.unsubscribe();
      return registration.pushManager.subscribe(options);
    });
    await tell(box.dataset.subscribe, subscription);
    say("on");
  } catch (error) {
    say(was === "on" ? "on" : "off", error.name === "AbortError" ? box.dataset.noService : error.message || box.dataset.failed);
  }
}

async function look() {
  if (!box.dataset.key || !("serviceWorker" in navigator) || !("PushManager" in window) || !("Notification" in window)) {
    say("missing", box.dataset.key ? "" : box.dataset.unconfigured);
    return;
  }
  if (Notification.permission === "denied") {
    say("denied");
    return;
  }
  const registration = await navigator.serviceWorker.getRegistration(box.dataset.scope);
  const present = registration ? await registration.pushManager.getSubscription() : null;
  // Told again at each visit: a database restored from yesterday, or another person at this browser, must not leave it mute.
  if (present) await tell(box.dataset.subscribe, present).catch(() => {});
  say(present ? "on" : "off");
}

if (box) {
  box.querySelector("button").addEventListener("click", press);
  look();
}
