// SPDX-License-Identifier: BSD-3-Clause
// Places calls between two Chromiums inside a lab, and prints a line of JSON for each:
//
//   lab/run https-only -- node tests/browser/call.mjs outside hairpin
//
//   outside  a relay-only client behind the firewall calls a peer outside that knows of no relay
//   hairpin  two relay-only clients behind the firewall meet on the server
//
// Exit status 0 if all calls were good, 1 if not.

import { launch, openEnd } from './browser.mjs';
import { findProblems } from './checks.mjs';

const KINDS = ['outside', 'hairpin'];
const CONNECT_PATIENCE_MS = 25_000;
const DATA_PATIENCE_MS = 15_000;
const WINDOW_MS = 2_500; // long enough for several beeps of the fake microphone
const SETTLE_MS = 300; // for the last packets to arrive and be counted

function readLab(environment) {
  if (!environment.LAB_PROFILE) {
    throw new Error('this runs inside a lab: lab/run PROFILE -- node tests/browser/call.mjs');
  }
  const iceServers = JSON.parse(environment.LAB_ICE_SERVERS);
  return {
    profile: environment.LAB_PROFILE,
    server: environment.LAB_SERVER,
    ways: environment.LAB_WAYS.split(' '),
    proxy: environment.LAB_PROXY,
    peerNamespace: environment.LAB_PEER_NETNS,
    serverAddresses: [environment.LAB_SERVER_IP4, environment.LAB_SERVER_IP6],
    iceServers,
    statusPage: environment.LAB_SERVER === 'posternd' ? `https://${environment.LAB_SERVER_NAME}/` : null,
    urls: iceServers.flatMap(({ urls }) => urls),
  };
}

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

function within(promise, ms, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms / 1000} s`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const onBoth = ({ caller, answerer }, act) => Promise.all([act(caller), act(answerer)]);
const report = (page) => page.evaluate(() => window.end.report());
const mediaArrived = (page) =>
  page.waitForFunction(() => window.end.mediaHasArrived(), null, { polling: 50, timeout: 0 });

// Two pages whose signals reach each other in the order in which they were said.
async function connectPages(callerBrowser, answererBrowser) {
  const pages = {};
  const sayTo = (name) => (message) =>
    pages[name].evaluate((each) => window.end.receiveSignal(each), message);
  pages.caller = await openEnd(callerBrowser, sayTo('answerer'));
  pages.answerer = await openEnd(answererBrowser, sayTo('caller'));
  return pages;
}

// posternd is a web server as well, on the port that carries the call. Returns the HTTP status, or
// null where the server is none.
async function openStatusPage(browser, lab) {
  if (!lab.statusPage) {
    return null;
  }
  const page = await browser.newPage();
  const response = await page.goto(lab.statusPage);
  await page.close();
  return response.status();
}

async function measure(pages, { relayed, direct }, kind) {
  await onBoth(pages, (page) => page.evaluate(() => window.end.openMicrophone()));
  const start = (page, settings) => page.evaluate((each) => window.end.start(each), settings);
  await start(pages.answerer, { calls: false, configuration: kind === 'hairpin' ? relayed : direct });
  await start(pages.caller, { calls: true, configuration: relayed });
  await within(onBoth(pages, mediaArrived), CONNECT_PATIENCE_MS, 'the first audio packet');
  const data = await within(pages.caller.evaluate(() => window.end.exchangeData()),
    DATA_PATIENCE_MS, 'the exchange of data');
  const both = () => onBoth(pages, report);
  const startedAt = performance.now();
  const first = await both();
  await pause(WINDOW_MS);
  const seconds = (performance.now() - startedAt) / 1000;
  const last = await both();
  await onBoth(pages, (page) => page.evaluate(() => window.end.fallSilent()));
  await pause(SETTLE_MS);
  const settled = await both();
  const reportsOf = (end) => ({ first: first[end], last: last[end], settled: settled[end] });
  return { kind, seconds, data, caller: reportsOf(0), answerer: reportsOf(1) };
}

async function placeCall(lab, kind) {
  const relayed = { iceServers: lab.iceServers, iceTransportPolicy: 'relay' };
  const direct = { iceServers: [] };
  const behindFirewall = { proxy: lab.proxy };
  const outside = { namespace: lab.peerNamespace, proxy: '' };
  const browsers = [];
  let pages;
  try {
    for (const place of [behindFirewall, kind === 'hairpin' ? behindFirewall : outside]) {
      browsers.push(await launch(place));
    }
    const webStatus = await openStatusPage(browsers[0], lab);
    pages = await connectPages(...browsers);
    const call = await measure(pages, { relayed, direct }, kind);
    call.webStatus = webStatus;
    return summarise(lab, call, findProblems(call, lab));
  } catch (error) {
    const ends = await lastWords(pages);
    const problems = [firstLine(error), ...describeCandidateErrors(ends[0])];
    return { ...heading(lab, kind), good: false, problems, ends };
  } finally {
    await Promise.allSettled(browsers.map((browser) => browser.close()));
  }
}

// One way fails for several reasons, or for one reason on several interfaces: each is told once.
function describeCandidateErrors(end) {
  const errors = end?.candidateErrors ?? [];
  return [...new Set(errors.map(({ url, errorCode, errorText }) => `${url}: ${errorCode} ${errorText}`))];
}

// Drivers put their whole log behind it.
const firstLine = (error) => error.message.split('\n', 1)[0];

// What the ends knew when the call failed, for whoever has to find out why.
async function lastWords(pages) {
  const asked = pages ? await Promise.allSettled([report(pages.caller), report(pages.answerer)]) : [];
  return asked.map(({ value }) => value ?? null);
}

const heading = (lab, kind) => ({ profile: lab.profile, server: lab.server, kind });

function summarise(lab, call, problems) {
  const [caller, answerer] = [call.caller.settled, call.answerer.settled];
  return {
    ...heading(lab, call.kind),
    good: problems.length === 0,
    problems,
    transport: caller.relayProtocol,
    url: caller.url,
    firstMediaMs: Math.round(Math.max(caller.firstMediaAt, answerer.firstMediaAt) - caller.startedAt),
    packetsOut: { sent: caller.packetsSent, received: answerer.packetsReceived },
    packetsIn: { sent: answerer.packetsSent, received: caller.packetsReceived },
    dataBytes: call.data.bytes,
    webStatus: call.webStatus,
    roundTripMs: caller.roundTripMs,
    caller,
    answerer,
  };
}

async function main(kinds) {
  const unknown = kinds.filter((kind) => !KINDS.includes(kind));
  if (kinds.length === 0 || unknown.length > 0) {
    throw new Error(`name the calls to place: ${KINDS.join(', ')}`);
  }
  const lab = readLab(process.env);
  // Browser profiles go where the lab removes them, even if nobody is left to close the browser.
  process.env.TMPDIR = process.env.LAB_FOLDER;
  let good = true;
  for (const kind of kinds) {
    const result = await placeCall(lab, kind);
    console.log(JSON.stringify(result));
    good &&= result.good;
  }
  process.exitCode = good ? 0 : 1;
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`call.mjs: ${firstLine(error)}`);
  process.exitCode = 2;
});
