// SPDX-License-Identifier: BSD-3-Clause
// TURN servers with credentials, as the answer to a registration carries them, and where they are kept.

import { make } from './dom.js';

export const ICE_SERVERS_TYPE = 'application/vnd.postern.ice-servers+json';
const KEPT_AS = 'postern.ice-servers';
const CRLF = '\r\n';

// The head and the body of a SIP message, or of a part of one (RFC 2046 §5.1.1).
function splitHead(text) {
  const at = text.indexOf(CRLF + CRLF);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 4)];
}

const contentType = (head) => /^(?:content-type|c)[ \t]*:[ \t]*(.*)$/im.exec(head)?.[1].trim() ?? '';

function findBody(type, body) {
  if (type.toLowerCase().startsWith(ICE_SERVERS_TYPE)) {
    return body;
  }
  const boundary = /^multipart\/.*;\s*boundary="?([^";]+)"?/i.exec(type)?.[1];
  if (!boundary) {
    return null;
  }
  const parts = (CRLF + body).split(`${CRLF}--${boundary}`).slice(1, -1);
  // Behind the boundary its line ends; a part without a head begins with an empty line.
  const bodies = parts.map((part) => splitHead(part.replace(/^[ \t]*\r\n/, '')))
    .map(([head, inner]) => findBody(contentType(head), inner));
  return bodies.find((found) => found !== null) ?? null;
}

function isServer(server) {
  return typeof server === 'object' && server !== null && [server.urls].flat().every((url) => /^(turns?|stuns?):/.test(url));
}

// |json| is what a server sent. Returns { iceServers, receivedAt, expiresAt } (milliseconds), or null.
export function readIceServers(json) {
  try {
    const { iceServers, ttl } = JSON.parse(json);
    if (!Array.isArray(iceServers) || !iceServers.every(isServer) || !(ttl > 0)) {
      return null;
    }
    const servers = iceServers.map(({ urls, username, credential }) => ({ urls: [urls].flat(), username, credential }));
    return { iceServers: servers, receivedAt: Date.now(), expiresAt: Date.now() + ttl * 1000 };
  } catch {
    return null;
  }
}

// If |message| is a 200 to a REGISTER: what it brings, or null. Otherwise undefined.
export function iceServersOf(message) {
  if (!/^SIP\/2\.0 200 /.test(message) || !/^cseq[ \t]*:[ \t]*\d+[ \t]+REGISTER[ \t]*\r?$/im.test(message)) {
    return undefined;
  }
  const [head, body] = splitHead(message);
  const json = findBody(contentType(head), body);
  return json === null ? null : readIceServers(json);
}

export const urlsOf = ({ iceServers }) => [...new Set(iceServers.flatMap(({ urls }) => urls))];

// 'turns:turn.example.org:443?transport=tcp' is { host, port, way: 'tls' }; null where it is no TURN server.
export function readUrl(url) {
  const match = /^(turns?):(\[[^\]]*\]|[^:?]+)(?::(\d+))?(?:\?transport=(udp|tcp))?$/.exec(url);
  if (!match) {
    return null;
  }
  const [, scheme, host, port, transport] = match;
  const secure = scheme === 'turns';
  const tcp = (transport ?? (secure ? 'tcp' : 'udp')) === 'tcp';
  const way = secure ? (tcp ? 'tls' : 'dtls') : (tcp ? 'tcp' : 'udp');
  return { host, port: Number(port ?? (secure ? 5349 : 3478)), way };
}

export const WAY_NAMES = { udp: 'UDP', tcp: 'TCP', tls: 'TLS', dtls: 'DTLS' };

// A way into a server, for people.
export function nameUrl(url) {
  const read = readUrl(url);
  return read ? `${WAY_NAMES[read.way]}, port ${read.port} at ${read.host}` : url;
}

export function showUrls(list, urls) {
  list.replaceChildren(...urls.map((url) => make('li', nameUrl(url))));
}

// The page that tests the network uses them, too. They live for an hour; a password would for years, and is never kept.
export function keep(credentials) {
  sessionStorage.setItem(KEPT_AS, JSON.stringify(credentials));
}

export function forget() {
  sessionStorage.removeItem(KEPT_AS);
}

export function kept() {
  try {
    const credentials = JSON.parse(sessionStorage.getItem(KEPT_AS));
    return credentials?.expiresAt > Date.now() ? credentials : null;
  } catch {
    return null;
  }
}
