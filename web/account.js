// SPDX-License-Identifier: BSD-3-Clause
// One person's registration: SIP over a WebSocket to this server (RFC 7118), and the TURN credentials that each answer
// to it brings.

import JsSIP from 'jssip';
import { ICE_SERVERS_TYPE, iceServersOf } from './ice_servers.js';
import { socketUrl } from './server.js';

const RENEW_AT = 0.8; // of the credentials' life
const RENEW_MIN_MS = 5_000;
const RENEW_MAX_MS = 2 ** 31 - 1; // what a timer takes

// JsSIP answers the first challenge only, and only in MD5: what it cannot do is taken out if something else is there.
function keepUsableChallenges(message) {
  if (!/^SIP\/2\.0 40[17] /.test(message)) {
    return message;
  }
  const challenge = /^(?:www|proxy)-authenticate[ \t]*:[ \t]*(.*)\r\n/gim;
  const usable = (value) => /^digest\s/i.test(value) && /algorithm\s*=\s*"?md5"?\s*(,|$)/i.test(value.includes('algorithm') ? value : 'algorithm=md5');
  if (![...message.matchAll(challenge)].some(([, value]) => usable(value))) {
    return message;
  }
  return message.replace(challenge, (line, value) => (usable(value) ? line : ''));
}

// JsSIP tells of the first answer to a REGISTER, not of those that renew: so they are read on their way in.
class Socket extends JsSIP.WebSocketInterface {
  onIceServers = () => {};

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

// Events: 'state' (this.state), 'failure' (detail: JsSIP's), 'credentials', 'call' (detail: JsSIP's session, incoming).
export class Account extends EventTarget {
  state = 'connecting'; // registered; lost: connects again by itself; failed: does not; gone
  credentials = null;
  wasRegistered = false;
  #agent;
  #timer;

  // |token| is an access token for web authentication (RFC 8898), or empty.
  constructor({ name, domain, password, token }) {
    super();
    this.uri = `sip:${name}@${domain}`;
    this.domain = domain;
    this.withToken = Boolean(token);
    const socket = new Socket(socketUrl('/sip'));
    socket.onIceServers = (credentials) => this.#take(credentials);
    try {
      this.#agent = new JsSIP.UA({
        sockets: [socket],
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
    this.#agent.on('registrationFailed', (failure) => {
      if (failure.response || this.#agent.isConnected()) {
        this.#become('failed');
      }
      this.dispatchEvent(new CustomEvent('failure', { detail: failure }));
    });
    this.#agent.on('newRTCSession', ({ originator, session }) => {
      if (originator === 'remote') {
        this.dispatchEvent(new CustomEvent('call', { detail: session }));
      }
    });
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
      this.#timer = setTimeout(() => this.#agent.register(), renew);
    }
    this.dispatchEvent(new Event('credentials'));
  }
}
