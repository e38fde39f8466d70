// SPDX-License-Identifier: BSD-3-Clause
// A person at a browser, on the pages that posternd serves.

import { launch } from './browser.mjs';

const SIGN_IN_PATIENCE_MS = 20_000;

export const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
export const part = (page, name) => page.getByTestId(name);
// Drivers put their whole log behind it.
export const firstLine = (error) => error.message.split('\n', 1)[0];

export function readAccount(text) {
  const [name, password] = text.split(/:(.*)/s);
  return { name, password };
}

// Where the browser of person |number| runs: in a lab behind its firewall, through its proxy if it has one; the second
// person on the friend's host, if there is a friend. WIC_NETNS names a namespace for each, separated by spaces; WIC_TRUST
// is the hash of a key that a server without a certificate of an authority has; WIC_RELAY=1 makes both use the relay.
//   ways     what may carry a call there; null: anything
//   sends    [{ from, port }]: who sends for this person, and to which port where only TLS may carry a call
export function placeOf(number, environment) {
  if (environment.LAB_FOLDER) {
    // Browser profiles go where the lab removes them, even if nobody is left to close the browser.
    environment.TMPDIR = environment.LAB_FOLDER;
  }
  const inLab = (name) => environment[`LAB_${name}`];
  const isFriend = number === 1 && inLab('FRIEND_NETNS') !== undefined;
  const proxy = isFriend ? '' : inLab('PROXY') ?? '';
  const sendsTo = (host, port) => ['IP4', 'IP6'].map((family) => ({ from: inLab(`${host}_${family}`), port }));
  const own = sendsTo(isFriend ? 'FRIEND' : 'CLIENT', proxy ? Number(new URL(proxy).port) : 443);
  return {
    namespace: environment.WIC_NETNS?.split(' ')[number] ?? (isFriend ? inLab('FRIEND_NETNS') : undefined),
    proxy,
    trust: environment.WIC_TRUST,
    ways: inLab(isFriend ? 'FRIEND_WAYS' : 'WAYS')?.split(' ') ?? null,
    sends: [...own, ...(proxy ? sendsTo('PROXY', 443) : [])],
  };
}

// Returns { browser, page, complaints }; what the console says of errors gathers in |complaints|.
export async function visit(url, place, script = () => {}) {
  const browser = await launch(place);
  const context = await browser.newContext();
  await context.grantPermissions(['microphone', 'camera']);
  const page = await context.newPage();
  await page.addInitScript(script);
  const complaints = [];
  page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(firstLine(error)));
  await page.goto(url);
  return { browser, page, complaints };
}

export async function fillIn(page, { name, password }) {
  await part(page, 'name').fill(name);
  await part(page, 'password').fill(password);
}

export async function signIn(page, account) {
  await fillIn(page, account);
  await part(page, 'sign-in-button').click();
  const settled = page.locator('body[data-state=registered], body[data-state=failed]');
  await settled.waitFor({ timeout: SIGN_IN_PATIENCE_MS });
  if (await page.locator('body').getAttribute('data-state') !== 'registered') {
    throw new Error(`${account.name}: ${await part(page, 'alert').textContent()}`);
  }
}
