// SPDX-License-Identifier: BSD-3-Clause
// Two people sign in on the page that posternd serves, call each other and hang up; prints a line of JSON for each kind
// of call:
//
//   tests/browser/wic.mjs URL NAME:PASSWORD NAME:PASSWORD [audio|video]...
//
// In a lab (lab/run PROFILE -- ...) both browsers run behind the firewall; see placeOf() in visitor.mjs for other
// places. WIC_RELAY=1 makes both sides use the relay. Exit status 0 if all calls were good, 1 if not.

import { firstLine, part, pause, placeOf, readAccount, signIn, visit } from './visitor.mjs';

const KINDS = ['audio', 'video'];
const CALL_PATIENCE_MS = 25_000;
const WINDOW_MS = 3_000;
const MIN_AUDIO_PACKETS_PER_S = 37; // of 50: a busy machine sends fewer
const MIN_ENERGY = 1e-6; // silence is below 1e-9, the fake microphone's beeps far above
const MIN_FRAMES_PER_S = 5; // the fake camera makes 20 or more, a busy machine draws fewer
const MAX_LOST = 0.02;

const both = (people, act) => Promise.all(people.map(act));

// The page's connections, so that what they count can be read without a word of the page's own.
function rememberConnections() {
  const Connection = window.RTCPeerConnection;
  window.connections = [];
  window.RTCPeerConnection = class extends Connection {
    constructor(...settings) {
      super(...settings);
      window.connections.push(this);
    }
  };
}

// What the browser counted in the newest call.
async function count() {
  const stats = [...(await window.connections.at(-1).getStats()).values()];
  const of = (type, kind) => stats.find((each) => each.type === type && each.kind === kind) ?? {};
  const transport = stats.find(({ type }) => type === 'transport');
  const pair = stats.find(({ id }) => id === transport?.selectedCandidatePairId);
  const local = stats.find(({ id }) => id === pair?.localCandidateId);
  const [audio, video] = [of('inbound-rtp', 'audio'), of('inbound-rtp', 'video')];
  return {
    at: performance.now(),
    candidateType: local?.candidateType ?? null,
    relayProtocol: local?.relayProtocol ?? null,
    url: local?.url ?? null,
    audioPackets: audio.packetsReceived ?? 0,
    audioBytes: audio.bytesReceived ?? 0,
    audioEnergy: audio.totalAudioEnergy ?? 0,
    videoBytes: video.bytesReceived ?? 0,
    framesDecoded: video.framesDecoded ?? 0,
    lost: (audio.packetsLost ?? 0) + (video.packetsLost ?? 0),
    packets: (audio.packetsReceived ?? 0) + (video.packetsReceived ?? 0),
  };
}

// What the page shows of the other side's picture.
const framesShown = (page) => part(page, 'remote-video').evaluate((video) => video.getVideoPlaybackQuality().totalVideoFrames);

async function enter(base, account, place) {
  const url = `${base}/${process.env.WIC_RELAY === '1' ? '?relay=1' : ''}`;
  const visitor = await visit(url, place, rememberConnections);
  try {
    await signIn(visitor.page, account);
  } catch (error) {
    await visitor.browser.close();
    throw error;
  }
  return { name: account.name, ...visitor };
}

// Waits until the call of |person| is in |state|, or one of |people| is told of a failure.
async function becomes(person, state, people) {
  const there = person.page.locator(`[data-testid=call][data-state=${state}]`);
  const failed = people.map(({ name, page }) => part(page, 'alert').waitFor({ timeout: CALL_PATIENCE_MS }).then(async () => {
    throw new Error(`${name}: ${await part(page, 'alert').textContent()}`);
  }));
  await Promise.race([there.waitFor({ timeout: CALL_PATIENCE_MS }), ...failed]);
}

function findProblems(name, kind, first, last, shown) {
  const problems = [];
  const seconds = (last.at - first.at) / 1000;
  const atLeast = (what, value, least) => {
    if (!(value >= least)) {
      problems.push(`${name}: ${what} ${value}, expected ${least.toPrecision(3)} or more`);
    }
  };
  const gained = (key) => last[key] - first[key];
  atLeast('audio packets', gained('audioPackets'), MIN_AUDIO_PACKETS_PER_S * seconds);
  atLeast('energy of what is heard', gained('audioEnergy'), MIN_ENERGY);
  if (kind === 'video') {
    atLeast('decoded frames', gained('framesDecoded'), MIN_FRAMES_PER_S * seconds);
    atLeast('frames that are shown', shown, MIN_FRAMES_PER_S * seconds);
  }
  if (gained('lost') > MAX_LOST * gained('packets')) {
    problems.push(`${name}: ${gained('lost')} packets lost, ${gained('packets')} arrived`);
  }
  if (process.env.WIC_RELAY === '1' && last.candidateType !== 'relay') {
    problems.push(`${name}: sends from a candidate of type ${last.candidateType}`);
  }
  const ways = process.env.LAB_WAYS?.split(' ');
  if (ways && last.candidateType === 'relay' && !ways.includes(last.relayProtocol)) {
    problems.push(`${name}: carried by ${last.relayProtocol}, expected ${ways.join(' or ')}`);
  }
  return problems;
}

async function call(people, kind) {
  const [caller, answerer] = people;
  const startedAt = performance.now();
  await part(caller.page, 'target').fill(answerer.name);
  await part(caller.page, `call-${kind}`).click();
  await becomes(answerer, 'incoming', people);
  await part(answerer.page, kind === 'video' ? 'answer-video' : 'answer').click();
  await both(people, (person) => becomes(person, 'active', people));
  const connectedMs = Math.round(performance.now() - startedAt);
  // The first second belongs to the encoder and the jitter buffer.
  await pause(1_000);
  const measure = () => both(people, async ({ page }) => ({ ...await page.evaluate(count), shown: await framesShown(page) }));
  const first = await measure();
  await pause(WINDOW_MS);
  const last = await measure();
  const told = await both(people, ({ page }) => part(page, 'way').textContent());
  await part((kind === 'video' ? answerer : caller).page, 'hang-up').click();
  await both(people, ({ page }) => page.locator('[data-testid=call][data-state=ended]').waitFor({ timeout: CALL_PATIENCE_MS, state: 'attached' }));
  const problems = people.flatMap(({ name }, at) =>
    findProblems(name, kind, first[at], last[at], last[at].shown - first[at].shown));
  for (const { name, page } of people) {
    if (await part(page, 'alert').isVisible()) {
      problems.push(`${name}: after the call the page says: ${await part(page, 'alert').textContent()}`);
    }
  }
  return { kind, good: problems.length === 0, problems, connectedMs, told, first, last };
}

function readArguments([base, ...rest]) {
  const people = rest.slice(0, 2).map(readAccount);
  const kinds = rest.length > 2 ? rest.slice(2) : KINDS;
  if (!base || people.length !== 2 || !kinds.every((kind) => KINDS.includes(kind))) {
    throw new Error('usage: wic.mjs URL NAME:PASSWORD NAME:PASSWORD [audio|video]...');
  }
  return { base: base.replace(/\/$/, ''), accounts: people, kinds };
}

async function main() {
  const { base, accounts, kinds } = readArguments(process.argv.slice(2));
  const signedIn = await Promise.allSettled(accounts.map((account, at) => enter(base, account, placeOf(at, process.env))));
  const people = signedIn.map(({ value }) => value).filter(Boolean);
  try {
    for (const { reason } of signedIn) {
      if (reason) {
        throw reason;
      }
    }
    let good = true;
    for (const kind of kinds) {
      const result = await call(people, kind);
      const complaints = people.flatMap(({ name, complaints: all }) => all.splice(0).map((each) => `${name}: the console says: ${each}`));
      result.problems.push(...complaints);
      result.good &&= complaints.length === 0;
      console.log(JSON.stringify(result));
      good &&= result.good;
    }
    process.exitCode = good ? 0 : 1;
  } finally {
    await Promise.allSettled(people.map(({ browser }) => browser.close()));
  }
}

main().catch((error) => {
  console.error(`wic.mjs: ${firstLine(error)}`);
  process.exitCode = 2;
});
