// SPDX-License-Identifier: BSD-3-Clause
import assert from 'node:assert/strict';
import test from 'node:test';

import { explainCall, explainDevices, explainMedia, explainRegistration, NO_WAY } from '../../web/failures.js';

const NOTHING = { urls: [], errors: [], reachedNothing: false };
const refused = (status, reason = '') => ({ response: { status_code: status, reason_phrase: reason } });
const ended = (status, cause, reason = '') =>
  ({ originator: 'remote', cause, message: { status_code: status, reason_phrase: reason } });

test('a wrong password and a token that ended are told apart', () => {
  assert.match(explainRegistration(refused(401), false), /password is wrong/);
  assert.match(explainRegistration(refused(401), true), /token is not accepted/);
});

test('a refusal that nobody foresaw is told as it came', () => {
  assert.match(explainRegistration(refused(499, 'Odd'), false), /499 Odd/);
});

test('each way a call can fail has its own words', () => {
  const causes = [[404, 'Not Found'], [480, 'Unavailable'], [486, 'Busy'], [603, 'Rejected'], [408, 'Unavailable']];
  const words = causes.map(([status, cause]) => explainCall(ended(status, cause), false, NOTHING));
  assert.equal(new Set(words).size, causes.length);
  assert.match(words[0], /Nobody has this name/);
  assert.match(words[1], /not signed in/);
  assert.match(words[2], /Busy/);
});

test('a call that somebody ended is no failure', () => {
  assert.equal(explainCall({ originator: 'remote', cause: 'Terminated' }, true, NOTHING), null);
  assert.equal(explainCall({ originator: 'local', cause: 'Canceled' }, false, NOTHING), null);
});

test('where media find no way, the ways that were tried are named', () => {
  const tried = { urls: ['turns:turn.example.org:443?transport=tcp'], errors: ['701 no answer'], reachedNothing: true };
  const words = explainMedia(tried, false);
  assert.match(words, /no relay can be reached.*TLS, port 443 at turn\.example\.org.*701 no answer/);
  assert.match(explainCall({ originator: 'local', cause: 'RTP Timeout' }, true, tried), /stopped coming through/);
  assert.match(explainCall(ended(488, 'Incompatible SDP', NO_WAY), false, NOTHING), /network at the other side/);
});

test('a microphone that is forbidden, missing or taken has its own advice', () => {
  const advice = ['NotAllowedError', 'NotFoundError', 'NotReadableError'].map((name) => explainDevices({ name }, false));
  assert.equal(new Set(advice).size, 3);
  advice.forEach((words) => assert.match(words, /call again/));
});
