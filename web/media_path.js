// SPDX-License-Identifier: BSD-3-Clause
// What the browser says of a running call: the way it takes, and how good it is.

import { readUrl, WAY_NAMES } from './ice_servers.js';

// The transport that carries everything, or null while there is none.
function selectedPair(stats) {
  const all = [...stats.values()];
  const transport = all.find(({ type, selectedCandidatePairId }) => type === 'transport' && selectedCandidatePairId);
  // Firefox has no such entry; there the pair itself says it.
  return stats.get(transport?.selectedCandidatePairId) ??
    all.find(({ type, nominated, selected }) => type === 'candidate-pair' && (selected || nominated)) ?? null;
}

function describeWay(local, remote) {
  if (local.candidateType === 'relay') {
    const server = readUrl(local.url ?? '');
    const name = WAY_NAMES[local.relayProtocol] ?? WAY_NAMES[server?.way] ?? 'a relay';
    return server ? `Relayed over ${name}, port ${server.port} at ${server.host}` : `Relayed over ${name}`;
  }
  const over = (local.protocol ?? 'udp').toUpperCase();
  return remote?.candidateType === 'relay' ? `To the other side's relay, over ${over}` : `Directly, over ${over}`;
}

// Totals since the call began; |way| is null until media has a way.
export async function readPath(connection) {
  const stats = await connection.getStats();
  const pair = selectedPair(stats);
  const local = stats.get(pair?.localCandidateId);
  const incoming = [...stats.values()].filter(({ type }) => type === 'inbound-rtp');
  const sum = (key) => incoming.reduce((total, each) => total + (each[key] ?? 0), 0);
  return {
    way: local ? describeWay(local, stats.get(pair.remoteCandidateId)) : null,
    relayed: local?.candidateType === 'relay',
    protocol: local?.relayProtocol ?? local?.protocol ?? '',
    roundTripMs: pair?.currentRoundTripTime === undefined ? null : pair.currentRoundTripTime * 1000,
    bytes: sum('bytesReceived'),
    packets: sum('packetsReceived'),
    lost: sum('packetsLost'),
    frames: sum('framesDecoded'),
  };
}

// What happened between two of these reports, |seconds| apart.
export function compare(before, after, seconds) {
  const packets = after.packets - before.packets;
  const lost = Math.max(0, after.lost - before.lost);
  return {
    kilobits: ((after.bytes - before.bytes) * 8) / 1000 / seconds,
    lossPercent: packets + lost > 0 ? (100 * lost) / (packets + lost) : null,
  };
}
