// Shows what the push service brings, says that it was shown, and opens the alert. Its scope is /alerts/push/ alone: it serves no page, so
// it stands in nobody's way, the officer's worker of /patrol/me/ least of all. TEXTS is put before this by the server.
/* global TEXTS */

const TONES = { low: [120], medium: [200], high: [250, 120, 250], critical: [400, 150, 400, 150, 400] };

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

/** What was sealed for this browser; a message that cannot be read is still shown as one, since browsers punish silence. */
function told(event) {
  try {
    const content = event.data.json();
    return content && typeof content === "object" ? content : {};
  } catch {
    return {};
  }
}

function report(path, key) {
  return fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ key }), credentials: "omit" });
}

addEventListener("push", (event) => {
  const message = told(event);
  const words = TEXTS[message.language] ?? TEXTS.ar;
  const options = {
    body: String(message.text ?? ""),
    lang: message.language ?? "ar",
    dir: message.language === "en" ? "ltr" : "rtl",
    tag: String(message.key ?? "khareetaty"),
    renotify: true,
    requireInteraction: message.level === "critical" || message.level === "high",
    vibrate: TONES[message.level] ?? TONES.medium,
    data: { key: message.key, url: message.url },
    actions: message.is_test || !message.key ? [] : [{ action: "acknowledge", title: words.acknowledge }],
  };
  event.waitUntil((async () => {
    await registration.showNotification(String(message.title || words.title), options);
    if (message.key) await report("/hooks/push/shown", message.key).catch(() => {});
  })());
});

addEventListener("notificationclick", (event) => {
  const { key, url } = event.notification.data ?? {};
  event.notification.close();
  if (event.action === "acknowledge" && key) {
    event.waitUntil((async () => {
      const answer = await report("/hooks/push/acknowledge", key).then((got) => got.json()).catch(() => null);
      const language = event.notification.lang;
      const words = TEXTS[language] ?? TEXTS.ar;
      // Whoever pressed must know whether it counted: without an answer the alert goes on to the next person.
      await registration.showNotification(answer?.text || words.failed, { tag: `${key}:done`, lang: language, dir: event.notification.dir, data: { url } });
    })());
    return;
  }
  // Only a path of our own site is ever opened.
  const path = typeof url === "string" && /^\/(?!\/)/.test(url) ? url : "/alerts/";
  event.waitUntil((async () => {
    const open = await clients.matchAll({ type: "window", includeUncontrolled: true });
    const same = open.find((client) => new URL(client.url).pathname === path);
    if (same) return same.focus();
    return clients.openWindow(path);
  })());
});
