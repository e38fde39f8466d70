// SPDX-License-Identifier: BSD-3-Clause
import assert from 'node:assert/strict';
import test from 'node:test';

import { keepUsableChallenges } from '../../web/challenges.js';

const SHA = 'WWW-Authenticate: Digest realm="example.org", nonce="a", qop="auth", algorithm=SHA-256\r\n';
const MD5 = 'WWW-Authenticate: Digest realm="example.org", nonce="a", qop="auth", algorithm=MD5\r\n';
const PLAIN = 'WWW-Authenticate: Digest realm="example.org", nonce="a"\r\n';
const BEARER = 'WWW-Authenticate: Bearer authz_server="https://login.example.org"\r\n';
const PROXY = 'Proxy-Authenticate: Digest realm="x", nonce="b", algorithm="md5"\r\n';

const refusal = (challenges, status = '401 Unauthorized') =>
  `SIP/2.0 ${status}\r\nCSeq: 1 REGISTER\r\n${challenges}Content-Length: 0\r\n\r\n`;

test('only challenges in MD5 are kept, wherever they stand', () => {
  for (const good of [MD5, PLAIN]) {
    assert.equal(keepUsableChallenges(refusal(BEARER + SHA + good)), refusal(good));
    assert.equal(keepUsableChallenges(refusal(good + SHA + BEARER)), refusal(good));
  }
  assert.equal(keepUsableChallenges(refusal(SHA + PROXY, '407 Proxy')), refusal(PROXY, '407 Proxy'));
});

test('where none is usable all stay, so that the failure is told', () => {
  assert.equal(keepUsableChallenges(refusal(BEARER + SHA)), refusal(BEARER + SHA));
});

test('other messages pass unchanged', () => {
  for (const message of [refusal(SHA + MD5, '200 OK'), 'INVITE sip:a@b SIP/2.0\r\n\r\n', '\r\n']) {
    assert.equal(keepUsableChallenges(message), message);
  }
});
