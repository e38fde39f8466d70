// SPDX-License-Identifier: BSD-3-Clause
// The tests of the network check: each tries one way to the server and returns { open, setupMs, ... , said }, where
// |said| is what the browser told of a failure.

import { pause } from './dom.js';
import { socketUrl } from './server.js';

const SOCKET_PATIENCE_MS = 10_000;
// A browser gives up on a blocked UDP server after 10 s and on a blocked turns: one after 40 s.
const RELAY_PATIENCE_MS = 15_000;
const CONNECT_PATIENCE_MS = 10_000;
const MESSAGES = 200;
const MESSAGE_LENGTH = 160; // 20 ms of speech
const INTERVAL_MS = 20;
const SETTLE_MS = 1_000;
const STUN_COOKIE = [0x21, 0x12, 0xa4, 0x42];
const STUN_BINDING_SUCCESS = 0x0101;

const late = (ms, what) => pause(ms).then(() => { throw new Error(what); });

async function timed(attempt) {
  const from = performance.now();
  try {
    await attempt();
    return { open: true, setupMs: performance.now() - from };
  } catch (error) {
    return { open: false, said: error.message };
  }
}

export const testHttps = () => timed(() => fetch('/v1/wic', { cache: 'no-store', signal: AbortSignal.timeout(SOCKET_PATIENCE_MS) }));

function openSocket(url, protocol) {
  const socket = new WebSocket(url, protocol);
  socket.binaryType = 'arraybuffer';
  const opened = new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onclose = ({ code }) => reject(new Error(`closed before it opened (${code})`));
  });
  return [socket, opened];
}

export function testSipSocket() {
  return timed(async () => {
    const [socket, opened] = openSocket(socketUrl('/sip'), 'sip');
    await Promise.race([opened, late(SOCKET_PATIENCE_MS, 'no answer')]).finally(() => socket.close());
  });
}

// Browsers do not use it; telephones that are no browser do. Asks for a STUN answer (RFC 8489) in a binary message.
export function testTurnSocket() {
  return timed(async () => {
    const [socket, opened] = openSocket(socketUrl('/turn'), 'turn');
    const answered = new Promise((resolve, reject) => {
      socket.onmessage = ({ data }) => (new DataView(data).getUint16(0) === STUN_BINDING_SUCCESS
        ? resolve() : reject(new Error('the answer is none of TURN')));
    });
    const ask = async () => {
      await opened;
      socket.send(new Uint8Array([0, 1, 0, 0, ...STUN_COOKIE, ...crypto.getRandomValues(new Uint8Array(12))]));
      await answered;
    };
    await Promise.race([ask(), late(SOCKET_PATIENCE_MS, 'no answer')]).finally(() => socket.close());
  });
}

// Two ends in this page that meet at the relay, and nowhere else.
class Loop {
  said = new Set();

  constructor(server) {
    const configuration = { iceServers: [server], iceTransportPolicy: 'relay' };
    this.near = new RTCPeerConnection(configuration);
    this.far = new RTCPeerConnection(configuration);
    this.channel = this.near.createDataChannel('check', { ordered: false, maxRetransmits: 0 });
    this.relayed = new Promise((resolve) => { this.#tellEachOther(resolve); });
    this.arrives = new Promise((resolve) => { this.far.ondatachannel = ({ channel }) => resolve(channel); });
    this.opened = new Promise((resolve) => { this.channel.onopen = resolve; });
  }

  #tellEachOther(found) {
    for (const [from, to] of [[this.near, this.far], [this.far, this.near]]) {
      const waiting = [];
      from.onicecandidateerror = ({ errorCode, errorText }) => this.said.add(`${errorCode} ${errorText}`.trim());
      from.onicecandidate = ({ candidate }) => {
        if (candidate?.candidate) {
          found();
          waiting.push(candidate);
        }
        if (to.remoteDescription) {
          waiting.splice(0).forEach((each) => to.addIceCandidate(each));
        }
      };
      from.onsignalingstatechange = () => {
        if (to.remoteDescription) {
          waiting.splice(0).forEach((each) => to.addIceCandidate(each));
        }
      };
    }
  }

  async connect() {
    await this.near.setLocalDescription();
    await this.far.setRemoteDescription(this.near.localDescription);
    await this.far.setLocalDescription();
    await this.near.setRemoteDescription(this.far.localDescription);
  }

  close() {
    this.near.close();
    this.far.close();
  }
}

// A message from one end to the other goes to the relay and back: one round trip.
async function countMessages(channel, incoming) {
  incoming.binaryType = 'arraybuffer';
  const sentAt = [];
  const delays = [];
  incoming.onmessage = ({ data }) => {
    delays.push(performance.now() - sentAt[new DataView(data).getUint32(0)]);
  };
  const message = new DataView(new ArrayBuffer(MESSAGE_LENGTH));
  const from = performance.now();
  while (sentAt.length < MESSAGES) {
    // A page in the background gets its timers late: then several are due.
    while (sentAt.length < MESSAGES && performance.now() >= from + sentAt.length * INTERVAL_MS) {
      message.setUint32(0, sentAt.length);
      sentAt.push(performance.now());
      channel.send(message.buffer);
    }
    await pause(INTERVAL_MS);
  }
  await pause(SETTLE_MS);
  delays.sort((a, b) => a - b);
  const share = (part) => delays[Math.min(delays.length - 1, Math.floor(part * delays.length))] ?? null;
  return { sent: MESSAGES, lostPercent: 100 * (1 - delays.length / MESSAGES), medianMs: share(0.5), mostMs: share(0.95) };
}

// |server| is an RTCIceServer with one URL. |turn| runs what it is given after what it was given before, so that no
// measurement disturbs another; |measuring| is called when it is this one's turn.
export async function testRelay(server, turn, measuring) {
  const from = performance.now();
  let loop;
  let stage = 'no answer from the relay';
  try {
    loop = new Loop(server);
    const connected = loop.connect();
    await Promise.race([loop.relayed, late(RELAY_PATIENCE_MS, stage)]);
    const setupMs = performance.now() - from;
    stage = 'the relay answers, but carries nothing';
    const meet = async () => {
      await connected;
      await loop.opened;
      return loop.arrives;
    };
    const incoming = await Promise.race([meet(), late(CONNECT_PATIENCE_MS, stage)]);
    const figures = await turn(() => {
      measuring();
      return countMessages(loop.channel, incoming);
    });
    return { open: true, setupMs, ...figures };
  } catch (error) {
    return { open: false, said: [error.message, ...(loop?.said ?? [])].join('; ') };
  } finally {
    loop?.close();
  }
}
