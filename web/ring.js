// SPDX-License-Identifier: BSD-3-Clause
// The tone of a call that comes in: made here, so that nothing has to be fetched.

const TONE_HZ = [440, 554];
const PERIOD_S = 3;
const RINGS = 30;

let context;

export function startRinging() {
  stopRinging();
  context = new AudioContext();
  const loudness = context.createGain();
  loudness.gain.value = 0;
  loudness.connect(context.destination);
  for (const frequency of TONE_HZ) {
    const tone = new OscillatorNode(context, { frequency });
    tone.connect(loudness);
    tone.start();
  }
  for (let ring = 0; ring < RINGS; ring += 1) {
    const at = context.currentTime + ring * PERIOD_S;
    loudness.gain.setTargetAtTime(0.05, at, 0.02);
    loudness.gain.setTargetAtTime(0, at + 0.9, 0.05);
  }
}

export function stopRinging() {
  context?.close();
  context = undefined;
}
