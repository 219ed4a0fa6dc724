import type { GrantWaiter } from '../src/resolve/grants/enforcement.ts';
import { Gate, PASS } from '../src/resolve/grants/gate.ts';
import { buildInForce, type InForceParts } from '../src/resolve/in-force.ts';
import type { Client } from '../src/resolve/ports.ts';
import { Turn } from '../src/resolve/story/turn.ts';
import { readQuery } from '../src/wire/question.ts';
import { addressReply, question } from './messages.ts';
import { APPROVED } from './names.ts';
import type { Stage } from './stage.ts';

/** What the firewall adds to a hit on the query thread, where what it opens was granted before: of a client with 1,000 grants. */
export function grantStages(parts: InForceParts, local: Client): Stage[] {
  const inForce = buildInForce({ ...parts, firewall: { ports: ['tcp/443'], open: false } }, [], null);
  const gate = new Gate(
    {
      down: false,
      order: (_, waiter: GrantWaiter | null) => waiter?.settled(true),
      found: () => {},
    },
    0x1234_5678,
  );
  const { standings, snapshot } = inForce;
  const bench = snapshot.identities.find(({ name }) => name === 'bench')!;
  // Loopback is granted nothing.
  const client: Client = {
    transport: 'udp',
    spoofable: false,
    lease: '',
    credential: null,
    family: 4,
    w0: 0xc000_0207,
    w1: 0,
    w2: 0,
    w3: 0,
    port: 5353,
    asked: () => false,
    defer: () => local.defer(),
  };
  const turn = new Turn(inForce);
  turn.readClock(performance.now(), Date.now() / 1000);
  turn.begin(inForce, client, Buffer.alloc(4096));
  turn.asker.standing = standings.at(bench.index);
  turn.asker.view = bench.view;
  turn.asker.proven = true;
  const stage = (name: string, own: boolean): Stage => {
    const asked = APPROVED.map((text, i) => {
      const reply = addressReply(text, 300);
      // An address of its own: the data stands before OPT, which has eleven octets.
      if (own) reply.writeUInt32BE(0xc612_0000 + i, reply.length - 15);
      return { message: question(text), reply };
    });
    for (const { message, reply } of asked) {
      readQuery(message, message.length, turn.query);
      turn.reply.out.set(reply);
      if (gate.pass(turn, reply.length) === PASS.WAIT) gate.ask(turn, () => {});
    }
    const { message, reply } = asked[500]!;
    return {
      name,
      run(count) {
        readQuery(message, message.length, turn.query);
        turn.reply.out.set(reply);
        let sum = 0;
        for (let i = 0; i < count; i++) sum += gate.pass(turn, reply.length);
        if (sum !== count * PASS.GIVE) throw new Error('something was not granted');
        return sum;
      },
    };
  };
  return [
    stage('firewall, what was granted before', true),
    stage('firewall, of 1,000 names at one address', false),
  ];
}
