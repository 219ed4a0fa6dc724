import t from 'tap';
import { Client, type Transport } from '../server/client.ts';
import { namegate } from '../server/namegate.ts';
import { type Script, upstream } from '../server/upstream.ts';
import { option, pointer, question, record, u16, wire } from '../wire/build.ts';
import { KINDS, type Kind, optRecord } from './compliance.ts';

/**
 * The table of `compliance.ts` against a server with sockets: each kind of query over UDP and TCP, about a name that is
 * approved, denied, local, or above one, and by a client that nobody knows. Every reply is compared octet by octet.
 */

const POLICY = `
identities:
  - name: job
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.1] }
    allow:
      - { name: "**.zone.example", types: [SOA, TYPE666, TYPE65280, TYPE65535], reason: approved }
      - { name: here.local.example, reason: local }
records:
  - { name: here.local.example, type: A, data: 192.0.2.1 }
`;

/** SOA has data; other types have none. */
const script: Script = ({ name, type }, to) => {
  const soa = `${name} 60 SOA ns.example. host.example. 1 2 3 4 60`;
  to.reply(type === 'SOA' ? { answer: [soa] } : { authority: [soa] });
};

const outside = await upstream(t, script);
const server = await namegate(t, {
  policy: POLICY,
  servers: `[${outside.url}]`,
  settings: 'limits: { unknown_qps: 1000000 }',
});

const SOA_DATA = Buffer.concat([
  wire('ns.example'),
  wire('host.example'),
  Buffer.from('0000000100000002000000030000000400', 'hex'),
  Buffer.from('00003c', 'hex'),
]);
/** Of our own negative answers. */
const OWN_SOA_DATA = Buffer.concat([wire(''), wire(''), u16(0, 1, 0, 3600, 0, 600, 1, 0x5180, 0, 30)]);

/** What a name is to the client that asks. */
interface About {
  readonly what: string;
  readonly from: string;
  /** The name; `tag` makes it one that nobody has asked. */
  name(tag: string): string;
  /** Flags, RCODE, answer, authority and EDE of what the policy decides for a type. */
  says(type: number): {
    readonly rcode: number;
    readonly aa: boolean;
    readonly answers: readonly Buffer[];
    readonly authority: readonly Buffer[];
    readonly ede: string | null;
  };
}

function ownSoa(owner: Buffer): Buffer {
  return record({ owner, type: 6, ttl: 30, rdata: OWN_SOA_DATA });
}

const ABOUT: readonly About[] = [
  {
    what: 'an approved name',
    from: '127.0.0.1',
    name: (tag) => `${tag}.zone.example`,
    says: (type) => {
      // A type between the data types is none that a policy could approve.
      if (![6, 666, 65_280, 65_535].includes(type))
        return {
          rcode: 0,
          aa: true,
          answers: [],
          authority: [ownSoa(pointer(12))],
          ede: 'job: type not approved; ask team',
        };
      const soa = [record({ type: 6, ttl: 60, rdata: SOA_DATA })];
      return {
        rcode: 0,
        aa: false,
        answers: type === 6 ? soa : [],
        authority: type === 6 ? [] : soa,
        ede: null,
      };
    },
  },
  {
    what: 'a denied name',
    from: '127.0.0.1',
    name: (tag) => `${tag}.elsewhere.invalid`,
    says: () => ({
      rcode: 3,
      aa: true,
      answers: [],
      authority: [ownSoa(wire(''))],
      ede: 'job: name not approved; ask team',
    }),
  },
  {
    what: 'a local name without this type',
    from: '127.0.0.1',
    name: () => 'here.local.example',
    says: () => ({
      rcode: 0,
      aa: true,
      answers: [],
      authority: [ownSoa(pointer(12))],
      ede: 'job: type not approved; ask team',
    }),
  },
  {
    what: 'a name above an approved one',
    from: '127.0.0.1',
    name: () => 'example',
    says: () => ({ rcode: 0, aa: true, answers: [], authority: [ownSoa(pointer(12))], ede: null }),
  },
  {
    what: 'an approved name, by a client of nobody',
    from: '127.0.0.7',
    name: (tag) => `${tag}.zone.example`,
    says: () => ({
      rcode: 3,
      aa: true,
      answers: [],
      authority: [ownSoa(wire(''))],
      ede: 'namegate sees you as 127.0.0.7; no identity has it',
    }),
  },
];

interface Parts {
  readonly query: Buffer;
  /** The question as a reply repeats it; empty where it could not be read. */
  readonly asked: Buffer;
}

function write(kind: Kind, id: number, name: string): Parts {
  const [answers, authority, additional] = kind.records?.counts ?? [0, 0, 0];
  const asked = question(name, kind.type ?? 6, kind.class ?? 1);
  const query = Buffer.concat([
    u16(id, kind.flags ?? 0x0100),
    u16(kind.question?.count ?? 1, answers, authority, additional + (kind.opt === undefined ? 0 : 1)),
    kind.question?.octets ?? asked,
    kind.records?.octets ?? Buffer.alloc(0),
    kind.opt === undefined ? Buffer.alloc(0) : optRecord(kind.opt),
    kind.trailing ?? Buffer.alloc(0),
  ]);
  return { query, asked: kind.question === undefined ? asked : Buffer.alloc(0) };
}

/** The OPT that a query has, wherever it stands, as far as a reply repeats it. */
function optOf(kind: Kind): { readonly flags: number } | null {
  if (kind.unread === true) return null;
  if (kind.opt !== undefined) return { flags: (kind.opt.flags ?? 0) & 0x8000 };
  const [answers, authority] = kind.records?.counts ?? [0, 0, 0];
  const octets = kind.records?.octets;
  const has = octets?.subarray(0, 3).equals(Buffer.from('000029', 'hex')) ?? false;
  return has && answers + authority === 0 ? { flags: 0 } : null;
}

/** The reply, by RFC 1035 §4.1.1, RFC 6891 §6.1, RFC 8914 §2 and what the policy says. */
function expected(kind: Kind, id: number, about: About, { query, asked }: Parts, over: Transport): Buffer {
  const flags = kind.flags ?? 0x0100;
  const opcode = flags & 0x7800;
  const decided = kind.rcode === undefined ? about.says(kind.type ?? 6) : null;
  const rcode = kind.rcode ?? decided!.rcode;
  const { answers = [], authority = [] } = decided ?? {};
  const opt = optOf(kind);
  const back = opcode === 0 ? 0x0080 | (flags & 0x0110) : opcode;
  const head = Buffer.concat([
    u16(id, 0x8000 | back | (decided?.aa === true ? 0x0400 : 0) | (rcode & 15)),
    u16(asked.length > 0 ? 1 : 0, answers.length, authority.length, opt === null ? 0 : 1),
    asked,
    ...answers,
    ...authority,
  ]);
  if (opt === null) return head;
  const ede = decided?.ede ?? null;
  // On UDP a denial is no larger than three times its question: the text is cut.
  const room = over === 'udp' ? 3 * query.length - head.length - 17 : 512;
  const text = Buffer.from(cutText(ede ?? '', Math.max(0, room)));
  const options = ede === null || room < 0 ? Buffer.alloc(0) : option(15, Buffer.concat([u16(15), text]));
  return Buffer.concat([head, optRecord({ extended: rcode >>> 4, flags: opt.flags, options })]);
}

let id = 0;

for (const over of ['udp', 'tcp'] as const) {
  for (const about of ABOUT) {
    t.test(`${about.what}, over ${over}: ${KINDS.length} kinds of query`, async (t) => {
      const client = await Client.open(server, over, about.from);
      for (const [number, kind] of KINDS.entries()) {
        id++;
        const parts = write(kind, id, about.name(`k${number}${over}`));
        if (kind.dropped === true) {
          client.send(parts.query);
          continue;
        }
        const reply = await client.exchange(parts.query, 5000);
        t.equal(reply?.toString('hex'), expected(kind, id, about, parts, over).toString('hex'), kind.says);
      }
      t.same(client.strays, [], 'nothing answers what is no query');
      client.close();
    });
  }
}

t.test('what went upstream is plain, and the server is sound', async (t) => {
  t.same(outside.unsound, []);
  t.ok(outside.seen.every(({ name }) => name.endsWith('.zone.example.')));
  await server.stop(t);
});

/** ASCII text within so many octets: the middle goes first, and whom to ask stays longest. */
function cutText(text: string, room: number): string {
  const at = text.lastIndexOf('; ask ');
  if (text.length <= room || at < 0) return text.slice(0, room);
  const tail = text.slice(at);
  return room > tail.length ? text.slice(0, room - tail.length) + tail : tail.slice(2, 2 + room);
}
