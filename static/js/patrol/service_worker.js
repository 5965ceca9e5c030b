// Keeps the officer's page through a tunnel: the shell and what it stands on, never a fact. VERSION and FILES are put before this by the
// server. Its scope is /patrol/me/ alone.
/* global VERSION, FILES */

const CACHE = `shift-${VERSION}`;
const PAGE = "/patrol/me/";
const PATIENCE_MS = 4_000;

addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(CACHE);
    // One file that is missing must not cost the others.
    await Promise.all(FILES.map((file) => cache.add(file).catch(() => {})));
    const page = await fetch(PAGE, { credentials: "same-origin", redirect: "manual" }).catch(() => null);
    if (page?.ok) await cache.put(PAGE, page);
    await skipWaiting();
  })());
});

addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name.startsWith("shift-") && name !== CACHE) await caches.delete(name);
    await clients.claim();
  })());
});

addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || address.origin !== location.origin) return;
  if (request.mode === "navigate" && address.pathname === PAGE) event.respondWith(page(request));
  else if (address.pathname.startsWith("/static/")) event.respondWith(file(request));
});

/** The network's page while there is a network; a sign-in page in its place ends the kept one. */
async function page(request) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.type === "opaqueredirect") await cache.delete(PAGE);
    else if (answer.ok) await cache.put(PAGE, answer.clone());
    else if (answer.status >= 500) throw new Error(String(answer.status));
    return answer;
  } catch (error) {
    const kept = await cache.match(PAGE);
    if (kept) return kept;
    throw error;
  }
}

async function file(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request, answer.clone());
  return answer;
}
