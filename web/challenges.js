// SPDX-License-Identifier: BSD-3-Clause
// Challenges (RFC 3261 §22.1, RFC 8760) as JsSIP needs them: it answers the first one only, and in MD5 only.

const CHALLENGE = /^(?:www|proxy)-authenticate[ \t]*:[ \t]*(.*)\r\n/gim;

function isUsable(challenge) {
  const algorithm = /[\s,]algorithm\s*=\s*"?([^",\s]*)/i.exec(challenge)?.[1] ?? 'MD5';
  return /^digest\s/i.test(challenge) && algorithm.toUpperCase() === 'MD5';
}

// Takes out of a 401 or 407 what JsSIP cannot answer, if there is something that it can.
export function keepUsableChallenges(message) {
  if (!/^SIP\/2\.0 40[17] /.test(message)) {
    return message;
  }
  if (![...message.matchAll(CHALLENGE)].some(([, challenge]) => isUsable(challenge))) {
    return message;
  }
  return message.replace(CHALLENGE, (line, challenge) => (isUsable(challenge) ? line : ''));
}
