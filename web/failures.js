// SPDX-License-Identifier: BSD-3-Clause
// What went wrong, in words: one sentence that says what, and one that says what to do.

import { nameUrl } from './ice_servers.js';

const REGISTRATION = {
  401: 'The name or the password is wrong. Check both and try again.',
  403: 'You are not permitted to sign in with this name. Check the name, or ask who runs this service.',
  404: 'Nobody has this name here. Check its spelling and the domain.',
  407: 'The name or the password is wrong. Check both and try again.',
  423: 'The server asks for a shorter registration than this page can do. Ask who runs this service.',
  408: 'The telephone service behind this server does not answer. Try again in a minute.',
  503: 'The telephone service behind this server is not there just now. Try again in a minute.',
  504: 'The telephone service behind this server does not answer. Try again in a minute.',
};

// What one side tells the other where nothing but silence would come of the call.
export const NO_WAY = 'No Way For Media';

// |failure| is what JsSIP's registrationFailed says.
export function explainRegistration({ response, cause }, withToken) {
  const status = response?.status_code;
  if (withToken && (status === 401 || status === 403)) {
    return 'The access token is not accepted: it may have expired, or be for another name. Ask for a new one.';
  }
  if (status) {
    return REGISTRATION[status] ?? `The server refused: ${status} ${response.reason_phrase}. Try again, or ask who runs this service.`;
  }
  return cause === 'Request Timeout'
    ? 'The server does not answer. Try again in a minute.'
    : 'The connection to the server broke. It is tried again by itself.';
}

export const NO_CONNECTION =
  'This network does not let the page reach its server over WebSocket. A proxy may be in the way: see the network check.';

const CALL = {
  403: 'You are not permitted to call this person.',
  404: 'Nobody has this name here. Check its spelling.',
  408: 'There was no answer in time. Try again later.',
  410: 'This person is gone from here.',
  430: 'The other side has just lost its connection. Try again in a moment.',
  480: 'This person is not signed in now. Try again later.',
  484: 'This name is not complete.',
  486: 'Busy: this person is in another call.',
  488: 'The other side cannot take this kind of call. Try one without video.',
  500: 'The server failed. Try again in a minute.',
  503: 'The telephone service is not there just now. Try again in a minute.',
  600: 'Busy: this person is in another call.',
  603: 'The call was declined.',
  604: 'Nobody has this name anywhere. Check its spelling.',
};

const CAUSES = {
  Busy: CALL[486],
  Rejected: CALL[603],
  Unavailable: CALL[480],
  'Not Found': CALL[404],
  Canceled: 'The call was cancelled.',
  'No Answer': 'Nobody answered.',
  Expires: 'Nobody answered in time.',
  'Request Timeout': CALL[408],
  'Connection Error': 'The connection to the server was lost, and the call with it. Call again once you are connected.',
  'Incompatible SDP': CALL[488],
  'Bad Media Description': 'The two sides could not agree on sound and video. Another browser may help.',
  'WebRTC Error': 'The browser could not set the call up. Load this page again, or try another browser.',
  'User Denied Media Access': 'The browser was not permitted to use the microphone.',
};

// |end| is what JsSIP says with failed or ended. Returns null where nothing went wrong.
export function explainCall({ originator, message, cause }, wasConnected, mediaTried) {
  // JsSIP's word for a new way that could not be agreed on is the second.
  if (cause === 'RTP Timeout' || (wasConnected && cause === 'WebRTC Error')) {
    return explainMedia(mediaTried, wasConnected);
  }
  if (wasConnected && cause === 'Terminated') {
    return null;
  }
  if (originator === 'local' && cause === 'Canceled') {
    return null;
  }
  if (message?.reason_phrase === NO_WAY) {
    return 'The network at the other side lets no calls through.';
  }
  return CALL[message?.status_code] ?? CAUSES[cause] ?? `The call ended: ${cause}.`;
}

function whatHappened(reachedNothing, wasConnected) {
  if (wasConnected) {
    return 'Sound and video stopped coming through, and no other way was found.';
  }
  return reachedNothing
    ? 'Sound and video find no way out of this network: no relay can be reached.'
    : 'There is no way for sound and video between the two of you.';
}

// |tried| is { urls, errors, reachedNothing }: the ways out that were tried and what the browser said of those that
// failed.
export function explainMedia({ urls, errors, reachedNothing }, wasConnected) {
  const what = whatHappened(reachedNothing, wasConnected);
  const ways = urls.length > 0 ? ` Tried: ${urls.map(nameUrl).join('; ')}.` : ' The server named no relay.';
  const said = errors.length > 0 ? ` The browser says: ${errors.join('; ')}.` : '';
  return `${what}${ways}${said} The network check tells which ways are open here.`;
}

// |error| is getUserMedia's.
export function explainDevices({ name }, video) {
  const devices = video ? 'microphone or camera' : 'microphone';
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return `The browser may not use the ${devices}. Allow it for this page, beside the address above, and call again.`;
    case 'NotFoundError':
    case 'OverconstrainedError':
      return `There is no ${devices}. Plug one in${video ? ', or call without video,' : ''} and call again.`;
    case 'NotReadableError':
    case 'AbortError':
      return `Another program holds the ${devices}. Close it and call again.`;
    default:
      return `The ${devices} cannot be used: ${name}.`;
  }
}
