import type { FeedEvent } from '../event.ts';
import { ocsfObject } from './ocsf.ts';
import { plainObject } from './plain.ts';

export type FormatName = 'json' | 'ocsf';

/** Gives the object that stands for an event; `sent` is the time of sending, in milliseconds since 1970. */
export type Format = (event: FeedEvent, sent: number) => Readonly<Record<string, unknown>>;

export const FORMATS: Readonly<Record<FormatName, Format>> = { json: plainObject, ocsf: ocsfObject };
