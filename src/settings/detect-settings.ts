/**
 * What detectors look for, as the server file has it: thresholds by kind of finding, null for a kind that is off. The kinds, and
 * what their thresholds are, stand in the table of `detect/patterns/kinds.ts`.
 */
export type DetectSettings = Readonly<Record<string, Readonly<Record<string, number>> | null>>;
