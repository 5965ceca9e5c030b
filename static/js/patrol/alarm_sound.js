// The alarm's tones, made here: nothing to load, nothing to fail. A browser lets no page sound before a person has touched it.

const TONES = {
  sos: { notes: [[880, 0.22], [1175, 0.22], [880, 0.22], [1175, 0.22]], type: "square", volume: 0.16, pause: 700 },
  // Alerts: a tone a level, told apart without looking; the worse, the shorter the pause.
  critical: { notes: [[988, 0.14], [784, 0.14], [988, 0.14], [784, 0.14], [988, 0.2]], type: "sawtooth", volume: 0.1, pause: 1_200 },
  high: { notes: [[784, 0.18], [0, 0.08], [784, 0.18]], type: "triangle", volume: 0.2, pause: 3_000 },
  medium: { notes: [[587, 0.22]], type: "sine", volume: 0.18, pause: 8_000 },
  low: { notes: [[440, 0.18]], type: "sine", volume: 0.12, pause: 20_000 },
  welfare: { notes: [[660, 0.18], [0, 0.12], [660, 0.18]], type: "sine", volume: 0.2, pause: 3_000 },
};

let context = null;
const told = [];

export const isAudible = () => context?.state === "running";

/** Calls `then` when the page may be heard from now on. */
export const onAudible = (then) => told.push(then);

function wake() {
  try {
    context ??= new AudioContext();
    if (context.state === "suspended") context.resume().then(tell, () => {});
    else tell();
  } catch {
    context = null; // a device without sound: the screen says so
  }
}

function tell() {
  if (!isAudible()) return;
  for (const then of told) then();
}

// At once, for a wall screen whose browser is set up to sound without being touched; else at the first touch.
wake();
for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => { if (!isAudible()) wake(); }, { capture: true });

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/** One round of the tone and its pause. Of several tabs of a browser one sounds at a time. */
export async function ring(kind) {
  const tone = TONES[kind];
  if (!isAudible()) return wait(1_000);
  const round = async () => {
    play(tone);
    await wait(tone.notes.reduce((sum, [, seconds]) => sum + seconds * 1_000, 0) + tone.pause);
  };
  if (!navigator.locks) return round();
  return navigator.locks.request("khareetaty-alarm", { ifAvailable: true }, (lock) => (lock ? round() : wait(500)));
}

function play({ notes, type, volume }) {
  let at = context.currentTime + 0.02;
  for (const [hertz, seconds] of notes) {
    if (hertz) {
      const voice = context.createOscillator();
      const gain = context.createGain();
      voice.type = type;
      voice.frequency.value = hertz;
      gain.gain.setValueAtTime(0, at);
      gain.gain.linearRampToValueAtTime(volume, at + 0.015);
      gain.gain.setValueAtTime(volume, at + seconds - 0.03);
      gain.gain.linearRampToValueAtTime(0, at + seconds);
      voice.connect(gain).connect(context.destination);
      voice.start(at);
      voice.stop(at + seconds);
      document.documentElement.dataset.rang = String(Number(document.documentElement.dataset.rang ?? 0) + 1);
    }
    at += seconds;
  }
}
