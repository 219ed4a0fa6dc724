import { join } from 'node:path';
import type { Test } from 'tap';
import { askAt, type Reply } from '../admin/house.ts';
import { ask } from './client.ts';
import { house, Namegate } from './namegate.ts';

/** A whole server whose leases its tests open and end. */
export class Rig {
  readonly #t: Test;
  readonly folder: string;
  server!: Namegate;

  /** `quarantine` of the identity `quiet`, in seconds. */
  constructor(t: Test, quarantine = 25) {
    this.#t = t;
    this.folder = house(t, { policy: policyOf(quarantine), settings: 'admin: unix:admin.sock' });
  }

  async start(): Promise<this> {
    this.server = await new Namegate(this.#t, this.folder).started();
    return this;
  }

  async killAndStart(): Promise<void> {
    this.server.kill('SIGKILL');
    await this.server.ended;
    await this.start();
  }

  api(method: string, path: string, body?: unknown): Promise<Reply> {
    return askAt(`unix:${join(this.folder, 'admin.sock')}`, method, path, body);
  }

  async open(identity: string, address: string, ttl: number): Promise<string> {
    const { status, body } = await this.api('POST', '/v1/leases', { identity, address, ttl });
    if (status !== 201) throw new Error(JSON.stringify(body));
    return body['id'] as string;
  }

  /** The data of the answer, or its RCODE. */
  async told(name: string, from: string, over: 'udp' | 'tcp' = 'udp'): Promise<string> {
    const reply = await ask(this.server, name, { from, over });
    return reply.answer[0]?.data ?? reply.rcode;
  }
}

const policyOf = (quarantine: number): string => `identities:
  - name: build
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.50] }
    stages:
      fetch: { allow: [{ name: fetch.example, types: [A], reason: test }] }
      seal: { only: [] }
  - name: quiet
    owner: team
    review_by: 2099-01-01
    from: { addresses: [127.0.0.64/26] }
    quarantine: ${quarantine}s
    allow: [{ name: quiet.example, types: [A], reason: test }]
records:
  - { name: fetch.example, type: A, data: 192.0.2.1 }
  - { name: quiet.example, type: A, data: 192.0.2.2 }
`;
