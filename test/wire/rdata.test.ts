import t from 'tap';
import { TYPE } from '../../src/wire/iana.ts';
import {
  everyAddress,
  expandRdata,
  hasTarget,
  rdataName,
  rrsigCovers,
  rrsigLabels,
  substitute,
  targetOf,
} from '../../src/wire/rdata.ts';
import { labelled, longName, message, pointer, question, record, u16, wire } from './build.ts';

const QNAME = 'a.Example';
const room = new Uint8Array(66_000);

/** Expands RDATA that stands in a message behind the question, or null where it is malformed. */
function expand(type: number, rdata: Buffer): Buffer | null {
  const octets = message({ questions: [question(QNAME)], answers: [record({ type, rdata })] });
  const start = octets.length - rdata.length;
  const size = expandRdata(octets, type, start, octets.length, room, 5);
  return size < 0 ? null : Buffer.from(room.subarray(5, 5 + size));
}

const P = pointer(12);
const whole = wire(QNAME);
const bytes = (...values: number[]): Buffer => Buffer.from(values);
const join = (...parts: Buffer[]): Buffer => Buffer.concat(parts);

t.test(
  'RFC 3597 §4: names are expanded in the types of RFC 1035 and those that it lists, in the case that was sent',
  async (t) => {
    const two = bytes(0, 10);
    const text = bytes(1, 0x75);
    const cases: [number, Buffer, Buffer][] = [
      ...[TYPE.NS, TYPE.MD, TYPE.MF, TYPE.CNAME, TYPE.MB, TYPE.MG, TYPE.MR, TYPE.PTR, TYPE.DNAME].map(
        (type): [number, Buffer, Buffer] => [type, P, whole],
      ),
      [TYPE.SOA, join(P, P, Buffer.alloc(20, 7)), join(whole, whole, Buffer.alloc(20, 7))],
      [TYPE.MINFO, join(P, P), join(whole, whole)],
      [TYPE.RP, join(P, P), join(whole, whole)],
      [TYPE.MX, join(two, P), join(two, whole)],
      [TYPE.AFSDB, join(two, P), join(two, whole)],
      [TYPE.RT, join(two, P), join(two, whole)],
      [TYPE.KX, join(two, P), join(two, whole)],
      [TYPE.PX, join(two, P, P), join(two, whole, whole)],
      [TYPE.SRV, join(two, two, two, P), join(two, two, two, whole)],
      [TYPE.NAPTR, join(two, two, text, text, text, P), join(two, two, text, text, text, whole)],
      [TYPE.NXT, join(P, bytes(1, 2, 3)), join(whole, bytes(1, 2, 3))],
      [TYPE.NSEC, join(P, bytes(0, 1, 64)), join(whole, bytes(0, 1, 64))],
      [TYPE.SIG, join(Buffer.alloc(18, 3), P, bytes(9, 9)), join(Buffer.alloc(18, 3), whole, bytes(9, 9))],
      [TYPE.RRSIG, join(Buffer.alloc(18, 3), P, bytes(9, 9)), join(Buffer.alloc(18, 3), whole, bytes(9, 9))],
    ];
    for (const [type, compressed, expanded] of cases) {
      t.same(expand(type, compressed), expanded, `type ${type}`);
      t.same(expand(type, expanded), expanded, `type ${type}, nothing to expand`);
      const cut = compressed.subarray(0, compressed.lastIndexOf(P) + 1);
      t.equal(expand(type, cut), null, `type ${type}, cut in its last name`);
      t.equal(expand(type, Buffer.alloc(0)), null, `type ${type}, empty`);
    }
  },
);

t.test('RFC 3597 §3: every other type passes octet by octet, pointers in it included', async (t) => {
  for (const type of [
    TYPE.TXT,
    TYPE.CAA,
    TYPE.DS,
    TYPE.DNSKEY,
    TYPE.TLSA,
    TYPE.SVCB,
    TYPE.HTTPS,
    0,
    128,
    65_280,
  ]) {
    t.same(expand(type, join(P, bytes(0xff))), join(P, bytes(0xff)), `type ${type}`);
    t.same(expand(type, Buffer.alloc(0)), Buffer.alloc(0));
  }
});

t.test('RDATA with octets behind what its type holds is malformed', async (t) => {
  t.equal(expand(TYPE.CNAME, join(whole, bytes(0))), null);
  t.equal(expand(TYPE.CNAME, join(P, bytes(0))), null);
  t.equal(expand(TYPE.MX, join(bytes(0, 1), whole, bytes(0))), null);
  t.equal(expand(TYPE.SOA, join(P, P, Buffer.alloc(21))), null);
  t.equal(expand(TYPE.SOA, join(P, P, Buffer.alloc(19))), null);
});

t.test('RFC 1035 §3.4.1, RFC 3596 §2.2: addresses have 4 and 16 octets', async (t) => {
  for (const size of [0, 3, 5, 16]) t.equal(expand(TYPE.A, Buffer.alloc(size)), null, `A of ${size}`);
  for (const size of [0, 4, 15, 17]) t.equal(expand(TYPE.AAAA, Buffer.alloc(size)), null, `AAAA of ${size}`);
  t.same(expand(TYPE.A, bytes(1, 2, 3, 4)), bytes(1, 2, 3, 4));
  t.same(expand(TYPE.AAAA, Buffer.alloc(16, 6)), Buffer.alloc(16, 6));
});

t.test('a name in RDATA does not run out of it, even where the message goes on', async (t) => {
  const name = wire('target.example');
  const octets = message({ answers: [record({ type: 5, rdata: name }), record()] });
  const start = 29 + 12;
  t.equal(expandRdata(octets, 5, start, start + name.length, room, 0), name.length);
  t.equal(expandRdata(octets, 5, start, start + name.length - 1, room, 0), -1);
  t.equal(expandRdata(octets, 5, start, start + 3, room, 0), -1);
});

t.test('RFC 3403 §4.1: a NAPTR string that runs out of the RDATA', async (t) => {
  t.equal(expand(TYPE.NAPTR, join(bytes(0, 0, 0, 0), bytes(9, 1), P)), null);
  t.equal(expand(TYPE.NAPTR, bytes(0, 0, 0, 0)), null);
  t.equal(expand(TYPE.NAPTR, bytes(0, 0, 0, 0, 0, 0)), null);
});

t.test('RFC 1035 §4.1.4: a pointer in RDATA goes backward', async (t) => {
  t.equal(expand(TYPE.CNAME, pointer(60)), null);
  t.equal(expand(TYPE.CNAME, pointer(0)), null);
  const own = 12 + question(QNAME).length + 12;
  t.equal(expand(TYPE.CNAME, pointer(own)), null);
  t.equal(expand(TYPE.CNAME, join(bytes(1, 0x61), pointer(own))), null);
  // Into an earlier part of the same RDATA is backward.
  t.same(expand(TYPE.MINFO, join(wire('x'), pointer(own))), join(wire('x'), wire('x')));
});

t.test('names grow to 255 octets each, and no further', async (t) => {
  const octets = message({
    questions: [question(longName(255))],
    answers: [record({ type: TYPE.SOA, rdata: join(P, P, Buffer.alloc(20)) })],
  });
  const start = octets.length - 24;
  t.equal(expandRdata(octets, TYPE.SOA, start, octets.length, room, 0), 255 + 255 + 20);
  const over = message({
    questions: [question(longName(255))],
    answers: [record({ type: TYPE.CNAME, rdata: join(bytes(1, 0x61), P) })],
  });
  t.equal(expandRdata(over, TYPE.CNAME, over.length - 4, over.length, room, 0), -1);
});

t.test('rdataName reads one whole name in lower case', async (t) => {
  const of = (rdata: Buffer): Buffer | null => {
    const octets = message({ questions: [question(QNAME)], answers: [record({ type: 5, rdata })] });
    const name = rdataName(octets, octets.length - rdata.length, octets.length);
    return name === null ? null : Buffer.from(name);
  };
  t.same(of(P), wire('a.example'));
  t.same(of(wire('B.X')), wire('b.x'));
  t.same(of(bytes(0)), bytes(0));
  t.equal(of(join(wire('b.x'), bytes(0))), null);
  t.equal(of(bytes(3, 0x61)), null);
  t.equal(of(Buffer.alloc(0)), null);
});

t.test('RFC 2782, RFC 9460 §2.2, RFC 1035 §3.3.9: the target that a record points at', async (t) => {
  const target = (type: number, rdata: Buffer): Buffer | null => {
    const name = targetOf(type, rdata);
    return name === null ? null : Buffer.from(name);
  };
  t.same(target(TYPE.MX, join(u16(10), wire('Mail.Example'))), wire('mail.example'));
  t.same(target(TYPE.SRV, join(u16(0, 0, 443), wire('srv.example'))), wire('srv.example'));
  t.same(target(TYPE.SVCB, join(u16(1), wire('svc.example'), u16(1, 0))), wire('svc.example'));
  t.same(target(TYPE.HTTPS, join(u16(0), wire('alias.example'))), wire('alias.example'));
  t.equal(target(TYPE.MX, join(u16(0), wire(''))), null, 'RFC 7505 §3: null MX');
  t.equal(target(TYPE.SRV, join(u16(0, 0, 0), wire(''))), null, 'RFC 2782: no such service');
  t.equal(target(TYPE.HTTPS, join(u16(1), wire(''))), null, 'RFC 9460 §2.5: the owner itself');
  t.equal(target(TYPE.A, bytes(1, 2, 3, 4)), null);
  t.equal(target(TYPE.CNAME, wire('a.example')), null, 'a chain is approved with its start');
  for (const type of [TYPE.MX, TYPE.SRV, TYPE.SVCB, TYPE.HTTPS]) t.equal(hasTarget(type), true);
  for (const type of [TYPE.A, TYPE.NS, TYPE.CNAME, TYPE.NAPTR, TYPE.TXT]) t.equal(hasTarget(type), false);
});

function addresses(type: number, rdata: Buffer): string[] | null {
  const seen: string[] = [];
  const whole = everyAddress(type, rdata, (at, size) => {
    seen.push(rdata.subarray(at, at + size).toString('hex'));
    return true;
  });
  return whole ? seen : null;
}

const svcb = (target: Buffer, ...params: [number, Buffer][]): Buffer =>
  join(u16(1), target, ...params.map(([key, value]) => join(u16(key, value.length), value)));

t.test('RFC 9460 §7.3: every address of A, AAAA and the hints of SVCB and HTTPS is visited', async (t) => {
  const six = Buffer.alloc(16, 6);
  t.same(addresses(TYPE.A, bytes(10, 0, 0, 1)), ['0a000001']);
  t.same(addresses(TYPE.AAAA, six), [six.toString('hex')]);
  t.same(addresses(TYPE.TXT, bytes(3, 1, 2, 3)), []);
  for (const type of [TYPE.SVCB, TYPE.HTTPS]) {
    t.same(addresses(type, svcb(wire(''))), []);
    t.same(
      addresses(
        type,
        svcb(wire('a.example'), [1, Buffer.from('\x02h2')], [4, bytes(10, 0, 0, 1, 10, 0, 0, 2)], [6, six]),
      ),
      ['0a000001', '0a000002', six.toString('hex')],
    );
  }
});

t.test('everyAddress stops where the visitor says no', async (t) => {
  let calls = 0;
  const all = everyAddress(TYPE.HTTPS, svcb(wire(''), [4, Buffer.alloc(12)]), () => {
    calls++;
    return calls < 2;
  });
  t.equal(all, false);
  t.equal(calls, 2);
});

t.test('addresses that do not parse are no addresses', async (t) => {
  t.equal(addresses(TYPE.A, bytes(1, 2, 3)), null);
  t.equal(addresses(TYPE.AAAA, Buffer.alloc(4)), null);
  for (const rdata of [
    Buffer.alloc(0),
    u16(1),
    join(u16(1), bytes(1, 0x61)),
    svcb(wire(''), [4, bytes(1, 2, 3)]),
    svcb(wire(''), [4, Buffer.alloc(0)]),
    svcb(wire(''), [6, Buffer.alloc(4)]),
    join(svcb(wire('')), bytes(0)),
    join(svcb(wire('')), u16(4, 4), bytes(1, 2)),
  ]) {
    t.equal(addresses(TYPE.HTTPS, rdata), null, rdata.toString('hex'));
  }
});

t.test('RFC 9460 §2.2: a compressed SVCB target is malformed, and not one without a target', async (t) => {
  // Expanded RDATA keeps the pointer, for the type is opaque: a client would follow it into the reply.
  t.equal(addresses(TYPE.HTTPS, svcb(pointer(12))), null);
  t.equal(addresses(TYPE.HTTPS, svcb(pointer(12), [4, bytes(10, 0, 0, 1)])), null);
  t.equal(addresses(TYPE.SVCB, svcb(join(bytes(1, 0x61), pointer(12)))), null);
  t.equal(addresses(TYPE.SVCB, svcb(longName(255))) === null, false);
  t.equal(addresses(TYPE.SVCB, svcb(longName(256))), null);
});

t.test('RFC 4034 §3.1: what an RRSIG covers, and how many labels its owner had', async (t) => {
  const rdata = join(u16(28), bytes(13, 2), Buffer.alloc(14), wire('example'));
  t.equal(rrsigCovers(rdata, 0), 28);
  t.equal(rrsigLabels(rdata, 0), 2);
});

t.test('RFC 6672 §2.2: the name that a DNAME makes', async (t) => {
  const made = (name: Buffer, owner: Buffer, target: Buffer): Buffer | null => {
    const got = substitute(name, owner, target);
    return got === null ? null : Buffer.from(got);
  };
  t.same(made(wire('a.b.example'), wire('example'), wire('x.test')), wire('a.b.x.test'));
  t.same(made(wire('a.example'), wire('example'), wire('')), wire('a'));
  t.equal(made(wire('example'), wire('example'), wire('x')), null, 'the owner itself is not renamed');
  t.equal(made(wire('a.example'), wire('b.example'), wire('x')), null);
  t.equal(made(wire('evila.example'), wire('a.example'), wire('x')), null);
  t.equal(made(labelled(Buffer.from('x.example')), wire('example'), wire('x')), null);
  t.equal(made(join(Buffer.from('\x01a'), longName(250)), longName(250), longName(253))!.length, 255);
  t.equal(made(join(Buffer.from('\x01a'), longName(250)), longName(250), longName(254)), null, 'too long');
});
