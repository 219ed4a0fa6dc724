// An upstream for a test inside a network namespace: what a name is answered with stands in the table.
import { createSocket } from 'node:dgram';

const A = 1;
const CNAME = 5;
const AAAA = 28;
const HTTPS = 65;

let turn = 0;
const four = (text) => Buffer.from(text.split('.').map(Number));
const six = (last) => Buffer.from(`20010db80006000000000000000000${last}`, 'hex');
const name = (text) =>
  Buffer.concat([
    ...text.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
    Buffer.from([0]),
  ]);

/** By the first label: records of the question's type as [type, TTL, data], and perhaps another owner in front. */
const ANSWERS = {
  zero: (type) => (type === A ? [[A, 0, four(`198.51.100.${20 + (turn++ % 3)}`)]] : []),
  thirteen: (type) =>
    type === A ? Array.from({ length: 13 }, (_, i) => [A, 60, four(`198.51.100.${40 + i}`)]) : [],
  dual: (type) =>
    type === A ? [[A, 60, four('198.51.100.60')]] : type === AAAA ? [[AAAA, 60, six('ee')]] : [],
  chain: (type) => [
    [CNAME, 60, name('one.far.example')],
    [CNAME, 60, name('two.far.example'), name('one.far.example')],
    ...(type === A ? [[A, 60, four('198.51.100.61'), name('two.far.example')]] : []),
  ],
  service: (type) =>
    type === HTTPS
      ? [
          [
            HTTPS,
            60,
            Buffer.concat([Buffer.from([0, 1, 0]), Buffer.from([0, 4, 0, 4]), four('198.51.100.62')]),
          ],
        ]
      : [],
  slow: (type) => (type === A ? [[A, 60, four('198.51.100.63')]] : []),
  short: (type) => (type === A ? [[A, 1, four('198.51.100.64')]] : []),
};

const socket = createSocket('udp4');
socket.on('message', (query, { address, port }) => {
  let end = 12;
  while (query[end] !== 0) end += query[end] + 1;
  const label = query.toString('latin1', 13, 13 + query[12]).toLowerCase();
  const type = query.readUInt16BE(end + 1);
  const records = (ANSWERS[label] ?? (() => []))(type);
  const head = Buffer.from(query.subarray(0, 12));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(records.length, 6);
  head.writeUInt16BE(records.length === 0 ? 1 : 0, 8);
  head.writeUInt16BE(0, 10);
  const body = records.map(([own, ttl, data, owner]) => {
    const fixed = Buffer.alloc(10);
    fixed.writeUInt16BE(own, 0);
    fixed.writeUInt16BE(1, 2);
    fixed.writeUInt32BE(ttl, 4);
    fixed.writeUInt16BE(data.length, 8);
    return Buffer.concat([owner ?? Buffer.from([0xc0, 12]), fixed, data]);
  });
  if (records.length === 0)
    body.push(
      Buffer.concat([
        name('lab.example'),
        Buffer.from('00060001000000010016', 'hex'),
        Buffer.from([0, 0]),
        Buffer.alloc(20, 0),
      ]),
    );
  const reply = Buffer.concat([head, query.subarray(12, end + 5), ...body]);
  setTimeout(() => socket.send(reply, port, address), label === 'slow' ? 200 : 0);
});
socket.bind(1053, '127.0.0.1', () => console.log('answering'));
