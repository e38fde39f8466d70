// SPDX-License-Identifier: BSD-3-Clause
// The page at /: a WebRTC IMS Client (TS 24.371) for people.

import { Account, AccountError } from './account.js';
import { Call, openDevices } from './call.js';
import { byId, setText, show, timeOfDay } from './dom.js';
import { explainDevices, explainRegistration, NO_CONNECTION } from './failures.js';
import { forget, keep, showUrls, urlsOf } from './ice_servers.js';
import { compare, readPath } from './media_path.js';
import { startRinging, stopRinging } from './ring.js';
import { describeServer } from './server.js';
import { Sparkline } from './sparkline.js';

const MEASURE_MS = 1_000;
const SIGN_IN_PATIENCE_MS = 20_000;
const RENEW_PATIENCE_MS = 5_000;

const parameters = new URLSearchParams(location.search);
const lines = {
  roundTrip: new Sparkline(byId('round-trip-line'), 100),
  loss: new Sparkline(byId('loss-line'), 5),
  bitrate: new Sparkline(byId('bitrate-line'), 100),
};
let account = null;
let call = null;
let before = null; // the last report of the running call

// |about| is 'sign-in' or 'call'.
function alert(words, about = 'call') {
  byId('alert').dataset.about = about;
  setText(byId('alert'), words ?? '');
  show(byId('alert'), Boolean(words));
}

// Signing in

const STATES = {
  connecting: () => 'Signing in…',
  registered: () => `Signed in as ${account.uri.replace('sip:', '')}`,
  lost: () => (account.wasRegistered ? 'Connection lost, reconnecting…' : 'No connection yet, trying…'),
  failed: () => 'Not signed in',
  gone: () => '',
};

function showState(state) {
  document.body.dataset.state = state;
  byId('state').dataset.state = state;
  setText(byId('state'), STATES[state]?.() ?? '');
  const signedIn = Boolean(account?.wasRegistered) && state !== 'gone';
  show(byId('sign-in'), !signedIn);
  show(byId('phone'), signedIn);
  show(byId('sign-out'), signedIn);
  byId('sign-in-button').disabled = state === 'connecting';
}

function signIn() {
  alert(null);
  const [name, at] = byId('name').value.trim().replace(/^sips?:/, '').split('@');
  const who = {
    name,
    domain: at ?? byId('domain').value.trim(),
    password: byId('password').value,
    token: byId('token').value.trim(),
  };
  try {
    account = new Account(who);
  } catch (error) {
    if (!(error instanceof AccountError)) {
      throw error;
    }
    alert(error.message);
    return;
  }
  const mine = account;
  mine.addEventListener('state', () => accountChanged(mine));
  mine.addEventListener('failure', ({ detail }) => signInFailed(mine, detail));
  mine.addEventListener('credentials', () => showCredentials(mine.credentials));
  mine.addEventListener('call', ({ detail }) => callComesIn(detail));
  showState('connecting');
  showCredentials(null);
  mine.start();
  setTimeout(() => {
    if (mine === account && !mine.wasRegistered && ['connecting', 'lost'].includes(mine.state)) {
      giveUp(mine, NO_CONNECTION);
    }
  }, SIGN_IN_PATIENCE_MS);
}

function accountChanged(changed) {
  if (changed !== account) {
    return;
  }
  const first = byId('phone').hidden;
  showState(changed.state);
  showSignalling();
  if (changed.state === 'registered' && byId('alert').dataset.about === 'sign-in') {
    alert(null);
  }
  if (changed.state === 'registered' && first) {
    byId('target').focus();
  }
}

function signInFailed(failed, failure) {
  if (failed !== account) {
    return;
  }
  const words = explainRegistration(failure, failed.withToken);
  if (failure.final) {
    giveUp(failed, words);
  } else {
    alert(words, 'sign-in');
  }
}

// It would go on trying with a password that is wrong.
function giveUp(failed, words) {
  account = null;
  failed.stop();
  showState('failed');
  alert(words, 'sign-in');
  byId(failed.withToken ? 'token' : 'password').focus();
}

function signOut() {
  account.stop();
  account = null;
  forget();
  byId('password').value = '';
  byId('token').value = '';
  alert(null);
  showState('gone');
  byId('name').focus();
}

function showCredentials(credentials) {
  const place = byId('credentials');
  place.dataset.state = credentials ? 'given' : 'none';
  if (!credentials) {
    setText(place, 'The answer to your registration brought no relay: calls go directly, where the network lets them.');
    showUrls(byId('servers'), []);
    forget();
    return;
  }
  setText(place, `Access came from ${account.domain} at ${timeOfDay(credentials.receivedAt)}, in the answer to your ` +
    `registration (200 to REGISTER). It lasts until ${timeOfDay(credentials.expiresAt)} and is renewed before.`);
  showUrls(byId('servers'), urlsOf(credentials));
  keep({ ...credentials, domain: account.domain });
}

function showSignalling() {
  const open = account?.connected;
  setText(byId('signalling'), open ? `SIP over a secure WebSocket to ${location.host}` : `No WebSocket to ${location.host}`);
}

// Calls

const CALL_STATES = {
  calling: 'Calling…',
  ringing: 'Ringing…',
  incoming: 'Calls you',
  connecting: 'Looking for a way…',
  active: 'Connected',
  interrupted: 'Interrupted, looking for another way…',
};

async function withDevices(video, use) {
  let stream;
  try {
    stream = await openDevices(video);
  } catch (error) {
    alert(explainDevices(error, video));
    return;
  }
  use(stream);
}

function placeCall(target, video) {
  alert(null);
  if (!account.connected) {
    alert('There is no connection to the server now. Wait until you are signed in again.');
    return;
  }
  if (!account.isTarget(target)) {
    alert('This is no name that can be called.');
    return;
  }
  withDevices(video, async (stream) => {
    const fresh = await account?.hasFreshCredentials(RENEW_PATIENCE_MS);
    if (!fresh || call) {
      stream.getTracks().forEach((track) => track.stop());
      if (fresh === false) {
        alert('The access to the relay has ended and could not be renewed in time. Try again in a moment.');
      }
      return;
    }
    takeUp(Call.place(account, byId('force-relay').checked, target, stream));
  });
}

function callComesIn(event) {
  if (call) {
    event.session.terminate({ status_code: 486 });
    return;
  }
  alert(null);
  takeUp(Call.receive(account, byId('force-relay').checked, event));
}

function answer(video) {
  const answered = call;
  withDevices(video, (stream) => {
    if (call !== answered || answered.ended) {
      stream.getTracks().forEach((track) => track.stop());
      return;
    }
    answered.answer(stream);
    showOwnPicture();
  });
}

function takeUp(next) {
  call = next;
  call.addEventListener('state', callChanged);
  call.addEventListener('remote', () => { byId('remote').srcObject = call.remote; });
  before = null;
  Object.values(lines).forEach((line) => line.clear());
  for (const figure of ['round-trip', 'loss', 'bitrate']) {
    setText(byId(figure), '–');
  }
  showWay(null);
  byId('remote').srcObject = call.remote;
  setText(byId('peer'), call.peer);
  setText(byId('initial'), call.peer.slice(0, 1));
  setText(byId('duration'), '');
  setPressed('mute', false);
  setPressed('camera', false);
  showOwnPicture();
  callChanged();
  (call.state === 'incoming' ? byId('answer') : byId('hang-up')).focus();
}

function showOwnPicture() {
  const video = Boolean(call.local?.getVideoTracks().length);
  byId('local').srcObject = video ? call.local : null;
  show(byId('local'), video);
  show(byId('camera'), video);
}

function callChanged() {
  const { state } = call;
  byId('call').dataset.state = state;
  const incoming = state === 'incoming';
  (incoming ? startRinging : stopRinging)();
  document.title = incoming ? `${call.peer} calls – postern` : 'postern';
  if (state === 'ended') {
    callEnded();
    return;
  }
  show(byId('dial'), false);
  show(byId('call'), true);
  show(byId('incoming-buttons'), incoming);
  show(byId('answer-video'), call.withVideo);
  show(byId('call-buttons'), !incoming);
  show(byId('quality'), !incoming);
  setText(byId('call-state'), CALL_STATES[state]);
  if (state === 'connecting') {
    byId('hang-up').focus();
  }
}

function callEnded() {
  alert(call.failure);
  byId('remote').srcObject = null;
  byId('local').srcObject = null;
  byId('stage').dataset.picture = 'no';
  call = null;
  show(byId('call'), false);
  show(byId('quality'), false);
  show(byId('dial'), true);
  byId('target').focus();
}

function setPressed(id, pressed) {
  byId(id).setAttribute('aria-pressed', String(pressed));
}

function toggle(id, kind) {
  const pressed = byId(id).getAttribute('aria-pressed') !== 'true';
  call.mute(kind, pressed);
  setPressed(id, pressed);
}

// What is told of a running call, once a second

function duration() {
  const seconds = Math.floor((Date.now() - call.connectedAt) / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

function showWay(path) {
  setText(byId('way'), path?.way ?? 'Looking for a way…');
  byId('way').dataset.protocol = path?.protocol ?? '';
  byId('way').dataset.relayed = String(path?.relayed ?? false);
}

async function measure() {
  const measured = call;
  if (!measured?.connection || measured.connection.signalingState === 'closed') {
    return;
  }
  const now = await readPath(measured.connection);
  if (call !== measured || measured.ended) {
    return;
  }
  const remote = byId('remote');
  byId('stage').dataset.picture = remote.videoWidth > 0 && measured.remote.getVideoTracks().some((track) => !track.muted) ? 'yes' : 'no';
  if (measured.state === 'active') {
    setText(byId('duration'), duration());
    showWay(now);
    showFigures(now);
  }
}

function showFigures(now) {
  const at = performance.now();
  if (before) {
    const { kilobits, lossPercent } = compare(before.report, now, (at - before.at) / 1000);
    setText(byId('round-trip'), now.roundTripMs === null ? '–' : `${Math.round(now.roundTripMs)} ms`);
    setText(byId('loss'), lossPercent === null ? '–' : `${lossPercent.toFixed(1)} %`);
    setText(byId('bitrate'), kilobits < 1000 ? `${Math.round(kilobits)} kbit/s` : `${(kilobits / 1000).toFixed(1)} Mbit/s`);
    lines.roundTrip.add(now.roundTripMs);
    lines.loss.add(lossPercent);
    lines.bitrate.add(kilobits);
  }
  before = { report: now, at };
}

function connectElements() {
  byId('sign-in-form').addEventListener('submit', (event) => {
    event.preventDefault();
    signIn();
  });
  byId('dial-form').addEventListener('submit', (event) => {
    event.preventDefault();
    placeCall(byId('target').value.trim(), event.submitter?.name === 'video');
  });
  byId('sign-out').addEventListener('click', signOut);
  byId('answer').addEventListener('click', () => answer(false));
  byId('answer-video').addEventListener('click', () => answer(true));
  byId('decline').addEventListener('click', () => call.decline());
  byId('hang-up').addEventListener('click', () => call.end());
  byId('mute').addEventListener('click', () => toggle('mute', 'audio'));
  byId('camera').addEventListener('click', () => toggle('camera', 'video'));
  setInterval(measure, MEASURE_MS);
  addEventListener('beforeunload', (event) => {
    if (call) {
      event.preventDefault();
    }
  });
  addEventListener('online', () => account?.renew());
  addEventListener('pagehide', () => account?.stop());
}

async function main() {
  connectElements();
  byId('force-relay').checked = parameters.get('relay') === '1';
  byId('target').value = parameters.get('call') ?? '';
  const server = await describeServer();
  setText(byId('version'), server.version && `postern ${server.version}`);
  if (!server.registers) {
    document.body.dataset.state = 'relay-only';
    show(byId('relay-only'), true);
    return;
  }
  byId('domain').value = server.domain || location.hostname;
  byId('more').open = server.domain === '';
  showState('signed-out');
  byId('name').focus();
}

main();
