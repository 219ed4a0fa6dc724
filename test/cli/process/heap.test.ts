import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { boundHeapsOfThreads } from '../../../src/cli/process/heap.ts';
import { RUNTIME_OPTIONS } from '../../../src/cli/process/runtime-options.ts';

/** Makes garbage, some of which lives on for a while; posts the most octets that the young generation had. */
const BUSY = `
const { getHeapSpaceStatistics } = require('node:v8');
const { parentPort } = require('node:worker_threads');
let most = 0;
for (let i = 0; i < 400; i++) {
  const kept = [];
  for (let j = 0; j < 2000; j++) kept.push({ j, at: [i, j] });
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
  most = Math.max(most, young.physical_space_size);
}
parentPort.postMessage(most);`;
const MIB = 1_048_576;

async function youngest(): Promise<number> {
  const worker = new Worker(BUSY, { eval: true, resourceLimits: { maxYoungGenerationSizeMb: 4 } });
  const [most] = (await once(worker, 'message')) as [number];
  return most / MIB;
}

t.test(
  'a thread has the young generation that it is started with, whatever the program runs with',
  async (t) => {
    const [option] = RUNTIME_OPTIONS.filter((each) => each.includes('semi-space'));
    setFlagsFromString(option!);
    const before = await youngest();
    t.ok(before > 4, `the option outranks it: ${before} MiB`);
    boundHeapsOfThreads();
    const after = await youngest();
    t.ok(after <= 4, `${after} MiB`);
  },
);
