import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { cable, namespace } from '../interop/netns.ts';
import { must, run } from '../interop/process.ts';

/** What a cable does to packets. */
export interface Impairment {
  /** Share of packets that is lost, in either direction. */
  readonly loss: number;
  /** Milliseconds that a packet takes from the far end to the near one; nothing the other way. */
  readonly delay: number;
}

export interface Wire {
  /** What makes it: `netem`, or a program of the test's own where the kernel has none. */
  readonly by: string;
  impair(impairment: Impairment): Promise<void>;
}

const NEAR = 'near0';
const FAR = 'far0';

/** A cable between two namespaces with an address each, the near end's first. */
export async function wire(
  t: Test,
  near: { readonly namespace: string; readonly address: string },
  far: { readonly namespace: string; readonly address: string },
): Promise<Wire> {
  await cable(
    { namespace: near.namespace, device: NEAR, addresses: [`${near.address}/24`] },
    { namespace: far.namespace, device: FAR, addresses: [`${far.address}/24`] },
  );
  const netem = async (
    namespace: string,
    device: string,
    { loss, delay }: Impairment,
  ): Promise<number | null> => {
    const words = ['delay', `${delay}ms`, 'loss', `${loss * 100}%`, 'limit', '10000'];
    return (await run(['tc', 'qdisc', 'replace', 'dev', device, 'root', 'netem', ...words], { namespace }))
      .code;
  };
  if ((await netem(near.namespace, NEAR, { loss: 0, delay: 0 })) === 0) {
    return {
      by: 'netem',
      async impair({ loss, delay }) {
        await netem(near.namespace, NEAR, { loss, delay: 0 });
        await netem(far.namespace, FAR, { loss, delay });
      },
    };
  }
  await must(['ip', 'link', 'delete', NEAR], { namespace: near.namespace });
  return ownWire(t, near, far);
}

async function ownWire(
  t: Test,
  near: { readonly namespace: string; readonly address: string },
  far: { readonly namespace: string; readonly address: string },
): Promise<Wire> {
  const middle = await namespace(t, 'wire');
  const program = fileURLToPath(new URL('wire.py', import.meta.url));
  const child = spawn('ip', ['netns', 'exec', middle, 'python3', program, NEAR, FAR], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  t.teardown(() => {
    child.kill('SIGKILL');
    return ended;
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('error', reject);
    child.once('close', () => reject(new Error('the wire did not start')));
  });
  for (const [device, end, peer] of [
    [NEAR, near, far],
    [FAR, far, near],
  ] as const) {
    await must(['ip', 'link', 'set', device, 'netns', end.namespace], { namespace: middle });
    await must(['ip', 'address', 'add', end.address, 'peer', peer.address, 'dev', device], {
      namespace: end.namespace,
    });
    await must(['ip', 'link', 'set', device, 'up'], { namespace: end.namespace });
  }
  return {
    by: 'wire.py',
    async impair({ loss, delay }) {
      child.stdin.write(`${loss} ${delay}\n`);
    },
  };
}
