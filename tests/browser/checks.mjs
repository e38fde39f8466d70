// SPDX-License-Identifier: BSD-3-Clause
// What makes a call a good one. Each check returns what is wrong, in words.

const PACKETS_PER_S = 50; // Opus sends a packet each 20 ms
const MIN_SHARE = 0.75; // of the packets that were due in the window: a busy machine sends fewer
const MAX_LOST = 0.02; // share of packets that were sent and did not arrive: nothing here loses any
const MAX_CONCEALED = 0.25; // share of samples that the decoder had to invent
const MIN_ENERGY = 1e-6; // silence is below 1e-9, the fake microphone's beeps far above

// |first| and |last| are two reports of one end, |seconds| apart.
function checkAudio(name, { first, last }, seconds) {
  const problems = [];
  const packets = last.packetsReceived - first.packetsReceived;
  const due = PACKETS_PER_S * seconds;
  if (packets < MIN_SHARE * due) {
    problems.push(`${name}: ${packets} of ${due.toFixed(0)} audio packets arrived`);
  }
  const energy = last.audioEnergy - first.audioEnergy;
  if (!(energy > MIN_ENERGY)) {
    problems.push(`${name}: hears nothing (energy ${energy})`);
  }
  const samples = last.samplesReceived - first.samplesReceived;
  const concealed = last.samplesConcealed - first.samplesConcealed;
  if (!(concealed <= MAX_CONCEALED * samples)) {
    problems.push(`${name}: ${concealed} of ${samples} samples had to be invented`);
  }
  return problems;
}

// After the sender fell silent, what did not arrive is lost.
function checkNothingLost(name, receiver, sender) {
  const sent = sender.settled.packetsSent;
  const lost = sent - receiver.settled.packetsReceived;
  return lost <= MAX_LOST * sent ? [] : [`${name}: ${lost} of ${sent} audio packets were lost`];
}

// An end that is behind the firewall got out only through the server, by a way that the profile
// leaves open.
function checkRelayed(name, { settled }, lab) {
  const problems = [];
  if (settled.candidateType !== 'relay') {
    problems.push(`${name}: sends from a candidate of type ${settled.candidateType}`);
  }
  if (!lab.ways.includes(settled.relayProtocol)) {
    problems.push(`${name}: carried by ${settled.relayProtocol}, expected ${lab.ways.join(' or ')}`);
  }
  if (settled.url && !lab.urls.includes(settled.url)) {
    problems.push(`${name}: went through ${settled.url}, which nobody told it`);
  }
  return problems;
}

function checkSeesServer(name, { settled }, lab) {
  return lab.serverAddresses.includes(settled.remoteAddress)
    ? []
    : [`${name}: sees ${settled.remoteAddress}, not a relay address of the server`];
}

function checkData({ messages, bytes, mismatches }) {
  if (mismatches > 0) {
    return [`${mismatches} of ${messages} data messages came back changed`];
  }
  return messages > 0 && bytes > 0 ? [] : ['no data came back'];
}

function checkWeb({ webStatus }) {
  return webStatus === null || webStatus === 200 ? [] : [`the status page answered ${webStatus}`];
}

// |call| as measured by call.mjs.
export function findProblems(call, lab) {
  const { caller, answerer, seconds } = call;
  const problems = [
    ...checkAudio('caller', caller, seconds),
    ...checkAudio('answerer', answerer, seconds),
    ...checkNothingLost('caller', caller, answerer),
    ...checkNothingLost('answerer', answerer, caller),
    ...checkRelayed('caller', caller, lab),
    ...checkSeesServer('answerer', answerer, lab),
    ...checkData(call.data),
    ...checkWeb(call),
  ];
  if (call.kind === 'hairpin') {
    problems.push(...checkRelayed('answerer', answerer, lab), ...checkSeesServer('caller', caller, lab));
  }
  return problems;
}
