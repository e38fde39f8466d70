// SPDX-License-Identifier: BSD-3-Clause
// What this server says of itself at /v1/wic, and where its WebSocket is.

const PATIENCE_MS = 10_000;

export const socketUrl = (path) => `${location.protocol === 'http:' ? 'ws' : 'wss'}://${location.host}${path}`;

// Returns { registers, domain, uris, version }; |registers|: people can sign in here. Where the server says nothing
// people can, and name the domain themselves.
export async function describeServer() {
  const unknown = { registers: true, domain: '', uris: [], version: '' };
  try {
    const answer = await fetch('/v1/wic', { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) {
      return unknown;
    }
    const { domain = '', uris = [], version = '' } = await answer.json();
    return { registers: domain !== '', domain, uris, version };
  } catch {
    return unknown;
  }
}
