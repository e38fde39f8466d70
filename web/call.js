// SPDX-License-Identifier: BSD-3-Clause
// One call: from the microphone to the words that say how it ended.

import { explainCall, explainMedia, NO_WAY } from './failures.js';
import { urlsOf } from './ice_servers.js';

// Other ways than the first are waited for this long: a description is sent once, with all that was found.
const AFTER_RELAY_MS = 400;
const AFTER_OTHER_MS = 4_000;
const NO_RELAY_MS = 500;
// Without any way at all by then, nothing is sent: a blocked turns: takes a browser 40 s to give up on.
const GATHER_MS = 15_000;
const ERRORS_TOLD = 4;
// An interruption that is over by then needs no help.
const RESTART_AFTER_MS = 2_000;

export async function openDevices(video) {
  const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  return navigator.mediaDevices.getUserMedia({ audio, video: video && { width: { ideal: 1280 }, height: { ideal: 720 } } });
}

// Events: 'state' (this.state), 'remote' (this.remote, a MediaStream that is complete or grows).
export class Call extends EventTarget {
  state; // calling, ringing, incoming, connecting, active, interrupted, ended
  failure = null; // words, once it ended and something went wrong
  local = null;
  remote = new MediaStream();
  connectedAt = null;
  #account;
  #relayOnly;
  #session;
  #connection = null;
  #errors = new Set();
  #candidates = 0;
  #timers = {};

  constructor(account, relayOnly) {
    super();
    this.#account = account;
    this.#relayOnly = relayOnly;
  }

  // |stream| is what openDevices() gave; it is this call's from now on.
  static place(account, relayOnly, target, stream) {
    const call = new Call(account, relayOnly);
    call.state = 'calling';
    call.peer = target;
    call.local = stream;
    call.withVideo = stream.getVideoTracks().length > 0;
    const eventHandlers = { peerconnection: ({ peerconnection }) => call.#watch(peerconnection) };
    call.#follow(account.call(target, { mediaStream: stream, pcConfig: call.#configuration(), eventHandlers }));
    return call;
  }

  static receive(account, relayOnly, { session, request }) {
    const call = new Call(account, relayOnly);
    call.state = 'incoming';
    call.peer = session.remote_identity.display_name || session.remote_identity.uri.user;
    call.withVideo = /^m=video [1-9]/m.test(request.body ?? '');
    session.on('peerconnection', ({ peerconnection }) => call.#watch(peerconnection));
    call.#follow(session);
    return call;
  }

  answer(stream) {
    this.local = stream;
    this.#become('connecting');
    this.#session.answer({ mediaStream: stream, pcConfig: this.#configuration() });
  }

  // Hangs up, cancels or declines, whichever it is.
  end(options) {
    if (!this.#session.isEnded()) {
      this.#session.terminate(options);
    }
  }

  decline() {
    this.end({ status_code: 603, reason_phrase: 'Decline' });
  }

  mute(kind, muted) {
    this.#session[muted ? 'mute' : 'unmute']({ [kind]: true });
  }

  get connection() {
    return this.#connection;
  }

  get ended() {
    return this.state === 'ended';
  }

  #configuration() {
    const iceServers = this.#account.credentials?.iceServers ?? [];
    return { iceServers, iceTransportPolicy: this.#relayOnly ? 'relay' : 'all', bundlePolicy: 'max-bundle' };
  }

  #become(state) {
    if (this.state !== state && this.state !== 'ended') {
      this.state = state;
      this.dispatchEvent(new Event('state'));
    }
  }

  #follow(session) {
    this.#session = session;
    session.on('progress', () => { if (this.state === 'calling') this.#become('ringing'); });
    session.on('accepted', () => { if (!this.connectedAt) this.#become('connecting'); });
    session.on('icecandidate', (event) => this.#found(event));
    session.on('failed', (end) => this.#finish(end));
    session.on('ended', (end) => this.#finish(end));
  }

  #watch(connection) {
    this.#connection = connection;
    connection.addEventListener('track', ({ track }) => {
      this.remote.addTrack(track);
      this.dispatchEvent(new Event('remote'));
    });
    connection.addEventListener('icecandidateerror', ({ url, errorCode, errorText }) => {
      this.#errors.add(`${url}: ${errorCode} ${errorText}`.trim());
    });
    connection.addEventListener('connectionstatechange', () => this.#connectionChanged());
    this.#timers.gather = setTimeout(() => this.#gathered(), GATHER_MS);
    connection.addEventListener('icegatheringstatechange', () => {
      if (connection.iceGatheringState === 'complete') {
        this.#gathered();
      }
    });
  }

  #found({ candidate, ready }) {
    this.#candidates += 1;
    const relays = this.#configuration().iceServers.length > 0;
    const other = relays ? AFTER_OTHER_MS : NO_RELAY_MS;
    setTimeout(ready, candidate.type === 'relay' ? AFTER_RELAY_MS : other);
  }

  // All was tried, or it takes too long.
  #gathered() {
    clearTimeout(this.#timers.gather);
    if (this.#candidates === 0 && !this.ended) {
      this.failure = explainMedia(this.#tried(), false);
      this.end({ status_code: 488, reason_phrase: NO_WAY });
    }
  }

  #connectionChanged() {
    const { connectionState } = this.#connection;
    if (connectionState === 'connected') {
      clearTimeout(this.#timers.restart);
      this.connectedAt ??= Date.now();
      this.#become('active');
    } else if (connectionState === 'disconnected' && this.connectedAt) {
      this.#become('interrupted');
      const first = this.#session.direction === 'outgoing';
      this.#timers.restart = setTimeout(() => this.#restart(), first ? RESTART_AFTER_MS : 2 * RESTART_AFTER_MS);
    }
  }

  // Looks for a new way, with the newest credentials (RFC 8445 §2.4). One side does, the other one only if it does not.
  #restart() {
    if (this.#connection.connectionState !== 'disconnected' || !this.#account.connected) {
      return;
    }
    this.#connection.setConfiguration(this.#configuration());
    this.#session.renegotiate({ rtcOfferConstraints: { iceRestart: true } });
  }

  #tried() {
    const urls = this.#account.credentials ? urlsOf(this.#account.credentials) : [];
    return { urls, errors: [...this.#errors].slice(0, ERRORS_TOLD), reachedNothing: this.#candidates === 0 };
  }

  #finish(end) {
    if (this.ended) {
      return;
    }
    Object.values(this.#timers).forEach(clearTimeout);
    this.failure ??= explainCall(end, this.connectedAt !== null, this.#tried());
    // The caller gave up, or this side declined: that is no failure of this side.
    if (this.state === 'incoming' && ['Canceled', 'Rejected'].includes(end.cause)) {
      this.failure = end.originator === 'remote' ? `You missed a call from ${this.peer}.` : null;
    }
    this.local?.getTracks().forEach((track) => track.stop());
    this.#become('ended');
  }
}
