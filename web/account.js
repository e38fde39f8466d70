// SPDX-License-Identifier: BSD-3-Clause
// One person's registration: SIP over a WebSocket to this server (RFC 7118), and the TURN credentials that each answer
// to it brings.

import JsSIP from 'jssip';
import { keepUsableChallenges } from './challenges.js';
import { pause } from './dom.js';
import { ICE_SERVERS_TYPE, iceServersOf } from './ice_servers.js';
import { socketUrl } from './server.js';

const RENEW_AT = 0.8; // of the credentials' life
const RENEW_MIN_MS = 5_000;
const RENEW_MAX_MS = 2 ** 31 - 1; // what a timer takes
const RETRY_MS = 15_000;

// JsSIP tells of the first answer to a REGISTER, not of those that renew: so they are read on their way in.
class Socket extends JsSIP.WebSocketInterface {
  onIceServers = () => {};

  // A connection that a network has forgotten stays open for a browser for many minutes.
  abandon() {
    this.disconnect();
    this.ondisconnect(true, 1006, 'no answer');
  }

  _onMessage({ data }) {
    const message = typeof data === 'string' ? data : new TextDecoder().decode(data);
    const credentials = iceServersOf(message);
    if (credentials !== undefined) {
      this.onIceServers(credentials);
    }
    super._onMessage({ data: keepUsableChallenges(message) });
  }
}

export class AccountError extends Error {}

// Events: 'state' (this.state); 'credentials'; 'failure' (detail: JsSIP's, and |final|: it is not tried again);
// 'call' (detail: JsSIP's newRTCSession of a call that comes in).
export class Account extends EventTarget {
  state = 'connecting'; // registered; lost: connects again by itself; failed: does not; gone
  credentials = null;
  wasRegistered = false;
  #agent;
  #socket;
  #timer;

  // |token| is an access token for web authentication (RFC 8898), or empty.
  constructor({ name, domain, password, token }) {
    super();
    this.uri = `sip:${name}@${domain}`;
    this.domain = domain;
    this.withToken = Boolean(token);
    this.#socket = new Socket(socketUrl('/sip'));
    this.#socket.onIceServers = (credentials) => this.#take(credentials);
    try {
      this.#agent = new JsSIP.UA({
        sockets: [this.#socket],
        uri: this.uri,
        ...(token ? { authorization_jwt: `Bearer ${token}` } : { password }),
        session_timers: false,
        connection_recovery_max_interval: 15,
      });
    } catch {
      throw new AccountError('This is no name that can sign in: letters, digits, dots and dashes make one.');
    }
    this.#listen();
  }

  start() {
    this.#agent.registrator().setExtraHeaders([`Accept: ${ICE_SERVERS_TYPE}`]);
    this.#agent.start();
  }

  // Ends what goes on and signs out.
  stop() {
    this.#become('gone');
    clearTimeout(this.#timer);
    this.#agent.stop();
  }

  // Registers again, which brings fresh credentials.
  renew() {
    if (this.connected) {
      this.#agent.register();
    }
  }

  // Waits until the credentials are good, as they are not where a machine slept. False: they are not in time.
  async hasFreshCredentials(patienceMs) {
    if (!this.credentials || this.credentials.expiresAt > Date.now()) {
      return true;
    }
    this.renew();
    const come = new Promise((resolve) => { this.addEventListener('credentials', () => resolve(true), { once: true }); });
    return Promise.race([come, pause(patienceMs).then(() => false)]);
  }

  get connected() {
    return this.#agent.isConnected();
  }

  call(target, options) {
    return this.#agent.call(target, options);
  }

  isTarget(target) {
    return this.#agent.normalizeTarget(target) !== undefined;
  }

  #listen() {
    this.#agent.on('registered', () => {
      this.wasRegistered = true;
      this.#become('registered');
    });
    this.#agent.on('disconnected', () => this.#become('lost'));
    this.#agent.on('registrationFailed', (failure) => this.#registrationFailed(failure));
    this.#agent.on('newRTCSession', (event) => {
      if (event.originator === 'remote') {
        this.dispatchEvent(new CustomEvent('call', { detail: event }));
      }
    });
  }

  #registrationFailed(failure) {
    const status = failure.response?.status_code;
    const passes = this.wasRegistered && (status === 408 || status >= 500);
    const final = status !== undefined && !passes;
    this.#become(final ? 'failed' : 'lost');
    this.dispatchEvent(new CustomEvent('failure', { detail: { ...failure, final } }));
    if (passes) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.renew(), RETRY_MS);
    } else if (!final && this.connected) {
      this.#socket.abandon();
    }
  }

  #become(state) {
    if (this.state === 'gone') {
      return;
    }
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }

  #take(credentials) {
    if (this.state === 'gone') {
      return;
    }
    clearTimeout(this.#timer);
    this.credentials = credentials;
    if (credentials) {
      const life = credentials.expiresAt - credentials.receivedAt;
      const renew = Math.min(Math.max(life * RENEW_AT, RENEW_MIN_MS), RENEW_MAX_MS);
      this.#timer = setTimeout(() => this.renew(), renew);
    }
    this.dispatchEvent(new Event('credentials'));
  }
}
