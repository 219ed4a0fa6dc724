/** What a detector has to keep for the next run, by key: a text in JSON, or null for what need not be kept any more. */
export type KeptChanges = Map<string, string | null>;
