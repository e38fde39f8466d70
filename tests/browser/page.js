// SPDX-License-Identifier: BSD-3-Clause
// One end of a call, inside the browser. call.mjs drives both ends and carries the signalling
// between them: window.signal(message) takes a message out of here, receiveSignal brings one in.

// Lengths around what matters on the way: one byte, a TURN packet, a segment, an SCTP message in pieces.
const MESSAGE_LENGTHS = [1, 4, 160, 1000, 1200, 1450, 4096, 16384, 60000];

let connection;
let channel;
let microphone;
// Wall-clock times in ms, so that those of both ends, on one machine, can be compared.
let startedAt = null;
let firstMediaAt = null;
const candidateErrors = [];
// Candidates may overtake the description they belong to: ICE accepts them only after it.
let described;
let setDescribed;

const wallClock = () => performance.timeOrigin + performance.now();

// Opened before the call starts: the microphone is no part of the network.
async function openMicrophone() {
  microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
}

// |settings.calls| is true for the end that offers.
async function start(settings) {
  startedAt = wallClock();
  connection = new RTCPeerConnection(settings.configuration);
  described = new Promise((resolve) => { setDescribed = resolve; });
  connection.onicecandidate = ({ candidate }) => window.signal({ candidate });
  connection.onicecandidateerror = ({ url, errorCode, errorText }) =>
    candidateErrors.push({ url, errorCode, errorText });
  connection.ontrack = ({ track, streams }) => listenTo(track, streams[0]);
  connection.addTrack(microphone.getAudioTracks()[0], microphone);
  if (settings.calls) {
    channel = connection.createDataChannel('echo');
    channel.binaryType = 'arraybuffer';
    await connection.setLocalDescription();
    window.signal({ description: connection.localDescription });
  } else {
    connection.ondatachannel = (event) => echoOn(event.channel);
  }
}

async function receiveSignal({ description, candidate }) {
  if (description) {
    await connection.setRemoteDescription(description);
    setDescribed();
    if (description.type === 'offer') {
      await connection.setLocalDescription();
      window.signal({ description: connection.localDescription });
    }
    return;
  }
  await described;
  await connection.addIceCandidate(candidate);
}

// A track is unmuted by its first RTP packet. Only what is played out is decoded, and only decoded
// audio has an energy.
function listenTo(track, stream) {
  track.onunmute = () => { firstMediaAt ??= wallClock(); };
  const player = document.createElement('audio');
  player.srcObject = stream;
  player.autoplay = true;
  document.body.append(player);
}

function echoOn(incoming) {
  incoming.binaryType = 'arraybuffer';
  incoming.onmessage = ({ data }) => incoming.send(data);
}

// Sends random bytes and compares what comes back, one message after the other.
async function exchangeData() {
  await opened(channel);
  const result = { messages: 0, bytes: 0, mismatches: 0 };
  for (const length of MESSAGE_LENGTHS) {
    const sent = crypto.getRandomValues(new Uint8Array(length));
    const answer = new Promise((resolve) => { channel.onmessage = ({ data }) => resolve(new Uint8Array(data)); });
    channel.send(sent);
    const echoed = await answer;
    result.messages += 1;
    result.bytes += echoed.length;
    if (echoed.length !== length || echoed.some((byte, at) => byte !== sent[at])) {
      result.mismatches += 1;
    }
  }
  return result;
}

function opened(dataChannel) {
  if (dataChannel.readyState === 'open') {
    return Promise.resolve();
  }
  return new Promise((resolve, reject) => {
    dataChannel.onopen = resolve;
    dataChannel.onclose = () => reject(new Error('the data channel closed before it opened'));
  });
}

// From here on the counters of both ends settle, and can be compared packet by packet.
async function fallSilent() {
  await Promise.all(connection.getSenders().map((sender) => sender.replaceTrack(null)));
}

function mediaHasArrived() {
  return firstMediaAt !== null;
}

// What the browser itself says about the call, in the few numbers that the checks need.
async function report() {
  const stats = await connection.getStats();
  const all = [...stats.values()];
  const transport = all.find(({ type }) => type === 'transport');
  const pair = stats.get(transport?.selectedCandidatePairId);
  const local = stats.get(pair?.localCandidateId);
  const remote = stats.get(pair?.remoteCandidateId);
  const received = all.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'audio');
  const sent = all.find(({ type, kind }) => type === 'outbound-rtp' && kind === 'audio');
  return {
    state: connection.connectionState,
    startedAt,
    firstMediaAt,
    candidateType: local?.candidateType ?? null,
    relayProtocol: local?.relayProtocol ?? null,
    url: local?.url ?? null,
    remoteType: remote?.candidateType ?? null,
    remoteAddress: remote?.address ?? null,
    roundTripMs: pair?.currentRoundTripTime === undefined ? null : Math.round(pair.currentRoundTripTime * 1000),
    packetsSent: sent?.packetsSent ?? 0,
    packetsReceived: received?.packetsReceived ?? 0,
    packetsLost: received?.packetsLost ?? 0,
    audioEnergy: received?.totalAudioEnergy ?? 0,
    samplesReceived: received?.totalSamplesReceived ?? 0,
    samplesConcealed: received?.concealedSamples ?? 0,
    candidateErrors,
  };
}

window.end = { openMicrophone, start, receiveSignal, exchangeData, fallSilent, mediaHasArrived, report };
