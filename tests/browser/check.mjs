// SPDX-License-Identifier: BSD-3-Clause
// Somebody tests the network on the page /check that posternd serves; prints what the page found as a line of JSON:
//
//   tests/browser/check.mjs URL NAME:PASSWORD [WAY...]
//
// WAY is what the page has to find open: udp, tcp, tls, sip, turn-socket; in a lab the ways that its firewall leaves
// open. Everything else has to be blocked, where a WAY is named. Exit status 0 if the page is right, 1 if not.

import { fillIn, firstLine, part, placeOf, readAccount, visit } from './visitor.mjs';

const TEST_PATIENCE_MS = 60_000;
const TURN_WAYS = ['udp', 'tcp', 'tls'];
const MAX_LOST_PERCENT = 2;

// What stands in the table: { kind: { state, setup, roundTrip, lost } }.
function readTable() {
  const rows = [...document.querySelectorAll('[data-testid=ways] tr')];
  return rows.map((row) => {
    const [state, setup, roundTrip, lost] = [...row.querySelectorAll('td')].map((cell) => cell.textContent);
    return { kind: row.dataset.testid.replace('way-', ''), state, setup, roundTrip, lost };
  });
}

function findProblems({ rows, report }, expected, password) {
  const problems = [];
  for (const { kind, state, roundTrip, lost } of rows) {
    const relay = TURN_WAYS.includes(kind);
    if (relay && expected.length > 0 && (state === 'open') !== expected.includes(kind)) {
      problems.push(`the page says that ${kind} is ${state}`);
    }
    if (relay && state === 'open' && !(parseFloat(roundTrip) >= 0 && parseFloat(lost) <= MAX_LOST_PERCENT)) {
      problems.push(`${kind}: round trip '${roundTrip}', lost '${lost}'`);
    }
  }
  for (const kind of expected) {
    if (!rows.some((row) => row.kind === kind && row.state === 'open')) {
      problems.push(`the page does not find ${kind} open`);
    }
  }
  if (report.includes(password)) {
    problems.push('the password stands in the report');
  }
  return problems;
}

async function main([base, account, ...ways]) {
  if (!base || !account) {
    throw new Error('usage: check.mjs URL NAME:PASSWORD [WAY...]');
  }
  const who = readAccount(account);
  const expected = ways.length > 0 ? ways : (process.env.LAB_WAYS?.split(' ') ?? []);
  const { browser, page } = await visit(`${base.replace(/\/$/, '')}/check`, placeOf(0, process.env));
  try {
    await fillIn(page, who);
    await part(page, 'start').click();
    const done = page.locator('body[data-state=done]').waitFor({ timeout: TEST_PATIENCE_MS });
    const refused = part(page, 'alert').waitFor({ timeout: TEST_PATIENCE_MS }).then(async () => {
      throw new Error(await part(page, 'alert').textContent());
    });
    await Promise.race([done, refused]);
    const found = {
      verdict: await part(page, 'verdict').textContent(),
      rows: await page.evaluate(readTable),
      report: await part(page, 'report').inputValue(),
    };
    const problems = findProblems(found, expected, who.password);
    console.log(JSON.stringify({ good: problems.length === 0, problems, ...found }));
    process.exitCode = problems.length === 0 ? 0 : 1;
  } finally {
    await browser.close();
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`check.mjs: ${firstLine(error)}`);
  process.exitCode = 2;
});
