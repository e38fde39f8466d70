// SPDX-License-Identifier: BSD-3-Clause
import assert from 'node:assert/strict';
import test from 'node:test';

import { iceServersOf, ICE_SERVERS_TYPE, nameUrl, readIceServers, readUrl } from '../../web/ice_servers.js';

const JSON_BODY = JSON.stringify({
  iceServers: [{ urls: 'turns:turn.example.org:443?transport=tcp', username: 'p1.x.y', credential: 'secret' }],
  ttl: 600,
});

function answer(type, body, { status = '200 OK', method = 'REGISTER' } = {}) {
  return [`SIP/2.0 ${status}`, `CSeq: 7 ${method}`, ...(type ? [`Content-Type: ${type}`] : []),
    `Content-Length: ${body.length}`, '', body].join('\r\n');
}

test('credentials are read from a 200 to REGISTER', () => {
  const found = iceServersOf(answer(ICE_SERVERS_TYPE, JSON_BODY));
  assert.deepEqual(found.iceServers,
    [{ urls: ['turns:turn.example.org:443?transport=tcp'], username: 'p1.x.y', credential: 'secret' }]);
  assert.equal(found.expiresAt - found.receivedAt, 600_000);
});

test('credentials are read from a part of a multipart body', () => {
  const body = ['--next', 'Content-Type: application/reginfo+xml', '', '<reginfo/>', '--next',
    `Content-Type: ${ICE_SERVERS_TYPE}`, 'Content-Disposition: session', '', JSON_BODY, '--next--', ''].join('\r\n');
  for (const type of ['multipart/mixed;boundary=next', 'multipart/mixed; boundary="next"']) {
    assert.equal(iceServersOf(answer(type, body)).iceServers.length, 1);
  }
});

test('a 200 to REGISTER without credentials brings none', () => {
  assert.equal(iceServersOf(answer('', '')), null);
  assert.equal(iceServersOf(answer('application/reginfo+xml', '<reginfo/>')), null);
  assert.equal(iceServersOf(answer('multipart/mixed', JSON_BODY)), null);
});

test('other messages say nothing of credentials', () => {
  assert.equal(iceServersOf(answer(ICE_SERVERS_TYPE, JSON_BODY, { method: 'INVITE' })), undefined);
  assert.equal(iceServersOf(answer(ICE_SERVERS_TYPE, JSON_BODY, { status: '401 Unauthorized' })), undefined);
  assert.equal(iceServersOf('\r\n\r\n'), undefined);
});

test('what is no list of servers is refused', () => {
  const server = { urls: 'turn:a', username: 'u', credential: 'c' };
  const wrong = ['', '{', 'null', '[]', JSON.stringify({ iceServers: server, ttl: 1 }),
    JSON.stringify({ iceServers: [server] }), JSON.stringify({ iceServers: [server], ttl: 0 }),
    JSON.stringify({ iceServers: [null], ttl: 1 }), JSON.stringify({ iceServers: [{ urls: 'https://a' }], ttl: 1 })];
  for (const json of wrong) {
    assert.equal(readIceServers(json), null, json);
  }
});

test('a TURN URI says way, host and port', () => {
  const cases = {
    'turn:turn.example.org': ['udp', 'turn.example.org', 3478],
    'turn:192.0.2.1:80?transport=tcp': ['tcp', '192.0.2.1', 80],
    'turns:turn.example.org': ['tls', 'turn.example.org', 5349],
    'turns:turn.example.org:443?transport=tcp': ['tls', 'turn.example.org', 443],
    'turns:turn.example.org:443?transport=udp': ['dtls', 'turn.example.org', 443],
    'turn:[2001:db8::5]:3478?transport=udp': ['udp', '[2001:db8::5]', 3478],
  };
  for (const [url, [way, host, port]] of Object.entries(cases)) {
    assert.deepEqual(readUrl(url), { way, host, port });
  }
  assert.equal(readUrl('stun:stun.example.org'), null);
  assert.equal(nameUrl('stun:stun.example.org'), 'stun:stun.example.org');
});
