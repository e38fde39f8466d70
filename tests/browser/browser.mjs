// SPDX-License-Identifier: BSD-3-Clause
// Chromium on one of the lab's hosts, with a page that is one end of a call.

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const PROGRAM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const IN_NAMESPACE = fileURLToPath(new URL('chromium-in-namespace', import.meta.url));

// Nobody serves this address: the driver answers for it, so the page loads in any network and is
// yet a secure one, which the microphone asks for.
const PAGE_URL = 'https://call.example.org/';
const PAGE = '<!doctype html><title>call</title><body><script src="page.js"></script>';

const FLAGS = [
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  // Candidates show addresses, as there is no mDNS between the lab's hosts; nobody asks for the time.
  '--disable-features=WebRtcHideLocalIpsWithMdns,NetworkTimeServiceQuerying',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

// |namespace|  where Chromium runs; undefined: where this program runs
// |proxy|      URL of the HTTP proxy, or '' for none
// |trust|      hash of a public key that will do in a certificate, TURN's as well; undefined: none
export async function launch({ namespace, proxy, trust }) {
  const flags = [...FLAGS];
  if (proxy) {
    flags.push(`--proxy-server=${proxy}`);
  }
  if (trust) {
    flags.push(`--ignore-certificate-errors-spki-list=${trust}`);
  }
  return chromium.launch({
    executablePath: namespace ? IN_NAMESPACE : PROGRAM,
    args: flags,
    env: { ...process.env, CHROMIUM: PROGRAM, CHROMIUM_NETNS: namespace ?? '' },
  });
}

// Opens the page; |onSignal| gets what it has to say to the other end.
export async function openEnd(browser, onSignal) {
  const script = await readFile(new URL('page.js', import.meta.url), 'utf8');
  const page = await browser.newPage();
  await page.exposeFunction('signal', onSignal);
  await page.route(`${PAGE_URL}**`, (route) =>
    route.request().url() === PAGE_URL
      ? route.fulfill({ contentType: 'text/html', body: PAGE })
      : route.fulfill({ contentType: 'text/javascript', body: script }),
  );
  await page.goto(PAGE_URL);
  return page;
}
