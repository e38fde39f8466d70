// SPDX-License-Identifier: BSD-3-Clause
// Two people sign in on the page that posternd serves, call each other and hang up; prints a line of JSON for each kind
// of call:
//
//   tests/browser/wic.mjs URL NAME:PASSWORD NAME:PASSWORD [audio|video]...
//   lab/run --core kamailio --friend https-only PROFILE -- tests/browser/wic.mjs [audio|video]...
//
// In a lab with a friend the second one is in the friend's network; where else browsers run says placeOf() in
// visitor.mjs. Exit status 0 if all calls were good, 1 if not.

import { firstLine, part, pause, placeOf, readAccount, signIn, visit } from './visitor.mjs';
import { findStrays, readTrace } from './trace.mjs';

const KINDS = ['audio', 'video'];
const CALL_PATIENCE_MS = 45_000;
const MEDIA_PATIENCE_MS = 45_000;
const POLL_MS = 50;
// A call is watched until each side has got this much, be the machine as busy as it may.
const AUDIO_PACKETS = 150; // of 50 a second
const FRAMES = 30; // the fake camera makes 20 or more a second
const MIN_ENERGY = 1e-6; // silence is below 1e-9, the fake microphone's beeps far above
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

// What this person's browser counted in the newest call, and what the page shows and was given.
async function count() {
  const stats = [...(await window.connections.at(-1).getStats()).values()];
  const of = (type, kind) => stats.find((each) => each.type === type && each.kind === kind) ?? {};
  const transport = stats.find(({ type }) => type === 'transport');
  const pair = stats.find(({ id }) => id === transport?.selectedCandidatePairId);
  const local = stats.find(({ id }) => id === pair?.localCandidateId);
  const [audio, video] = [of('inbound-rtp', 'audio'), of('inbound-rtp', 'video')];
  const part = (name) => document.querySelector(`[data-testid=${name}]`);
  const { iceServers = [] } = JSON.parse(sessionStorage.getItem('postern.ice-servers')) ?? {};
  return {
    candidateType: local?.candidateType ?? null,
    relayProtocol: local?.relayProtocol ?? null,
    url: local?.url ?? null,
    audioPackets: audio.packetsReceived ?? 0,
    audioEnergy: audio.totalAudioEnergy ?? 0,
    framesDecoded: video.framesDecoded ?? 0,
    framesShown: part('remote-video').getVideoPlaybackQuality().totalVideoFrames,
    lost: (audio.packetsLost ?? 0) + (video.packetsLost ?? 0),
    packets: (audio.packetsReceived ?? 0) + (video.packetsReceived ?? 0),
    told: part('way').textContent,
    credentials: part('credentials').dataset.state,
    urls: iceServers.flatMap(({ urls }) => urls),
  };
}

async function enter(base, account, place) {
  const url = `${base}/${process.env.WIC_RELAY === '1' ? '?relay=1' : ''}`;
  const visitor = await visit(url, place, rememberConnections);
  try {
    await signIn(visitor.page, account);
  } catch (error) {
    await visitor.browser.close();
    throw error;
  }
  return { name: account.name, ...place, ...visitor };
}

// Waits until the call of |person| is in |state|, or one of |people| is told of a failure.
async function becomes(person, state, people) {
  const there = person.page.locator(`[data-testid=call][data-state=${state}]`);
  const failed = people.map(({ name, page }) => part(page, 'alert').waitFor({ timeout: CALL_PATIENCE_MS }).then(async () => {
    throw new Error(`${name}: ${await part(page, 'alert').textContent()}`);
  }));
  await Promise.race([there.waitFor({ timeout: CALL_PATIENCE_MS }), ...failed]);
}

// Counts until each side has at least |wanted|, above what it had at |since|; or as long as patience lasts.
async function countUntil(people, wanted, since = []) {
  const deadline = performance.now() + MEDIA_PATIENCE_MS;
  for (;;) {
    const counts = await both(people, ({ page }) => page.evaluate(count));
    const has = (own, at) => Object.entries(wanted).every(([key, least]) => own[key] - (since[at]?.[key] ?? 0) >= least);
    if (counts.every(has) || performance.now() > deadline) {
      return counts;
    }
    await pause(POLL_MS);
  }
}

function findMediaProblems(name, wanted, first, last) {
  const problems = [];
  const gained = (key) => last[key] - first[key];
  for (const [key, least] of Object.entries(wanted)) {
    if (!(gained(key) >= least)) {
      problems.push(`${name}: ${key} rose by ${gained(key)}, expected ${least} or more`);
    }
  }
  if (gained('lost') > MAX_LOST * gained('packets')) {
    problems.push(`${name}: ${gained('lost')} packets lost, ${gained('packets')} arrived`);
  }
  return problems;
}

// A relay had to be found in the answer to the registration, and reached by a way that the network leaves open.
function findRelayProblems({ name, ways }, { candidateType, relayProtocol, url, told, credentials, urls }) {
  const problems = [];
  if (candidateType !== 'relay') {
    problems.push(`${name}: sends from a candidate of type ${candidateType}`);
  }
  if (ways && !ways.includes(relayProtocol)) {
    problems.push(`${name}: carried by ${relayProtocol}, expected ${ways.join(' or ')}`);
  }
  if (credentials !== 'given' || !urls.includes(url)) {
    problems.push(`${name}: went through ${url}, the registration brought ${urls.join(', ') || 'nothing'}`);
  }
  if (!told.startsWith('Relayed over ')) {
    problems.push(`${name}: the page says: ${told}`);
  }
  return problems;
}

async function hangUp(people, who) {
  await part(who.page, 'hang-up').click();
  await both(people, ({ page }) => page.locator('[data-testid=call][data-state=ended]').waitFor({ timeout: CALL_PATIENCE_MS, state: 'attached' }));
  const problems = [];
  for (const { name, page, complaints } of people) {
    if (await part(page, 'alert').isVisible()) {
      problems.push(`${name}: after the call the page says: ${await part(page, 'alert').textContent()}`);
    }
    problems.push(...complaints.splice(0).map((each) => `${name}: the console says: ${each}`));
  }
  return problems;
}

async function call(people, kind, relayed) {
  const [caller, answerer] = people;
  const video = kind === 'video';
  await part(caller.page, 'target').fill(answerer.name);
  await part(caller.page, `call-${kind}`).click();
  await becomes(answerer, 'incoming', people);
  const answeredAt = performance.now();
  await part(answerer.page, video ? 'answer-video' : 'answer').click();
  await both(people, (person) => becomes(person, 'active', people));
  const first = await countUntil(people, { audioPackets: 1, ...(video && { framesDecoded: 1 }) });
  const firstMediaMs = Math.round(performance.now() - answeredAt);
  const wanted = { audioPackets: AUDIO_PACKETS, audioEnergy: MIN_ENERGY, ...(video && { framesDecoded: FRAMES, framesShown: FRAMES }) };
  const last = await countUntil(people, wanted, first);
  // Each side hangs up one of the two.
  const problems = await hangUp(people, video ? answerer : caller);
  people.forEach((person, at) => {
    problems.push(...findMediaProblems(person.name, wanted, first[at], last[at]));
    problems.push(...(relayed ? findRelayProblems(person, last[at]) : []));
  });
  return { firstMediaMs, problems, caller: last[0], answerer: last[1] };
}

const inLab = (name) => process.env[`LAB_${name}`];

async function placeCall(people, kind, relayed) {
  const result = await call(people, kind, relayed).catch((error) => ({ problems: [firstLine(error)] }));
  if (inLab('FRIEND_NETNS')) {
    result.trace = readTrace(inLab('ROUTER_NETNS'));
    result.problems.push(...findStrays(result.trace, people));
  }
  const heading = { profile: inLab('PROFILE'), friend: inLab('FRIEND_PROFILE'), server: inLab('SERVER'), kind: `wic-${kind}` };
  return { ...heading, good: result.problems.length === 0, ...result };
}

function readArguments(words) {
  const named = words.length > 0 && !KINDS.includes(words[0]);
  const ownAccounts = Object.entries(JSON.parse(inLab('ACCOUNTS') ?? '{}')).map((pair) => pair.join(':'));
  const base = named ? words[0] : `https://${inLab('SERVER_NAME')}`;
  const accounts = (named ? words.slice(1, 3) : ownAccounts).map(readAccount);
  const kinds = words.slice(named ? 3 : 0);
  if (accounts.length !== 2 || !kinds.every((kind) => KINDS.includes(kind))) {
    throw new Error('usage: wic.mjs [URL NAME:PASSWORD NAME:PASSWORD] [audio|video]...; without accounts in a lab with a core');
  }
  return { base: base.replace(/\/$/, ''), accounts, kinds: kinds.length > 0 ? kinds : KINDS };
}

async function main() {
  const { base, accounts, kinds } = readArguments(process.argv.slice(2));
  const relayed = process.env.WIC_RELAY === '1' || inLab('FRIEND_NETNS') !== undefined;
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
      const result = await placeCall(people, kind, relayed);
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
