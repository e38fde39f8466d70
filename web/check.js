// SPDX-License-Identifier: BSD-3-Clause
// The page at /check: does this network let calls out, and by which way?

import { Account, AccountError } from './account.js';
import { byId, make, setText, show } from './dom.js';
import { explainRegistration, NO_CONNECTION } from './failures.js';
import { kept, readIceServers, readUrl, WAY_NAMES } from './ice_servers.js';
import { testHttps, testRelay, testSipSocket, testTurnSocket } from './measure.js';
import { describeServer } from './server.js';

const SIGN_IN_PATIENCE_MS = 15_000;
const SLOW_MS = 300;
const LOSSY_PERCENT = 3;

let server;
let account = null; // as long as a test needs its credentials

const ADVICE = {
  https: 'The server does not answer any more. Check whether other pages load.',
  sip: 'Signing in needs a WebSocket, and something stops it: ask the help desk to let WebSockets to this address through the proxy.',
  'turn-socket': 'Only telephones that are no browser use this way. Calls from a browser do not need it.',
  udp: 'Usual in companies and hotels. Calls take another way; with much loss on the way they stutter sooner.',
  tcp: 'No harm while TLS is open.',
  tls: 'Something lets only web pages through this port. Ask the help desk to exempt this address from TLS inspection.',
};

function nameOf({ way, port, host }) {
  return `Relay over ${WAY_NAMES[way]}, port ${port}${host === location.hostname ? '' : ` at ${host}`}`;
}

// The ways to test: { name, kind, run(measuring) }.
function listWays(credentials) {
  const ways = [{ name: 'Web page (HTTPS)', kind: 'https', run: testHttps }];
  if (server.registers) {
    ways.push({ name: 'Signing in (WebSocket)', kind: 'sip', run: testSipSocket });
  }
  let last = Promise.resolve();
  const turn = (measure) => {
    last = last.then(measure, measure);
    return last;
  };
  for (const { urls, username, credential } of credentials?.iceServers ?? []) {
    for (const url of urls) {
      const read = readUrl(url);
      // Browsers speak no DTLS to a relay.
      if (read && read.way !== 'dtls') {
        ways.push({
          name: nameOf(read), kind: read.way, relay: true,
          run: (measuring) => testRelay({ urls: [url], username, credential }, turn, measuring),
        });
      }
    }
  }
  ways.push({ name: 'Relay over WebSocket', kind: 'turn-socket', run: testTurnSocket });
  return ways;
}

const milliseconds = (value) => (value === undefined || value === null ? '' : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`);

function makeRow(way) {
  const row = make('tr');
  row.dataset.testid = `way-${way.kind}`;
  const name = make('th', way.name);
  name.scope = 'row';
  const state = make('td', 'waiting', 'result');
  state.dataset.state = 'waiting';
  const figures = ['Set up', 'Round trip', 'Lost'].map((label) => {
    const cell = make('td', '', 'figure');
    cell.dataset.label = label.toLowerCase();
    return cell;
  });
  row.append(name, state, ...figures);
  return { row, name, state, figures };
}

function showResult({ name, state, figures }, way, result) {
  setState(state, result.open ? 'open' : 'blocked');
  const [setup, delay, lost] = figures;
  setText(setup, milliseconds(result.setupMs));
  setText(delay, milliseconds(result.medianMs));
  setText(lost, result.lostPercent === undefined ? '' : `${result.lostPercent.toFixed(1)} %`);
  const advice = result.open ? adviceOnQuality(result) : ADVICE[way.kind];
  if (advice) {
    name.append(make('span', advice, 'note advice'));
  }
}

function adviceOnQuality({ medianMs, lostPercent }) {
  if (lostPercent > LOSSY_PERCENT) {
    return 'Much is lost on this way: speech will break up.';
  }
  return medianMs > SLOW_MS ? 'This way is slow: people will talk into each other.' : null;
}

function setState(cell, state) {
  cell.dataset.state = state;
  setText(cell, state);
}

// Returns { state, verdict, remark }.
function judge(results) {
  const open = (kind) => results.some(({ way, result }) => way.kind === kind && result.open);
  const relays = results.filter(({ way }) => way.relay);
  const usable = relays.filter(({ result }) => result.open);
  if (relays.length === 0) {
    return { state: 'blocked', verdict: 'The relay could not be tested.', remark: 'Nobody gave access to it: sign in, or ask who runs this service.' };
  }
  if (usable.length === 0) {
    return { state: 'blocked', verdict: 'This network lets no calls out.', remark: 'Web pages pass, sound and video do not. The table tells what to ask for.' };
  }
  if (server.registers && !open('sip')) {
    return { state: 'blocked', verdict: 'Sound would pass here, but signing in does not.', remark: 'The table tells what to ask for.' };
  }
  if (usable.every(({ result }) => adviceOnQuality(result))) {
    return { state: 'open', verdict: 'This network lets calls out, but not well.', remark: 'Each way that is open is slow or loses much. Another network, or a cable instead of radio, may help.' };
  }
  if (open('udp')) {
    return { state: 'open', verdict: 'This network lets calls out.', remark: 'Every call will find its way.' };
  }
  const over = [...new Set(usable.map(({ way }) => WAY_NAMES[way.kind]))].join(' and ');
  return { state: 'open', verdict: `This network lets calls out, over ${over}.`, remark: 'UDP is closed, which is usual where only the web is let through. Calls work all the same.' };
}

function describeResult({ way, result }) {
  if (!result.open) {
    return `${way.name}: blocked (${result.said})`;
  }
  const words = [`open, set up in ${milliseconds(result.setupMs)}`];
  if (result.sent) {
    words.push(result.medianMs === null ? 'nothing arrived' : `round trip ${milliseconds(result.medianMs)} (95 % within ${milliseconds(result.mostMs)})`);
    words.push(`lost ${result.lostPercent.toFixed(1)} % of ${result.sent}`);
  }
  return `${way.name}: ${words.join(', ')}`;
}

function writeReport(verdict, results) {
  byId('report').value = [
    `Network check of ${location.host}${server.version && `, postern ${server.version}`}`,
    `Time:    ${new Date().toISOString()}`,
    `Browser: ${navigator.userAgent}`,
    `Result:  ${verdict}`,
    '',
    ...results.map(describeResult),
  ].join('\n');
}

async function test(credentials) {
  document.body.dataset.state = 'testing';
  show(byId('sign-in'), false);
  show(byId('results'), true);
  show(byId('help-desk'), false);
  setText(byId('copy'), 'Copy');
  showVerdict({ state: 'testing', verdict: 'Testing…', remark: 'Half a minute at most. What is blocked shows by its silence.' });
  const ways = listWays(credentials);
  const rows = ways.map(makeRow);
  byId('ways').replaceChildren(...rows.map(({ row }) => row));
  const results = await Promise.all(ways.map(async (way, at) => {
    setState(rows[at].state, 'testing');
    const result = await way.run(() => setText(rows[at].state, 'measuring'));
    showResult(rows[at], way, result);
    return { way, result };
  }));
  signOut();
  const judgement = judge(results);
  showVerdict(judgement);
  playDown(results, rows);
  writeReport(judgement.verdict, results);
  show(byId('help-desk'), true);
  document.body.dataset.state = 'done';
}

// A way to the relay that is closed beside an open one does no harm, and is shown so.
function playDown(results, rows) {
  if (!results.some(({ way, result }) => way.relay && result.open)) {
    return;
  }
  results.forEach(({ way, result }, at) => {
    if (!result.open && (way.relay || way.kind === 'turn-socket')) {
      rows[at].state.dataset.state = 'closed';
    }
  });
}

function showVerdict({ state, verdict, remark }) {
  byId('verdict').dataset.state = state;
  byId('verdict').className = 'verdict result';
  setText(byId('verdict'), verdict);
  setText(byId('remark'), remark);
}

// Signing in

class SignInError extends Error {}

// By name and password: the answer to a registration brings the credentials.
function register(who) {
  return new Promise((resolve, reject) => {
    account = new Account(who);
    setTimeout(() => reject(new SignInError(NO_CONNECTION)), SIGN_IN_PATIENCE_MS);
    account.addEventListener('credentials', () => resolve(account.credentials));
    account.addEventListener('failure', ({ detail }) => {
      if (detail.final) {
        reject(new SignInError(explainRegistration(detail, false)));
      }
    });
    account.start();
  });
}

// Its credentials end with the registration.
function signOut() {
  account?.stop();
  account = null;
}

async function askByToken(token) {
  const answer = await fetch('/v1/turn', { headers: { authorization: `Bearer ${token}` }, cache: 'no-store' });
  if (answer.status === 401 || answer.status === 403) {
    throw new SignInError('The access token is not accepted: it may have expired. Ask for a new one.');
  }
  return answer.ok ? readIceServers(await answer.text()) : null;
}

function credentialsFor({ name, password, domain, token }) {
  if (!server.registers) {
    const relay = { urls: server.uris, username: name, credential: password };
    return { iceServers: [relay] };
  }
  return token ? askByToken(token) : register({ name, password, domain });
}

async function signIn() {
  show(byId('alert'), false);
  byId('start').disabled = true;
  const [name, at] = byId('name').value.trim().split('@');
  const who = { name, password: byId('password').value, domain: at ?? byId('domain').value.trim(), token: byId('token').value.trim() };
  try {
    await test(await credentialsFor(who));
  } catch (error) {
    signOut();
    setText(byId('alert'), error instanceof SignInError || error instanceof AccountError ? error.message : `The test failed: ${error.message}`);
    show(byId('alert'), true);
  } finally {
    byId('start').disabled = false;
  }
}

// What the form has brought once it brings again: credentials of the test's own registration ended with it.
function testAgain() {
  const credentials = kept();
  if (credentials) {
    test(credentials);
  } else {
    signIn();
  }
}

function begin() {
  const credentials = kept();
  if (credentials) {
    test(credentials);
    return;
  }
  show(byId('sign-in'), true);
  document.body.dataset.state = 'signed-out';
  byId('name').focus();
}

async function copyReport() {
  try {
    await navigator.clipboard.writeText(byId('report').value);
    setText(byId('copy'), 'Copied');
  } catch {
    byId('report').select();
    setText(byId('copy'), 'Selected: copy it now');
  }
}

async function main() {
  server = await describeServer();
  setText(byId('version'), server.version && `postern ${server.version}`);
  byId('domain').value = server.domain || location.hostname;
  byId('more').open = server.registers && server.domain === '';
  show(byId('more'), server.registers);
  if (!server.registers) {
    setText(byId('why'), 'The relay serves known people only: enter a name and a password that it knows. The test takes half a minute at most.');
  }
  byId('sign-in-form').addEventListener('submit', (event) => {
    event.preventDefault();
    signIn();
  });
  byId('again').addEventListener('click', testAgain);
  byId('copy').addEventListener('click', copyReport);
  begin();
}

main();
