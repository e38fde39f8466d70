// SPDX-License-Identifier: BSD-3-Clause
// What left the networks of a lab, as its router wrote it down behind the firewall (lab/network.py).

import { execFileSync } from 'node:child_process';

const MIN_PACKETS = 100; // seconds of a call; a page and a registration are fewer

function readSet(router, name) {
  const argv = ['netns', 'exec', router, 'nft', '-j', 'list', 'set', 'inet', 'firewall', name];
  const { nftables } = JSON.parse(execFileSync('ip', argv, { encoding: 'utf8' }));
  const { elem = [] } = nftables.find(({ set }) => set).set;
  return elem.map(({ elem: { val: { concat: [from, protocol, port] }, counter: { packets } } }) => ({ from, protocol, port, packets }));
}

// [{ from, protocol, port, packets }] since the lab began.
export const readTrace = (router) => ['sent_ip4', 'sent_ip6'].flatMap((name) => readSet(router, name));

// |people| each with |name|, |ways| and |sends| as placeOf() has them. A router does not always see what a client sends to
// a proxy beside it, but always what the proxy sends out.
export function findStrays(trace, people) {
  const problems = [];
  for (const { name, ways, sends } of people) {
    const sent = trace.filter(({ from }) => sends.some((each) => each.from === from));
    if (!sent.some(({ packets }) => packets >= MIN_PACKETS)) {
      problems.push(`${name}: the router saw no call leave: ${JSON.stringify(sent)}`);
    }
    const allowed = ({ from, protocol, port }) => protocol === 'tcp' && sends.some((each) => each.from === from && each.port === port);
    const strays = sent.filter((each) => !allowed(each));
    if (ways.join() === 'tls' && strays.length > 0) {
      problems.push(`${name}: something left by another way: ${JSON.stringify(strays)}`);
    }
  }
  const known = people.flatMap(({ sends }) => sends.map(({ from }) => from));
  const strangers = trace.filter(({ from }) => !known.includes(from));
  if (strangers.length > 0) {
    problems.push(`somebody else sent: ${JSON.stringify(strangers)}`);
  }
  return problems;
}
